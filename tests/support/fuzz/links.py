"""A grammar of what either end of a link says: a worker that lies to its router, and a router that lies to its workers.

Each end understands what it hears, so that what it says is about streams that are there; only then it is bent: the raw
name/value block, the frame, or the octets on the line.
"""

from collections.abc import Callable, Iterable

from tests.support.fuzz.mutations import Atoms, Dice, bend, cuts
from tests.support.raw_worker import block, join_block, reply_block
from zerogate.wire import zmtp
from zerogate.wire.spdy import events, frames
from zerogate.wire.spdy.frames import RstStatus, SettingId
from zerogate.wire.spdy.headers import BlockWriter
from zerogate.wire.spdy.session import Session

# How often a block, a frame or the line is bent, where there is one.
BEND_BLOCK = 0.05
BEND_FRAMES = 0.12
BEND_LINE = 0.05
# A frame's first octet on the line says whether more follow, and how long its length is.
MAX_STREAMS = 30

Pairs = list[tuple[str | bytes, str | bytes]]
Frames = list[bytes]


class EndedError(Exception):
    """The other end has had enough, or what it says is not understood."""


class LinkEnd:
    """One end. `begin`, and then whatever `receive` and `idle` return is to be sent, piece by piece."""

    def __init__(self, dice: Dice, *, is_router: bool) -> None:
        self._dice = dice
        ours, theirs = (b"ROUTER", b"DEALER") if is_router else (b"DEALER", b"ROUTER")
        self._zmtp = zmtp.Connection(socket_type=ours, accepts=frozenset({theirs}))
        self._session = Session(opens_odd=is_router, max_concurrent=20)
        self._writer = BlockWriter()
        self._is_ready = False
        self._next_id = 1 if is_router else 2
        self.open_ids: list[int] = []

    def begin(self) -> Atoms:
        return self._on_line(self._zmtp.take_output())

    def receive(self, data: bytes) -> Atoms:
        """What is said to it. Raises EndedError."""
        pieces = self._zmtp.receive(data)
        said = self._on_line(self._zmtp.take_output())
        if self._zmtp.error is not None:
            raise EndedError
        if self._zmtp.is_ready and not self._is_ready:
            self._is_ready = True
            said += self.say(self.opening())
        for piece in pieces:
            for event in self._session.receive(piece):
                said += self.say(self.answer(event))
        self._session.take_output()
        if self._session.error is not None:
            raise EndedError
        return said

    def idle(self) -> Atoms:
        """What it says when nothing has come for a while."""
        return self.say(self.chatter()) if self._is_ready else []

    def opening(self) -> Frames:
        raise NotImplementedError

    def answer(self, event: events.Event) -> Frames:
        raise NotImplementedError

    def chatter(self) -> Frames:
        """Frames that may come at any time, most of them in order."""
        return self._dice.choice(CHATTER)(self)

    def say(self, said: Frames) -> Atoms:
        """Frames as they go onto the line, bent or not."""
        if not said:
            return []
        if self._dice.random() < BEND_FRAMES:
            said = bend(self._dice, said)
        together = self._dice.random() < 0.5
        messages = [b"".join(said)] if together else said
        return self._on_line(b"".join(self._zmtp.encode([message]) for message in messages if message))

    def wrap(self, raw: bytes) -> bytes:
        """A raw name/value block as it goes into a frame."""
        if self._dice.random() < BEND_BLOCK:
            raw = b"".join(bend(self._dice, [raw], 1))
        return self._writer.wrap(raw[:65535])

    def new_id(self) -> int:
        self._next_id += 2
        return self._next_id - 2

    def any_id(self) -> int:
        """Of a stream that is there, mostly."""
        known = self.open_ids or [1]
        return self._dice.choice([self._dice.choice(known), self._dice.choice(known), 0, 1, 2, 999, 2**31 - 1])

    def body(self, stream_id: int, size: int, *, fin: bool) -> Frames:
        """DATA, in some pieces."""
        octets = bytes([65 + stream_id % 26]) * size
        pieces = cuts(self._dice, octets) or [b""]
        return [
            frames.data_header(stream_id, len(piece), fin and number == len(pieces) - 1) + piece
            for number, piece in enumerate(pieces)
        ]

    def _on_line(self, octets: bytes) -> Atoms:
        if octets and self._dice.random() < BEND_LINE:
            octets = b"".join(bend(self._dice, [octets], 1))
        return cuts(self._dice, octets)


