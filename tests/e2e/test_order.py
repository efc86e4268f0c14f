"""Who starts first, who comes back, and whose turn it is."""

import collections
import signal
import threading
import time

import pytest

from tests.support.processes import Site, free_port, wait_for
from tests.support.raw_http import HttpConnection, Reply
from tests.support.raw_worker import RawWorker
from tests.support.sites import ServedSite, make_served_site

# Two seconds are promised; a busy machine gets more.
RECOVERY_S = 8.0


class Asking:
    """A request under way, in a thread of its own."""

    def __init__(self, site: Site, path: str = "/", *fields: str) -> None:
        self._connection = HttpConnection(site.http_port, timeout=30)
        self._connection.get(path, *fields)
        self._reply: Reply | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._connection:
            self._reply = self._connection.read_reply()

    @property
    def is_answered(self) -> bool:
        return not self._thread.is_alive()

    def reply(self, seconds: float = 20.0) -> Reply:
        self._thread.join(seconds)
        assert self._reply is not None, "no reply yet"
        return self._reply


def wait_waiting(site: Site, n: int) -> None:
    wait_for(lambda: site.status()["waiting"] == n, f"{n} requests waiting")


def who_answers(site: Site, n: int, path: str = "/", *fields: str) -> list[str]:
    """The names of the example workers that answer `n` requests, one after the other."""
    names = []
    with HttpConnection(site.http_port) as client:
        for _ in range(n):
            client.get(path, *fields)
            reply = client.read_reply()
            assert reply.status == 200, reply
            names.append(reply.body.decode().split()[-1])
    return names


# Start order


def test_router_first(site: Site) -> None:
    site.router()
    site.hello("late")
    assert who_answers(site, 1) == ["late"]


def test_workers_first(site: Site) -> None:
    workers = [site.hello(f"early-{n}", wait=False) for n in range(3)]
    for worker in workers:
        worker.wait_output("no router at")
    started = time.monotonic()
    site.router()
    asking = Asking(site)
    assert asking.reply(RECOVERY_S).status == 200
    site.wait_workers(3, RECOVERY_S)
    assert time.monotonic() - started < RECOVERY_S
    assert set(who_answers(site, 6)) == {"early-0", "early-1", "early-2"}


def test_workers_first_over_a_unix_socket(site: Site, tmp_path: object) -> None:
    endpoint = f"ipc://{tmp_path}/link"
    worker = site.start("hello", "early", "--connect", endpoint)
    worker.wait_output("no router at")
    site.router("--bind", endpoint)
    assert Asking(site).reply(RECOVERY_S).body == b"Hello from early\n"


def test_a_worker_dials_all_its_routers(site: Site) -> None:
    other = Site()
    try:
        site.router()
        worker = site.hello("both", "--connect", other.endpoint)
        assert who_answers(site, 1) == ["both"]
        other.router()
        assert Asking(other).reply(RECOVERY_S).body == b"Hello from both\n"
        assert who_answers(site, 1) == ["both"]
        assert worker.terminate() == 0
        other.wait_workers(0)
        site.wait_workers(0)
    finally:
        other.close()


def test_a_worker_dials_the_routers_it_is_told_of(site: Site) -> None:
    other = Site()
    try:
        other.router()
        site.router("--advertise", other.endpoint, "--advertise", site.endpoint)
        site.hello("told")
        assert Asking(other).reply(RECOVERY_S).body == b"Hello from told\n"
        assert site.status()["links"] == 1
    finally:
        other.close()


# Requests before workers


def test_requests_before_any_worker_are_answered_once_there_is_one(site: Site) -> None:
    # Settling is over at once: as long as nobody has ever joined, that makes no difference.
    site.router("--settle", "0s")
    asking = [Asking(site, f"/?{n}") for n in range(10)]
    wait_waiting(site, 10)
    site.hello("first")
    assert [ask.reply().body for ask in asking] == [b"Hello from first\n"] * 10


