"""A whole router but for its sockets: desk, dispatcher and links, with workers and clients in memory, on virtual time.

async with Bench.open(timeout=5.0) as bench:
    worker = await bench.worker("w")
    ask = bench.ask("memory", b"GET", b"/")
    await bench.quiet()
    worker.requests[0].whole(b"hello")
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from tests.support.http1_asker import Http1Ask, Http1Connection
from tests.support.link_peer import LinkPeer, quiet
from tests.support.memory_client import MemoryConnection, MemoryStream
from zerogate.router.clients.http1_clients import Http1Clients
from zerogate.router.counters import Counters
from zerogate.router.desk import Desk
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.exchange import make_exchange
from zerogate.router.links import Links
from zerogate.settings import RouterSettings

Ask = MemoryStream | Http1Ask

# The kinds of clients that there are.
KINDS = ("memory", "http1")

# No longer than a link may be silent.
STEP_S = 1.0


class Notes:
    """An access log that remembers. `lines` are client, status and worker of each exchange that was noted."""

    n_dropped = 0

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.lines: list[tuple[str, int, str]] = []
        self.n_reopened = 0
        self.is_closed = False

    def write(self, client: str, entry: Any, n_bytes: int, now: float) -> None:
        assert not any(entry is known for known in self.entries), f"noted twice: {entry!r}"
        self.entries.append(entry)
        self.lines.append((client, entry.status, entry.worker_name))

    def reopen(self) -> None:
        self.n_reopened += 1

    def close(self) -> None:
        self.is_closed = True


class Bench:
    """See the module."""

    def __init__(self, **options: Any) -> None:
        self.settings = RouterSettings(**{"admin": "off", "access_log": "off", "name": "bench", **options})
        self.loop = asyncio.get_running_loop()
        self.counters = Counters()
        self.dispatcher = Dispatcher(self.settings, self.counters, self.loop)
        self.links = Links(self.settings, self.dispatcher, self.counters)
        self.notes = Notes()
        notes: Any = self.notes
        self.desk = Desk(self.settings, self.counters, partial(make_exchange, self.dispatcher), notes)
        self.http1_clients = Http1Clients(self.desk)
        self.peers: list[LinkPeer] = []
        self._shared: MemoryConnection | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, **options: Any) -> AsyncIterator["Bench"]:
        """At the end of the block everything must have come to its end."""
        failures: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        bench = cls(**options)
        try:
            yield bench
            bench.check()
        finally:
            bench.desk.close()
            bench.dispatcher.close()
            bench.links.close()
            await bench.quiet()
        assert not failures, failures
        assert not bench.desk.clients
        assert not bench.links.workers

    async def worker(self, name: str, *routes: str, **options: Any) -> LinkPeer:
        """One that has joined."""
        peer = self.peer(**options)
        await self.quiet()
        peer.join(name, *routes)
        await self.quiet()
        assert peer.join_replies[-1][b":status"].startswith(b"200")
        return peer

    def peer(self, **options: Any) -> LinkPeer:
        """One that has dialled."""
        link: Any = self.links.make_link()
        peer = LinkPeer(link, **options)
        self.peers.append(peer)
        return peer

    def ask(self, kind: str, method: bytes = b"GET", target: bytes = b"/", **options: Any) -> Ask:
        """A request: in memory all over one connection, of HTTP/1 each over its own."""
        if kind == "http1":
            return Http1Connection(self.http1_clients).request(method, target, **options)
        if self._shared is None:
            self._shared = MemoryConnection(self.desk)
        return self._shared.request(method, target, **options)

    async def quiet(self) -> None:
        """Let everything happen that can happen now."""
        await quiet(self.peers)

    async def wait(self, seconds: float) -> None:
        """Let time pass, in which the workers answer what they are asked."""
        end = self.loop.time() + seconds
        while (left := end - self.loop.time()) > 0:
            await asyncio.sleep(min(left, STEP_S))
            await self.quiet()

    async def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> float:
        """Wait for it. Returns how long that took."""
        began = self.loop.time()
        while not condition():
            assert self.loop.time() < began + seconds, "it does not come"
            await self.wait(0.05)
        return self.loop.time() - began

    def check(self) -> None:
        """Every exchange that has begun is over, was noted once, and has given its slot back."""
        assert len(self.notes.entries) == self.counters.requests
        for worker in self.links.workers.values():
            assert worker is None or worker.in_flight == 0
        queues = [self.dispatcher.lobby, *(pool.queue for pool in self.dispatcher.routes.values())]
        assert [(len(queue), queue.n_bytes) for queue in queues] == [(0, 0)] * len(queues)
