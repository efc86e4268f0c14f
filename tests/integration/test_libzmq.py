"""The whole link protocol against libzmq: its DEALER as a worker of our router, our worker with its ROUTER as router.

Only ZMTP is theirs. SPDY is our session's at both ends: the conformance tests hold that against recorded octets.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.support.libzmq import WITHIN_S, Dealer, Routers, cut_by
from tests.support.processes import Process, Site, free_port, make_site, wait_for
from tests.support.raw_http import HttpConnection
from tests.support.sites import APPS, ROOT
from zerogate.wire.spdy import events
from zerogate.wire.spdy.frames import MAX_STREAM_ID, RstStatus

# Our ends take a link that is silent for longer than the second of them as lost.
SILENCE = ("--suspect-after", "500ms", "--lost-after", "2500ms")
SILENT_S = 3.0


# Their DEALER, our router


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
def router_site() -> Iterator[Site]:
    with make_site() as site:
        site.router("--settle", "0s", "--hold", "0s", *SILENCE)
        yield site


@pytest.fixture
def shared(router_site: Site) -> Site:
    """A router without workers: those of the test before are gone."""
    wait_for(lambda: not router_site.status()["workers"], "nobody there")
    return router_site


class Client(threading.Thread):
    """An HTTP request on the way while the test plays the worker. `result` waits for what came of it."""

    def __init__(self, site: Site, path: str, **keywords: Any) -> None:
        super().__init__(daemon=True)
        self._call = partial(site.get, path, **keywords)
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
        dealer.read_some(0.1)
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
    [{}, {"HEARTBEAT_IVL": 50, "HEARTBEAT_TIMEOUT": 2500, "HEARTBEAT_TTL": 2500}],
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
    dealer = make_dealer(site.endpoint, HEARTBEAT_IVL=50, HEARTBEAT_TIMEOUT=1500)
    assert not dealer.is_lost(2.0)
    router.send_signal(signal.SIGSTOP)
    assert dealer.is_lost(WITHIN_S)


# Our worker, their ROUTER


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
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 5000)
    socket.bind(endpoint)
    site = WorkerSite()
    try:
        site.routers = Routers(socket)
        options = ("--connect", endpoint, "--name", "ours", "--concurrency", "10", "--cancel-after", "200ms")
        site.worker_process = site.start("worker", f"{APPS}:app", *options, *SILENCE, cwd=ROOT)
        yield site
    finally:
        # It would wait for its router to close the link.
        site.worker_process.kill()
        site.close()
        socket.close(linger=0)


def test_our_worker_joins_and_answers(dialled: WorkerSite) -> None:
    peer = dialled.routers.joined()
    assert peer.next(events.Settings).max_concurrent == 10
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
    unfinished = peer.request("/upload", b"before, ", method="POST", is_whole=False)
    assert peer.get("/") == b"ok"
    dialled.worker_process.send_signal(signal.SIGTERM)
    goaway = peer.next(events.GoAway)
    assert goaway.last_stream_id == MAX_STREAM_ID
    assert goaway.status == 0
    peer.session.send_data(unfinished, b"after", True)
    peer.flush()
    assert peer.answer(unfinished) == (b"200", b"13")
    dialled.routers.socket.close(linger=0)
    assert dialled.worker_process.popen.wait(WITHIN_S) == 0


def test_our_worker_keeps_an_idle_link(dialled: WorkerSite) -> None:
    peer = dialled.routers.joined()
    give_up = time.monotonic() + SILENT_S
    while time.monotonic() < give_up:
        dialled.routers.read(0.05)
    assert peer.get("/") == b"ok"
    assert len(dialled.routers.peers) == 1
