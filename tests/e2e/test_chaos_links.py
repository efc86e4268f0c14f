"""Links that are cut, delayed, throttled, corrupted or silent, seen from the clients."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.support.chaos import ChaosSite, make_chaos_site
from tests.support.load import Clients, Load, download, get, post, request_body, stream_body
from tests.support.processes import wait_for
from tests.support.raw_http import HttpConnection, ReplyCutError
from tests.support.tcp_proxy import TcpProxy

SIZE = 2_000_000


@pytest.fixture
def chaos() -> Iterator[ChaosSite]:
    with make_chaos_site() as site:
        yield site


@pytest.fixture
def proxy(chaos: ChaosSite) -> Iterator[TcpProxy]:
    with TcpProxy(chaos.link_port) as made:
        yield made


def far_worker(chaos: ChaosSite, proxy: TcpProxy, name: str = "far", *options: str) -> None:
    """A worker that reaches the router only over the proxy."""
    direct, chaos.link_port = chaos.link_port, proxy.port
    try:
        chaos.chaos_worker(name, *options)
    finally:
        chaos.link_port = direct


def has_head(client: HttpConnection) -> bool:
    return client.receive() and b"\r\n\r\n" in client.buffer


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "close"])
def test_a_reply_that_is_cut_is_seen_to_be_cut(chaos: ChaosSite, proxy: TcpProxy, reset: bool) -> None:
    """Whatever frames it: chunks, a length, or the end of the connection."""
    chaos.chaos_router()
    far_worker(chaos, proxy, "far", "--cancel-after", "200ms")
    with chaos.open() as chunked, chaos.open() as length, chaos.open() as old:
        chunked.get("/stream/chunked?bytes=2000000&pause=0.05")
        length.get("/stream/length?bytes=2000000&pause=0.05&length=1")
        old.get("/stream/old?bytes=2000000&pause=0.05", version="HTTP/1.0")
        for client in (chunked, length, old):
            wait_for(partial(has_head, client), "the reply's head")
        proxy.cut(reset=reset)
        for client, token in ((chunked, "chunked"), (length, "length"), (old, "old")):
            with pytest.raises(ReplyCutError) as cut:
                client.read_reply()
            assert not cut.value.received.endswith(b"0\r\n\r\n"), token
        assert old.was_reset
    # The link comes back by itself.
    chaos.wait_workers(1)
    assert chaos.get("/echo/after")[0] == 200
    counters = chaos.status()["counters"]
    assert (counters["cut"], counters["lost"]) == (3, 1)


def test_a_request_that_was_cut_before_its_reply(chaos: ChaosSite, proxy: TcpProxy) -> None:
    """GET goes on over the next link; POST is answered 502, half sent or whole; and others hear nothing of it."""
    chaos.chaos_router()
    far_worker(chaos, proxy)
    chaos.chaos_worker("near", "--route", "/near", env={"CHAOS_PREFIX": "/near"})
    body = request_body("half", 400_000)
    with chaos.open() as safe, chaos.open() as whole, chaos.open() as half, chaos.open() as other:
        other.get("/near/stream/other?bytes=200000&pause=0.1")
        safe.get("/echo/safe?until=cut")
        whole.post("/echo/whole?until=cut", b"body")
        half.send(b"POST /echo/half HTTP/1.1\r\nhost: a\r\ncontent-length: 400000\r\n\r\n" + body[:200_000])
        wait_for(lambda: chaos.worker_status("far")["in_flight"] == 3, "all on the link")
        wait_for(lambda: proxy.bytes_passed()[1] > 200_000, "half a body at the worker")
        proxy.cut()
        chaos.let_go("cut")
        for client in (whole, half):
            reply = client.read_reply()
            assert (reply.status, reply.get("zerogate-error")) == (502, "worker_lost")
        assert safe.read_reply().body.startswith(b"safe ")
        assert other.read_reply().body == stream_body("other", 200_000)
    assert max(chaos.runs().values()) == 1


def test_links_that_are_cut_again_and_again_mix_nothing_up(chaos: ChaosSite, proxy: TcpProxy) -> None:
    chaos.chaos_router()
    far_worker(chaos, proxy)
    chaos.chaos_worker("near")
    n = chaos.router_processes
    with Load(chaos.http_port, [Clients(get, 16), Clients(download, 4)]) as load:
        for turn in range(8):
            load.wait_ok(60)
            proxy.cut(reset=bool(turn % 2))
            wait_for(lambda: proxy.n_connections >= n, "the worker has dialled again", 5)  # and perhaps its pulses
    report = load.report
    assert not report.mixed, report
    # Only downloads had begun.
    assert set(report.failed) <= {"truncated"}, report


def test_a_corrupted_link_ends_and_comes_back(chaos: ChaosSite, proxy: TcpProxy) -> None:
    chaos.chaos_router()
    far_worker(chaos, proxy)
    with Load(chaos.http_port, [Clients(get, 8)]) as load:
        load.wait_ok(50)
        proxy.corrupt(64)
        wait_for(lambda: chaos.status()["counters"]["lost"], "a link has ended")
        load.wait_ok(50)
    assert load.report.is_clean, load.report


def test_a_silent_link_is_lost_and_nothing_hangs(chaos: ChaosSite, proxy: TcpProxy) -> None:
    """No reset, no end: only the silence tells."""
    quick = ("--suspect-after", "500ms", "--lost-after", "3s")
    chaos.chaos_router(*quick)
    far_worker(chaos, proxy, "far", *quick)
    with chaos.open() as safe, chaos.open() as unsafe, chaos.open() as begun:
        safe.get("/hang/safe")
        unsafe.post("/hang/unsafe", b"x")
        begun.get("/begin/begun")
        begun.read_head()
        chaos.wait_running(3)
        proxy.is_silent = True
        chaos.wait_state("far", "suspect")
        chaos.wait_state("far", "")
        assert unsafe.read_reply().status == 502
        assert not begun.read_rest().endswith(b"0\r\n\r\n")
        chaos.wait_waiting(1)  # The GET: it is safe to send again, but not to the process that fell silent with it.
        proxy.cut()
        proxy.is_silent = False
        chaos.wait_workers(1)
        assert chaos.status()["waiting"] == 1
        chaos.chaos_worker("near")
        wait_for(lambda: chaos.status()["waiting"] == 0, "another process has it")
    chaos.wait_quiet()
    wait_for(lambda: chaos.stats()["running"] == 0, "no call is left")


def test_a_slow_link_is_no_broken_link(chaos: ChaosSite, proxy: TcpProxy) -> None:
    """A link so slow that its queue is longer than the patience with a silent one: what arrives is a sign of life."""
    chaos.chaos_router("--suspect-after", "500ms", "--lost-after", "2500ms")
    far_worker(chaos, proxy, "far", "--suspect-after", "500ms", "--lost-after", "2500ms")
    # What is on the way at once, a stream's window of 256 KiB, takes longer than that.
    proxy.bytes_per_s = 90_000
    size = 400_000
    with chaos.open() as client:
        client.get(f"/stream/slow?bytes={size}")
        assert client.read_reply().body == stream_body("slow", size)
    counters = chaos.status()["counters"]
    assert (counters["lost"], counters["cut"]) == (0, 0)


def test_a_far_worker_is_served_and_drained_as_a_near_one(chaos: ChaosSite, proxy: TcpProxy) -> None:
    """Requests are on their way while GOAWAY comes the other way: they are refused, and lost by nobody."""
    chaos.chaos_router()
    chaos.chaos_worker("near")
    proxy.delay_s = 0.03
    for _ in range(3):
        far_worker(chaos, proxy)
        worker = chaos.processes.pop()
        with Load(chaos.http_port, [Clients(get, 24), Clients(post, 24), Clients(download, 4)]) as load:
            wait_for(lambda: load.report.workers["far"] > 20 and load.report.outcomes, "the far worker answers")
            assert worker.terminate() == 0
            load.wait_ok(20)
        worker.close()
        assert load.report.is_clean, load.report
    assert max(chaos.runs().values()) == 1


def test_a_refused_dial_is_tried_again(chaos: ChaosSite, proxy: TcpProxy) -> None:
    proxy.refuses = True
    chaos.chaos_router()
    direct, chaos.link_port = chaos.link_port, proxy.port
    worker = chaos.chaos_worker("far", wait=False)
    chaos.link_port = direct
    worker.wait_output("dials")
    proxy.refuses = False
    chaos.wait_workers(1)