def test_requests_for_other_routes_wait_while_the_router_settles(site: Site) -> None:
    site.router("--settle", "60s")
    site.hello("a", "--route", "/a")
    asking = Asking(site, "/b")
    wait_waiting(site, 1)
    assert who_answers(site, 1, "/a") == ["a"]
    assert not asking.is_answered
    site.hello("b", "--route", "/b")
    assert asking.reply().body == b"Hello from b\n"


def test_requests_for_other_routes_are_refused_when_it_has_settled(site: Site) -> None:
    site.router("--settle", "1s")
    site.hello("a", "--route", "/a")
    asking = Asking(site, "/b")
    reply = asking.reply()
    assert (reply.status, reply.get("zerogate-error")) == (404, "no_route")
    # From now on at once.
    assert Asking(site, "/b").reply().status == 404
    assert site.status()["waiting"] == 0


def test_no_worker_ever_is_an_end_too(site: Site) -> None:
    site.router("--queue-timeout", "300ms")
    reply = Asking(site).reply()
    assert (reply.status, reply.get("zerogate-error")) == (503, "queue_timeout")
    assert reply.get("retry-after")


# Routers that come back


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_a_router_that_comes_back_finds_its_workers(site: Site, how: str) -> None:
    router = site.router()
    workers = [site.hello(f"w{n}") for n in range(2)]
    assert set(who_answers(site, 4)) == {"w0", "w1"}
    getattr(router, how)()
    site.router()
    back = time.monotonic()
    assert Asking(site).reply(RECOVERY_S).status == 200
    site.wait_workers(2, RECOVERY_S)
    assert time.monotonic() - back < RECOVERY_S
    assert set(who_answers(site, 4)) == {"w0", "w1"}
    assert all(worker.popen.poll() is None for worker in workers)


def test_a_router_that_stays_away_for_long_finds_its_workers(site: Site) -> None:
    router = site.router()
    worker = site.hello("patient")
    router.kill()
    worker.wait_output("link to router")
    # Past the longest wait between two tries.
    time.sleep(2.5)
    site.router()
    back = time.monotonic()
    assert Asking(site).reply(RECOVERY_S).body == b"Hello from patient\n"
    assert time.monotonic() - back < RECOVERY_S


def test_a_router_replaced_without_a_gap(site: Site) -> None:
    """The successor binds the same ports before the old one stops; requests never fail."""
    old = site.router("--name", "old")
    site.hello("steady")
    stop = threading.Event()
    failures: list[object] = []
    n_answered = 0

    def ask() -> None:
        nonlocal n_answered
        while not stop.is_set():
            try:
                reply = site.get("/", timeout=10)
            except Exception as error:
                failures.append(error)
                return
            if reply[0] != 200:
                failures.append(reply)
            n_answered += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        wait_for(lambda: n_answered > 50, "some traffic")
        # An admin port of its own: only the first two ports are shared.
        site.start(
            *("router", "--name", "new", "--http", f"127.0.0.1:{site.http_port}", "--bind", site.endpoint),
            *("--admin", f"127.0.0.1:{free_port()}"),
        ).wait_output("Ctrl-C stops")
        assert old.terminate() == 0
        before = n_answered
        wait_for(lambda: failures or n_answered > before + 50, "traffic through the new one")
    finally:
        stop.set()
        thread.join(20)
    assert failures == []


# A route's last worker


def test_a_route_is_held_for_its_last_worker_to_come_back(site: Site) -> None:
    site.router("--settle", "0s", "--hold", "30s")
    worker = site.hello("leaves")
    worker.kill()
    site.wait_workers(0)
    asking = Asking(site)
    wait_waiting(site, 1)
    site.hello("returns")
    assert asking.reply().body == b"Hello from returns\n"


