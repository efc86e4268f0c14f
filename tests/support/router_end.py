"""The router's end of real links, in the process of the test: lets a worker join, and asks it."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

from zerogate.link.handlers import Fields, StreamHandler
from zerogate.link.link import Link
from zerogate.link.marks import mark_of
from zerogate.settings import LinkSettings, WorkerSettings
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.streams import Stream
from zerogate.worker.host import Host
from zerogate.worker.service import Worker

DEADLINE_S = 10.0

# Less than a router's, so that it is soon used up by who does not keep accounts.
SESSION_WINDOW_BYTES = 2 << 20


async def until(condition: Callable[[], Any], what: str, seconds: float = DEADLINE_S) -> None:
    """Wait until it holds. On virtual time this costs none. Raises AssertionError after `seconds`.

    It looks more seldom the longer it takes: an hour by the millisecond is millions of turns on virtual time, too.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not condition():
        waited = loop.time() - began
        assert waited < seconds, f"not within {seconds} s: {what}"
        await asyncio.sleep(min(max(0.001, waited / 20), 0.1))


class Asked(StreamHandler):
    """A request, and what has come of its reply. `gives_credit` may be turned off: then nothing is ever consumed."""

    def __init__(self, router: "RouterEnd", link: Link, gives_credit: bool) -> None:
        self._router = router
        self.link = link
        self.gives_credit = gives_credit
        self.stream: Stream
        self.fields: Fields = {}
        self.trailers: Fields = {}
        self.body = b""
        self.interim: list[bytes] = []
        self.is_complete = False
        self.reset: int | None = None
        self.lost: str | None = None

    @property
    def status(self) -> str:
        return self.fields.get(b":status", b"").decode()

    @property
    def is_over(self) -> bool:
        return self.is_complete or self.reset is not None or self.lost is not None

    def send(self, data: bytes, fin: bool = False) -> None:
        """A piece of the request's body."""
        self.link.send_data(self.stream, data, fin)

    def cancel(self) -> None:
        """The client has left."""
        self.link.reset(self.stream, 5)

    async def over(self) -> "Asked":
        """Wait for the end, whichever it is."""
        await until(lambda: self.is_over, "the end of a request")
        return self

    def on_reply(self, fields: Fields, fin: bool) -> None:
        self.fields = fields
        self._note(fin)

    def on_headers(self, fields: Fields, fin: bool) -> None:
        if self.fields:
            self.trailers = fields
        else:
            self.interim.append(fields[b":status"])
        self._note(fin)

    def on_data(self, data: bytes, fin: bool) -> None:
        self.body += data
        if self.gives_credit:
            self.link.consumed(self.stream, len(data))
        self._note(fin)

    def on_writable(self) -> None: ...

    def on_reset(self, status: int) -> None:
        self.reset = status
        self._note(False)

    def _note(self, fin: bool) -> None:
        self.is_complete = fin
        if self.is_over:
            self._router.look_whether_drained(self.link)

    def on_lost(self, reason: str) -> None:
        self.lost = reason


