"""A temporary folder that goes with its process, and is swept by the next one if it could not."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "zerogate-run-"


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for this user alone. What others like it have left behind is removed first."""
    parent = Path(tempfile.gettempdir())
    _sweep(parent)
    path, lock_fd = _make(parent)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock_fd)


def _make(parent: Path) -> tuple[Path, int]:
    """A new folder, locked: who sweeps knows by the lock, which ends with its process, that it is in use."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        try:
            lock_fd = os.open(path, os.O_RDONLY)
            if _lock(lock_fd) and path.exists():
                return path, lock_fd
            os.close(lock_fd)
        except FileNotFoundError:
            pass
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        # A sweep was quicker than the lock: once more.


def _sweep(parent: Path) -> None:
    for path in parent.glob(f"{PREFIX}*"):
        # Whatever is not ours to remove stays.
        with contextlib.suppress(OSError):
            lock_fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(lock_fd).st_uid == os.geteuid() and _lock(lock_fd):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock_fd)


def _lock(fd: int) -> bool:
    """True if nobody else has it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
