"""How a link reads while bodies come: into the same memory again and again.

What an event loop reads it hands on as new `bytes`, which is a copy of all that comes, into memory that no cache knows.
Here the system writes where the pieces of a body are then sent on from. For what is small the usual way costs less: so
a link reads like this from its first long read on, until reads have been short for a while.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

# A read of so much has more behind it: the event loops' own take 256,000 octets at most.
LONG_READ_BYTES: Final = 192 * 1024

# What fits into a processor's own cache beside all else. Benchmark, replies of 1 MiB: with 64 KiB the system calls
# cost more than is gained, with 256 KiB nothing is.
BUFFER_BYTES: Final = 128 * 1024

# So many reads without a full one, and what was large is over.
MAX_SHORT_READS: Final = 64


class BulkReader(asyncio.BufferedProtocol):
    """Stands before a protocol, and gives the transport back to it in the end.

    A full buffer is handed to `receive` as a view; less is copied, so that no short piece keeps a long buffer. Whoever
    has a view still when the next read comes, as its client does not take it, keeps it, and that read has a new buffer.
    """

    def __init__(
        self, protocol: asyncio.Protocol, receive: Callable[[bytes], None], transport: asyncio.Transport
    ) -> None:
        self._protocol = protocol
        self._receive = receive
        self._transport = transport
        self._buffer = bytearray(BUFFER_BYTES)
        self._n_short = 0

    def get_buffer(self, sizehint: int) -> bytearray:
        if _is_viewed(self._buffer):
            self._buffer = bytearray(BUFFER_BYTES)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        view = memoryview(self._buffer).toreadonly()
        if nbytes == BUFFER_BYTES:
            self._n_short = 0
            self._receive(cast(bytes, view))
            return
        self._n_short += 1
        if self._n_short == MAX_SHORT_READS:
            self._transport.set_protocol(self._protocol)
        self._receive(bytes(view[:nbytes]))

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)


def _is_viewed(buffer: bytearray) -> bool:
    """Whether anybody has a view of it: then its size cannot be changed."""
    try:
        buffer.append(0)
    except BufferError:
        return True
    buffer.pop()
    return False
