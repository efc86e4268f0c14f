"""Whatever clients, workers and time do in whatever order: what an exchange promises, it keeps.

The clients are streams of one connection in memory, which are strict about what they are told and when; the dispatcher
is the real one; the links are fakes, whose workers read, answer, fail and leave as they are told.
"""

from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fakes import FakeDesk, FakeLink, FakeStream, make_worker
from tests.support.memory_client import MemoryConnection, MemoryStream, Stage
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.exchange import Exchange, State
from zerogate.router.forwarding import Forwarding
from zerogate.router.workers import Worker
from zerogate.wire.http.errors import BAD_REQUEST, HttpError
from zerogate.wire.http.routes import parse_route
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.streams import DONE, OPEN, REPLY_DUE

VERSION = {b":version": b"HTTP/1.1"}


class Link(FakeLink):
    """Keeps what is sent until its worker reads. `sent` is what has come of each stream's body."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.reads = True
        self.sent: dict[FakeStream, bytes] = {}

    def open_stream(self, block: bytes, fin: bool, handler: Any) -> FakeStream:
        stream = super().open_stream(block, fin, handler)
        stream.remote = REPLY_DUE
        self.sent[stream] = b""
        return stream

    def send_data(self, stream: FakeStream, data: bytes, fin: bool) -> None:
        assert stream.handler is not None, "data on a stream that is gone"
        self.sent[stream] += data
        if not self.reads:
            stream.pending_bytes += len(data)

    def read(self) -> None:
        self.reads = True
        for stream in self.live():
            if stream.pending_bytes:
                stream.pending_bytes = 0
                stream.handler.on_writable()

    def live(self) -> list[FakeStream]:
        return [stream for stream in self.streams if stream.handler is not None]


class Desk(FakeDesk):
    """As a connection needs it, too."""

    def __init__(self) -> None:
        super().__init__([], retry_bytes=1000, queue_size=3, max_failures=2)
        self.dispatcher = Dispatcher(self.settings, self.counters, self.loop)
        self.exchanges: list[Exchange] = []
        self._n_over: dict[Any, int] = {}

    def add(self, client: Any) -> bool:
        return True

    def forwarding(self, address: str) -> Forwarding:
        return Forwarding(address, b"http")

    def make_exchange(self, client: Any, head: Any, forwarding: Forwarding) -> Exchange:
        desk: Any = self
        exchange = partial(Exchange, self.dispatcher)(desk, client, head, forwarding, b"id")
        self.exchanges.append(exchange)
        return exchange

    def note(self, entry: Any, client: Any) -> None:
        assert entry not in self.entries, "noted twice"
        assert not client.is_over
        super().note(entry, client)


class World:
    """Two workers to begin with, and whoever asks."""

    def __init__(self) -> None:
        self.desk = Desk()
        desk: Any = self.desk
        self.connection = MemoryConnection(desk)
        self.streams: list[MemoryStream] = []
        self.said: dict[MemoryStream, bytes] = {}
        self.workers: list[Worker] = []
        self.all_workers: list[Worker] = []
        for capacity in (1, 2):
            self.join(capacity)

    def stream(self, n: int) -> MemoryStream | None:
        return self.streams[n % len(self.streams)] if self.streams else None

    def worker_stream(self, n: int) -> FakeStream | None:
        """Some stream whose worker has not ended its half."""
        live = [stream for worker in self.workers for stream in self.link(worker).live() if stream.remote < DONE]
        return live[n % len(live)] if live else None

    @staticmethod
    def link(worker: Worker) -> Link:
        link: Any = worker.link
        assert isinstance(link, Link)
        return link

    # Clients

    def ask(self, n: int) -> None:
        method = (b"GET", b"POST", b"PUT", b"HEAD")[n % 4]
        has_body = method in (b"POST", b"PUT")
        options: dict[str, Any] = {"has_body": has_body, "expects_continue": has_body and n % 3 == 0}
        if n % 3 == 2:
            method, options = b"GET", {"upgrade": b"websocket"}
        self.streams.append(self.connection.request(method, window_bytes=(None, 10)[n % 2], **options))
        self.said[self.streams[-1]] = b""

    def send(self, n: int) -> None:
        stream = self.stream(n)
        if stream is not None and (stream.head.has_body or stream.head.upgrade) and stream._last is None:
            data = bytes([n + 32]) * (n * 30)
            self.said[stream] += data
            stream.send(data)

    def finish(self, n: int) -> None:
        stream = self.stream(n)
        if stream is not None and (stream.head.has_body or stream.head.upgrade) and stream._last is None:
            stream.finish([(b"x-t", b"1")] if n % 2 else ())

    def leave(self, n: int) -> None:
        stream = self.stream(n)
        if stream is not None and not stream.is_over:
            stream.leave()

    def take(self, n: int) -> None:
        stream = self.stream(n)
        if stream is not None:
            stream.take()

    def reject(self, n: int) -> None:
        stream = self.stream(n)
        if stream is not None and stream.head.has_body and stream._last is None:
            stream.reject(HttpError(BAD_REQUEST))

    def expire(self, n: int) -> None:
        stream = self.stream(n)
        if stream is not None and stream.stage not in (Stage.TUNNEL, Stage.CLOSING):
            stream.exchange.expire()

    def shut_down(self, n: int) -> None:
        stream = self.stream(n)
        if stream is not None:
            stream.exchange.shut_down()

    # Workers

    def reply(self, n: int) -> None:
        stream = self.worker_stream(n)
        if stream is not None and stream.remote == REPLY_DUE:
            status = (b"200", b"404", b"204", b"101", b"999")[n % 5]
            if stream.handler.head.upgrade and n % 2:
                status = b"101"
            stream.remote = DONE if n % 7 == 0 else OPEN
            events = {b"content-type": b"text/event-stream"} if n % 3 == 0 else {}
            stream.handler.on_reply({b":status": status, **events, **VERSION}, n % 7 == 0)

    def whole(self, n: int) -> None:
        stream = self.worker_stream(n)
        if stream is not None and stream.remote == REPLY_DUE:
            stream.remote = DONE
            status = b"101" if n % 5 == 0 else b"200"
            length = {b"content-length": b"%d" % (n % 3)} if n % 2 and status == b"200" else {}
            stream.handler.on_whole_reply({b":status": status, **length, **VERSION}, b"ab")

    def interim(self, n: int) -> None:
        stream = self.worker_stream(n)
        if stream is not None and stream.remote == REPLY_DUE:
            stream.handler.on_headers({b":status": (b"100", b"103", b"200")[n % 3]}, False)

    def data(self, n: int) -> None:
        stream = self.worker_stream(n)
        if stream is not None and stream.remote == OPEN:
            fin = n % 4 == 0
            stream.remote = DONE if fin else OPEN
            stream.handler.on_data(b"" if n % 8 == 0 else b"x" * (n % 8), fin)

    def trailers(self, n: int) -> None:
        stream = self.worker_stream(n)
        if stream is not None and stream.remote == OPEN:
            stream.remote = DONE if n % 2 else OPEN
            stream.handler.on_headers({b"x-t": b"1"}, bool(n % 2))

    def reset(self, n: int) -> None:
        live = [stream for worker in self.workers for stream in self.link(worker).live()]
        if live:
            handler, live[n % len(live)].handler = live[n % len(live)].handler, None
            handler.on_reset(RstStatus.REFUSED_STREAM if n % 2 else RstStatus.INTERNAL_ERROR)

    def lose(self, n: int) -> None:
        """As links.py and link.py do."""
        if self.workers:
            worker = self.workers.pop(n % len(self.workers))
            self.desk.dispatcher.leave(worker)
            for stream in self.link(worker).live():
                handler, stream.handler = stream.handler, None
                handler.on_lost("gone")

    def join(self, n: int) -> None:
        if len(self.workers) < 3:
            worker = make_worker("w", capacity=n % 3, link=Link("w"))
            self.workers.append(worker)
            self.all_workers.append(worker)
            self.desk.dispatcher.join(worker, [parse_route("*")])

    def stall(self, n: int) -> None:
        if self.workers:
            self.link(self.workers[n % len(self.workers)]).reads = False

    def read(self, n: int) -> None:
        if self.workers:
            self.link(self.workers[n % len(self.workers)]).read()

    def wind(self, n: int) -> None:
        self.desk.loop.wind(n / 10)

    # What must hold

    def check(self) -> None:
        desk = self.desk
        over = [exchange for exchange in desk.exchanges if exchange.state is State.DONE]
        assert len(desk.entries) == len(over)
        for worker in self.all_workers:
            n_slots = worker.in_flight + worker.tunnels + worker.event_streams
            assert n_slots == len(self.link(worker).live()), "each slot is a stream's"
        for stream in self.streams:
            exchange: Any = stream.exchange
            assert stream.is_over is (exchange.state is State.DONE)
            if stream.is_over or exchange.state <= State.WAITING:
                assert exchange._stream is None
                continue
            held = exchange._stream
            handed_over = self.said[stream][: len(self.said[stream]) - stream.kept_back_bytes]
            assert self.link(exchange.worker).sent[held] == handed_over
            if not exchange.tried:
                assert stream._uncredited_bytes >= held.pending_bytes, "credited before it has gone on"
            if not held.pending_bytes:
                assert stream._uncredited_bytes == 0, "all has gone on, so all is credited"

    def end(self) -> None:
        for stream in self.streams:
            stream.exchange.shut_down()
        self.check()
        assert all(stream.is_over for stream in self.streams)
        assert len(self.desk.entries) == len(self.streams)
        assert all(worker.is_idle for worker in self.all_workers)
        assert not len(self.desk.dispatcher.lobby)
        assert not len(self.desk.dispatcher.anteroom)
        # Whatever still comes, comes to nothing.
        for stream in self.streams:
            for event, arguments in (("receive_body", (b"x",)), ("receive_end", ((),)), ("on_data", (b"x", True))):
                getattr(stream.exchange, event)(*arguments)
            for event in ("resume_reply", "abandon", "expire", "shut_down", "on_writable"):
                getattr(stream.exchange, event)()
        self.desk.loop.wind(1000.0)
        assert len(self.desk.entries) == len(self.streams)


# What happens often comes often.
MOVES = (
    *("ask", "ask", "ask", "send", "send", "send", "finish", "finish", "reply", "reply", "reply", "whole", "data"),
    *("data", "data", "read", "stall", "take", "wind", "join", "lose", "reset", "trailers", "interim", "leave"),
    *("reject", "expire", "shut_down"),
)


@settings(max_examples=2 * settings().max_examples)
@given(st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 90)), min_size=15, max_size=60))
def test_whatever_happens_in_whatever_order(moves: list[tuple[str, int]]) -> None:
    world = World()
    world.check()
    for move, n in moves:
        getattr(world, move)(n)
        world.check()
    world.end()
