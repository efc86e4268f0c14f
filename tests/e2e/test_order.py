"""Who starts first, who comes back, and what may change meanwhile."""

import threading

import pytest

from tests.support.asking import Asking, wait_waiting, who_answers
from tests.support.processes import Site, free_port, wait_for
from tests.support.raw_worker import RawWorker

# Start order


def test_router_first(site: Site) -> None:
    site.router()
    site.hello("late")
    assert who_answers(site, 1) == ["late"]


def test_workers_first(site: Site) -> None:
    workers = [site.hello(f"early-{n}", wait=False) for n in range(3)]
    for worker in workers:
        worker.wait_output("no router at")
    site.router()
    asking = Asking(site)
    assert asking.reply().status == 200
    site.wait_workers(3)
    assert set(who_answers(site, 6)) == {"early-0", "early-1", "early-2"}


def test_workers_first_over_a_unix_socket(site: Site, tmp_path: object) -> None:
    endpoint = f"ipc://{tmp_path}/link"
    worker = site.start("hello", "early", "--connect", endpoint)
    worker.wait_output("no router at")
    site.router("--bind", endpoint)
    assert Asking(site).reply().body == b"Hello from early\n"


def test_a_worker_dials_all_its_routers(site: Site) -> None:
    other = Site()
    try:
        site.router()
        worker = site.hello("both", "--connect", other.endpoint)
        assert who_answers(site, 1) == ["both"]
        other.router()
        assert Asking(other).reply().body == b"Hello from both\n"
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
        assert Asking(other).reply().body == b"Hello from told\n"
        assert site.status()["links"] == site.router_processes
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
    assert Asking(site).reply().status == 200
    site.wait_workers(2)
    assert set(who_answers(site, 4)) == {"w0", "w1"}
    assert all(worker.popen.poll() is None for worker in workers)


def test_a_router_that_stays_away_for_long_finds_its_workers(site: Site) -> None:
    router = site.router()
    worker = site.hello("patient", "--log-level", "debug", "--redial-max", "300ms")
    router.kill()
    # Past the longest wait between two tries.
    wait_for(lambda: worker.output().count(": dialling on") > 7, "tries in vain")
    site.router()
    assert Asking(site).reply().body == b"Hello from patient\n"


def test_a_router_replaced_without_a_gap(site: Site) -> None:
    """The successor takes the ports over; requests never fail."""
    old = site.router("--name", "old")
    site.hello("steady")
    stop = threading.Event()
    failures: list[object] = []
    n_answered = 0

    def ask() -> None:
        nonlocal n_answered
        while not stop.is_set():
            try:
                reply = site.get("/")
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
        # An admin port of its own: only the first two ports are handed over.
        site.start(
            *("router", "--replace", "--name", "new", "--http", f"127.0.0.1:{site.http_port}", "--bind", site.endpoint),
            *("--admin", f"127.0.0.1:{free_port()}"),
        ).wait_output("Ctrl-C stops")
        assert old.popen.wait(30) == 0
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


# Changes


@pytest.mark.one_process
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


@pytest.mark.one_process
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


@pytest.mark.one_process
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
