"""A router with clients and workers in memory, and what they do: by chance, in order and against all rules.

`World.seen` is what there is to see of it.
"""

import re
from random import Random
from typing import Any
from unittest import mock

from tests.fuzz import material
from tests.fuzz.mutations import mutate
from tests.spdy_peer import data, settings, words
from tests.support import bench as benches
from tests.support.http1_asker import WEBSOCKET_KEY, Http1Connection
from tests.support.link_peer import LinkPeer, PeerRequest
from zerogate.wire.http.terms import make_terms
from zerogate.wire.spdy import streams
from zerogate.wire.spdy.events import Reply, StreamOpened, WholeReply
from zerogate.wire.spdy.frames import RstStatus

ROUTES = (*(("*",),) * 8, ("/a",), ("a.example", "/a"), ("*.example", "b.example/a/b"))
HOSTS = (*(b"a.example",) * 6, b"B.example:80", b"c", b"[::1]:80")
TARGETS = (b"/", b"/a", b"/a/b?c=d", b"/a%20b/c", b"/b//", b"//a")
SIZES = (0, 0, 1, 5, 100, 100, 2000, 3000, 8192, 8193, 16_384, 40_000, 65_536, 65_537, 140_000)
STATUSES = (*(200,) * 8, 404, 204, 304, 500, 101, 999)
# Of replies that come in pieces.
LENGTHS = (20_000, 100_000, 300_000, 1_000_000)
OCTETS = Random(0).randbytes(max(LENGTHS))
WINDOWS = (None, None, None, 10, 5000, 262_144)
CUTS = (*(0,) * 12, 64, 1000, 16_384)
# What differs from day to day.
find_date = re.compile(rb"\r\ndate: [^\r]*")


class Peer(LinkPeer):
    """A worker whose words come in pieces, if `cut` says so, and together, while it is mute."""

    is_mute = False
    cut = 0

    def flush(self) -> None:
        if self.is_mute:
            return
        say = self.transport.say
        if self.cut:
            self.transport.say = self._say_in_pieces  # type: ignore[method-assign]
        try:
            super().flush()
        finally:
            self.transport.say = say  # type: ignore[method-assign]

    def _receive(self, event: Any) -> None:
        # What was said of a JOIN but its answer is nobody's.
        stream = getattr(event, "stream", None)
        if stream is None or stream in self._by_stream or isinstance(event, StreamOpened | Reply | WholeReply):
            super()._receive(event)

    def _say_in_pieces(self, data: bytes) -> None:
        for at in range(0, len(data), self.cut):
            type(self.transport).say(self.transport, data[at : at + self.cut])


