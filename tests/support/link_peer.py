"""A worker in memory: the other end of a real link of the router's, over no socket, that does what the test says."""

import asyncio
import zlib
from typing import Any

from tests.support.memory_transport import MemoryTransport
from zerogate.link.link import Link
from zerogate.wire import zmtp
from zerogate.wire.fields import Fields
from zerogate.wire.http.join import Join
from zerogate.wire.http.routes import parse_route
from zerogate.wire.spdy import events
from zerogate.wire.spdy.dictionary import DICTIONARY
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.headers import encode_block, merge_fields
from zerogate.wire.spdy.session import CarefulSession, Session
from zerogate.wire.spdy.streams import Stream

Pairs = list[tuple[bytes, bytes]]


class PeerRequest:
    """A request that has come to the worker, and how it is answered."""

    def __init__(self, peer: "LinkPeer", stream: Stream, fields: Fields, fin: bool) -> None:
        self._peer = peer
        self._stream = stream
        self._unread_bytes = 0
        self.fields = fields
        self.body = b""
        self.trailers: Fields = {}
        self.is_complete = fin
        self.reset: int | None = None
        self.n_writable = 0

    def __repr__(self) -> str:
        return f"<PeerRequest {self.path!r} {self._stream!r}>"

    @property
    def path(self) -> bytes:
        return self.fields[b":path"]

    @property
    def unsent_bytes(self) -> int:
        """What of the reply waits for credit."""
        return self._stream.pending_bytes

    def reply(self, status: int = 200, fields: Pairs | None = None, *, fin: bool = False) -> None:
        self._peer.session.send_reply(self._stream, self._block(status, fields), fin)
        self._peer.flush()

    def whole(self, body: bytes = b"", status: int = 200, fields: Pairs | None = None) -> None:
        """A reply in one piece, with its length."""
        fields = [(b"content-length", b"%d" % len(body)), *(fields or [])]
        self._peer.session.send_whole_reply(self._stream, self._block(status, fields), body)
        self._peer.flush()

    def data(self, data: bytes, *, fin: bool = False) -> None:
        self._peer.session.send_data(self._stream, data, fin)
        self._peer.flush()

    def interim(self, status: int, fields: Pairs | None = None) -> None:
        self._peer.session.send_headers(self._stream, self._block(status, fields), False)
        self._peer.flush()

    def headers(self, fields: Pairs, *, fin: bool = True) -> None:
        self._peer.session.send_headers(self._stream, encode_block(merge_fields(fields)), fin)
        self._peer.flush()

    def end_with(self, status: RstStatus) -> None:
        """RST_STREAM."""
        self._peer.session.reset(self._stream, status)
        self._peer.flush()

    def read(self) -> None:
        """Take what has come of the body: the router may send as much again."""
        n_bytes, self._unread_bytes = self._unread_bytes, 0
        self._peer.session.consumed(self._stream, n_bytes)
        self._peer.flush()

    def _block(self, status: int, fields: Pairs | None) -> bytes:
        return encode_block(merge_fields([(b":status", b"%d" % status), (b":version", b"HTTP/1.1"), *(fields or [])]))

    def receive(self, event: Any) -> None:
        if isinstance(event, events.Data):
            self.body += event.data
            self.is_complete = event.fin
            self._unread_bytes += len(event.data)
        elif isinstance(event, events.Headers):
            self.trailers = event.fields
            self.is_complete = event.fin
        elif isinstance(event, events.Reset):
            self.reset = event.status
        elif isinstance(event, events.Writable):
            self.n_writable += 1


class Deflater:
    """Wraps blocks as most SPDY libraries do: compressed."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(6, zlib.DEFLATED, 15, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)

    def wrap(self, block: bytes) -> bytes:
        return self._stream.compress(block) + self._stream.flush(zlib.Z_SYNC_FLUSH)


class LinkPeer:
    """One worker's end. `requests` are all that have come; `reads` turned off, a body's credit waits for `read`."""

    def __init__(
        self, link: Link, *, capacity: int | None = 100, window_bytes: int = 256 * 1024, compresses: bool = False
    ) -> None:
        self.link = link
        kind = CarefulSession if compresses else Session
        self.session: CarefulSession = kind(opens_odd=False, max_concurrent=capacity, stream_window=window_bytes)
        if compresses:
            writer: Any = Deflater()
            self.session._wrap = writer.wrap
            self.session._queue._writer = writer
        self.reads = True
        self.requests: list[PeerRequest] = []
        self.join_replies: list[Fields] = []
        self.goaways: list[int] = []
        self._by_stream: dict[Stream, PeerRequest] = {}
        self._zmtp = zmtp.Connection(socket_type=b"DEALER", accepts=frozenset((b"ROUTER",)))
        self.transport = MemoryTransport(link, ("198.51.100.7", 40000))
        self.pump()

    def __repr__(self) -> str:
        return f"<LinkPeer {self.link!r}>"

    def pump(self) -> bool:
        """Read what the router has written. False if there was nothing."""
        octets = self.transport.drain()
        for piece in self._zmtp.receive(octets):
            for event in self.session.receive(piece):
                self._receive(event)
        self.flush()
        return bool(octets)

    def flush(self) -> None:
        """Say what there is to say."""
        octets = self._zmtp.take_output()
        if self._zmtp.is_ready and self.session.output:
            octets += self._zmtp.encode(self.session.take_output())
        if octets and not self.transport.is_closing():
            self.transport.say(octets)

    @property
    def router_mark(self) -> bytes:
        """The mark in the router's greeting."""
        return self._zmtp.peer_mark

    def join(self, name: str, *routes: str, weight: int = 100, **more: Any) -> None:
        join = Join(name, [parse_route(route) for route in routes or ("*",)], weight, "test/1", **more)
        self.say_join(join.fields())

    def say_join(self, fields: Fields) -> None:
        self.session.open_stream(encode_block(fields), True)
        self.flush()

    def take(self, n: int) -> None:
        """So many requests at once, from now on."""
        self.session.set_max_concurrent(n)
        self.flush()

    def goaway(self) -> None:
        self.session.goaway()
        self.flush()

    def die(self) -> None:
        """The connection is gone."""
        self.transport.lose(ConnectionResetError("gone"))

    def _receive(self, event: Any) -> None:
        if isinstance(event, events.StreamOpened):
            request = self._by_stream[event.stream] = PeerRequest(self, event.stream, event.fields, event.fin)
            self.requests.append(request)
        elif isinstance(event, events.GoAway):
            self.goaways.append(event.last_stream_id)
        elif isinstance(event, (events.Reply, events.WholeReply)):
            self.join_replies.append(event.fields)
        elif not isinstance(event, events.Settings):
            request = self._by_stream[event.stream]
            request.receive(event)
            if self.reads and isinstance(event, events.Data):
                request.read()


async def quiet(peers: list[LinkPeer]) -> None:
    """Let everything happen that can happen now."""
    n_silent = 0
    while n_silent < 3:
        await asyncio.sleep(0)
        moved = [peer.pump() for peer in peers]
        n_silent = 0 if any(moved) else n_silent + 1
