"""Clients that send a request's body or take a reply slowly: they cost a worker nothing, or not for long."""

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.chaos import ChaosSite, make_chaos_site
from tests.support.processes import DEADLINE_S, wait_for
from tests.support.raw_http import HttpConnection
from tests.support.raw_worker import RawWorker
from zerogate.router.exchange.collecting import KNOWN_LULL_S
from zerogate.router.exchange.pace import GRACE_S
from zerogate.wire.spdy import events

HEAD = b"POST /echo/slow HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n"


@pytest.fixture
def chaos() -> Iterator[ChaosSite]:
    with make_chaos_site() as site:
        yield site


@contextlib.contextmanager
def trickling(clients: list[HttpConnection], pause_s: float) -> Iterator[None]:
    """Each client sends a byte every so often, until the end of the block."""
    is_over = threading.Event()

    def trickle() -> None:
        while not is_over.wait(pause_s):
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(b"x")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_a_hundred_slow_bodies_leave_a_worker_to_others(chaos: ChaosSite) -> None:
    # None of them ends by itself while others ask.
    chaos.chaos_router("--body-timeout", "10m", "--min-body-rate", "0")
    chaos.chaos_worker("only", "--concurrency", "8")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(chaos.open()) for _ in range(100)]
        for client in slow:
            client.send(HEAD)
        stack.enter_context(trickling(slow, 2.5 * KNOWN_LULL_S))
        wait_for(lambda: chaos.worker_status("only")["in_flight"] >= 6, "they have what is to spare")
        for _ in range(20):
            assert chaos.get("/echo/x")[0] == 200
            assert chaos.get("/echo/x", method="POST", body=b"small")[0] == 200
        assert chaos.worker_status("only")["in_flight"] <= 6
    chaos.wait_quiet()


def test_who_is_too_slow_is_told_so_and_nobody_is_blamed(chaos: ChaosSite) -> None:
    chaos.chaos_router("--max-failures", "1")
    chaos.chaos_worker("only")
    chaos.chaos_worker("other")
    with chaos.open() as client, trickling([client], 0.2):
        client.send(HEAD)
        client.sock.settimeout(GRACE_S + DEADLINE_S)
        reply = client.read_reply()
        assert (reply.status, reply.get("zerogate-error")) == (408, "timeout")
        client.assert_ends()
    assert {worker["state"] for worker in chaos.status()["workers"]} == {"up"}
    chaos.wait_quiet()


def test_the_rate_can_be_set_off(chaos: ChaosSite) -> None:
    chaos.chaos_router("--body-timeout", "2500ms", "--min-body-rate", "0")
    chaos.chaos_worker("only")
    with chaos.open() as client:
        client.send(b"POST /echo/slow HTTP/1.1\r\nhost: a\r\ncontent-length: 15\r\n\r\n")
        for _ in range(15):
            time.sleep(0.25)
            client.send(b"x")
        assert client.read_reply().status == 200


@pytest.mark.one_process
def test_who_is_ready_goes_before_who_is_not(chaos: ChaosSite) -> None:
    chaos.chaos_router()
    with RawWorker(chaos.endpoint, "raw", capacity=1) as worker, contextlib.ExitStack() as stack:
        busy, slow, ready = (stack.enter_context(chaos.open()) for _ in range(3))
        busy.get("/busy")
        first = worker.next_request()
        slow.send(b"POST /slow HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbo")
        wait_for(lambda: chaos.status()["collecting"] == 1, "the body is taken")
        ready.get("/ready")
        chaos.wait_waiting(1)
        worker.reply(first.stream)
        second = worker.next_request()
        assert second.fields[b":path"] == b"/ready"
        slow.send(b"dy")
        chaos.wait_waiting(1)
        worker.reply(second.stream)
        third = worker.next_request()
        # All of it at once.
        data = worker.next(events.Data)
        assert (third.fields[b":path"], data.data, data.fin) == (b"/slow", b"body", True)
        worker.reply(third.stream)
        assert [client.read_reply().status for client in (busy, ready, slow)] == [200, 200, 200]
    chaos.wait_quiet()


def test_who_takes_a_reply_too_slowly_is_cut(chaos: ChaosSite) -> None:
    """Though it always takes something; and what is slow enough depends on the rate alone."""
    chaos.chaos_router("--idle-timeout", "1s", "--min-body-rate", "1000000", "--max-failures", "1")
    chaos.chaos_worker("only")
    chaos.chaos_worker("other")
    with chaos.open(receive_buffer=4096) as client:
        client.get("/stream/x?bytes=50000000")
        give_up = time.monotonic() + DEADLINE_S
        while not chaos.status()["counters"]["cut"]:
            client.sock.recv(10_000)
            time.sleep(0.05)
            assert time.monotonic() < give_up
        chaos.wait_in_flight(0)
    assert {worker["state"] for worker in chaos.status()["workers"]} == {"up"}
    chaos.wait_quiet()
