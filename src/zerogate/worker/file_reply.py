"""A file as a reply: one and the same from its head to its last octet, and ranges as HTTP has them (RFC 9110, 14).

Starlette's FileResponse looks at a file, says its size, and opens it by its path later: if another one was put in its
place meanwhile, as who replaces one does, the head is of the one and the body of the other. Here it is opened first.
"""

import os
import re
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

_DESCRIPTORS: Final = "/proc/self/fd"
# The same file, though its path may be another one's by now. Where a system has nothing like it the path has to do.
_HAS_DESCRIPTORS: Final = os.path.isdir(_DESCRIPTORS)

# RFC 9110, 14.1.2. So many digits are more than any file has octets.
_match_range = re.compile(r"([0-9]{1,100})-([0-9]{0,100})|-([0-9]{1,100})", re.ASCII).fullmatch


class ChangedError(Exception):
    """The file is not the one that was found: nothing has been said, and it is to be looked for again."""


class FileReply(FileResponse):
    """With `stat_result`, which says what was found. Raises ChangedError if that is there no longer."""

    stat_result: os.stat_result

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = with_ranges(scope, self.stat_result.st_size)
        if scope["method"] == "HEAD":
            await super().__call__(scope, receive, send)
            return
        fd = self._open()
        try:
            if _HAS_DESCRIPTORS:
                self.path = f"{_DESCRIPTORS}/{fd}"
            await super().__call__(scope, receive, send)
        finally:
            os.close(fd)

    def _open(self) -> int:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError as error:
            raise ChangedError(self.path) from error
        if not is_same(os.fstat(fd), self.stat_result):
            os.close(fd)
            raise ChangedError(self.path)
        return fd


def is_same(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether both are of one file with one content. Who loses its name is changed, but not its content."""
    return os.path.samestat(one, other) and one.st_size == other.st_size and one.st_mtime_ns == other.st_mtime_ns


def with_ranges(scope: Scope, size_bytes: int) -> Scope:
    """The request, without ranges where they mean nothing, and of several with those that the file has.

    14.2: they mean nothing for other methods than GET, in other units than octets, and where they are malformed.
    """
    asked = Headers(scope=scope).get("range")
    if asked is None:
        return scope
    headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
    ranges = _parse(asked) if scope["method"] == "GET" else []
    there = [each for each in ranges if _is_there(each, size_bytes)]
    # Where none is there, that is to be said (416). Of nothing, its last octets are all of it.
    if ranges and (size_bytes or not there):
        headers.append((b"range", f"bytes={','.join(there or ranges)}".encode()))
    return {**scope, "headers": headers}


def _parse(text: str) -> list[str]:
    """The ranges that are asked for; none if it is not a set of them."""
    unit, _, elements = text.partition("=")
    # 5.6.1: a list may have empty elements.
    ranges = [stripped for element in elements.split(",") if (stripped := element.strip(" \t"))]
    return ranges if unit.lower() == "bytes" and all(map(_is_range, ranges)) else []


def _is_range(text: str) -> bool:
    match = _match_range(text)
    return match is not None and not (match[2] and int(match[2]) < int(match[1]))


def _is_there(text: str, size_bytes: int) -> bool:
    first, _, last = text.partition("-")
    return int(first) < size_bytes if first else int(last) > 0
