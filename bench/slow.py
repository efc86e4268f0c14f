"""Clients that are slow, beside the fast ones: some read slowly, some send a body or a head slowly.

`clients()` runs this file as a process of its own, which ends when it is told to, and is killed when its time is up.
"""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import replies
from failure import BenchError
from request import Request

READY = "ready"
# How much longer than the load these may run, if nobody tells them to stop.
SPARE_S = 20

# Between two pieces. With it a reader gets 160 KiB and a sender brings 40 KiB a second, like a telephone on a train.
PAUSE_S = 0.1
READ_PIECE_BYTES = 16 * 1024
BODY_PIECE_BYTES = 4 * 1024
HEAD_PIECE_BYTES = 40
# What the kernel may hold for a reader, so that the rest has to wait at the server. It doubles what it is told.
RECEIVE_BUFFER_BYTES = 16 * 1024
BODY_BYTES = 128 * 1024
# Without a step forward for so long a client has been forgotten.
STALL_S = 10.0

LARGE = Request("GET", "/1m", (("Host", "shop.example.org"),))
BULKY = Request(
    "POST", "/api/orders/00042", (("Host", "api.example.org"), ("Content-Length", str(BODY_BYTES))), b"x" * BODY_BYTES
)
LONG = Request("GET", "/", (("Host", "shop.example.org"), ("Cookie", f"session={'0123456789abcdef' * 50}")))


class Client:
    """One slow client: the same way again and again over one connection."""

    def __init__(self, port: int, way: "Way") -> None:
        self._port = port
        self._way = way
        self._received = b""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._socket.setblocking(False)
        self.has_begun = asyncio.Event()

    async def run(self) -> None:
        """Never returns. Raises OSError, ValueError or EOFError if it is not served."""
        with self._socket:
            await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", self._port))
            while True:
                await self._way(self)

    async def send(self, data: bytes, piece_bytes: int) -> None:
        """Send in pieces, with a pause after each."""
        for start in range(0, len(data), piece_bytes):
            async with asyncio.timeout(STALL_S):
                await asyncio.get_running_loop().sock_sendall(self._socket, data[start : start + piece_bytes])
            self.has_begun.set()
            await asyncio.sleep(PAUSE_S)

    async def receive(self, request: Request, pause_s: float) -> None:
        """Read the reply to a request to its end, with a pause after each piece."""
        expected = replies.reply_to(request.method, request.path(), request.asked(), request.body)
        assert expected is not None
        status, _, body = expected
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            self._received += await self._piece()
        if not self._received.startswith(b"HTTP/1.1 %d " % status):
            raise ValueError(f"{request.method} {request.target}: {self._received[:80]!r}")
        n_missing = end + 4 + len(body) - len(self._received)
        while n_missing > 0:
            await asyncio.sleep(pause_s)
            n_missing -= len(await self._piece())
        if n_missing < 0:
            raise ValueError(f"{request.method} {request.target}: the reply is too long")
        self._received = b""

    async def _piece(self) -> bytes:
        # Not wait_for(): in Python 3.11 it forgets that it was cancelled if there is a result at the same moment.
        async with asyncio.timeout(STALL_S):
            data = await asyncio.get_running_loop().sock_recv(self._socket, READ_PIECE_BYTES)
        if not data:
            raise EOFError("a slow client's connection was closed")
        self.has_begun.set()
        return data


Way = Callable[[Client], Awaitable[None]]


async def read_slowly(client: Client) -> None:
    """Ask for much and take it bit by bit."""
    await client.send(LARGE.encode(), len(LARGE.encode()))
    await client.receive(LARGE, PAUSE_S)


async def send_body_slowly(client: Client) -> None:
    """Bring a body bit by bit."""
    await client.send(BULKY.encode(), BODY_PIECE_BYTES)
    await client.receive(BULKY, 0)


async def send_head_slowly(client: Client) -> None:
    """Take seconds for a request's head."""
    await client.send(LONG.encode(), HEAD_PIECE_BYTES)
    await client.receive(LONG, 0)


# Handed out in turn: half of the clients read slowly, the others send slowly.
WAYS: tuple[Way, ...] = (read_slowly, send_body_slowly, read_slowly, send_head_slowly)


async def _work(port: int, count: int) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    clients = [Client(port, WAYS[n % len(WAYS)]) for n in range(count)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.run()) for client in clients]
        for client in clients:
            await client.has_begun.wait()
        print(READY, flush=True)
        await told.wait()
        for task in tasks:
            task.cancel()


def main() -> int:
    """The process: 0 if every client was served until it was told to stop, 1 with a reason if not."""
    port, seconds, count = map(int, sys.argv[1:])
    # Whatever goes wrong here or there, the process is gone then.
    signal.alarm(seconds)
    try:
        asyncio.run(_work(port, count))
    except ExceptionGroup as problems:
        print(repr(problems.exceptions[0]), file=sys.stderr)
        return 1
    return 0


@contextmanager
def clients(port: int, count: int, seconds: int) -> Iterator[None]:
    """So many slow clients at work during the block. Raises BenchError if one was not served."""
    argv = [sys.executable, str(Path(__file__).resolve()), str(port), str(seconds + SPARE_S), str(count)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        if process.stdout.readline().strip() == READY:
            yield
    finally:
        process.terminate()
        _, problem = process.communicate()
    if process.returncode != 0:
        raise BenchError(f"slow clients: exit code {process.returncode}: {problem.strip()}")


if __name__ == "__main__":
    sys.exit(main())