class Log(benches.Notes):
    """Remembers what the log would say."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[Any, ...]] = []

    def write(self, client: str, entry: Any, n_bytes: int, now: float) -> None:
        super().write(client, entry, n_bytes, now)
        who = (entry.worker_name, entry.worker_labels, entry.error_code, entry.retries)
        self.said.append((client, entry.status, *who, entry.request_id, entry.head.target, n_bytes))


class Ordered(dict[Any, None]):
    """A set that has an order, the same each time."""

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)


class World:
    """A router with its clients and workers; `seen` is what there is to see of it since the last time."""

    def __init__(self, bench: benches.Bench, random: Random) -> None:
        self.bench = bench
        self.random = random
        self.clients: list[Http1Connection] = []
        self.unsaid: dict[Http1Connection, bytes] = {}
        self.peers: list[Peer] = []
        self.streaming: dict[PeerRequest, bytes] = {}
        self._n_told = 0

    def pick(self, things: Any) -> Any:
        return things[int(self.random.random() * len(things))] if things else None

    def rarely(self, n: int) -> bool:
        return self.random.random() * n < 1

    # What clients do

    def ask(self) -> None:
        idle: list[Any] = [
            each
            for each in self.clients
            if not each.transport.is_closing() and not self.unsaid[each] and not getattr(each.client, "_exchange", None)
        ]
        if len(self.clients) < 12 and not (idle and not self.rarely(4)):
            client = Http1Connection(self.bench.http1_clients)
            self.clients.append(client)
            self.unsaid[client] = b""
            window = self.pick(WINDOWS)
            if window is not None:
                client.transport.is_taking = False
                client.transport.set_write_buffer_limits(high=window)
        else:
            client = self.pick(idle if idle and not self.rarely(4) else self.clients)
        self.unsaid[client] += self._request()
        if not self.rarely(5):
            self._say(client)

    def _request(self) -> bytes:
        if self.rarely(20):
            return mutate(self.random, material.head(self.random), (b"\r\n", b"\r\n\r\n", b"0\r\n\r\n"))
        method = self.pick((b"GET",) * 9 + material.METHODS[:7])
        fields = [pair for pair in material.pairs(self.random, 4, is_usual=True) if pair[0] != b"connection"]
        lines = [b"%b %b HTTP/1.%d" % (method, self.pick(TARGETS), not self.rarely(20)), b"Host: " + self.pick(HOSTS)]
        lines += [b"%b: %b" % (material.spelt(self.random, name), value) for name, value in fields]
        body = b""
        if self.rarely(6):
            body = bytes(self.pick(SIZES))
            if self.rarely(2):
                lines.append(b"Content-Length: %d" % len(body))
            else:
                lines.append(b"Transfer-Encoding: chunked")
                body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
            if self.rarely(5):
                lines.append(b"Expect: 100-continue")
        elif self.rarely(12):
            lines += [b"Connection: upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"]
            lines += [b"Sec-WebSocket-Key: " + WEBSOCKET_KEY]
        elif self.rarely(8):
            lines.append(b"Connection: " + self.pick((b"close", b"keep-alive", b"x")))
        return b"\r\n".join([*lines, b"", b""]) + body

    def _say(self, client: Http1Connection) -> None:
        octets = self.unsaid[client]
        size = int(self.random.random() * (len(octets) + 1)) if self.rarely(6) else len(octets)
        self.unsaid[client] = octets[size:]
        if size and not client.transport.is_closing():
            client.transport.say(octets[:size])

    def say(self) -> None:
        if waiting := [client for client in self.clients if self.unsaid[client]]:
            self._say(self.pick(waiting))

    def take(self) -> None:
        if self.clients:
            client = self.pick(self.clients)
            if not client.transport.is_lost:
                client.transport.take(self.pick((None, 100, 10_000)))

    def leave(self) -> None:
        client = self.pick(self.clients)
        if client is not None and not client.transport.is_closing():
            if self.rarely(2):
                client.transport.say_eof()
            else:
                client.transport.lose(self.pick((None, ConnectionResetError("gone"))))

    # What workers do

    def dial(self) -> None:
        if len(self.peers) >= 4 and not self.rarely(5):
            return
        options = {"capacity": self.pick((100, 1, 2, None, 3)), "compresses": self.rarely(6)}
        if self.rarely(6):
            options["window_bytes"] = 1000
        with mock.patch.object(benches, "LinkPeer", Peer):
            peer: Any = self.bench.peer(**options)
        peer.cut = self.pick(CUTS)
        self.peers.append(peer)

    def join_as_most(self) -> None:
        for peer in self._live():
            peer.join("w", "*")

    def join(self) -> None:
        if peer := self.pick([peer for peer in self._live() if peer.session.ids_left]):
            more: dict[str, Any] = {}
            if self.rarely(5):
                more["terms"] = make_terms(
                    *self.pick(((("v=1",), 20.0), ((), 50.0), ((), None, "cookie"), ((), None, "client"), (("v=2",),)))
                )
            more["id"] = self.pick(("", "", "0123456789abcdef"))
            more["strips_prefix"] = self.rarely(8)
            if self.rarely(8):
                more["timeout_s"] = 1.0
            peer.join(f"w{self.peers.index(peer)}", *self.pick(ROUTES), weight=self.pick((100, 100, 50)), **more)

    def _live(self) -> list[Peer]:
        return [peer for peer in self.peers if not peer.transport.is_closing() and peer.session.error is None]

    def _requests(self, *states: int) -> list[PeerRequest]:
        return [
            request
            for peer in self._live()
            for request in peer.requests
            if request._stream.local in states and not request._stream.is_gone
        ]

    def _fields(self, size: int) -> list[tuple[bytes, bytes]]:
        fields = [pair for pair in material.pairs(self.random, 3, is_usual=True) if pair[0] != b"content-length"]
        if self.rarely(3):
            fields.append((b"content-type", self.pick((b"text/html", b"text/event-stream"))))
        if not self.rarely(5):
            fields.append((b"content-length", b"%d" % (size if not self.rarely(15) else size + 1)))
        return fields

    def whole(self) -> None:
        if request := self.pick(self._requests(streams.REPLY_DUE)):
            body = bytes(self.pick(SIZES))
            block = request._block(self.pick(STATUSES), self._fields(len(body)))
            if self.rarely(10):
                block = mutate(self.random, material.reply_block(self.random), (b"\0", b"\0\0\0\1"))
            request._peer.session.send_whole_reply(request._stream, block, body)
            request._peer.flush()

    def reply(self) -> None:
        if request := self.pick(self._requests(streams.REPLY_DUE)):
            if self.rarely(5):
                request.interim(self.pick((100, 103, 103, 200)), [(b"link", b"</a>")])
            else:
                request.reply(self.pick(STATUSES), self._fields(self.pick(SIZES)), fin=self.rarely(3))

    def data(self) -> None:
        if request := self.pick(self._requests(streams.OPEN)):
            if self.rarely(8):
                request.headers([(b"x-sum", b"1")], fin=not self.rarely(3))
            else:
                request.data(bytes(self.pick(SIZES)), fin=self.rarely(2))

    def stream(self) -> None:
        """A reply whose body comes in pieces, of a known length or not."""
        if request := self.pick(self._requests(streams.REPLY_DUE)):
            size = self.pick(LENGTHS)
            known = [(b"content-length", b"%d" % size)]
            request.reply(200, self.pick((known, known, known, [])))
            self.streaming[request] = OCTETS[:size]
            self._go_on(request)

    def more(self) -> None:
        if request := self.pick([each for each in self._requests(streams.OPEN) if each in self.streaming]):
            self._go_on(request)

    def _go_on(self, request: PeerRequest) -> None:
        for _ in range(self.pick((1, 1, 2, 5))):
            octets = self.streaming[request]
            size = self.pick((*SIZES[2:], len(octets)))
            self.streaming[request] = octets[size:]
            fin = size >= len(octets) and not self.rarely(3)
            request.data(octets[:size], fin=fin)
            if fin:
                return

    def reset(self) -> None:
        if request := self.pick(self._requests(streams.REPLY_DUE, streams.OPEN)):
            request.end_with(self.pick((RstStatus.REFUSED_STREAM, RstStatus.INTERNAL_ERROR, RstStatus.CANCEL)))

    def mute(self) -> None:
        if peer := self.pick(self._live()):
            peer.is_mute = True

    def unmute(self) -> None:
        for peer in self._live():
            peer.is_mute = False
            peer.flush()

    def change(self) -> None:
        if peer := self.pick(self._live()):
            peer.take(self.pick((0, 1, 2, 50, 100)))
            if self.rarely(2):
                peer.reads = not peer.reads
                for request in peer.requests:
                    if peer.reads and not request._stream.is_gone:
                        request.read()

    def go(self) -> None:
        if (peer := self.pick(self._live())) and self.rarely(2):
            if self.rarely(2):
                peer.goaway()
            else:
                peer.die()

    def misbehave(self) -> None:
        """A frame that the worker's session does not hear of."""
        if (peer := self.pick(self._live())) and self.rarely(2):
            ids = [request._stream.id for request in peer.requests] or [1]
            number = self.pick((self.pick(ids), self.pick(ids), 99, 0))
            frame = self.pick(
                (
                    data(number, b"x" * self.pick((0, 1, 70_000)), fin=self.rarely(2)),
                    words(9, number, self.pick((1, 0, 0x7FFFFFFF))),
                    words(3, number, 5),
                    settings((7, self.pick((0, 1000, 300_000)))),
                    words(6, 2),
                    words(7, 0, 0),
                )
            )
            peer.session.output.append(frame)
            peer.flush()

    def stop(self) -> None:
        """The router."""
        if self.rarely(10):
            self.bench.desk.stop()
            self.bench.dispatcher.stop()
        elif self.rarely(20):
            self.bench.desk.shut_down()

    # What there is to see

    def seen(self) -> dict[str, Any]:
        bench: Any = self.bench
        pools = bench.dispatcher.routes.values()
        queues = [bench.dispatcher.lobby, bench.dispatcher.anteroom, *(pool.queue for pool in pools)]
        told = bench.notes.said[self._n_told :]
        self._n_told += len(told)
        return {
            "clients": [_client(each) for each in self.clients],
            "peers": [_peer(each) for each in self.peers],
            "workers": [_worker(link, worker) for link, worker in bench.links.workers.items()],
            "queues": [(len(queue), queue.n_bytes) for queue in queues],
            "waiting": [(str(pool.route), pool.n_waiting, pool.has_rules) for pool in pools],
            "counters": bench.counters.as_dict(),
            "log": told,
        }