def _settings(end: LinkEnd) -> Frames:
    dice = end._dice
    return [
        frames.settings([(setting.value, dice.choice((0, 1, 20, 65536, 2**31 - 1))) for setting in _some(dice)]),
    ]


def _some(dice: Dice) -> Iterable[SettingId]:
    return dice.sample([*SettingId], dice.randint(0, len(SettingId)))


CHATTER: tuple[Callable[[LinkEnd], Frames], ...] = (
    lambda end: [frames.ping(end._dice.choice((1, 2, 2**32 - 1)))] * end._dice.choice((1, 1, 100)),
    lambda end: [frames.window_update(end.any_id(), end._dice.choice((1, 1000, 65536)))],
    lambda end: [frames.window_update(end.any_id(), 2**31 - 1)] * 2,
    lambda end: [frames.rst_stream(end.any_id(), end._dice.choice([*RstStatus]).value)],
    lambda end: end.body(end.any_id(), end._dice.choice((0, 1, 3000, 90_000)), fin=end._dice.random() < 0.3),
    lambda end: [frames.headers(end.any_id(), end.wrap(block(("x-late", "1"))), end._dice.random() < 0.5)],
    lambda end: [frames.goaway(end._dice.choice((0, 1, 2**31 - 1)), 0)] if end._dice.random() < 0.2 else [],
    lambda end: [b"\x80\x03\x00\x7f\x00\x00\x00\x04what"],  # a type that there isn't: to be skipped
    _settings,
)


class LyingWorker(LinkEnd):
    """Joins, and answers each request in one of many ways."""

    def __init__(self, dice: Dice) -> None:
        super().__init__(dice, is_router=False)

    def opening(self) -> Frames:
        capacity = self._dice.choice((1, 5, 20))
        settings = frames.settings([(SettingId.MAX_CONCURRENT_STREAMS.value, capacity)])
        return [settings, *self._join()]

    def answer(self, event: events.Event) -> Frames:
        if isinstance(event, events.StreamOpened):
            self.open_ids = [*self.open_ids[-MAX_STREAMS:], event.stream.id]
            return self._dice.choice(REPLIES)(self, event.stream.id)
        return self._join() if self._dice.random() < 0.01 else []

    def _join(self) -> Frames:
        routes = self._dice.choice(
            (["fuzz.example"], ["fuzz.example"], ["fuzz.example/a", "*.fuzz.example", "fuzz.example"])
        )
        return [frames.syn_stream(self.new_id(), self.wrap(join_block("liar", routes)), True)]

    def reply(self, stream_id: int, status: str, *pairs: tuple[str | bytes, str | bytes], fin: bool = False) -> bytes:
        return frames.syn_reply(stream_id, self.wrap(reply_block(status, *pairs)), fin)


def _whole(end: LyingWorker, stream_id: int) -> Frames:
    size = end._dice.choice((0, 2, 5000))
    says = size if end._dice.random() < 0.9 else size + 1
    return [end.reply(stream_id, "200", ("content-length", str(says))), *end.body(stream_id, size, fin=True)]


def _bodiless(end: LyingWorker, stream_id: int) -> Frames:
    return [end.reply(stream_id, end._dice.choice(("204", "304", "200", "404", "599", "600", "99", "")), fin=True)]


def _in_pieces(end: LyingWorker, stream_id: int) -> Frames:
    has_end = end._dice.random() < 0.7
    return [end.reply(stream_id, "200", ("x-a", "1\0002")), *end.body(stream_id, 150_000, fin=has_end)]


def _with_trailers(end: LyingWorker, stream_id: int) -> Frames:
    trailers = frames.headers(stream_id, end.wrap(block(("x-sum", "1"))), True)
    return [end.reply(stream_id, "200"), *end.body(stream_id, 5, fin=False), trailers]


def _after_interim(end: LyingWorker, stream_id: int) -> Frames:
    status = end._dice.choice(("100", "103", "102", "101"))
    return [frames.headers(stream_id, end.wrap(reply_block(status)), False), *_whole(end, stream_id)]