class RouterEnd:
    """A router that does what the test says. `links` are those that have joined, `grants` what each was told last.

    id: said in the greeting, if it is one of 16 hexadecimal digits
    """

    id = ""
    closes_drained = True

    def __init__(self, path: Path, name: str = "router", *, status: bytes = b"200", **reply: bytes) -> None:
        self.path = path
        self.name = name
        self.reply = {b":status": status, b":version": b"HTTP/1.1", b"router": name.encode()}
        self.reply.update((key.encode(), value) for key, value in reply.items())
        self.links: list[Link] = []
        self.joins: list[Fields] = []
        self.grants: dict[Link, int] = {}
        self.told: list[int] = []
        self.goaways = 0
        self.n_connections = 0
        self.leaving: set[Link] = set()
        self._server: asyncio.Server | None = None

    @property
    def endpoint(self) -> str:
        return f"ipc://{self.path}"

    @property
    def link(self) -> Link:
        return self.links[-1]

    @property
    def grant(self) -> int:
        """How many requests it may have at the worker, by what it heard last; 0 without a link."""
        return self.grants[self.link] if self.links else 0

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self.make_link, str(self.path))

    def make_link(self) -> Link:
        """For a connection that came to it."""
        settings = LinkSettings(session_window=SESSION_WINDOW_BYTES)
        self.n_connections += 1
        return Link(self, settings, is_router=True, mark=mark_of(self.id))

    async def close(self) -> None:
        """Be gone at once, as a router that was killed."""
        assert self._server is not None
        self._server.close()
        self.path.unlink(missing_ok=True)
        for link in [*self.grants]:
            link.abort("gone")
        await until(lambda: not self.grants, "the router's links are closed")

    async def joined(self) -> None:
        await until(lambda: self.links, f"{self.name} is joined")

    def ask(
        self,
        path: str = "/",
        *pairs: tuple[bytes, bytes],
        method: str = "GET",
        body: bytes | None = b"",
        gives_credit: bool = True,
        link: Link | None = None,
    ) -> Asked:
        """Send a request. A body of None comes later, by `Asked.send`."""
        link = link or self.link
        asked = Asked(self, link, gives_credit)
        fields = {b":method": method.encode("latin-1"), b":path": path.encode("latin-1"), b":version": b"HTTP/1.1"}
        fields.update({b":host": b"a.example", b":scheme": b"http", **dict(pairs)})
        asked.stream = link.open_stream(encode_block(fields), body == b"", asked)
        if body:
            asked.send(body, fin=True)
        return asked

    async def get(self, path: str = "/", *pairs: tuple[bytes, bytes], **more: Any) -> Asked:
        """Send a request, and wait for its end."""
        return await self.ask(path, *pairs, **more).over()

    def look_whether_drained(self, link: Link) -> None:
        """The router closes the link of a worker that leaves, when it has heard everything."""
        if self.closes_drained and link in self.leaving and not link.session.streams:
            link.close("drained")

    # LinkOwner

    def on_connected(self, link: Link) -> None:
        self.grants[link] = 0

    def on_ready(self, link: Link) -> None: ...

    def on_stream(self, link: Link, stream: Stream, fields: Fields, fin: bool) -> None:
        self.joins.append(fields)
        if link not in self.links:
            self.links.append(link)
        link.send_reply(stream, encode_block(self.reply), True)

    def on_settings(self, link: Link, max_concurrent: int) -> None:
        self.grants[link] = max_concurrent
        self.told.append(max_concurrent)

    def on_goaway(self, link: Link, last_stream_id: int) -> None:
        self.goaways += 1
        self.leaving.add(link)
        self.look_whether_drained(link)

    def on_suspect(self, link: Link, is_suspect: bool) -> None: ...

    def on_closed(self, link: Link, reason: str) -> None:
        del self.grants[link]
        self.leaving.discard(link)
        if link in self.links:
            self.links.remove(link)


@contextlib.asynccontextmanager
async def routers(n: int = 1) -> AsyncIterator[list[RouterEnd]]:
    """So many routers, listening."""
    with tempfile.TemporaryDirectory(prefix="zerogate-") as directory:
        made = [RouterEnd(Path(directory) / f"link-{number}", f"router-{number}") for number in range(n)]
        for router in made:
            await router.open()
        try:
            yield made
        finally:
            for router in made:
                await router.close()


@contextlib.asynccontextmanager
async def working(host: Host, ends: Iterable[RouterEnd], **settings: Any) -> AsyncIterator[Worker]:
    """A worker that has joined these routers, until the end of the block."""
    endpoints = tuple(end.endpoint for end in ends)
    worker = Worker(WorkerSettings(connect=endpoints, name="worker", **{"grace": 5.0, **settings}), host)
    await worker.start()
    try:
        for end in ends:
            await end.joined()
        yield worker
    finally:
        await worker.stop()


__all__ = ["Asked", "RouterEnd", "routers", "until", "working"]
