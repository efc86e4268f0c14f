"""One small application in each framework, all with the same paths (`test_frameworks.py` says what each does)."""

import hashlib
import threading
from collections.abc import Iterator
from typing import Any

PIECE = bytes(range(256)) * 64


def digest(file: Any, *, name: str = "") -> dict[str, Any]:
    """Read a file to its end, some at a time, and tell what it was."""
    sha, size = hashlib.sha256(), 0
    while piece := file.read(50_000):
        sha.update(piece)
        size += len(piece)
    return {"name": name, "size": size, "sha256": sha.hexdigest()}


def pieces(n: int) -> Iterator[bytes]:
    for _ in range(n):
        yield PIECE


# By which variable the documentation's examples are told where to put what is uploaded.
UPLOADS_VARIABLE = "TEST_UPLOADS"

# Of the last stream of rows: how many have been taken, and whether it has ended.
_made = {"rows": 0, "is_over": True}


def rows(n: str, width: str) -> Iterator[list[str]]:
    """Of a table that is to be streamed: so many, the first cell so wide at least."""
    _made.update(rows=0, is_over=False)
    try:
        for number in range(int(n)):
            _made["rows"] = number + 1
            yield [f"Row {number}".ljust(int(width)), str(number)]
    finally:
        _made["is_over"] = True


def told() -> dict[str, int]:
    return dict(_made)


class Stage:
    """Where a stream of events waits for its cues, and who is on it."""

    def __init__(self) -> None:
        self._cues = threading.Semaphore(0)
        self.left = threading.Event()

    def cue(self) -> None:
        self._cues.release()

    def events(self) -> Iterator[bytes]:
        """One event at once, and one for each cue, until the client leaves."""
        self.left.clear()
        try:
            number = 0
            while True:
                yield b"data: %d\n\n" % number
                number += 1
                assert self._cues.acquire(timeout=20)
        finally:
            self.left.set()


stage = Stage()
