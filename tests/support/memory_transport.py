"""A transport in memory, and in the test's hands: what is written can be looked at, and is taken when the test says."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

# asyncio's own default.
HIGH_WATER_BYTES = 64 * 1024


class FakeSocket:
    """Notes its options. The kernel keeps nothing of what is sent: there is none."""

    def __init__(self, family: int = socket.AF_INET) -> None:
        self.family = family
        self.options: dict[tuple[int, int], Any] = {}

    def setsockopt(self, level: int, name: int, value: Any) -> None:
        self.options[level, name] = value

    def fileno(self) -> int:
        raise OSError

    @property
    def is_set_to_reset(self) -> bool:
        return self.options.get((socket.SOL_SOCKET, socket.SO_LINGER)) == struct.pack("ii", 1, 0)


class MemoryTransport(asyncio.Transport):
    """Connects `protocol`, as an event loop would: what it is told comes in later turns, what it tells counts at once.

    octets: all that was written, ever
    is_taking: whether the peer reads; if not, what is written stays in the buffer until `take`
    """

    def __init__(self, protocol: Any, peername: Any = ("203.0.113.9", 50000)) -> None:
        # The peer of a Unix socket has an empty name; one of TCP that has left already has none.
        self.sock = FakeSocket(socket.AF_UNIX if isinstance(peername, str) else socket.AF_INET)
        super().__init__({"peername": peername, "sockname": ("192.0.2.1", 80), "socket": self.sock})
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._buffered_bytes = 0
        self._high_bytes = HIGH_WATER_BYTES
        self._is_protocol_paused = False
        self._waiting: list[Callable[[], Any]] = []
        self.octets = bytearray()
        self.is_taking = True
        self._is_reading = True
        self.is_eof_written = False
        self.is_lost = False
        self._is_closing = False
        protocol.connection_made(self)

    # What the test has the peer do

    def say(self, data: bytes) -> None:
        """Send to the protocol; what it does not read now it reads later."""
        self._waiting.append(lambda: self._protocol.data_received(data))
        self._deliver()

    def say_eof(self) -> None:
        self._waiting.append(self._end_input)
        self._deliver()

    def take(self, n_bytes: int | None = None) -> None:
        """Read what is in the buffer, or so much of it."""
        self._buffered_bytes -= self._buffered_bytes if n_bytes is None else min(n_bytes, self._buffered_bytes)
        if self._is_protocol_paused and self._buffered_bytes <= self._high_bytes // 4:
            self._is_protocol_paused = False
            self._protocol.resume_writing()
        if self._is_closing and not self._buffered_bytes:
            self._lose_soon(None)

    def lose(self, error: Exception | None = None) -> None:
        """The connection is gone."""
        self._is_closing = True
        self._lose_soon(error)

    def drain(self) -> bytes:
        """What was written since the last time."""
        octets = bytes(self.octets)
        self.octets.clear()
        return octets

    def _deliver(self) -> None:
        while self._waiting and self._is_reading and not self._is_closing:
            self._waiting.pop(0)()

    def _end_input(self) -> None:
        if not self._protocol.eof_received():
            self.close()

    def _lose_soon(self, error: Exception | None) -> None:
        self._loop.call_soon(self._lose, error)

    def _lose(self, error: Exception | None) -> None:
        if not self.is_lost:
            self.is_lost = True
            self._protocol.connection_lost(error)

    # From the protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_eof_written, "a write after the end"
        if self.is_lost:
            raise RuntimeError("a write to a connection that is lost")  # as uvloop's
        self.octets += data
        if not self.is_taking:
            self._buffered_bytes += len(data)
            if self._buffered_bytes > self._high_bytes and not self._is_protocol_paused:
                self._is_protocol_paused = True
                self._protocol.pause_writing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def write_eof(self) -> None:
        self.is_eof_written = True

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return self._buffered_bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high_bytes = HIGH_WATER_BYTES if high is None else high

    def is_reading(self) -> bool:
        return self._is_reading

    def pause_reading(self) -> None:
        assert self._is_reading
        self._is_reading = False

    def resume_reading(self) -> None:
        assert not self._is_reading
        self._is_reading = True
        self._loop.call_soon(self._deliver)

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True
        if not self._buffered_bytes:
            self._lose_soon(None)

    def abort(self) -> None:
        self._is_closing = True
        self._buffered_bytes = 0
        self._lose_soon(None)
