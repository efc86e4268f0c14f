"""A client that multiplexes, in memory: one connection, many streams, and each stream is a `Client` of its own.

It knows the two faces (`router/faces.py`) and HTTP's words, and nothing of any framing. So it says what the
faces leave open, and it is strict: whatever an exchange does that the faces do not allow, is an AssertionError at once.
"""

import math
from collections.abc import Callable
from enum import Enum, auto

from zerogate.router.desk import ConnectedClient, Desk
from zerogate.router.faces import BODY_CREDIT_BYTES, Client, ClientExchange, Connection, Pairs
from zerogate.wire.http.errors import HttpError
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestHead

# A piece of a body is at most as long as a frame of a version that multiplexes (RFC 9113, 4.2).
MAX_PIECE_BYTES = 16 * 1024


class Stage(Enum):
    """How far a stream's reply is."""

    DUE = auto()
    BODY = auto()
    TUNNEL = auto()
    CLOSING = auto()  # a tunnel whose worker has closed its half
    COMPLETE = auto()
    CUT = auto()


# What may come when, and what is then (client.py, "What goes by, in order").
MOVES: dict[str, dict[Stage, Stage]] = {
    "send_interim": {Stage.DUE: Stage.DUE},
    "send_head": {Stage.DUE: Stage.BODY},
    "send_last_head": {Stage.DUE: Stage.COMPLETE},
    "send_whole": {Stage.DUE: Stage.COMPLETE},
    "send_error": {Stage.DUE: Stage.COMPLETE},
    "open_tunnel": {Stage.DUE: Stage.TUNNEL},
    "send_body": {Stage.BODY: Stage.BODY, Stage.TUNNEL: Stage.TUNNEL},
    "send_end": {Stage.BODY: Stage.COMPLETE, Stage.TUNNEL: Stage.CLOSING},
    "cut": {Stage.BODY: Stage.CUT, Stage.TUNNEL: Stage.CUT, Stage.CLOSING: Stage.CUT},
}

# An exchange ends in one of these, unless its client has left.
ENDS = frozenset({Stage.COMPLETE, Stage.CLOSING, Stage.CUT})


class MemoryStream(Client):
    """One request and what came of it.

    window_bytes: so much of the reply is taken before `take` is called; None if it is all taken as it comes
    has_tunnel_ended: whether the worker has closed its half of the tunnel
    most_uncredited_bytes: the most that was handed over and not credited at any time
    """

    def __init__(self, connection: "MemoryConnection", head: RequestHead, window_bytes: int | None) -> None:
        self._connection = connection
        self._window_bytes = window_bytes
        self._unsent = b""
        self._last: Pairs | None = None
        self._is_handing_over = False
        self._has_ended = False
        self._has_left = False
        self._uncredited_bytes = 0
        self._is_held = False
        self._untaken_bytes = 0
        self.head = head
        self.address = connection.address
        self.is_writable = True
        self.bytes_out = 0
        self.deadline = math.inf
        self.stage = Stage.DUE
        self.is_over = False
        self.interims: list[int] = []
        self.status = 0
        self.fields: dict[bytes, bytes] = {}
        self.body = b""
        self.trailers: list[tuple[bytes, bytes]] = []
        self.error = ""
        self.has_tunnel_ended = False
        self.most_uncredited_bytes = 0
        self.exchange: ClientExchange = connection.desk.make_exchange(self, head, connection.forwarding)

    def __repr__(self) -> str:
        return f"<MemoryStream {self.head.method!r} {self.head.target!r} {self.stage.name} {self.exchange!r}>"

    @property
    def is_complete(self) -> bool:
        return self.stage is Stage.COMPLETE or (self.stage is Stage.CLOSING and self.is_over)

    @property
    def is_cut(self) -> bool:
        return self.stage is Stage.CUT

    # What the test has the client do

    def send(self, data: bytes) -> None:
        """Say more of the body, or into a tunnel. It goes on as credit allows."""
        assert self._last is None
        self._unsent += data
        self._hand_over()

    def finish(self, trailers: Pairs = ()) -> None:
        """The body is complete, once what has been said has gone; or this half of the tunnel is."""
        self._last = trailers
        self._hand_over()

    def leave(self) -> None:
        """Abandon this stream, and no other."""
        self._has_left = True
        self._connection.forget(self)
        self.exchange.abandon()

    def take(self) -> None:
        """Read all that has come of the reply."""
        self._untaken_bytes = 0
        self._resume()

    def take_slowly(self, n_bytes: int) -> None:
        """Read so much of the reply."""
        self._untaken_bytes = max(0, self._untaken_bytes - n_bytes)
        self._resume()

    def reject(self, error: HttpError) -> None:
        """What came next on the stream is against the rules."""
        self.exchange.reject_request(error)

    @property
    def kept_back_bytes(self) -> int:
        """What was said and has no credit."""
        return len(self._unsent)

    def _hand_over(self) -> None:
        if self._is_handing_over:
            return
        self._is_handing_over = True
        while not (self.is_over or self._is_held) and self._unsent and self._uncredited_bytes < BODY_CREDIT_BYTES:
            size = min(MAX_PIECE_BYTES, BODY_CREDIT_BYTES - self._uncredited_bytes)
            piece, self._unsent = self._unsent[:size], self._unsent[size:]
            self._uncredited_bytes += len(piece)
            self.most_uncredited_bytes = max(self.most_uncredited_bytes, self._uncredited_bytes)
            self.exchange.receive_body(piece)
        self._is_handing_over = False
        if self._last is not None and not self._unsent and not self._has_ended and not self.is_over:
            self._has_ended = True
            self.exchange.receive_end(self._last)

    def _resume(self) -> None:
        if not self.is_writable and (self._window_bytes is None or self._untaken_bytes < self._window_bytes):
            self.is_writable = True
            self.exchange.resume_reply()

    # From the exchange

    def _move(self, move: str) -> None:
        assert not self.is_over, f"{move} after the end of {self!r}"
        after = MOVES[move].get(self.stage)
        assert after is not None, f"{move}: {self!r}"
        self.stage = after

    def _put(self, data: bytes) -> None:
        self.body += data
        self.bytes_out += len(data)
        if self._window_bytes is not None:
            self._untaken_bytes += len(data)
            self.is_writable = self._untaken_bytes < self._window_bytes

    def _put_head(self, head: ReplyHead) -> None:
        self.status = head.status
        self.fields = dict(head.fields)

    def send_interim(self, status: int, fields: Pairs) -> None:
        self._move("send_interim")
        assert 100 <= status < 200
        self.interims.append(status)

    def send_head(self, head: ReplyHead, *, fin: bool) -> None:
        self._move("send_last_head" if fin else "send_head")
        assert fin or not (head.is_bodiless or self.head.method == b"HEAD")
        self._put_head(head)

    def send_whole(self, head: ReplyHead, body: bytes) -> None:
        self._move("send_whole")
        self._put_head(head)
        if not (head.is_bodiless or self.head.method == b"HEAD"):
            assert head.body_length in (None, len(body))
            self._put(body)

    def send_body(self, data: bytes) -> None:
        self._move("send_body")
        assert data
        self._put(data)

    def send_end(self, trailers: Pairs = ()) -> None:
        self._move("send_end")
        self.has_tunnel_ended = self.stage is Stage.CLOSING
        self.trailers = list(trailers)

    def open_tunnel(self, head: ReplyHead) -> None:
        self._move("open_tunnel")
        assert self.head.upgrade
        self.deadline = math.inf
        self._put_head(head)

    def send_error(self, error: HttpError, request_id: bytes) -> None:
        self._move("send_error")
        assert request_id
        self.status = error.status
        self.error = error.code

    def cut(self) -> None:
        self._move("cut")

    def credit_body(self, n_bytes: int) -> None:
        assert not self.is_over
        assert 0 < n_bytes <= self._uncredited_bytes, "credited more than was handed over"
        self._uncredited_bytes -= n_bytes
        self._is_held = False
        self._hand_over()

    def hold_body(self) -> None:
        assert not self.is_over
        self._is_held = True

    def expect(self, seconds: float) -> None:
        assert not self.is_over
        self.deadline = self._connection.desk.deadlines.now + seconds
        self._connection.set_deadline()

    def unsent_bytes(self) -> int:
        return self._untaken_bytes

    def end(self) -> None:
        assert not self.is_over, f"a second end of {self!r}"
        assert self._has_left or self.stage in ENDS, f"it has no reply: {self!r}"
        self.is_over = True
        self._connection.forget(self)


