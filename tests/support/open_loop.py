"""An open loop of HTTP clients: requests come when they are due, whether or not those before them are answered.

So what is slow is not hidden by clients that wait for it. A request is timed from when it was due. Each is sent once,
on a new connection (`fresh`), or on one that the server has not closed and has not said it would (`kept`); whatever
ends a connection before its reply is whole is a failure.
"""

import asyncio
import collections
import dataclasses
import threading
import time
from typing import cast

import uvloop

from tests.support.processes import wait_for

TIMEOUT_S = 10.0
# A tick of the loop that starts what is due.
TICK_S = 0.002


@dataclasses.dataclass
class OpenLoopReport:
    """What the clients saw. `failed` counts by kind; `took_s` is each good reply's time, from when it was due."""

    failed: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    took_s: list[float] = dataclasses.field(default_factory=list)
    connections: int = 0

    @property
    def ok(self) -> int:
        return len(self.took_s)

    def percentile_s(self, share: float) -> float:
        """0.0 without any."""
        taken = sorted(self.took_s)
        return taken[min(len(taken) - 1, int(share * len(taken)))] if taken else 0.0

    def __str__(self) -> str:
        times = ", ".join(f"{name} {self.percentile_s(share) * 1000:.0f} ms" for name, share in SHARES.items())
        return f"ok={self.ok} failed={dict(self.failed)} connections={self.connections} {times}"


SHARES = {"median": 0.5, "p99": 0.99, "p99.9": 0.999, "longest": 1.0}


class OpenLoop:
    """A context: `rate` requests a second from its start to its end, and until the last is answered or given up."""

    def __init__(self, port: int, rate: float, *, keeps_alive: bool) -> None:
        self.report = OpenLoopReport()
        self.port = port
        close = "" if keeps_alive else "connection: close\r\n"
        self.request = f"GET / HTTP/1.1\r\nhost: open.test\r\n{close}\r\n".encode()
        self.idle: collections.deque[_Client] = collections.deque()
        self.n_open = 0
        self.n_connected = 0
        self._rate = rate
        self._is_stopping = False
        self._crash: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="open loop", daemon=True)

    def __enter__(self) -> "OpenLoop":
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._is_stopping = True
        self._thread.join(TIMEOUT_S + 10)
        assert not self._thread.is_alive(), "the open loop hangs"
        if self._crash is not None:
            raise self._crash

    def wait_ok(self, n: int, seconds: float = 30.0) -> None:
        """Wait for `n` more good replies. Raises AssertionError."""
        wanted = self.report.ok + n
        wait_for(lambda: self.report.ok >= wanted, f"{n} more good replies: {self.report}", seconds)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._send_all())
        except BaseException as crash:
            self._crash = crash

    async def _send_all(self) -> None:
        began_at = time.monotonic()
        n_sent = 0
        connecting = set()
        while not self._is_stopping:
            while n_sent < (time.monotonic() - began_at) * self._rate:
                due_at = began_at + n_sent / self._rate
                n_sent += 1
                self.n_open += 1
                if self.idle:
                    self.idle.pop().ask(due_at)
                else:
                    connecting.add(task := asyncio.ensure_future(self._connect(due_at)))
                    task.add_done_callback(connecting.discard)
            await asyncio.sleep(TICK_S)
        give_up = time.monotonic() + TIMEOUT_S + 1
        while self.n_open and time.monotonic() < give_up:
            await asyncio.sleep(TICK_S)
        for client in list(self.idle):
            client.close()
        while self.n_connected and time.monotonic() < give_up + 1:
            await asyncio.sleep(TICK_S)

    async def _connect(self, due_at: float) -> None:
        self.report.connections += 1
        try:
            async with asyncio.timeout(TIMEOUT_S):
                loop = asyncio.get_running_loop()
                _, client = await loop.create_connection(lambda: _Client(self), "127.0.0.1", self.port)
        except (OSError, TimeoutError) as error:
            self.report.failed[f"connect: {type(error).__name__}"] += 1
            self.n_open -= 1
        else:
            client.ask(due_at)


class _Client(asyncio.Protocol):
    def __init__(self, load: OpenLoop) -> None:
        self._load = load
        self._received = b""
        self._due_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._load.n_connected += 1

    def ask(self, due_at: float) -> None:
        self._due_at = due_at
        self._received = b""
        self._timer = asyncio.get_running_loop().call_later(TIMEOUT_S, self._fail, "hung")
        if self._transport.is_closing():
            self._fail("closed before it was asked")
        else:
            self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), None)
        is_whole = body.endswith(b"0\r\n\r\n") if length is None else len(body) >= length
        if not is_whole or self._timer is None:
            return
        if not head.startswith(b"HTTP/1.1 200 "):
            self._fail(head.split(b" ", 2)[1].decode())
            return
        self._end()
        self._load.report.took_s.append(time.monotonic() - self._due_at)
        if b"connection: close" in lines:
            self._transport.close()
        else:
            self._load.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.n_connected -= 1
        if self in self._load.idle:
            self._load.idle.remove(self)
        self._fail("closed before the reply" if exc is None else type(exc).__name__)

    def close(self) -> None:
        self._transport.close()

    def _fail(self, kind: str) -> None:
        if self._timer is not None:
            self._end()
            self._load.report.failed[kind] += 1
            self._transport.abort()

    def _end(self) -> None:
        assert self._timer is not None
        self._timer.cancel()
        self._timer = None
        self._load.n_open -= 1
