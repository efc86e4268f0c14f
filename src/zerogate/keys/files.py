"""Where keys lie: a router's folder, and a worker's one key.

DIR/router.key       the router's secret key; 0600, and never printed
DIR/router.old.key   the one before, while workers are told of the new one
DIR/workers          who may come in (key_list.py)
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from zerogate.errors import UsageError, ZmtpError
from zerogate.wire.zmtp import KeyPair, decode_key, encode_key, key_pair_of, make_key_pair

ROUTER_KEY = "router.key"
OLD_ROUTER_KEY = "router.old.key"
WORKERS = "workers"

FOLDER_MODE = 0o700
SECRET_MODE = 0o600
_READABLE_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def default_folder() -> Path:
    """`zerogate/keys` in the user's configuration (XDG Base Directory Specification). Raises UsageError: no home."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    try:
        return (Path(base) if os.path.isabs(base) else Path.home() / ".config") / "zerogate" / "keys"
    except RuntimeError as error:
        raise UsageError(f"where keys lie has to be said, --keys DIR: {str(error).rstrip('.').lower()}") from error


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Change what is in the folder, one after the other: scripts make the keys of many workers at once.

    Raises UsageError for what the system does not let us do.
    """
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: {error.strerror or error}") from error


def give(fd: int, like: os.stat_result) -> None:
    """Have a file belong to whom another belongs, as far as we may: a router need not be whoever makes its keys."""
    with contextlib.suppress(PermissionError):
        os.fchown(fd, like.st_uid, like.st_gid)


def make_router_key(folder: Path) -> KeyPair:
    """A router's new key pair, kept in the folder. Raises UsageError if it has one already."""
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error
    with changing(folder):
        return _make_router_key(folder)


def _make_router_key(folder: Path) -> KeyPair:
    pair = make_key_pair()
    try:
        _write_secret(folder / ROUTER_KEY, pair)
    except FileExistsError:
        raise UsageError(f"{folder / ROUTER_KEY}: there is a key already (`zerogate keys rotate router`)") from None
    return pair


def rotate_router_key(folder: Path) -> KeyPair:
    """A new key pair beside the present one, which is still taken. Raises UsageError: none there, or two already."""
    if not _is_there(folder / ROUTER_KEY):
        raise UsageError(f"{folder}: there is no router key to change (`zerogate keys router`)")
    with changing(folder):
        return _rotate_router_key(folder)


def _rotate_router_key(folder: Path) -> KeyPair:
    old = folder / OLD_ROUTER_KEY
    if old.exists():
        raise UsageError(f"{old}: the last change is not finished (`zerogate keys rotate router --finish`)")
    os.link(folder / ROUTER_KEY, old)
    pair = make_key_pair()
    new = folder / f".{ROUTER_KEY}.new"
    new.unlink(missing_ok=True)
    _write_secret(new, pair)
    os.replace(new, folder / ROUTER_KEY)
    return pair


def finish_rotation(folder: Path) -> None:
    """Forget the key before. Raises UsageError if there is none."""
    with changing(folder):
        try:
            (folder / OLD_ROUTER_KEY).unlink()
        except FileNotFoundError:
            raise UsageError(f"{folder}: no change of the router's key is under way") from None


def router_key_pairs(folder: Path) -> tuple[KeyPair, ...]:
    """The router's key pair, and the one before while there is one. Empty if there is none. Raises UsageError."""
    paths = (folder / ROUTER_KEY, folder / OLD_ROUTER_KEY)
    return tuple(read_key_pair(path) for path in paths if _is_there(path))


def _is_there(path: Path) -> bool:
    """Whether there is something to read, if only why it cannot be."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        pass
    return True


def read_key_pair(path: Path) -> KeyPair:
    """The pair of a file's secret key. Raises UsageError; it must be readable by nobody else."""
    try:
        if path.stat().st_mode & _READABLE_BY_OTHERS:
            raise UsageError(f"{path}: others can read this secret key (chmod 600 {path})")
        return parse_secret(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error.strerror if isinstance(error, OSError) else error}") from error
    except ZmtpError as error:
        raise UsageError(f"{path}: {error.reason}") from error


def worker_key_pair(text: str) -> KeyPair:
    """A worker's pair: `text` is its secret key, or the path of the file that has it. Raises UsageError.

    What is neither is not repeated: it may be most of a secret.
    """
    try:
        return parse_secret(text)
    except ZmtpError as error:
        if not _is_path(text):
            raise UsageError(f"--key: no such file, and no key itself: {error.reason}") from None
        return read_key_pair(Path(text))


def _is_path(text: str) -> bool:
    """Whether it leads to a file, or to where we may not look for one."""
    try:
        os.stat(text)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def parse_secret(text: str) -> KeyPair:
    """The pair of a secret key as text. Raises ZmtpError."""
    return key_pair_of(decode_key(text.strip()))


def _write_secret(path: Path, pair: KeyPair) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE)
    with open(fd, "w", encoding="utf-8") as file:
        give(fd, path.parent.stat())
        file.write(f"{encode_key(pair.secret)}\n")
        file.flush()
        os.fsync(file.fileno())
