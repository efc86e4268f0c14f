"""Each time-out and limit that has an option: with a short one, what the client sees, and what the worker hears."""

import contextlib
import signal
import time
from collections.abc import Iterator

import pytest

from tests.support.chaos import ChaosSite, make_chaos_site
from tests.support.load import Clients, Load, get, stream_body
from tests.support.processes import wait_for
from tests.support.raw_http import Reply, ReplyCutError
from tests.support.raw_worker import LinkEndedError, RawLink, RawWorker, reply_block

SHORT = "300ms"
# Long enough for what must come before it is over, on a busy machine.
LONGER = "2s"


@pytest.fixture
def chaos() -> Iterator[ChaosSite]:
    with make_chaos_site() as site:
        yield site


@pytest.fixture(scope="module")
def strict() -> Iterator[ChaosSite]:
    """Everything is small here, and what a client says must come soon."""
    with make_chaos_site() as site:
        times = ("--head-timeout", SHORT, "--body-timeout", SHORT, "--timeout", LONGER, "--idle-timeout", LONGER)
        limits = ("--max-head", "2k", "--max-fields", "10", "--max-target", "200", "--max-body", "1k")
        site.chaos_router(*times, "--keepalive-timeout", LONGER, *limits)
        site.chaos_worker("only")
        yield site


def is_error(reply: Reply, status: int, code: str, *, closes: bool) -> None:
    assert (reply.status, reply.get("zerogate-error")) == (status, code)
    assert (reply.get("connection") == "close") is closes
    assert reply.get("x-request-id")


# Time-outs


def test_head_timeout(strict: ChaosSite) -> None:
    with strict.open() as client:
        client.send(b"GET /echo/x HTTP/1.1\r\n")
        is_error(client.read_reply(), 408, "timeout", closes=True)
        client.assert_ends()


