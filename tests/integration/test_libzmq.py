"""The whole link protocol against libzmq: its DEALER as a worker of our router, our worker with its ROUTER as router.

Only ZMTP is theirs. SPDY is our session's at both ends: the conformance tests hold that against recorded octets.
"""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from tests.support.processes import Process, Site, free_port, make_site
from tests.support.raw_http import HttpConnection
from tests.support.raw_worker import join_block, reply_block
from tests.support.sites import APPS, ROOT
from zerogate.wire.spdy import events
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.session import Session
from zerogate.wire.spdy.streams import Stream

WITHIN_S = 15.0
# Our ends take a link that is silent for longer than the second of them as lost.
SILENCE = ("--suspect-after", "300ms", "--lost-after", "900ms")
SILENT_S = 2.0

E = TypeVar("E")


class Peer:
    """A SPDY session over a libzmq socket. `cut` makes the parts of a message of what is to be sent."""

    def __init__(self, session: Session, send: Callable[[list[bytes]], None], read: Callable[[float], None]) -> None:
        self.session = session
        self.events: list[events.Event] = []
        self.cut: Callable[[bytes], list[list[bytes]]] = lambda octets: [[octets]]
        self._send = send
        self._read = read

    def flush(self) -> None:
        output = b"".join(self.session.take_output())
        if output:
            for message in self.cut(output):
                self._send(message)

    def receive(self, parts: list[bytes]) -> None:
        for part in parts:
            self.events += self.session.receive(part)
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
            self._read(0.1)

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

    def request(self, path: str, body: bytes = b"", *, method: str = "GET", **fields: str) -> Stream:
        pairs = {":method": method, ":path": path, ":version": "HTTP/1.1", ":host": "a", ":scheme": "http", **fields}
        raw = encode_block({name.encode(): value.encode() for name, value in pairs.items()})
        stream = self.session.open_stream(raw, not body)
        if body:
            self.session.send_data(stream, body, True)
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


# Their DEALER, our router


class Dealer(Peer):
    """A worker on a libzmq DEALER."""

    def __init__(self, socket: "zmq.Socket[bytes]", endpoint: str, name: str = "dealer") -> None:
        self.socket = socket
        self.monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        super().__init__(Session(opens_odd=False, max_concurrent=100), socket.send_multipart, self._read_socket)
        socket.connect(endpoint)
        stream = self.session.open_stream(join_block(name), True)
        self.flush()
        assert self.next(events.Reply, stream).fields[b":status"].startswith(b"200")

    def _read_socket(self, seconds: float) -> None:
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
            self._read_socket(0.02)


@pytest.fixture
def context() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


MakeDealer = Callable[..., Dealer]


@pytest.fixture
def make_dealer(context: "zmq.Context[zmq.Socket[bytes]]") -> Iterator[MakeDealer]:
    """Makes workers, with socket options by their names in libzmq."""
    with contextlib.ExitStack() as stack:

        def make(endpoint: str, name: str = "dealer", **options: int) -> Dealer:
            socket = context.socket(zmq.DEALER)
            stack.callback(socket.close, linger=0)
            stack.callback(socket.disable_monitor)
            for option, value in options.items():
                socket.setsockopt(getattr(zmq, option), value)
            return Dealer(socket, endpoint, name)

        yield make


