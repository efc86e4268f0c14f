"""Routes are held for those who come back: for how long, how many, and what became of the hold meanwhile."""

import pytest

from tests.support.fakes import FakeTimers, make_worker
from zerogate.router import holds
from zerogate.router.holds import Holds
from zerogate.wire.http.routes import Route, parse_route

A, B, C = (parse_route(text) for text in ("/a", "/b", "/c"))


class Desk:
    """Holds of ten seconds, and which of them are over."""

    def __init__(self) -> None:
        self.timers = FakeTimers()
        self.over: list[Route] = []
        self.holds = Holds(10.0, self.timers, self.over.append)


def test_a_hold_is_over_once() -> None:
    desk = Desk()
    desk.holds.begin(A, "")
    desk.timers.wind(9.9)
    assert desk.over == []
    assert repr(desk.holds) == "<Holds 1 routes>"
    desk.timers.wind(100.0)
    assert desk.over == [A]
    assert repr(desk.holds) == "<Holds 0 routes>"


def test_who_comes_back_ends_it() -> None:
    desk = Desk()
    desk.holds.begin(A, "")
    desk.timers.wind(5.0)
    desk.holds.end(A)
    desk.holds.end(B)  # was never held
    desk.holds.begin(A, "")
    desk.timers.wind(9.0)
    assert desk.over == []
    desk.timers.wind(1.0)
    assert desk.over == [A]


def test_the_oldest_of_too_many_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "MAX_HELD_ROUTES", 2)
    desk = Desk()
    for route in (A, B, C):
        desk.holds.begin(route, "")
    assert desk.over == [A]
    desk.timers.wind(10.0)
    assert desk.over == [A, B, C]


def test_whoever_has_most_of_too_many_loses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """One key cannot have the routes of others forgotten by leaving ever new ones behind."""
    monkeypatch.setattr(holds, "MAX_HELD_ROUTES", 10)
    desk = Desk()
    theirs = [parse_route(f"b.example/{number}") for number in range(3)]
    for route in theirs:
        desk.holds.begin(route, "good")
    mine = [parse_route(f"a.example/{number}") for number in range(100)]
    for route in mine:
        desk.holds.begin(route, "mallory")
    assert desk.over == mine[:93]
    # Nor do they of others again, who have come later.
    late = [parse_route(f"c.example/{number}") for number in range(3)]
    for route in late:
        desk.holds.begin(route, "late")
    assert desk.over == mine[:96]
    for route in [*theirs, *late]:
        desk.holds.end(route)
    desk.timers.wind(10.0)
    assert desk.over == mine
    for route in mine[:20]:
        desk.holds.begin(route, "mallory")
    assert desk.over[100:] == mine[:10]


def test_where_each_has_one_the_oldest_is_over_and_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "MAX_HELD_ROUTES", 2)
    desk = Desk()
    for route, owner in ((A, "a"), (B, "b"), (C, "c")):
        desk.holds.begin(route, owner)
        desk.holds.assign(route, make_worker(owner))
    assert desk.over == [A]


def test_a_worker_s_own_are_over_when_it_has_left_too_many() -> None:
    desk = Desk()
    worker = make_worker("w")
    for route in (A, B, C):
        desk.holds.begin(route, "")
        desk.holds.assign(route, worker)
    desk.holds.limit(worker, 1)
    assert desk.over == [A, B]
    assert list(worker.left_behind) == [C]
    desk.holds.limit(worker, 1)
    assert desk.over == [A, B]


def test_what_another_has_left_since_is_not_its_own() -> None:
    desk = Desk()
    worker = make_worker("w")
    desk.holds.begin(A, "")
    desk.holds.assign(A, worker)
    desk.holds.end(A)
    desk.holds.begin(A, "")
    desk.holds.limit(worker, 0)
    assert desk.over == []
    assert not worker.left_behind


def test_nothing_is_over_once_it_is_closed() -> None:
    desk = Desk()
    desk.holds.begin(A, "")
    desk.holds.close()
    desk.timers.wind(100.0)
    assert desk.over == []