def test_body_timeout(strict: ChaosSite) -> None:
    heard = strict.stats()["disconnects"]
    with strict.open() as client:
        client.send(b"POST /echo/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        is_error(client.read_reply(), 408, "timeout", closes=True)
        client.assert_ends()
    wait_for(lambda: strict.stats()["disconnects"] > heard, "the application hears of it")


def test_keepalive_timeout(strict: ChaosSite) -> None:
    with strict.open() as unused, strict.open() as used:
        used.get("/echo/x")
        assert used.read_reply().status == 200
        for client in (unused, used):
            client.assert_ends()


def test_timeout(strict: ChaosSite) -> None:
    """The client is told, and so is the application; the worker is none the worse for one."""
    heard = strict.stats()["disconnects"]
    with strict.open() as client:
        client.get("/hang/x")
        is_error(client.read_reply(), 504, "timeout", closes=False)
        client.get("/echo/next")
        assert client.read_reply().status == 200
    wait_for(lambda: strict.stats()["disconnects"] > heard, "the application hears of it")
    strict.wait_in_flight(0)


def test_idle_timeout(strict: ChaosSite) -> None:
    heard = strict.stats()["disconnects"]
    with strict.open() as client:
        client.get("/begin/x")
        with pytest.raises(ReplyCutError) as cut:
            client.read_reply()
        assert not cut.value.received.endswith(b"0\r\n\r\n")
    wait_for(lambda: strict.stats()["disconnects"] > heard, "the application hears of it")


def test_a_slow_reply_is_no_silent_one(strict: ChaosSite) -> None:
    """Longer than every time-out in all, but something comes all the time."""
    with strict.open() as client:
        client.get("/stream/x?bytes=500000&pause=0.1")
        assert client.read_reply().body == stream_body("x", 500_000)


def test_a_slow_client_is_no_silent_worker(chaos: ChaosSite) -> None:
    chaos.chaos_router("--idle-timeout", "1500ms")
    chaos.chaos_worker("only")
    with chaos.open(receive_buffer=4096) as client:
        client.get("/stream/x?bytes=8000000")
        give_up = time.monotonic() + 3.0
        while time.monotonic() < give_up:
            assert client.sock.recv(40_000)
            time.sleep(0.02)
    assert chaos.status()["counters"]["cut"] == 0
    chaos.wait_quiet()


def test_a_client_that_does_not_read_is_cut_off(chaos: ChaosSite) -> None:
    chaos.chaos_router("--idle-timeout", SHORT)
    chaos.chaos_worker("only")
    with chaos.open(receive_buffer=4096) as client:
        client.get("/stream/x?bytes=8000000")
        client.receive()
        wait_for(lambda: chaos.status()["counters"]["cut"] == 1, "it is cut off")
        chaos.wait_in_flight(0)
    assert chaos.worker_status("only")["failures"] == 0


def test_hold_is_for_workers_that_come_back(chaos: ChaosSite) -> None:
    chaos.chaos_router("--hold", "700ms")
    worker = chaos.chaos_worker("only")
    chaos.chaos_worker("other", "--route", "/other")
    worker.kill()
    chaos.wait_state("only", "")
    with chaos.open() as client:
        client.get("/echo/x")
        is_error(client.read_reply(), 404, "no_route", closes=False)
        client.get("/echo/x")
        is_error(client.read_reply(), 404, "no_route", closes=False)
        chaos.chaos_worker("only")
        client.get("/echo/x")
        assert client.read_reply().status == 200


@pytest.mark.one_process
def test_settle_is_for_workers_that_start(chaos: ChaosSite) -> None:
    chaos.router("--settle", "3s", "--access-log", "off")
    with RawWorker(chaos.endpoint, "other", routes=["/other"]), chaos.open() as early, chaos.open() as lost:
        early.get("/echo/x")
        lost.get("/nobody")
        chaos.wait_waiting(2)
        with RawWorker(chaos.endpoint, "late", routes=["/echo"]) as late:
            late.reply(late.next_request().stream)
            assert early.read_reply().status == 200
        is_error(lost.read_reply(), 404, "no_route", closes=False)
        lost.get("/nobody")
        is_error(lost.read_reply(), 404, "no_route", closes=False)


def test_a_first_worker_is_waited_for(chaos: ChaosSite) -> None:
    """Start order is free: the time to settle does not end this."""
    chaos.chaos_router("--queue-timeout", "500ms")
    with chaos.open() as client:
        client.get("/echo/x")
        is_error(client.read_reply(), 503, "queue_timeout", closes=False)


@pytest.mark.parametrize("say", ["nothing", "hands", "garbage"])
def test_handshake_timeout(chaos: ChaosSite, say: str) -> None:
    """Who says nothing, and who says nothing more after the handshake."""
    chaos.chaos_router("--handshake-timeout", SHORT)
    with RawLink(chaos.endpoint) as link, contextlib.suppress(LinkEndedError, ConnectionError, AssertionError):
        if say == "hands":
            link.shake_hands()
        elif say == "garbage":
            link.send_octets(b"GET / HTTP/1.1\r\n\r\n" + bytes(64))
        while link.sock.recv(65536):
            pass
    wait_for(lambda: chaos.status()["links"] == 0, "the link is gone")
    assert chaos.status()["counters"]["links_failed"] == 1


# Limits


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /echo/x HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 2100 + b"\r\n\r\n", 431),
        (b"GET /echo/x HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 10 + b"\r\n", 431),
        (b"GET /echo/" + b"x" * 200 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 414),
        (b"POST /echo/x HTTP/1.1\r\nhost: a\r\ncontent-length: 1025\r\n\r\n", 413),
        (
            b"POST /echo/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n401\r\n"
            + b"x" * 1025
            + b"\r\n0\r\n\r\n",
            413,
        ),
    ],
    ids=["max-head", "max-fields", "max-target", "max-body", "max-body-chunked"],
)
def test_too_large(strict: ChaosSite, request_head: bytes, status: int) -> None:
    with strict.open() as client:
        client.send(request_head)
        is_error(client.read_reply(), status, "too_large", closes=True)
        client.assert_ends()
    strict.wait_in_flight(0)


