"""Two links back to back in one process, without sockets: what one writes the other reads in the next turn."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

from zerogate.link.handlers import Fields, StreamHandler
from zerogate.link.link import Link
from zerogate.settings import LinkSettings
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.streams import Stream

REQUEST = encode_block(
    {b":method": b"GET", b":path": b"/", b":version": b"HTTP/1.1", b":host": b"a", b":scheme": b"http"}
)
REPLY = encode_block({b":status": b"200", b":version": b"HTTP/1.1"})


class PipeTransport:
    """One end. `other` is the protocol at the other; while `is_cut` nothing arrives there.

    sizes: how what arrives here is cut; what fills no piece waits. Without it, as it was written.
    """

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.other: PipeTransport
        self.is_cut = False
        self.is_closed = self.is_lost = False
        self.written: list[bytes] = []
        self.sizes: Iterator[int] | None = None
        self._waiting = b""
        self._wanted = 0

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_extra_info(self, name: str) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.written.append(data)
        if not self.is_cut:
            asyncio.get_running_loop().call_soon(self.other.receive, data)

    def writelines(self, pieces: list[bytes]) -> None:
        self.write(b"".join(pieces))

    def receive(self, data: bytes) -> None:
        for piece in [data] if self.sizes is None else self._pieces(data, self.sizes):
            if not self.is_closed:
                self.protocol.data_received(piece)

    def _pieces(self, data: bytes, sizes: Iterator[int]) -> Iterator[bytes]:
        self._waiting += data
        while len(self._waiting) >= (self._wanted or 1):
            if self._wanted:
                yield self._waiting[: self._wanted]
                self._waiting = self._waiting[self._wanted :]
            self._wanted = next(sizes)

    def close(self) -> None:
        self.is_closed = True
        for end in (self, self.other):
            asyncio.get_running_loop().call_soon(end.lose)

    def lose(self) -> None:
        """After what is under way has arrived."""
        if not self.is_lost:
            self.is_lost = self.is_closed = True
            self.protocol.connection_lost(None)

    abort = close


class Owner:
    """Notes what it hears. `fails` names the callbacks that raise."""

    def __init__(self, *fails: str) -> None:
        self.fails = fails
        self.heard: list[Any] = []
        self.streams: list[Stream] = []

    def _hear(self, name: str, *what: Any) -> None:
        self.heard.append((name, *what) if what else name)
        if name in self.fails:
            raise ArithmeticError(f"{name} failed")

    def on_connected(self, link: Link) -> None: ...

    def on_ready(self, link: Link) -> None:
        self._hear("ready")

    def on_stream(self, link: Link, stream: Stream, fields: Fields, fin: bool) -> None:
        self.streams.append(stream)
        self._hear("stream")

    def on_settings(self, link: Link, max_concurrent: int) -> None:
        self._hear("settings")

    def on_goaway(self, link: Link, last_stream_id: int) -> None:
        self._hear("goaway")

    def on_suspect(self, link: Link, is_suspect: bool) -> None:
        self._hear("suspect" if is_suspect else "not suspect")

    def on_closed(self, link: Link, reason: str) -> None:
        self._hear("closed", reason)


class Handler(StreamHandler):
    """Notes what it hears. `fails` names the callback that raises."""

    def __init__(self, name: str = "", fails: str = "") -> None:
        self.name = name
        self.fails = fails
        self.heard: list[Any] = []

    def __repr__(self) -> str:
        return f"<Handler {self.name}>"

    def _hear(self, name: str, *what: Any) -> None:
        self.heard.append((name, *what) if what else name)
        if name == self.fails:
            raise ArithmeticError(f"{name} failed")

    def on_reply(self, fields: Fields, fin: bool) -> None:
        self._hear("reply")

    def on_whole_reply(self, fields: Fields, data: bytes) -> None:
        self._hear("whole reply", data)

    def on_headers(self, fields: Fields, fin: bool) -> None:
        self._hear("headers")

    def on_data(self, data: bytes, fin: bool) -> None:
        self._hear("data", data)

    def on_writable(self) -> None:
        self._hear("writable")

    def on_reset(self, status: int) -> None:
        self._hear("reset", status)

    def on_lost(self, reason: str) -> None:
        self._hear("lost")

    def on_failed(self) -> None:
        self._hear("failed")


class Pair:
    """A router's link and a worker's, joined; in a running event loop."""

    def __init__(
        self,
        router: Owner | None = None,
        worker: Owner | None = None,
        settings: LinkSettings | None = None,
        kind: type[Link] = Link,
    ) -> None:
        settings = settings or LinkSettings()
        self.router_owner = router or Owner()
        self.worker_owner = worker or Owner()
        self.router = kind(self.router_owner, settings, is_router=True)
        self.worker = kind(self.worker_owner, settings, is_router=False)
        self.router_end = PipeTransport(self.router)
        self.worker_end = PipeTransport(self.worker)
        self.router_end.other, self.worker_end.other = self.worker_end, self.router_end
        self.router.connection_made(cast(Any, self.router_end))
        self.worker.connection_made(cast(Any, self.worker_end))

    async def settle(self) -> None:
        """Let everything that is under way arrive."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def ask(self, *handlers: Handler) -> list[Stream]:
        """Open a stream for each. Returns the worker's ends of them."""
        before = len(self.worker_owner.streams)
        for handler in handlers:
            self.router.open_stream(REQUEST, True, handler)
        await self.settle()
        return self.worker_owner.streams[before:]
