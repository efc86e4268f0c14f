"""Whose turn it is."""

import collections
import contextlib

import pytest

from tests.support.asking import Asking, wait_waiting, who_answers
from tests.support.processes import Site, wait_for
from tests.support.raw_http import HttpConnection
from tests.support.raw_worker import RawWorker
from tests.support.sites import ServedSite


@pytest.mark.one_process
def test_idle_workers_take_turns(site: Site) -> None:
    site.router()
    for name in ("worker-1", "worker-2"):
        site.hello(name)
    names = who_answers(site, 9)
    assert names == (["worker-1", "worker-2"] * 5)[:9]


@pytest.mark.one_process
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


@pytest.mark.one_process
def test_the_one_with_least_in_flight_is_next() -> None:
    site = ServedSite()
    try:
        site.router()
        with (
            RawWorker(site.endpoint, "one") as one,
            RawWorker(site.endpoint, "two") as two,
            contextlib.ExitStack() as stack,
        ):
            clients = [stack.enter_context(HttpConnection(site.http_port)) for _ in range(6)]
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
    finally:
        site.close()


@pytest.mark.one_process
def test_a_full_worker_is_passed_over_and_the_queue_is_served_in_order(site: Site) -> None:
    site.router()
    with RawWorker(site.endpoint, "small", capacity=1) as worker:
        asking = []
        for number in range(5):
            asking.append(Asking(site, f"/{number}"))
            wait_for(lambda: site.status()["workers"][0]["in_flight"] == 1, "the first has the worker")
            wait_waiting(site, number)
        for number in range(5):
            request = worker.next_request()
            assert request.fields[b":path"] == b"/%d" % number
            assert [ask.is_answered for ask in asking[number:]] == [False] * (5 - number)
            worker.reply(request.stream)
            assert asking[number].reply().status == 200