def test_as_large_as_it_may_be(strict: ChaosSite) -> None:
    """Up to the limit and with it."""
    with strict.open() as client:
        client.get("/echo/" + "x" * 180, *(f"x-{number}: {'y' * 100}" for number in range(9)))
        assert client.read_reply().status == 200
        client.post("/echo/x", b"x" * 1024)
        assert client.read_reply().status == 200


@pytest.mark.one_process
def test_max_clients(chaos: ChaosSite) -> None:
    """Who is too many hears so or waits to be accepted; those who are there go on, and room is room again."""
    chaos.chaos_router("--max-clients", "5")
    chaos.chaos_worker("only")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(chaos.open()) for _ in range(5)]
        for client in clients:
            client.get("/echo/x")
            assert client.read_reply().status == 200
        with chaos.open() as late:
            late.get("/echo/late")
            late.sock.settimeout(1)
            with contextlib.suppress(TimeoutError):
                reply = late.read_reply()
                is_error(reply, 503, "queue_full", closes=True)
                assert reply.get("retry-after")
        for client in clients:
            client.get("/echo/again")
            assert client.read_reply().status == 200
    chaos.wait_quiet()
    assert chaos.get("/echo/after")[0] == 200


def test_max_links(chaos: ChaosSite) -> None:
    """One too many is turned away, and gets in by itself when another leaves."""
    chaos.chaos_router("--max-links", "2")
    first = chaos.chaos_worker("first")
    chaos.chaos_worker("second")
    third = chaos.chaos_worker("third", "--redial-max", "100ms", wait=False)
    third.wait_output("dials")
    wait_for(lambda: "--max-links" in chaos.processes[0].output(), "it is turned away")
    assert {w["name"] for w in chaos.status()["workers"]} == {"first", "second"}
    first.send_signal(signal.SIGTERM)
    third.wait_output("joined router")


# Failures


def test_no_retries_if_none_are_wanted(chaos: ChaosSite) -> None:
    chaos.chaos_router("--retries", "0")
    doomed = chaos.chaos_worker("doomed")
    with chaos.open() as client:
        client.get("/hang/x")
        chaos.wait_in_flight(1)
        chaos.chaos_worker("other")
        doomed.kill()
        is_error(client.read_reply(), 502, "worker_lost", closes=False)
    assert chaos.status()["counters"]["retries"] == 0


@pytest.mark.one_process
def test_retries_have_an_end(chaos: ChaosSite) -> None:
    """A request that kills its workers kills three of them."""
    chaos.chaos_router()
    with contextlib.ExitStack() as stack, chaos.open() as client:
        workers = [stack.enter_context(RawWorker(chaos.endpoint, f"raw-{number}")) for number in range(5)]
        chaos.wait_workers(5)
        client.get("/poison")
        killed: list[str] = []

        def find_victim() -> str:
            """Not one whose end the router has not noticed yet."""
            having = (w["name"] for w in chaos.status()["workers"] if w["in_flight"])
            return next((name for name in having if name not in killed), "")

        for _ in range(3):
            killed.append(wait_for(find_victim, "a victim"))
            workers[int(killed[-1].removeprefix("raw-"))].close()
        is_error(client.read_reply(), 502, "worker_lost", closes=False)
        chaos.wait_workers(2)


@pytest.mark.one_process
def test_a_worker_that_fails_is_passed_over_for_a_while(chaos: ChaosSite) -> None:
    chaos.chaos_router("--max-failures", "5", "--rest", "100s")
    chaos.chaos_worker("bad", env={"CHAOS_FAILS": "1"})
    chaos.chaos_worker("good")
    assert sum(is_cut(chaos) for _ in range(10)) == 5
    assert chaos.worker_status("bad")["state"] == "resting"
    with Load(chaos.http_port, [Clients(get, 8)]) as load:
        load.wait_ok(50)
    assert set(load.report.workers) == {"good"}