@pytest.fixture(params=["tcp", "ipc"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"tcp://127.0.0.1:{free_port()}" if request.param == "tcp" else f"ipc://{tmp_path}/link"


@pytest.fixture(scope="module")
def shared() -> Iterator[Site]:
    """A router for workers that stay for one test each."""
    with make_site() as site:
        site.router("--settle", "0s", "--hold", "0s", *SILENCE)
        yield site


class Client(threading.Thread):
    """An HTTP request on the way while the test plays the worker. `result` waits for what came of it."""

    def __init__(self, site: Site, path: str, **keywords: Any) -> None:
        super().__init__(daemon=True)
        self._call = lambda: site.get(path, **keywords)
        self._result: Any = None
        self.start()

    def run(self) -> None:
        try:
            self._result = self._call()
        except Exception as error:
            self._result = error

    def result(self) -> tuple[int, dict[str, str], bytes]:
        self.join(WITHIN_S)
        assert isinstance(self._result, tuple), self._result
        return self._result


def test_a_dealer_joins_and_answers(site: Site, endpoint: str, make_dealer: MakeDealer) -> None:
    site.router("--bind", endpoint, "--settle", "0s")
    dealer = make_dealer(endpoint)
    (worker,) = site.status()["workers"]
    assert (worker["name"], worker["state"]) == ("dealer", "up")
    for number in range(3):
        client = Client(site, f"/{number}?a=b")
        request = dealer.next(events.StreamOpened)
        assert request.fields[b":path"] == b"/%d?a=b" % number
        assert request.fin
        dealer.reply(request.stream, b"hello ", b"from a ", b"dealer")
        status, _, body = client.result()
        assert (status, body) == (200, b"hello from a dealer")


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


@pytest.mark.parametrize(
    "sizes",
    [[1], [7, 0, 0, 1], [0, 3, 300, 0, 8], [255, 256, 257], [1 << 20]],
    ids=["octets", "empty parts", "mixed", "short and long frames", "whole"],
)
def test_parts_and_messages_mean_nothing(shared: Site, make_dealer: MakeDealer, sizes: list[int]) -> None:
    dealer = make_dealer(shared.endpoint)
    dealer.cut = cut_by(sizes)
    pieces = [b"x" * size for size in (1, 1000, 0, 5000, 3)]
    for _ in range(2):
        client = Client(shared, "/cut")
        dealer.reply(dealer.next(events.StreamOpened).stream, *pieces)
        status, _, body = client.result()
        assert (status, body) == (200, b"".join(pieces))


def test_empty_messages_mean_nothing(shared: Site, make_dealer: MakeDealer) -> None:
    dealer = make_dealer(shared.endpoint)
    dealer.cut = lambda octets: [[b""], [b"", b""], [octets, b""], [b"", b"", b""]]
    client = Client(shared, "/empty")
    dealer.reply(dealer.next(events.StreamOpened).stream, b"still ", b"whole")
    assert client.result()[2] == b"still whole"


def test_a_body_larger_than_all_windows_goes_both_ways(shared: Site, make_dealer: MakeDealer) -> None:
    dealer = make_dealer(shared.endpoint, SNDHWM=0, RCVHWM=0)
    body = bytes(range(256)) * (20 * 4096)  # 20 MiB: the session's window is 16
    client = Client(shared, "/echo", method="POST", body=body)
    request = dealer.next(events.StreamOpened)
    received = dealer.read_body(request.stream)
    assert received == body
    dealer.reply(request.stream, received)
    while request.stream.pending_bytes:
        dealer._read_socket(0.1)
    assert client.result()[2] == body


def test_many_requests_at_once(shared: Site, make_dealer: MakeDealer) -> None:
    dealer = make_dealer(shared.endpoint)
    clients = [Client(shared, f"/{number}") for number in range(20)]
    requests = [dealer.next(events.StreamOpened) for _ in clients]
    for request in reversed(requests):
        dealer.reply(request.stream, request.fields[b":path"])
    assert [client.result()[2] for client in clients] == [b"/%d" % number for number in range(20)]


def test_a_client_that_leaves_is_a_cancel(shared: Site, make_dealer: MakeDealer) -> None:
    dealer = make_dealer(shared.endpoint)
    with HttpConnection(shared.http_port) as connection:
        connection.get("/left")
        request = dealer.next(events.StreamOpened)
    reset = dealer.next(events.Reset)
    assert reset.stream is request.stream
    assert reset.status == RstStatus.CANCEL


@pytest.mark.parametrize(
    "options",
    [{}, {"HEARTBEAT_IVL": 50, "HEARTBEAT_TIMEOUT": 500, "HEARTBEAT_TTL": 500}],
    ids=["the router asks", "both ask"],
)
def test_heartbeats_keep_an_idle_link(shared: Site, make_dealer: MakeDealer, options: dict[str, int]) -> None:
    dealer = make_dealer(shared.endpoint, f"idle-{len(options)}", **options)
    assert not dealer.is_lost(SILENT_S)
    assert "up" in [
        worker["state"] for worker in shared.status()["workers"] if worker["name"] == f"idle-{len(options)}"
    ]
    client = Client(shared, "/after")
    dealer.reply(dealer.next(events.StreamOpened).stream, b"alive")
    assert client.result()[2] == b"alive"


def test_a_stopped_router_is_lost_by_heartbeat(site: Site, make_dealer: MakeDealer) -> None:
    """Their PINGs are answered by our process, not by its kernel."""
    router = site.router("--settle", "0s")
    dealer = make_dealer(site.endpoint, HEARTBEAT_IVL=50, HEARTBEAT_TIMEOUT=500)
    assert not dealer.is_lost(1.0)
    router.send_signal(19)
    assert dealer.is_lost(WITHIN_S)


# Our worker, their ROUTER


class Routers:
    """A libzmq ROUTER with a session for each link that dials it."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self.socket = socket
        self.peers: dict[bytes, Peer] = {}

    def _read(self, seconds: float) -> None:
        if self.socket.poll(int(seconds * 1000)):
            identity, *parts = self.socket.recv_multipart()
            if identity not in self.peers:
                self.peers[identity] = self._meet(identity)
            self.peers[identity].receive(parts)

    def _meet(self, identity: bytes) -> Peer:
        peer = Peer(Session(opens_odd=True), lambda parts: self.socket.send_multipart([identity, *parts]), self._read)
        peer.flush()
        return peer

    def joined(self, n: int = 1) -> Peer:
        """The n-th link, its JOIN accepted."""
        give_up = time.monotonic() + WITHIN_S
        while len(self.peers) < n:
            assert time.monotonic() < give_up, f"{len(self.peers)} links"
            self._read(0.1)
        peer = list(self.peers.values())[n - 1]
        join = peer.next(events.StreamOpened)
        assert join.fields[b":method"] == b"JOIN"
        assert join.fin
        assert peer.next(events.Settings).max_concurrent == 10
        accepted = encode_block({b":status": b"200 OK", b":version": b"HTTP/1.1", b"router": b"libzmq"})
        peer.session.send_reply(join.stream, accepted, True)
        peer.flush()
        return peer


class WorkerSite(Site):
    routers: Routers
    worker_process: Process


@pytest.fixture
def dialled(endpoint: str, context: "zmq.Context[zmq.Socket[bytes]]") -> Iterator[WorkerSite]:
    """Our worker, dialling a ROUTER of libzmq's that has heartbeats on."""
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.SNDHWM, 0)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 50)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 2000)
    socket.bind(endpoint)
    site = WorkerSite()
    try:
        site.routers = Routers(socket)
        options = ("--connect", endpoint, "--name", "ours", "--concurrency", "10", "--cancel-after", "200ms")
        site.worker_process = site.start("worker", f"{APPS}:app", *options, *SILENCE, cwd=ROOT)
        yield site
    finally:
        site.close()
        socket.close(linger=0)


