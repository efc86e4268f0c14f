"""The account of shares: what is due to whom, over whatever happens."""

import collections
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fakes import FakeTimers, FakeWaiting, make_worker
from zerogate.router.counters import Counters
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.shares import MAX_OWED
from zerogate.router.workers import Away, Worker
from zerogate.settings import RouterSettings
from zerogate.wire.http.routes import parse_route
from zerogate.wire.http.terms import make_terms

ROUTE = [parse_route("*")]


class Site:
    """A dispatcher whose requests end when the test says so."""

    def __init__(self, **options: Any) -> None:
        self.timers = FakeTimers()
        self.dispatcher = Dispatcher(RouterSettings(**options), Counters(), self.timers)
        self.counts: collections.Counter[str] = collections.Counter()
        self.held: list[FakeWaiting] = []

    def join(self, name: str, share: float | None = None, capacity: int = 1000, **labels: str) -> Worker:
        words = [f"{key}={value}" for key, value in labels.items()]
        worker = make_worker(name, capacity=capacity, terms=make_terms(words, share))
        self.dispatcher.join(worker, ROUTE)
        return worker

    def ask(self) -> FakeWaiting:
        request = FakeWaiting(arrived=float(len(self.counts)))
        self.dispatcher.submit(request)
        return request

    def serve(self, n: int) -> "collections.Counter[str]":
        """So many requests, each done before the next."""
        counts: collections.Counter[str] = collections.Counter()
        for _ in range(n):
            request = self.ask()
            counts[request.worker.name if request.worker else "nobody"] += 1
            self.done(request)
        return counts

    def done(self, request: FakeWaiting) -> None:
        worker, request.worker = request.worker, None
        if worker is not None:
            self.dispatcher.free_slot(worker)


@pytest.mark.parametrize("n_stable", [1, 3])
def test_a_share_of_ten_thousand(n_stable: int) -> None:
    site = Site()
    for number in range(n_stable):
        site.join(f"stable-{number}")
    site.join("canary", 5.0, version="2")
    assert site.serve(10_000)["canary"] == 500


def test_whatever_the_load() -> None:
    """A hundred requests at once on two workers of fifty: the canary has not one more than its share."""
    site = Site()
    site.join("stable", capacity=200)
    canary = site.join("canary", 5.0)
    held = [site.ask() for _ in range(100)]
    assert canary.in_flight == 5
    for request in held:
        site.done(request)


def test_shares_add_up_by_labels() -> None:
    site = Site()
    site.join("stable")
    site.join("two", 5.0, version="2")
    site.join("two-again", 5.0, version="2")
    site.join("three", 10.0, version="3")
    counts = site.serve(10_000)
    assert counts["two"] + counts["two-again"] == 500
    assert counts["two"] == counts["two-again"]
    assert counts["three"] == pytest.approx(1000, abs=1)


def test_more_than_there_is() -> None:
    site = Site()
    site.join("stable")
    site.join("two", 150.0 / 2, version="2")
    site.join("three", 75.0, version="3")
    counts = site.serve(1000)
    assert counts["two"] == pytest.approx(500, abs=3)
    assert counts["three"] == pytest.approx(500, abs=3)


def test_where_all_have_a_share_they_have_all() -> None:
    site = Site()
    site.join("two", 5.0, version="2")
    site.join("three", 15.0, version="3")
    counts = site.serve(1000)
    assert (counts["two"], counts["three"]) == (250, 750)


def test_when_nobody_else_is_there_it_takes_all_and_is_not_punished_for_it() -> None:
    site = Site()
    stable = site.join("stable", capacity=1)
    site.join("canary", 5.0, capacity=10)
    held = site.ask()
    waiting = [site.ask() for _ in range(3)]
    assert {request.worker for request in waiting} == {None}
    site.dispatcher.leave(stable)
    assert [request.worker.name if request.worker else "" for request in waiting] == ["canary"] * 3
    for request in (held, *waiting):
        site.done(request)
    assert site.serve(100) == {"canary": 100}
    site.join("stable-2")
    assert site.serve(1000)["canary"] == pytest.approx(50, abs=3)


@pytest.mark.parametrize("away", [Away.SUSPECT, Away.DRAINING])
def test_when_all_others_fall_silent(away: Away) -> None:
    site = Site()
    stable = site.join("stable", capacity=1)
    site.join("canary", 5.0)
    site.ask()
    request = site.ask()
    assert request.worker is None
    stable.set_away(away, True)
    site.dispatcher.reconsider(stable)
    assert request.worker is not None


def test_who_refused_just_now_is_still_there() -> None:
    site = Site()
    stable = site.join("stable")
    site.join("canary", 5.0)
    site.dispatcher.pause(stable)
    assert site.ask().worker is None