class MemoryConnection(ConnectedClient):
    """One connection; it lives on whatever becomes of its streams. Its deadline is the nearest of theirs."""

    def __init__(self, desk: Desk, address: str = "203.0.113.9") -> None:
        self.desk = desk
        self.address = address
        self.forwarding = desk.forwarding(address)
        self.streams: list[MemoryStream] = []
        self.deadline = math.inf
        self.tick = 0
        self.is_closed = False
        self.is_welcome = desk.add(self)

    def request(
        self,
        method: bytes = b"GET",
        target: bytes = b"/",
        fields: Pairs = (),
        *,
        host: bytes = b"a.example",
        length: int | None = None,
        has_body: bool = False,
        expects_continue: bool = False,
        upgrade: bytes = b"",
        window_bytes: int | None = None,
    ) -> MemoryStream:
        """Open a stream with a request. Its body, if it has one, comes by `send` and `finish`."""
        pairs = list(fields)
        if length is not None:
            pairs.append((b"content-length", b"%d" % length))
        head = RequestHead(
            *(method, target, target.partition(b"?")[0], host, 1, pairs),
            size_bytes=len(method) + len(target) + sum(len(name) + len(value) for name, value in pairs),
            keep_alive=True,
            content_length=length,
            is_chunked=has_body and length is None,
            expects_continue=expects_continue,
            upgrade=upgrade,
        )
        stream = MemoryStream(self, head, window_bytes)
        self.streams.append(stream)
        stream.exchange.begin()
        if stream.head.has_body:
            stream.exchange.receive_pause()
        return stream

    def forget(self, stream: MemoryStream) -> None:
        if stream in self.streams:
            self.streams.remove(stream)
        self.set_deadline()

    def set_deadline(self) -> None:
        self.deadline = min((stream.deadline for stream in self.streams), default=math.inf)

    def on_deadline(self) -> None:
        now = self.desk.loop.time()
        for stream in list(self.streams):
            if stream.deadline <= now:
                stream.deadline = math.inf
                stream.exchange.expire()
        self.set_deadline()

    def close_if_idle(self) -> None:
        if not self.streams:
            self.abort()

    def shut_down(self) -> None:
        self._end_all(lambda stream: stream.exchange.shut_down())

    def abort(self) -> None:
        """Gone, with every stream."""
        self._end_all(MemoryStream.leave)
        if not self.is_closed:
            self.is_closed = True
            self.desk.remove(self)

    def _end_all(self, end: Callable[[MemoryStream], None]) -> None:
        for stream in list(self.streams):
            end(stream)
        if not self.streams:
            self.set_deadline()


def fulfils_the_faces(stream: MemoryStream, connection: MemoryConnection) -> tuple[Client, Connection]:
    """For the type checker: these are what the router asks for."""
    return stream, connection