def test_our_worker_joins_and_answers(dialled: WorkerSite) -> None:
    peer = dialled.routers.joined()
    dialled.worker_process.wait_output("joined router libzmq")
    assert peer.get("/") == b"ok"
    body = bytes(range(256)) * (20 * 4096)
    stream = peer.request("/echo", body, method="POST")
    assert peer.answer(stream) == (b"200", body)


def test_our_worker_takes_any_cuts(dialled: WorkerSite) -> None:
    peer = dialled.routers.joined()
    peer.cut = cut_by([1, 0, 2, 300])
    assert peer.answer(peer.request("/upload", b"x" * 5000, method="POST")) == (b"200", b"5000")


def test_our_worker_serves_several_at_once(dialled: WorkerSite) -> None:
    peer = dialled.routers.joined()
    waiting = [peer.request(f"/wait/{number}") for number in range(8)]
    for number in reversed(range(8)):
        assert peer.get(f"/signal/{number}") == b"signalled"
        assert peer.answer(waiting[number]) == (b"200", b"waited")


def test_our_worker_refuses_what_is_too_much(dialled: WorkerSite) -> None:
    peer = dialled.routers.joined()
    waiting = [peer.request(f"/wait/{number}") for number in range(10)]
    refused = peer.next(events.Reset, peer.request("/"))
    assert refused.status == RstStatus.REFUSED_STREAM
    peer.session.reset(waiting[0], RstStatus.CANCEL)
    peer.flush()
    # The slot is free when the call that had it is over.
    give_up = time.monotonic() + WITHIN_S
    while True:
        stream = peer.request("/signal/1")
        event = peer.next(events.Reply | events.Reset, stream)  # type: ignore[arg-type]
        if isinstance(event, events.Reply):
            break
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert peer.answer(waiting[1]) == (b"200", b"waited")


def test_our_worker_hears_of_a_cancel(dialled: WorkerSite) -> None:
    peer = dialled.routers.joined()
    stream = peer.request("/listen/left")
    noted = peer.get("/log")
    give_up = time.monotonic() + WITHIN_S
    while b"left began" not in noted:
        assert time.monotonic() < give_up
        noted += peer.get("/log")
    peer.session.reset(stream, RstStatus.CANCEL)
    peer.flush()
    while b"left heard http.disconnect" not in noted:
        assert time.monotonic() < give_up
        noted += peer.get("/log")
    assert peer.get("/") == b"ok"


def test_our_worker_dials_anew_beside_a_link_that_is_going_away(dialled: WorkerSite) -> None:
    first = dialled.routers.joined()
    waiting = first.request("/wait/old")
    first.session.goaway()
    first.flush()
    second = dialled.routers.joined(2)
    assert second.get("/signal/old") == b"signalled"
    assert first.answer(waiting) == (b"200", b"waited")
    assert second.get("/") == b"ok"


def test_our_worker_leaves_in_order(dialled: WorkerSite) -> None:
    peer = dialled.routers.joined()
    waiting = peer.request("/wait/last")
    signal = peer.request("/signal/never-mind")
    assert peer.answer(signal) == (b"200", b"signalled")
    dialled.worker_process.send_signal(15)
    goaway = peer.next(events.GoAway)
    assert goaway.last_stream_id == signal.id
    assert goaway.status == 0
    assert waiting in peer.session.streams.values()
    assert not waiting.is_gone
    peer.session.reset(waiting, RstStatus.CANCEL)
    peer.flush()
    assert dialled.worker_process.popen.wait(WITHIN_S) == 0


def test_our_worker_keeps_an_idle_link(dialled: WorkerSite) -> None:
    peer = dialled.routers.joined()
    give_up = time.monotonic() + SILENT_S
    while time.monotonic() < give_up:
        dialled.routers._read(0.05)
    assert peer.get("/") == b"ok"
    assert len(dialled.routers.peers) == 1