def _tunnel(end: LyingWorker, stream_id: int) -> Frames:
    return [
        end.reply(stream_id, "101", ("upgrade", "websocket")),
        *end.body(stream_id, 9, fin=end._dice.random() < 0.5),
    ]


def _reset(end: LyingWorker, stream_id: int) -> Frames:
    return [frames.rst_stream(stream_id, end._dice.choice([*RstStatus]).value)]


def _cut_reply(end: LyingWorker, stream_id: int) -> Frames:
    return [end.reply(stream_id, "200", ("content-length", "100")), *_reset(end, stream_id)]


def _silence(end: LyingWorker, stream_id: int) -> Frames:
    return []


REPLIES: tuple[Callable[[LyingWorker, int], Frames], ...] = (
    _whole,
    _whole,
    _bodiless,
    _in_pieces,
    _with_trailers,
    _after_interim,
    _tunnel,
    _reset,
    _cut_reply,
    _silence,
)


class LyingRouter(LinkEnd):
    """Takes a worker's JOIN, and sends it requests."""

    def __init__(self, dice: Dice) -> None:
        super().__init__(dice, is_router=True)

    def opening(self) -> Frames:
        return [frames.settings([(SettingId.MAX_CONCURRENT_STREAMS.value, self._dice.choice((1, 100)))])]

    def answer(self, event: events.Event) -> Frames:
        if isinstance(event, events.StreamOpened):
            status = self._dice.choice(("200", "200", "200", "200", "400", "403"))
            fields: Pairs = [("router", "liar"), ("id", "liar"), ("accepts", self._dice.choice(("", "pulse")))]
            reply = frames.syn_reply(event.stream.id, self.wrap(reply_block(status, *fields)), True)
            return [reply, *self._requests()]
        return self._requests() if self._dice.random() < 0.3 else []

    def chatter(self) -> Frames:
        return self._requests() if self._dice.random() < 0.5 else super().chatter()

    def _requests(self) -> Frames:
        said: Frames = []
        for _ in range(self._dice.choice((0, 1, 1, 3))):
            stream_id = self.new_id()
            self.open_ids = [*self.open_ids[-MAX_STREAMS:], stream_id]
            said += self._dice.choice(REQUESTS)(self, stream_id)
        return said

    def request(self, stream_id: int, method: str, *pairs: tuple[str | bytes, str | bytes], fin: bool = True) -> bytes:
        path = self._dice.choice(("/", "/slow", "/pieces", "/%ff?%00", ""))
        fields: Pairs = [
            (":method", method),
            (":path", path),
            (":version", "HTTP/1.1"),
            (":host", "a"),
            (":scheme", "http"),
        ]
        fields += [
            ("x-real-ip", "192.0.2.1"),
            ("x-real-port", self._dice.choice(("1", "", "x"))),
            ("x-request-id", "i"),
        ]
        return frames.syn_stream(stream_id, self.wrap(block(*fields, *pairs)), fin)


def _get(end: LyingRouter, stream_id: int) -> Frames:
    return [end.request(stream_id, end._dice.choice(("GET", "HEAD")))]


def _post(end: LyingRouter, stream_id: int) -> Frames:
    size = end._dice.choice((0, 5, 90_000, 600_000))
    return [end.request(stream_id, "POST", fin=False), *end.body(stream_id, size, fin=end._dice.random() < 0.7)]


def _expecting(end: LyingRouter, stream_id: int) -> Frames:
    return [end.request(stream_id, "PUT", ("expect", "100-continue"), fin=False)]


def _upgrading(end: LyingRouter, stream_id: int) -> Frames:
    return [end.request(stream_id, "GET", ("upgrade", "websocket"), fin=False), *end.body(stream_id, 5, fin=False)]


def _cancelled(end: LyingRouter, stream_id: int) -> Frames:
    return [*_post(end, stream_id), frames.rst_stream(stream_id, RstStatus.CANCEL.value)]


REQUESTS: tuple[Callable[[LyingRouter, int], Frames], ...] = (_get, _get, _post, _expecting, _upgrading, _cancelled)
