"""Small files that were asked for lately, in memory. Whether one has changed is asked of the system, for each request.

What is looked at: the file by the path that was asked for, so that a symbolic link may be turned to something else,
what is compressed beforehand beside it, and the folder, which changes when a file comes or goes there. The clock of a
file system ticks a hundred times a second or so, and two writes within one tick look like one: so nothing is kept that
was written just now.
"""

import os
import sys
import time
from typing import Final, NamedTuple

MAX_FILE_BYTES: Final = 64 * 1024
MAX_KEPT_BYTES: Final = 16 * 1024 * 1024
# What is kept beside a file's octets, about.
OVERHEAD_BYTES: Final = 2 * 1024
# No file system's time is coarser, but for FAT's.
SETTLED_S: Final = 1.5

# What decides which octets are answered: the path that was asked for, what it is below, and which codings are taken.
Key = tuple[str, str, frozenset[str]]

# A path, and what the system said of it.
Mark = tuple[str, os.stat_result]
Pairs = list[tuple[bytes, bytes]]


class SmallFile(NamedTuple):
    """A file as it is answered.

    marks: what must not have changed
    headers: of its reply
    """

    marks: list[Mark]
    headers: Pairs
    data: bytes


class SmallFiles:
    """By what decides what is answered. At most MAX_KEPT_BYTES: the first to go is who was not asked
    for for longest."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: dict[Key, SmallFile] = {}
        self.n_bytes = 0

    def __repr__(self) -> str:
        return f"<SmallFiles {len(self._kept)} in {self.n_bytes} bytes>"

    def find(self, key: Key) -> SmallFile | None:
        """The file, if it is here and has not changed."""
        found = self._kept.pop(key, None)
        if found is None:
            return None
        if not all(is_unchanged(mark) for mark in found.marks):
            self.n_bytes -= size_of(key, found)
            return None
        self._kept[key] = found  # at the end, as the one that was asked for last
        return found

    def keep(self, key: Key, file: SmallFile) -> None:
        before = self._kept.pop(key, None)
        self.n_bytes += size_of(key, file) - (0 if before is None else size_of(key, before))
        self._kept[key] = file
        while self.n_bytes > self._max_bytes:
            oldest = next(iter(self._kept))
            self.n_bytes -= size_of(oldest, self._kept.pop(oldest))


def size_of(key: Key, file: SmallFile) -> int:
    """What it takes in memory. The path counts: with slashes enough one file has any number of long ones."""
    path, root_path, _ = key
    return _size_of(path) + _size_of(root_path) + len(file.data) + OVERHEAD_BYTES


def is_unchanged(mark: Mark) -> bool:
    path, then = mark
    try:
        now = os.stat(path)
    except OSError:
        return False
    return (
        now.st_mtime_ns == then.st_mtime_ns
        and now.st_ctime_ns == then.st_ctime_ns
        and now.st_ino == then.st_ino
        and now.st_size == then.st_size
        and now.st_dev == then.st_dev
    )


def mark_of(path: str) -> Mark:
    """Raises OSError."""
    return path, os.stat(path)


def are_settled(marks: list[Mark]) -> bool:
    """Whether whatever changes any of them from now on shows."""
    latest = time.time() - SETTLED_S
    return all(found.st_ctime < latest for _, found in marks)


def read_small(path: str, found: os.stat_result) -> bytes | None:
    """All of a file that is as `found` says; None if it is not, or is too large."""
    if found.st_size > MAX_FILE_BYTES:
        return None
    try:
        with open(path, "rb") as file:
            data = file.read(found.st_size + 1)
    except OSError:
        return None
    return data if len(data) == found.st_size and is_unchanged((path, found)) else None


def _size_of(text: str) -> int:
    """In memory; the most that it can be where the interpreter does not say (PyPy)."""
    return sys.getsizeof(text, 4 * len(text))
