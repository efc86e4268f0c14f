"""A SPDY session over a socket of libzmq's: a worker on its DEALER, a router on its ROUTER."""

import itertools
import time
from collections.abc import Callable
from typing import TypeVar

import zmq
from zmq.utils.monitor import recv_monitor_message

from tests.spdy_end import apart
from tests.support.raw_worker import join_block, reply_block
from zerogate.wire.spdy import events
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.session import Session
from zerogate.wire.spdy.streams import Stream

WITHIN_S = 15.0

E = TypeVar("E")


def cut_by(sizes: list[int]) -> Callable[[bytes], list[list[bytes]]]:
    """Parts of these sizes, in turn and again, in messages of one to four parts."""

    def cut(octets: bytes) -> list[list[bytes]]:
        parts, turns = [], itertools.cycle(sizes)
        while octets:
            size = next(turns)
            parts.append(octets[:size])
            octets = octets[size:]
        messages, lengths = [], itertools.cycle((1, 4, 2, 3))
        while parts:
            length = next(lengths)
            messages.append(parts[:length])
            parts = parts[length:]
        return messages

    return cut


class Peer:
    """A SPDY session over a libzmq socket. `cut` makes the parts of a message of what is to be sent."""

    def __init__(self, session: Session, send: Callable[[list[bytes]], object], read: Callable[[float], None]) -> None:
        self.read_some = read
        self.session = session
        self.events: list[events.Event] = []
        self.cut: Callable[[bytes], list[list[bytes]]] = lambda octets: [[octets]]
        self._send = send

    def flush(self) -> None:
        """Write what the session has to say."""
        output = b"".join(self.session.take_output())
        if output:
            for message in self.cut(output):
                self._send(message)

    def receive(self, parts: list[bytes]) -> None:
        for part in parts:
            self.events += apart(self.session.receive(part))
        assert self.session.error is None, self.session.error
        self.flush()

    def next(self, kind: type[E], stream: Stream | None = None) -> E:
        """The next event of a kind, and of a stream if one is given; the others stay."""
        give_up = time.monotonic() + WITHIN_S
        while True:
            for index, event in enumerate(self.events):
                if isinstance(event, kind) and (stream is None or getattr(event, "stream", None) is stream):
                    del self.events[index]
                    return event
            assert time.monotonic() < give_up, f"no {kind.__name__}: {self.session}, {self.events}"
            self.read_some(0.1)

    def read_body(self, stream: Stream) -> bytes:
        """The rest of a stream's data; the credit for it is given back."""
        body = b""
        while True:
            event = self.next(events.Data, stream)
            body += event.data
            self.session.consumed(stream, len(event.data))
            self.flush()
            if event.fin:
                return body

    def reply(self, stream: Stream, *pieces: bytes) -> None:
        """A reply whose body comes in these pieces, each with a message of its own."""
        self.session.send_reply(stream, reply_block("200"), False)
        self.flush()
        for piece in pieces:
            self.session.send_data(stream, piece, False)
            self.flush()
        self.session.send_data(stream, b"", True)
        self.flush()

    def request(self, path: str, body: bytes = b"", *, method: str = "GET", is_whole: bool = True) -> Stream:
        pairs = {":method": method, ":path": path, ":version": "HTTP/1.1", ":host": "a", ":scheme": "http"}
        raw = encode_block({name.encode(): value.encode() for name, value in pairs.items()})
        stream = self.session.open_stream(raw, not body)
        if body:
            self.session.send_data(stream, body, is_whole)
        self.flush()
        return stream

    def answer(self, stream: Stream) -> tuple[bytes, bytes]:
        """Status and body of the reply on a stream."""
        reply = self.next(events.Reply, stream)
        return reply.fields[b":status"], b"" if reply.fin else self.read_body(stream)

    def get(self, path: str) -> bytes:
        status, body = self.answer(self.request(path))
        assert status == b"200", body
        return body


class Dealer(Peer):
    """A worker on a libzmq DEALER."""

    def __init__(self, socket: "zmq.Socket[bytes]", endpoint: str, name: str = "dealer") -> None:
        self.socket = socket
        self.monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        super().__init__(Session(opens_odd=False, max_concurrent=100), socket.send_multipart, self.read)
        socket.connect(endpoint)
        stream = self.session.open_stream(join_block(name), True)
        self.flush()
        assert self.next(events.Reply, stream).fields[b":status"].startswith(b"200")

    def read(self, seconds: float) -> None:
        if self.socket.poll(int(seconds * 1000)):
            self.receive(self.socket.recv_multipart())

    def is_lost(self, seconds: float = 0) -> bool:
        """Whether the connection has been lost, or is within that time. What comes meanwhile is answered."""
        give_up = time.monotonic() + seconds
        while True:
            if self.monitor.poll(0):
                assert recv_monitor_message(self.monitor)["event"] == zmq.EVENT_DISCONNECTED
                return True
            if time.monotonic() >= give_up:
                return False
            self.read(0.02)


class Routers:
    """A libzmq ROUTER with a session for each link that dials it."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self.socket = socket
        self.peers: dict[bytes, Peer] = {}

    def read(self, seconds: float) -> None:
        if self.socket.poll(int(seconds * 1000)):
            identity, *parts = self.socket.recv_multipart()
            if identity not in self.peers:
                self.peers[identity] = self._meet(identity)
            self.peers[identity].receive(parts)

    def _meet(self, identity: bytes) -> Peer:
        peer = Peer(Session(opens_odd=True), lambda parts: self.socket.send_multipart([identity, *parts]), self.read)
        peer.flush()
        return peer

    def joined(self, n: int = 1) -> Peer:
        """The n-th link, its JOIN accepted."""
        give_up = time.monotonic() + WITHIN_S
        while len(self.peers) < n:
            assert time.monotonic() < give_up, f"{len(self.peers)} links"
            self.read(0.1)
        peer = list(self.peers.values())[n - 1]
        join = peer.next(events.StreamOpened)
        assert join.fields[b":method"] == b"JOIN"
        assert join.fin
        accepted = encode_block({b":status": b"200 OK", b":version": b"HTTP/1.1", b"router": b"libzmq"})
        peer.session.send_reply(join.stream, accepted, True)
        peer.flush()
        return peer