def test_a_route_nobody_comes_back_to_is_given_up(site: Site) -> None:
    site.router("--settle", "0s", "--hold", "1s")
    site.hello("stays", "--route", "/stays")
    worker = site.hello("leaves", "--route", "/leaves")
    worker.kill()
    site.wait_workers(1)
    waiting = Asking(site, "/leaves")
    reply = waiting.reply()
    assert (reply.status, reply.get("zerogate-error")) == (404, "no_route")
    assert Asking(site, "/leaves").reply().status == 404
    assert [route["route"] for route in site.status()["routes"]] == ["/stays"]
    assert who_answers(site, 1, "/stays") == ["stays"]


def test_a_held_route_hides_no_wider_one(site: Site) -> None:
    """Its requests wait for it: they were never the wider route's. When it is given up, they are."""
    site.router("--settle", "0s", "--hold", "1s")
    site.hello("wide")
    narrow = site.hello("narrow", "--route", "/narrow")
    narrow.terminate()
    site.wait_workers(1)
    assert Asking(site, "/narrow").reply().body == b"Hello from wide\n"


# Turns


def test_idle_workers_take_turns(site: Site) -> None:
    site.router()
    for name in ("worker-1", "worker-2"):
        site.hello(name)
    names = who_answers(site, 9)
    assert names == (["worker-1", "worker-2"] * 5)[:9]


def test_turns_are_taken_whatever_the_connection(site: Site) -> None:
    site.router()
    for name in ("worker-1", "worker-2", "worker-3"):
        site.hello(name)
    names = [site.get("/")[2].decode().split()[-1] for _ in range(9)]
    assert collections.Counter(names) == {"worker-1": 3, "worker-2": 3, "worker-3": 3}
    assert names[:3] == names[3:6] == names[6:]


def test_who_joins_late_gets_no_burst(site: Site) -> None:
    site.router()
    site.hello("worker-1")
    who_answers(site, 40)
    site.hello("worker-2")
    names = who_answers(site, 8)
    assert names in (["worker-1", "worker-2"] * 4, ["worker-2", "worker-1"] * 4)


def test_weights(site: Site) -> None:
    site.router()
    for weight in (100, 200, 300):
        site.hello(f"weight-{weight}", "--weight", str(weight))
    assert collections.Counter(who_answers(site, 60)) == {"weight-100": 10, "weight-200": 20, "weight-300": 30}


def test_turns_in_one_route_are_not_used_up_in_another(site: Site) -> None:
    """A worker of two routes, busy in one of them, takes its turns in the other all the same."""
    site.router()
    site.hello("both", "--route", "/a", "--route", "/b")
    site.hello("only-b", "--route", "/b")
    who_answers(site, 50, "/a")
    assert collections.Counter(who_answers(site, 20, "/b")) == {"both": 10, "only-b": 10}


def test_the_one_with_least_in_flight_is_next() -> None:
    site = ServedSite()
    try:
        site.router()
        with RawWorker(site.endpoint, "one") as one, RawWorker(site.endpoint, "two") as two:
            clients = [HttpConnection(site.http_port) for _ in range(6)]
            for number, client in enumerate(clients[:4]):
                client.get(f"/{number}")
            requests = [[worker.next_request().stream for _ in range(2)] for worker in (one, two)]
            # One of them is done with both of its own: the next two are for it.
            for stream in requests[1]:
                two.reply(stream, body=b"two")
            site.wait_in_flight(2)
            for client in clients[4:]:
                client.get("/more")
            for _ in range(2):
                two.reply(two.next_request().stream, body=b"two")
            for stream in requests[0]:
                one.reply(stream, body=b"one")
            bodies = collections.Counter(client.read_reply().body for client in clients)
            assert bodies == {b"one": 2, b"two": 4}
            for client in clients:
                client.close()
    finally:
        site.close()


