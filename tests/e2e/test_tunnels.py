"""WebSockets and streams of events beside requests: they take no slot, and who ends them ends them all."""

import asyncio
import contextlib
import http.client
import signal
from collections.abc import Callable, Iterator

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as sync_connect

from tests.support.processes import Site, wait_for

APP = "tests.e2e.websocket_apps:events"
N_CLIENTS = 150  # More than a worker takes of requests.


def url(site: Site) -> str:
    return f"ws://127.0.0.1:{site.http_port}/"


@contextlib.contextmanager
def event_stream(site: Site) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=30)
    connection.request("GET", "/events")
    reply = connection.getresponse()
    assert reply.read1(100) == b"data: hello\n\n"
    try:
        yield reply
    finally:
        reply.close()
        connection.close()


def row(site: Site) -> dict[str, int]:
    (worker,) = site.status()["workers"]
    return {name: worker[name] for name in ("capacity", "in_flight", "tunnels", "event_streams")}


def test_they_take_no_slot(site: Site) -> None:
    """Of a worker that takes two requests at once, and four of these."""
    site.router("--settle", "0s", "--queue-timeout", "10s")
    site.worker(APP, "w", "--concurrency", "2", "--max-tunnels", "4")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(sync_connect(url(site))) for _ in range(3)]
        stack.enter_context(event_stream(site))
        room = {"capacity": 2, "in_flight": 0, "tunnels": 3, "event_streams": 1}
        wait_for(lambda: row(site) == room, "each is counted, and told")
        assert site.get()[0] == 200
        # The fifth is a request, and so is the sixth: then it is full.
        with sync_connect(url(site)), sync_connect(url(site)):
            wait_for(lambda: row(site) == room | {"capacity": 0, "tunnels": 5}, "the worker is full")
        wait_for(lambda: row(site) == room, "there is room again")
        assert site.get()[0] == 200
        for client in clients:
            client.send("still there")
            assert client.recv() == "still there"
    wait_for(lambda: row(site) == {"capacity": 2, "in_flight": 0, "tunnels": 0, "event_streams": 0}, "all are gone")
    counters = site.status()["counters"]
    assert (counters["tunnels"], counters["event_streams"]) == (5, 1)


def test_none_at_all(site: Site) -> None:
    site.router("--settle", "0s", "--queue-timeout", "300ms")
    site.worker(APP, "w", "--concurrency", "1", "--max-tunnels", "0")
    with sync_connect(url(site)):
        assert site.get()[0] == 503
    wait_for(lambda: site.get()[0] == 200, "there is room again")


def test_an_event_stream_of_a_wsgi_application_has_a_thread_and_so_a_slot(site: Site) -> None:
    """Another request would have no thread before it ends: it is for another worker, or for the queue."""
    site.router("--settle", "0s", "--queue-timeout", "300ms")
    site.worker("tests.e2e.plain_wsgi", "w", "--threads", "1")
    with event_stream(site):
        assert site.get()[0] == 503
        site.worker("tests.e2e.plain_wsgi", "other", "--threads", "1")
        assert [site.get()[2] for _ in range(3)] == [b"plain"] * 3
    wait_for(lambda: all(worker["in_flight"] == 0 for worker in site.status()["workers"]), "its thread is free")
    assert [site.get()[2] for _ in range(4)] == [b"plain"] * 4


def test_who_has_many_tunnels_is_not_taken_for_busy(site: Site) -> None:
    site.router("--settle", "0s")
    site.worker(APP, "a")
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(sync_connect(url(site)))
        site.hello("b")
        bodies = [site.get()[2] for _ in range(10)]
        # Each process takes turns of its own: it may have an odd number of them.
        assert abs(sum(body.startswith(b"Hello from b") for body in bodies) - 5) <= site.router_processes // 2


async def end_of_all(site: Site, n_clients: int, end: Callable[[], None]) -> set[int | None]:
    """The close codes that so many clients see when that comes."""

    async def see(client: ClientConnection) -> int | None:
        await client.wait_closed()
        return client.close_code

    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(url(site), ping_interval=None)) for _ in range(n_clients)]
        await asyncio.to_thread(wait_for, lambda: row(site)["tunnels"] == n_clients, "all are there")
        end()
        async with asyncio.timeout(60):
            return {*await asyncio.gather(*map(see, clients))}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 1012), (signal.SIGKILL, 1006)])
def test_each_client_hears_of_its_workers_end(site: Site, number: signal.Signals, code: int) -> None:
    """A worker that leaves says so; one that is killed can say nothing, and the connections end at once."""
    router = site.router("--settle", "0s", "--access-log", "off")
    worker = site.worker(APP, "w")
    site.get()
    before = site.router_fds(router)
    assert asyncio.run(end_of_all(site, N_CLIENTS, lambda: worker.send_signal(number))) == {code}
    worker.popen.wait(30)
    wait_for(lambda: not site.status()["workers"], "the worker is gone")
    wait_for(lambda: site.status()["clients"] == 0, "the clients are gone")
    assert site.status()["tunnels"] == 0
    wait_for(lambda: site.router_fds(router) <= before, "each connection is closed")


def test_a_router_that_stops_waits_for_no_websocket(site: Site) -> None:
    """Its worker tells them, who would be cut when the router's grace is over."""
    router = site.router("--settle", "0s", "--grace", "120s")
    worker = site.worker(APP, "w")
    with sync_connect(url(site)) as client:
        router.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed):
            client.recv()
    assert client.close_code == 1012
    assert router.popen.wait(30) == 0
    worker.wait_output("left with 1012")


def test_nor_does_one_that_is_replaced(site: Site) -> None:
    router = site.router("--settle", "0s", "--grace", "120s")
    site.worker(APP, "w")
    with sync_connect(url(site)) as client:
        site.router("--settle", "0s", "--replace")
        with pytest.raises(ConnectionClosed):
            client.recv()
    assert client.close_code == 1012
    assert router.popen.wait(30) == 0
    with sync_connect(url(site)) as client:
        client.send("here again")
        assert client.recv() == "here again"


def test_a_run_that_stops_waits_for_no_websocket(site: Site) -> None:
    where = ("--http", f"127.0.0.1:{site.http_port}", "--admin", "off", "--processes", "1", "--grace", "120s")
    run = site.start("run", APP, *where)
    run.wait_output("Ctrl-C stops")
    with sync_connect(url(site)) as client:
        run.send_signal(signal.SIGINT)
        with pytest.raises(ConnectionClosed):
            client.recv()
    assert client.close_code == 1012
    assert run.popen.wait(30) == 0
