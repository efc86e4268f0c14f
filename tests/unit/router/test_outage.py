"""What the log says when nobody is there to take a request, and when somebody is again."""

import logging

import pytest

from tests.support.fakes import FakeTimers, FakeWaiting, make_worker
from zerogate.router.counters import Counters
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.outage import QUIET_S
from zerogate.router.workers import Away, Worker
from zerogate.settings import RouterSettings
from zerogate.wire.http.routes import parse_route


class Office:
    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING)
        self._caplog = caplog
        self.timers = FakeTimers()
        self.dispatcher = Dispatcher(RouterSettings(), Counters(), self.timers)

    def join(self, name: str, route: str = "*", capacity: int = 10) -> Worker:
        worker = make_worker(name, capacity=capacity)
        self.dispatcher.join(worker, [parse_route(route)])
        return worker

    def ask(self, path: bytes = b"/") -> FakeWaiting:
        request = FakeWaiting(path, arrived=self.timers.time())
        self.dispatcher.submit(request)
        return request

    def set_away(self, worker: Worker, reason: Away, is_away: bool) -> None:
        worker.set_away(reason, is_away)
        self.dispatcher.reconsider(worker)

    def said(self) -> list[str]:
        lines = [record.getMessage() for record in self._caplog.records]
        self._caplog.clear()
        return lines


def test_no_worker_has_joined_yet(caplog: pytest.LogCaptureFixture) -> None:
    office = Office(caplog)
    assert not office.said()
    for _ in range(3):
        office.ask()
    assert office.said() == ["a request waits, and no worker has joined yet"]
    office.join("w")
    assert office.said() == ["worker w has joined: requests are served"]
    office.join("other")
    assert not office.said()


def test_all_workers_are_away(caplog: pytest.LogCaptureFixture) -> None:
    office = Office(caplog)
    a, b = office.join("a"), office.join("b")
    office.set_away(a, Away.SUSPECT, True)
    office.ask()
    assert not office.said()
    office.set_away(b, Away.SUSPECT, True)
    assert not office.said()  # nobody asks
    first = office.ask()
    office.ask()
    assert office.said() == ["a request waits, and no worker of route * is there: 2 suspect"]
    office.set_away(b, Away.SUSPECT, False)
    assert first.worker is b
    assert office.said() == ["route * is served again, by worker b"]
    office.set_away(a, Away.SUSPECT, False)
    assert not office.said()


def test_the_last_worker_has_left(caplog: pytest.LogCaptureFixture) -> None:
    office = Office(caplog)
    office.dispatcher.leave(office.join("a", "/a"))
    office.ask(b"/a")
    assert office.said() == ["a request waits, and no worker of route /a is there: none is left"]
    office.join("b", "/b")
    assert not office.said()
    office.join("again", "/a")
    assert office.said() == ["route /a is served again, by worker again"]


def test_full_workers_are_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """Nor is one that refuses, which is full as well."""
    office = Office(caplog)
    full, refusing = office.join("full", capacity=1), office.join("refusing")
    office.dispatcher.pause(refusing)
    for _ in range(3):
        office.ask()
    assert full.in_flight == 1
    assert not office.said()


def test_not_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    office = Office(caplog)
    worker = office.join("w")
    told = 0
    for _ in range(100):
        office.set_away(worker, Away.SUSPECT, True)
        office.ask()
        office.set_away(worker, Away.SUSPECT, False)
        office.timers.wind(QUIET_S / 10 + 0.001)
        told += len(office.said())
        office.dispatcher.free_slot(worker)
    assert told == 2 * 10