def test_a_full_worker_is_passed_over_and_the_queue_is_served_in_order(site: Site) -> None:
    site.router()
    with RawWorker(site.endpoint, "small", capacity=1) as worker:
        asking = []
        for number in range(5):
            asking.append(Asking(site, f"/{number}"))
            wait_waiting(site, number)
        for number in range(5):
            request = worker.next_request()
            assert request.fields[b":path"] == b"/%d" % number
            assert [ask.is_answered for ask in asking[number:]] == [False] * (5 - number)
            worker.reply(request.stream)
            assert asking[number].reply().status == 200


def test_a_worker_that_joins_takes_the_oldest_that_waits(site: Site) -> None:
    site.router()
    with RawWorker(site.endpoint, "full", capacity=1) as full:
        asking = [Asking(site, "/0")]
        stream = full.next_request().stream
        for number in (1, 2):
            asking.append(Asking(site, f"/{number}"))
            wait_waiting(site, number)
        with RawWorker(site.endpoint, "helper", capacity=1) as helper:
            request = helper.next_request()
            assert request.fields[b":path"] == b"/1"
            helper.reply(request.stream)
            assert asking[1].reply().status == 200
            request = helper.next_request()
            assert request.fields[b":path"] == b"/2"
            helper.reply(request.stream)
        full.reply(stream)
        assert [ask.reply().status for ask in asking] == [200] * 3


def test_capacity_may_change_at_any_time(site: Site) -> None:
    site.router()
    with RawWorker(site.endpoint, "elastic", capacity=0) as worker:
        asking = [Asking(site, f"/{number}") for number in range(3)]
        wait_waiting(site, 3)
        worker.session.set_max_concurrent(2)
        worker.flush()
        streams = [worker.next_request().stream for _ in range(2)]
        wait_waiting(site, 1)
        worker.session.set_max_concurrent(3)
        worker.flush()
        streams.append(worker.next_request().stream)
        for stream in streams:
            worker.reply(stream)
        assert [ask.reply().status for ask in asking] == [200] * 3


def test_routes_may_change_at_any_time(site: Site) -> None:
    site.router("--settle", "0s", "--hold", "0s")
    site.hello("everything-else")
    with RawWorker(site.endpoint, "moves", routes=["/before"]) as worker:
        asking = Asking(site, "/before")
        stream = worker.next_request().stream
        assert worker.join("moved", ["/after"])[b":status"].startswith(b"200")
        assert Asking(site, "/before").reply().body == b"Hello from everything-else\n"
        after = Asking(site, "/after")
        worker.reply(worker.next_request().stream, body=b"after")
        assert after.reply().body == b"after"
        # What it has already is not touched by that.
        worker.reply(stream, body=b"before")
        assert asking.reply().body == b"before"
        assert [w["name"] for w in site.status()["workers"]].count("moved") == 1


# Losses


def test_a_lost_worker_s_requests_are_answered_by_another() -> None:
    site = ServedSite()
    try:
        site.router()
        with RawWorker(site.endpoint, "dies") as dying, HttpConnection(site.http_port) as client:
            client.get("/")
            dying.next_request()
            site.hello("lives")
            dying.close()
            assert client.read_reply().body == b"Hello from lives\n"
            assert site.status()["counters"]["retries"] == 1
    finally:
        site.close()


