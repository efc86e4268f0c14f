"""More clients than workers can take: they wait in line, within bounds, and are told when the bounds are passed."""

import contextlib
import hashlib
from collections.abc import Iterator

import pytest

from tests.support.chaos import ChaosSite, make_chaos_site
from tests.support.load import Clients, Load, get, post, request_body
from tests.support.processes import wait_for
from tests.support.raw_http import HttpConnection

N = 200
SLOT = ("--concurrency", "1")


@pytest.fixture
def chaos() -> Iterator[ChaosSite]:
    with make_chaos_site() as site:
        yield site


@contextlib.contextmanager
def waiting_clients(chaos: ChaosSite, n: int, already: int = 0) -> Iterator[list[HttpConnection]]:
    """So many, each known to wait before the next one comes."""
    with contextlib.ExitStack() as stack:
        clients = []
        for number in range(n):
            client = stack.enter_context(chaos.open())
            client.get(f"/order/{number}")
            chaos.wait_waiting(already + number + 1)
            clients.append(client)
        yield clients


@pytest.mark.one_process
def test_first_come_first_served(chaos: ChaosSite) -> None:
    router = chaos.chaos_router("--queue-timeout", "120s")
    chaos.chaos_worker("slow", *SLOT)
    before = router.rss_kib()
    with chaos.open() as busy:
        busy.get("/hang/busy")
        chaos.wait_in_flight(1)
        with waiting_clients(chaos, N) as clients:
            assert router.rss_kib() - before < 16 * 1024
            busy.close()
            for number, client in enumerate(clients):
                assert client.read_reply().body == str(number).encode()
    assert chaos.stats()["order"] == [str(number) for number in range(N)]
    chaos.wait_quiet()


@pytest.mark.one_process
def test_the_oldest_goes_to_the_next_worker(chaos: ChaosSite) -> None:
    """Also to one that has just joined."""
    chaos.chaos_router()
    chaos.chaos_worker("first", *SLOT)
    with chaos.open() as busy:
        busy.get("/hang/busy")
        chaos.wait_in_flight(1)
        with waiting_clients(chaos, 20) as clients:
            chaos.chaos_worker("second", *SLOT)
            for number, client in enumerate(clients):
                assert client.read_reply().body == str(number).encode()


@pytest.mark.one_process
def test_a_full_queue_refuses_and_says_when_to_come_again(chaos: ChaosSite) -> None:
    chaos.chaos_router("--queue-size", "50", "--queue-timeout", "120s")
    chaos.chaos_worker("slow", *SLOT)
    with chaos.open() as busy:
        busy.get("/hang/busy")
        chaos.wait_in_flight(1)
        with waiting_clients(chaos, 50) as clients:
            for _ in range(10):
                with chaos.open() as late:
                    late.get("/echo/late")
                    reply = late.read_reply()
                    assert (reply.status, reply.get("zerogate-error")) == (503, "queue_full")
                    assert int(reply.get("retry-after")) >= 1
                    # It is no reason to close: the client may ask again on this connection.
                    assert reply.get("connection") == ""
            assert chaos.status()["waiting"] == 50
            for client in clients:
                client.close()
            chaos.wait_waiting(0)
    chaos.wait_quiet()


@pytest.mark.one_process
def test_a_queue_is_bounded_in_bytes(chaos: ChaosSite) -> None:
    """Bodies of waiting requests count, as far as the router has taken them; the rest stays with the client."""
    router = chaos.chaos_router("--queue-bytes", "1M")
    chaos.chaos_worker("slow", *SLOT)
    body = request_body("big", 2_000_000)
    head = f"POST /echo/big HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    before = router.rss_kib()
    with chaos.open() as busy, contextlib.ExitStack() as stack:
        busy.get("/hang/busy")
        chaos.wait_in_flight(1)
        clients = [stack.enter_context(chaos.open()) for _ in range(40)]
        refused = 0
        for client in clients:
            client.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.sock.send(head + body)
        wait_for(lambda: chaos.status()["counters"]["errors"].get("queue_full"), "somebody is refused")
        status = chaos.status()
        refused = status["counters"]["errors"]["queue_full"]
        assert 5 < status["waiting"] <= 40 - refused
        assert router.rss_kib() - before < 16 * 1024
    chaos.wait_quiet()


def test_waiting_has_an_end(chaos: ChaosSite) -> None:
    chaos.chaos_router("--queue-timeout", "500ms")
    chaos.chaos_worker("slow", *SLOT)
    with chaos.open() as busy, contextlib.ExitStack() as stack:
        busy.get("/hang/busy")
        chaos.wait_in_flight(1)
        clients = [stack.enter_context(chaos.open()) for _ in range(50)]
        for client in clients:
            client.get("/echo/x")
        for client in clients:
            reply = client.read_reply()
            assert (reply.status, reply.get("zerogate-error")) == (503, "queue_timeout")
            assert int(reply.get("retry-after")) >= 1
        assert chaos.status()["waiting"] == 0


def test_a_crowd_gets_through_a_narrow_door(chaos: ChaosSite) -> None:
    chaos.chaos_router()
    chaos.chaos_worker("slow", "--concurrency", "2")
    with Load(chaos.http_port, [Clients(get, 300), Clients(post, 200)]) as load:
        load.wait_ok(1000)
    assert load.report.is_clean, load.report
    assert chaos.stats()["peak"] <= 2
    chaos.wait_quiet()


@pytest.mark.one_process
def test_a_queue_outlives_its_workers(chaos: ChaosSite) -> None:
    """Killed and started again under a crowd, one request at a time: GETs are none the worse for it."""
    chaos.chaos_router()
    worker = chaos.chaos_worker("w", *SLOT)
    with Load(chaos.http_port, [Clients(get, 100)], query="?sleep=0.002") as load:
        for _ in range(3):
            load.wait_ok(100)
            worker.kill()
            worker = chaos.chaos_worker("w", *SLOT)
        load.wait_ok(100)
    assert load.report.is_clean, load.report


def test_a_body_that_is_half_there_when_its_turn_comes(chaos: ChaosSite) -> None:
    """Pipelined: the rest of the body is read as well, also a large one."""
    chaos.chaos_router()
    chaos.chaos_worker("only")
    for size in (8, 400_000):
        body = request_body("two", size)
        with chaos.open() as client:
            client.get(f"/echo/one?until=one-{size}")
            chaos.wait_in_flight(1)
            client.send(b"POST /echo/two HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % size + body[:4])
            chaos.let_go(f"one-{size}")
            assert client.read_reply().body.startswith(b"one ")
            client.send(body[4:])
            assert client.read_reply().body.split()[1] == hashlib.sha256(body).hexdigest().encode()