CLIENT = (
    "_credit_bytes",
    "_held_bytes",
    "_is_body_held",
    "_is_handing_on",
    "_is_paused",
    "bytes_out",
    "deadline",
    "is_writable",
)
CONNECTION = ("writing", "reading", "must_close", "is_half_closed", "_is_held", "has_unread")
TRANSPORT = ("is_lost", "is_eof_written", "_is_closing", "_is_reading", "_buffered_bytes")
LINK = ("is_closed", "is_ready", "is_suspect", "has_failed", "bytes_in", "bytes_out", "_is_paused", "_has_opened")
WORKER = ("capacity", "failures", "ids_left", "in_flight", "load", "has_room", "served", "away", "rests")
STREAM = ("id", "local", "remote", "send_window", "pending_bytes")
REQUEST = ("is_complete", "reset", "trailers", "n_writable")


def _of(thing: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in names}


def _client(each: Http1Connection) -> dict[str, Any]:
    client: Any = each.client
    said = find_date.sub(b"", each.transport.drain())
    books = {**_of(client, CLIENT), **_of(client._connection, CONNECTION), **_of(each.transport, TRANSPORT)}
    return {"said": said, **books, "is in an exchange": client._exchange is not None}


def _peer(peer: Peer) -> dict[str, Any]:
    requests = [{**_of(each, REQUEST), "body": len(each.body), "fields": dict(each.fields)} for each in peer.requests]
    return {"requests": requests, "goaways": list(peer.goaways), "joins": len(peer.join_replies)}


def _worker(link: Any, worker: Any) -> dict[str, Any]:
    of_streams = [{**_of(each, STREAM), "is heard": each.handler is not None} for each in link.session.streams.values()]
    window = (link.session._queue.window, link.session._queue.is_held, link.session._table.next_id)
    books = {} if worker is None else {**_of(worker, WORKER), "contested": len(worker.contested)}
    return {**_of(link, LINK), "streams": of_streams, "window": window, **books}