def test_a_kept_body_goes_to_the_next_worker(site: Site) -> None:
    site.router()
    body = bytes(range(256)) * 200
    with RawWorker(site.endpoint, "dies") as dying, HttpConnection(site.http_port) as client:
        client.send(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        dying.read_body(dying.next_request().stream)
        with RawWorker(site.endpoint, "lives") as other:
            dying.close()
            request = other.next_request()
            assert other.read_body(request.stream) == body
            other.reply(request.stream)
            assert client.read_reply().status == 200


def test_a_kept_body_that_is_still_coming_goes_to_the_next_worker(site: Site) -> None:
    site.router()
    with RawWorker(site.endpoint, "dies") as dying, HttpConnection(site.http_port) as client:
        client.send(b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        dying.next_request()
        with RawWorker(site.endpoint, "lives") as other:
            dying.close()
            stream = other.next_request().stream
            client.send(b"7\r\n second\r\n0\r\n\r\n")
            assert other.read_body(stream) == b"first second"
            other.reply(stream)
            assert client.read_reply().status == 200


def test_a_body_too_large_to_keep_is_lost_with_its_worker(site: Site) -> None:
    site.router()
    with RawWorker(site.endpoint, "dies") as dying, HttpConnection(site.http_port) as client:
        client.send(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n" + bytes(100_000))
        dying.read_body(dying.next_request().stream)
        with RawWorker(site.endpoint, "lives"):
            dying.close()
            reply = client.read_reply()
            assert (reply.status, reply.get("zerogate-error")) == (502, "worker_lost")


def test_what_is_not_safe_to_repeat_is_not_repeated(site: Site) -> None:
    site.router()
    with RawWorker(site.endpoint, "dies") as dying, HttpConnection(site.http_port) as client:
        client.post("/", b"")
        dying.next_request()
        with RawWorker(site.endpoint, "lives") as other:
            dying.close()
            reply = client.read_reply()
            assert (reply.status, reply.get("zerogate-error")) == (502, "worker_lost")
            assert other.events == [event for event in other.events if type(event).__name__ == "Settings"]


def test_retries_come_to_an_end(site: Site) -> None:
    site.router("--retries", "2")
    with HttpConnection(site.http_port) as client:
        client.get("/")
        for number in range(3):
            with RawWorker(site.endpoint, f"dies-{number}") as worker:
                worker.next_request()
        reply = client.read_reply()
        assert (reply.status, reply.get("zerogate-error")) == (502, "worker_lost")


def test_a_refusal_is_always_safe_to_send_elsewhere(site: Site) -> None:
    site.router()
    with RawWorker(site.endpoint, "refuses") as refusing, HttpConnection(site.http_port) as client:
        client.post("/", b"body")
        stream = refusing.next_request().stream
        with RawWorker(site.endpoint, "takes") as other:
            refusing.session.reset(stream, 3)
            refusing.flush()
            request = other.next_request()
            assert other.read_body(request.stream) == b"body"
            other.reply(request.stream)
            assert client.read_reply().status == 200
        assert site.status()["counters"]["refused"] == 1


def test_streams_above_the_last_one_of_a_goaway_go_elsewhere(site: Site) -> None:
    """A worker that leaves without having looked at a request: nothing fails, whatever the method."""
    site.router()
    with RawWorker(site.endpoint, "leaves") as leaving, HttpConnection(site.http_port) as client:
        # The router says nothing before the JOIN is answered, so this is what it has seen: nothing.
        leaving.session.goaway()
        client.post("/", b"body")
        wait_for(lambda: site.status()["workers"][0]["in_flight"] == 1, "the request under way")
        leaving.flush()
        with RawWorker(site.endpoint, "stays") as other:
            request = other.next_request()
            assert other.read_body(request.stream) == b"body"
            other.reply(request.stream)
            assert client.read_reply().status == 200


def test_a_worker_that_leaves_finishes_what_it_has() -> None:
    with make_served_site() as site, HttpConnection(site.http_port) as client:
        client.send(b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        assert client.read_head().status == 200
        assert client.read_chunk() == b"first"
        leaving = site.worker_process
        site.app_worker("app", "second")
        leaving.send_signal(signal.SIGTERM)
        wait_for(lambda: "worker app-worker is leaving" in site.router_process.output(), "the worker's farewell")
        assert site.get("/")[0] == 200
        assert leaving.popen.poll() is None
        client.send(b"4\r\nlast\r\n0\r\n\r\n")
        assert client.read_chunk() == b"last"
        assert client.read_chunk() == b""
        assert leaving.popen.wait(20) == 0