def test_a_full_canary_makes_up_for_it_without_a_burst() -> None:
    site = Site()
    site.join("stable")
    canary = site.join("canary", 5.0, capacity=1)
    while not canary.in_flight:
        held = site.ask()
        if held.worker is not canary:
            site.done(held)
    assert site.serve(1000) == {"stable": 1000}
    site.done(held)
    counts = [site.serve(20)["canary"] for _ in range(70)]
    assert max(counts) == 2
    assert sum(counts) == pytest.approx(70 + 50, abs=2)
    assert counts[-1] == 1


def test_what_is_owed_is_bounded() -> None:
    site = Site()
    site.join("stable")
    canary = site.join("canary", 50.0, capacity=0)
    site.serve(10_000)
    canary.set_capacity(1000)
    site.dispatcher.reconsider(canary)
    assert site.serve(1000)["canary"] == pytest.approx(500 + MAX_OWED, abs=2)


def test_who_is_away_is_owed_nothing() -> None:
    site = Site()
    site.join("stable")
    canary = site.join("canary", 5.0)
    canary.set_away(Away.SUSPECT, True)
    site.dispatcher.reconsider(canary)
    assert site.serve(1000) == {"stable": 1000}
    canary.set_away(Away.SUSPECT, False)
    site.dispatcher.reconsider(canary)
    assert site.serve(1000)["canary"] == 50


def test_the_oldest_goes_first_to_a_canary_too() -> None:
    site = Site()
    site.join("stable", capacity=1)
    site.join("canary", 10.0)
    requests = [site.ask() for _ in range(21)]
    having = [number for number, request in enumerate(requests) if request.worker is not None]
    assert having == [0, 1, 2]  # the tenth and the twentieth have let the oldest go first
    assert [requests[number].worker.name for number in having] == ["stable", "canary", "canary"]  # type: ignore[union-attr]


def test_a_retry_is_no_second_request() -> None:
    site = Site()
    site.join("stable")
    site.join("canary", 50.0)
    request = site.ask()
    while request.worker is None or request.worker.name != "canary":
        site.done(request)
        request = site.ask()
    lost, request.worker = request.worker, None
    request.tried = request.shunned = frozenset({lost.process_id})
    site.dispatcher.free_slot(lost)
    for _ in range(10):
        site.dispatcher.submit(request)
        assert request.worker is not None
        assert request.worker.name == "stable"
        site.done(request)
    assert site.serve(100)["canary"] == 50


def test_a_share_that_changes_with_the_next_join() -> None:
    site = Site()
    site.join("stable")
    canary = site.join("canary", 5.0)
    site.serve(50)
    canary.set_name("canary", make_terms(["version=2"], 20.0))
    site.dispatcher.join(canary, ROUTE)
    assert site.serve(1000)["canary"] == pytest.approx(200, abs=2)
    canary.set_name("canary", make_terms())
    site.dispatcher.join(canary, ROUTE)
    assert site.serve(1000)["canary"] == pytest.approx(500, abs=1)


def test_a_failing_stable_worker_does_not_rest_on_its_canary() -> None:
    site = Site(max_failures=1)
    stable, canary = site.join("stable"), site.join("canary", 5.0)
    site.dispatcher.blame(stable)
    assert not stable.away
    site.dispatcher.blame(canary)
    assert canary.away is Away.RESTING


events = st.lists(st.sampled_from(["join", "leave", "full", "free", "silent", "back", "more", "fewer"]), max_size=12)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(1, 60), events, st.randoms(use_true_random=False))
def test_the_share_over_whatever_happens(percentage: int, happens: list[str], dice: Any) -> None:
    """Of the requests that come while a canary is there, it has its share, but for what is owed or begun."""
    site = Site()
    stables = [site.join("stable-0")]
    canaries: list[Worker] = []
    asked = had = 0
    for what in ["join", *happens]:
        if what == "join" and len(canaries) < 3:
            canaries.append(site.join("canary", float(percentage), version="2"))
        elif what == "leave" and len(canaries) > 1:
            site.dispatcher.leave(canaries.pop(dice.randrange(len(canaries))))
        elif what in ("full", "free") and canaries:
            for canary in canaries:
                canary.set_capacity(0 if what == "full" else 1000)
                site.dispatcher.reconsider(canary)
        elif what in ("silent", "back"):
            stables[0].set_away(Away.SUSPECT, what == "silent" and len(stables) > 1)
            site.dispatcher.reconsider(stables[0])
        elif what == "more":
            stables.append(site.join(f"stable-{len(stables)}"))
        elif what == "fewer" and len(stables) > 2:
            site.dispatcher.leave(stables.pop())
        n = dice.randrange(200)
        counts = site.serve(n)
        assert counts["nobody"] == 0
        asked, had = asked + n, had + counts["canary"]
    for canary in canaries:
        canary.set_capacity(1000)
        site.dispatcher.reconsider(canary)
    n = int(2.5 * MAX_OWED / (percentage / 100)) + 100
    had += site.serve(n)["canary"]
    expected = (asked + n) * percentage / 100
    # What was due beyond the bound is forgotten.
    assert had <= expected + 2
    assert had >= min(expected, n * percentage / 100) - 2