def test_a_worker_that_has_rested_is_asked_again(chaos: ChaosSite) -> None:
    chaos.chaos_router("--max-failures", "1", "--rest", "500ms")
    chaos.chaos_worker("bad", env={"CHAOS_FAILS": "1"})
    chaos.chaos_worker("good")
    assert any(is_cut(chaos) for _ in range(2))
    with Load(chaos.http_port, [Clients(get, 8)]) as load:
        chaos.wait_state("bad", "up")
        wait_for(lambda: set(load.report.workers) == {"good", "bad"}, "it has its turn again")


def is_cut(chaos: ChaosSite) -> bool:
    """Whether the reply of whoever has its turn breaks off."""
    with chaos.open() as client:
        client.get("/fail/x")
        try:
            client.read_reply()
        except ReplyCutError:
            return True
    return False


def test_the_last_worker_is_never_passed_over(chaos: ChaosSite) -> None:
    chaos.chaos_router("--max-failures", "2")
    chaos.chaos_worker("bad", env={"CHAOS_FAILS": "1"})
    for _ in range(6):
        with chaos.open() as client:
            client.get("/fail/x")
            with pytest.raises(ReplyCutError):
                client.read_reply()
    assert chaos.worker_status("bad")["state"] == "up"
    assert chaos.get("/echo/x")[0] == 200


def test_plain_errors_of_the_application_are_no_failures(chaos: ChaosSite) -> None:
    """A 500 is an answer like any other."""
    chaos.chaos_router("--max-failures", "2")
    chaos.chaos_worker("a")
    chaos.chaos_worker("b")
    for _ in range(12):
        assert chaos.get("/no-such-handler")[0] == 500
    assert {w["state"] for w in chaos.status()["workers"]} == {"up"}


@pytest.mark.one_process
def test_a_reply_that_is_no_http_is_a_502_and_counted(chaos: ChaosSite) -> None:
    router = chaos.chaos_router()
    with RawWorker(chaos.endpoint, "odd") as worker, chaos.open() as client:
        for status in ("99", "2000", "abc", ""):
            client.get("/x")
            stream = worker.next_request().stream
            worker.send_reply_frame(stream, reply_block(status), True)
            is_error(client.read_reply(), 502, "worker_failed", closes=False)
        assert chaos.status()["counters"]["bad_replies"] == 4
        router.wait_output("worker odd: bad reply to /x")


# What a worker announces for itself


def test_a_worker_announces_its_own_times(chaos: ChaosSite) -> None:
    """Longer than the router's, and shorter: what is right for one application is not for another."""
    chaos.chaos_router("--timeout", SHORT, "--idle-timeout", SHORT)
    chaos.chaos_worker("patient", "--timeout", "off", "--idle-timeout", "off", "--max-body", "1k")
    with chaos.open() as client:
        client.get("/echo/x?sleep=1")
        assert client.read_reply().status == 200
        client.post("/echo/x", b"x" * 1024)
        assert client.read_reply().status == 200
        client.post("/echo/x", b"x" * 1025)
        is_error(client.read_reply(), 413, "too_large", closes=True)


def test_a_shorter_time_than_the_routers(chaos: ChaosSite) -> None:
    chaos.chaos_router()
    chaos.chaos_worker("hasty", "--timeout", SHORT)
    with chaos.open() as client:
        client.get("/hang/x")
        is_error(client.read_reply(), 504, "timeout", closes=False)


def test_the_router_may_have_the_last_word(chaos: ChaosSite) -> None:
    chaos.chaos_router("--max-timeout", SHORT)
    chaos.chaos_worker("patient", "--timeout", "off")
    with chaos.open() as client:
        client.get("/hang/x")
        is_error(client.read_reply(), 504, "timeout", closes=False)
