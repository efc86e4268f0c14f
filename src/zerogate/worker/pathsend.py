"""`http.response.pathsend`: a file as a reply's body, some at a time, however large it is."""

import asyncio
import os
import stat
from typing import Final

from zerogate.worker.call import Call
from zerogate.worker.errors import ApplicationError

# As much as `Call.drain` lets wait, so that a client that keeps up is never waited for.
PIECE_BYTES: Final = 64 * 1024

# preadv(2): what is in memory already, at once; nothing where one would have to wait for the disk. Linux has it.
_NOWAIT: Final = getattr(os, "RWF_NOWAIT", 0)


async def send_file(call: Call, path: str) -> None:
    """Send the file as it is when it is opened, and with it the end of the body.

    Raises OSError if it cannot be read, ApplicationError if it is no file or becomes shorter meanwhile,
    ClientDisconnected.
    """
    loop = asyncio.get_running_loop()
    opening = loop.run_in_executor(None, _open, path)
    try:
        fd, size_bytes = await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The thread goes on: what it opens is nobody's by then.
        opening.add_done_callback(_close_opened)
        raise
    try:
        # Of a HEAD request nobody asks for more than the head.
        left = 0 if call.fields[b":method"] == b"HEAD" else size_bytes
        if not left:
            call.send_body(b"", False)
        while left:
            at, n_bytes = size_bytes - left, min(PIECE_BYTES, left)
            piece = _read_at_once(fd, n_bytes, at) or await loop.run_in_executor(None, os.pread, fd, n_bytes, at)
            if not piece:
                raise ApplicationError(f"{path} has become shorter, by {left} bytes")
            left -= len(piece)
            if call.send_body(piece, left > 0):
                await call.drain()
    finally:
        os.close(fd)


def _open(path: str) -> tuple[int, int]:
    # Without waiting: a pipe has nobody at its other end, maybe.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise ApplicationError(f"{path} is no regular file")
    return fd, found.st_size


def _close_opened(opening: "asyncio.Future[tuple[int, int]]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result()[0])


def _read_at_once(fd: int, n_bytes: int, at: int) -> bytes:
    """What the system has in memory; empty if that is nothing, or cannot be told."""
    if not _NOWAIT:
        return b""
    buffer = bytearray(n_bytes)
    try:
        n_read = os.preadv(fd, [buffer], at, _NOWAIT)
    except OSError:
        return b""
    return bytes(memoryview(buffer)[:n_read])
