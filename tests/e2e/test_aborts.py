"""Clients that leave, waiting, sending or reading: nothing of them stays, and nobody is blamed."""

import contextlib
import itertools
import socket
import struct
from collections.abc import Iterator
from functools import partial

import pytest

from tests.support.chaos import ChaosSite, make_chaos_site
from tests.support.load import (
    Clients,
    Load,
    abort_after_head,
    abort_in_download,
    abort_in_upload,
    get,
    request_body,
    slow_reader,
    stream_body,
)
from tests.support.processes import n_fds, rss_kib, wait_for
from tests.support.raw_http import HttpConnection

N = 200
# More than a test lets run at once.
ROOMY = 400


class Scene:
    """A router and a worker, and how many descriptors each of their processes had before anybody came."""

    def __init__(
        self,
        chaos: ChaosSite,
        router: tuple[str, ...] = (),
        worker: tuple[str, ...] = (),
        concurrency: int = ROOMY,
    ) -> None:
        self.chaos = chaos
        self.router = chaos.chaos_router(*router)
        self.worker = chaos.chaos_worker("only", "--concurrency", str(concurrency), *worker)
        # Each process of the router has one at least.
        self.capacity = max(concurrency, chaos.router_processes)
        wait_for(self.is_in_good_standing, "the worker is known to every process, with all it can take")
        assert chaos.get("/echo/warm")[0] == 200
        chaos.wait_quiet()
        self.pids = (*chaos.router_pids(self.router), self.worker.pid)
        self._fds = {pid: n_fds(pid) for pid in self.pids}

    def is_in_good_standing(self) -> bool:
        status = self.chaos.worker_status("only")
        assert status["failures"] == 0
        is_everywhere = self.chaos.status()["links"] == self.chaos.router_processes
        return is_everywhere and bool((status["state"], status["capacity"]) == ("up", self.capacity))

    def assert_nothing_is_left(self) -> None:
        """No client, stream, call or descriptor; the capacity whole, the worker in good standing."""
        chaos = self.chaos
        chaos.wait_quiet()
        wait_for(lambda: chaos.stats()["running"] == 0, "no call is left")
        wait_for(self.is_in_good_standing, "the worker is as it was")
        assert (*chaos.router_pids(self.router), self.worker.pid) == self.pids
        for pid, before in self._fds.items():
            wait_for(partial(lambda pid, n: n_fds(pid) <= n, pid, before), f"descriptors of {pid} of {self.pids}")
        for process in (self.router, self.worker):
            assert "Traceback" not in process.output(), process.output()


@pytest.fixture
def chaos() -> Iterator[ChaosSite]:
    with make_chaos_site() as site:
        yield site


def leave(client: HttpConnection, how: str) -> None:
    """By a reset, or as a browser does."""
    if how == "reset":
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@contextlib.contextmanager
def open_clients(chaos: ChaosSite, n: int) -> Iterator[list[HttpConnection]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(chaos.open()) for _ in range(n)]


@pytest.mark.parametrize("how", ["reset", "close"])
def test_after_the_head(chaos: ChaosSite, how: str) -> None:
    scene = Scene(chaos)
    with open_clients(chaos, N) as clients:
        for number, client in enumerate(clients):
            client.get(f"/hang/{number}")
        chaos.wait_running(N)
        for client in clients:
            leave(client, how)
        wait_for(lambda: chaos.stats()["disconnects"] == N, "every call has heard of it")
    scene.assert_nothing_is_left()
    assert chaos.status()["counters"]["aborted"] == N


@pytest.mark.parametrize("how", ["reset", "close"])
def test_in_the_body(chaos: ChaosSite, how: str) -> None:
    scene = Scene(chaos)
    body = request_body("half", 100_000)
    head = f"POST /echo/half HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with open_clients(chaos, N) as clients:
        for client in clients:
            client.send(head + body[:50_000])
        chaos.wait_running(N)
        for client in clients:
            leave(client, how)
        wait_for(lambda: chaos.stats()["disconnects"] == N, "every call has heard of it")
    scene.assert_nothing_is_left()
    # Their windows are whole as well: as much again goes through the same link.
    assert chaos.get("/echo/after", method="POST", body=request_body("after", 20_000_000))[0] == 200


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("what", ["a body", "more requests", "more requests than are taken"])
@pytest.mark.parametrize("how", ["reset", "close"])
def test_behind_what_is_not_read(chaos: ChaosSite, how: str, what: str, loop: str) -> None:
    """A client that is not read, as its worker reads nothing or is slow: its leaving is noticed all the same."""
    scene = Scene(chaos, router=("--loop", loop), worker=("--stream-window", "64k"))
    head = b"POST /hang/p HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n"
    get = b"GET /hang/g HTTP/1.1\r\nhost: a\r\n\r\n"
    sent = {"a body": head + bytes(200_000), "more requests": get * 3, "more requests than are taken": get * 1500}[what]
    with open_clients(chaos, 20) as clients:
        for client in clients:
            client.send(sent)
        chaos.wait_running(20)
        for client in clients:
            leave(client, how)
        wait_for(lambda: chaos.stats()["disconnects"] == 20, "every call has heard of it")
    scene.assert_nothing_is_left()


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_who_sends_no_more_gets_its_replies(chaos: ChaosSite, version: str) -> None:
    """Behind requests that have not been read, too: such a client has not left."""
    Scene(chaos)
    with chaos.open() as client:
        client.send(f"GET /echo/x HTTP/1.1\r\nhost: a\r\n\r\nGET /echo/y {version}\r\nhost: a\r\n\r\n".encode())
        client.end_sending()
        assert [client.read_reply().status for _ in range(2)] == [200, 200]
        client.assert_ends()


