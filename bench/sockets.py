"""WebSocket clients that cost next to nothing: a handshake and frames made once, and octets counted, not read.

`python bench/sockets.py PORT CLIENTS BYTES SECONDS` lets each client send a message when it has the last one back, and
prints how many came back and in which time.
"""

import asyncio
import base64
import json
import os
import struct
import sys
import time
from typing import cast

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n\r\n"
)
OPEN_TIMEOUT_S = 60.0
# Opened at once: more would be a test of queues.
MAX_OPENING = 100


def client_frame(data: bytes) -> bytes:
    """A binary message as a client sends it."""
    mask = os.urandom(4)
    masked = bytes(octet ^ mask[at % 4] for at, octet in enumerate(data))
    return b"\x82" + _length(len(data), 0x80) + mask + masked


def server_frame_bytes(size: int) -> int:
    """How long the same message is as it comes back."""
    return 1 + len(_length(size, 0)) + size


def _length(size: int, bit: int) -> bytes:
    if size < 126:
        return bytes([bit | size])
    return (
        bytes([bit | 126]) + struct.pack(">H", size) if size < 65536 else bytes([bit | 127]) + struct.pack(">Q", size)
    )


class Client(asyncio.Protocol):
    """Sends `frame` again whenever `reply_bytes` have come; idle if there is none."""

    def __init__(self, frame: bytes = b"", reply_bytes: int = 0) -> None:
        self._frame = frame
        self._reply_bytes = reply_bytes
        self._left = reply_bytes
        self._head = b""
        self._transport: asyncio.Transport
        self.opened = asyncio.get_running_loop().create_future()
        self.n_messages = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            self._open(data)
            return
        self._left -= len(data)
        if self._left <= 0 and self._frame:
            self.n_messages += 1
            self._left = self._reply_bytes
            self._transport.write(self._frame)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"not opened: {self._head!r}"))

    def start(self) -> None:
        self._transport.write(self._frame)

    def close(self) -> None:
        self._transport.abort()

    def _open(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" not in self._head:
            return
        if self._head.startswith(b"HTTP/1.1 101 "):
            self.opened.set_result(None)
        else:
            self.opened.set_exception(ConnectionError(f"not a WebSocket: {self._head[:200]!r}"))


async def open_all(port: int, n_clients: int, frame: bytes = b"", reply_bytes: int = 0) -> list[Client]:
    """So many that are open."""
    loop = asyncio.get_running_loop()
    room = asyncio.Semaphore(MAX_OPENING)

    async def open_one() -> Client:
        async with room, asyncio.timeout(OPEN_TIMEOUT_S):
            _, client = await loop.create_connection(lambda: Client(frame, reply_bytes), "127.0.0.1", port)
            await client.opened
            return client

    return await asyncio.gather(*(open_one() for _ in range(n_clients)))


async def main(port: int, n_clients: int, size: int, seconds: float) -> None:
    clients = await open_all(port, n_clients, client_frame(os.urandom(size)), server_frame_bytes(size))
    for client in clients:
        client.start()
    print("started", flush=True)
    began = time.monotonic()
    await asyncio.sleep(seconds)
    counted = sum(client.n_messages for client in clients)
    print(
        json.dumps(
            {"messages": counted, "seconds": time.monotonic() - began, "idle": sum(not c.n_messages for c in clients)}
        )
    )
    for client in clients:
        client.close()


if __name__ == "__main__":
    runner = asyncio.run
    try:
        import uvloop

        runner = uvloop.run
    except ImportError:
        pass
    runner(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