def test_in_the_reply(chaos: ChaosSite) -> None:
    """Downloads that nobody reads fill their windows; when their clients leave, the link's window is whole."""
    windows = ("--stream-window", "64k", "--session-window", "1M")
    scene = Scene(chaos, windows, windows)
    for _ in range(2):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(chaos.open(receive_buffer=4096)) for _ in range(50)]
            for number, client in enumerate(clients):
                client.get(f"/stream/{number}?bytes=20000000")
            for client in clients:
                client.receive()
            chaos.wait_running(50)
            # Fifty that do not read stop nobody else.
            assert chaos.get("/stream/other?bytes=2000000")[2] == stream_body("other", 2_000_000)
            for client in clients:
                leave(client, "reset")
    scene.assert_nothing_is_left()
    assert chaos.get("/stream/after?bytes=20000000")[2] == stream_body("after", 20_000_000)


def test_while_they_wait(chaos: ChaosSite) -> None:
    scene = Scene(chaos, concurrency=1)
    with open_clients(chaos, N) as clients, chaos.open() as busy:
        busy.get("/hang/busy")
        chaos.wait_in_flight(1)
        for number, client in enumerate(clients):
            if number % 2:
                client.get(f"/echo/{number}")
            else:
                client.post(f"/echo/{number}", request_body("waiting", 10_000))
        chaos.wait_waiting(N)
        for number, client in enumerate(clients):
            leave(client, "reset" if number % 3 else "close")
        chaos.wait_waiting(0)
        leave(busy, "reset")
    scene.assert_nothing_is_left()
    # None of them was ever run.
    assert chaos.runs() == {}


def test_an_application_that_does_not_listen_is_cancelled(chaos: ChaosSite) -> None:
    scene = Scene(chaos, worker=("--cancel-after", "300ms"), concurrency=60)
    with open_clients(chaos, 50) as clients:
        for number, client in enumerate(clients):
            client.get(f"/deaf/{number}")
        # Not only sent: who leaves before its request has begun is one whose call never is.
        wait_for(lambda: chaos.stats()["running"] >= 50, "50 calls run")
        for client in clients:
            leave(client, "reset")
        # The router has done with them at once; their slots at the worker are free when they have ended.
        chaos.wait_in_flight(0)
    wait_for(lambda: chaos.stats()["cancelled"] == 50, "every call has been cancelled")
    scene.assert_nothing_is_left()


def test_capacity_is_whole_after_aborts(chaos: ChaosSite) -> None:
    """As many as before run at once, and one more waits."""
    scene = Scene(chaos, concurrency=20)
    # Of several processes each has room for one, whether it has a client or not.
    least = 20 - (chaos.router_processes - 1)

    def is_full(n_clients: int) -> bool:
        status = chaos.status()
        n_in_flight: int = sum(worker["in_flight"] for worker in status["workers"])
        return least <= n_in_flight <= 20 and n_in_flight + int(status["waiting"]) == n_clients

    for _ in range(5):
        with open_clients(chaos, 20) as clients:
            for client in clients:
                client.get("/hang/x")
            wait_for(partial(is_full, 20), "20 in flight")
            for client in clients:
                leave(client, "reset")
        chaos.wait_quiet()
    with open_clients(chaos, 21) as clients:
        for client in clients:
            client.get("/hang/x")
        wait_for(partial(is_full, 21), "20 in flight, and one waits")
        for client in clients:
            leave(client, "close")
    scene.assert_nothing_is_left()
    assert chaos.stats()["peak"] <= 20


def wait_aborted(load: Load, n: int) -> None:
    wait_for(lambda: load.report.aborted >= n, f"{n} clients have left", 60)


def test_a_crowd_of_all_kinds(chaos: ChaosSite) -> None:
    """The well-behaved notice nothing of the others."""
    scene = Scene(chaos)
    crowd = [
        Clients(get, 8),
        Clients(abort_after_head, 8),
        Clients(abort_in_upload, 8),
        Clients(abort_in_download, 8),
        Clients(slow_reader, 4),
    ]
    with Load(chaos.http_port, crowd) as load:
        wait_aborted(load, 600)
        load.wait_ok(200)
    assert load.report.is_clean, load.report
    scene.assert_nothing_is_left()


def test_clients_that_leave_cost_no_memory(chaos: ChaosSite) -> None:
    scene = Scene(chaos)
    crowd = [Clients(abort_after_head, 16), Clients(abort_in_upload, 16)]
    # How many are there at once is the machine's business, and at a time each room for more is made; what leaks, leaks
    # each time.
    growth = []
    with Load(chaos.http_port, crowd) as load:
        for number in range(6):
            wait_aborted(load, 500 * (number + 1))
            growth.append(sum(map(rss_kib, scene.pids)))
    assert min(after - before for before, after in itertools.pairwise(growth)) < 1024, growth
    scene.assert_nothing_is_left()
