"""Where each request goes, on a clock that the test winds: nothing here needs an event loop."""

import collections
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.each import each
from tests.support.fakes import FakeLink, FakeTimers, FakeWaiting, make_worker
from zerogate.router.counters import Counters
from zerogate.router.dispatcher import MIN_STREAM_IDS, REFUSAL_PAUSE_S, Dispatcher
from zerogate.router.workers import Away, Worker
from zerogate.settings import RouterSettings
from zerogate.wire.http.errors import BODY_TOO_LARGE, HttpError
from zerogate.wire.http.routes import parse_route
from zerogate.wire.spdy.headers import BlockTooLargeError
from zerogate.wire.spdy.session import StreamIdsExhausted


class Office:
    """A dispatcher, its clock, and short ways to ask it."""

    def __init__(self, **options: Any) -> None:
        self.timers = FakeTimers()
        self.counters = Counters()
        self.dispatcher = Dispatcher(RouterSettings(**options), self.counters, self.timers)
        self.n_asked = 0

    def worker(self, name: str, *routes: str, capacity: int = 10, link: Any = None) -> Worker:
        """One that has joined."""
        worker = make_worker(name, capacity=capacity, link=link)
        self.join(worker, *routes)
        return worker

    def join(self, worker: Worker, *routes: str) -> None:
        self.dispatcher.join(worker, [parse_route(route) for route in routes or ("*",)])

    def ask(self, path: bytes = b"/", host: bytes = b"a", **options: Any) -> FakeWaiting:
        self.n_asked += 1
        request = FakeWaiting(path, host, arrived=float(self.n_asked), **options)
        self.dispatcher.submit(request)
        return request

    def done(self, request: FakeWaiting) -> None:
        """It has its reply."""
        worker, request.worker = request.worker, None
        assert worker is not None
        self.dispatcher.free_slot(worker)

    def again(self, request: FakeWaiting) -> None:
        """Its worker was lost, or refused it; the slot is free already."""
        assert request.worker is not None
        request.tried |= {request.worker.process_id}
        request.worker = None
        self.dispatcher.submit(request)


def worker_of(request: FakeWaiting) -> str:
    """Who has it, or why not."""
    return request.worker.name if request.worker else request.error or ("waits" if request.queue is not None else "-")


# Picking and queueing


def test_a_request_goes_to_who_serves_it() -> None:
    office = Office()
    office.worker("a", "/a")
    office.worker("b", "/b", "b.example")
    assert [worker_of(office.ask(path)) for path in (b"/a", b"/b/c")] == ["a", "b"]
    assert worker_of(office.ask(b"/a", b"b.example")) == "b"


def test_who_waits_is_served_in_order_by_whoever_has_room() -> None:
    office = Office(queue_timeout=30.0)
    worker = office.worker("a", capacity=1)
    first, *waiting = (office.ask() for _ in range(4))
    assert [worker_of(request) for request in waiting] == ["waits"] * 3
    assert waiting[0].waits_s == [30.0]
    office.done(first)
    assert [worker_of(request) for request in waiting] == ["a", "waits", "waits"]
    worker.set_capacity(2)
    office.dispatcher.reconsider(worker)
    assert [worker_of(request) for request in waiting] == ["a", "a", "waits"]
    office.worker("b", capacity=5)
    assert [worker_of(request) for request in waiting] == ["a", "a", "b"]
    assert worker.served == 3


def test_the_oldest_of_all_pools_of_a_worker_goes_first() -> None:
    office = Office()
    office.worker("a", "/a", "/b", capacity=1)
    busy = office.ask(b"/a")
    waiting = [office.ask(path) for path in (b"/b", b"/a", b"/a", b"/b")]
    order = []
    for _ in range(4):
        office.done(busy)
        (busy,) = (request for request in waiting if request.worker)
        order.append(waiting.index(busy))
    assert order == [0, 1, 2, 3]


def test_who_waits_is_found_among_many_routes() -> None:
    office = Office()
    worker = office.worker("a", *(f"/{number}" for number in range(50)), capacity=1)
    office.worker("b", "/b", capacity=1)
    held = [office.ask(b"/0"), office.ask(b"/b")]
    waiting = [office.ask(path) for path in (b"/b", b"/49", b"/b", b"/7", b"/7")]
    office.done(held[0])
    assert [worker_of(request) for request in waiting] == ["waits", "a", "waits", "waits", "waits"]
    office.dispatcher.leave(worker)
    office.worker("c", "/7", "/b")
    assert [worker_of(request) for request in waiting] == ["c", "a", "c", "c", "c"]


@pytest.mark.parametrize("is_lobby_older", [False, True])
def test_also_when_a_worker_has_just_joined(is_lobby_older: bool) -> None:
    """The oldest goes first, whether it waits for a route that is known or for one that was not."""
    office = Office(settle=5.0)
    office.dispatcher.leave(office.worker("gone", "/known"))
    paths = [b"/unknown", b"/known"] if is_lobby_older else [b"/known", b"/unknown"]
    old, young = (office.ask(path) for path in paths)
    worker = office.worker("new", "/known", "/unknown", capacity=1)
    assert [worker_of(request) for request in (old, young)] == ["new", "waits"]
    office.dispatcher.free_slot(worker)
    assert worker_of(young) == "new"


def test_the_queue_is_bounded() -> None:
    office = Office(queue_size=2, queue_bytes=65536)
    office.worker("a", capacity=0)
    assert [worker_of(office.ask()) for _ in range(3)] == ["waits", "waits", "queue_full"]
    assert [worker_of(Office(queue_bytes=65536).ask(size_bytes=size)) for size in (65536, 65537)] == [
        "waits",
        "queue_full",
    ]


def test_who_leaves_the_queue_waits_no_more() -> None:
    office = Office()
    worker = office.worker("a", capacity=0)
    gone, kept = office.ask(), office.ask()
    office.dispatcher.withdraw(gone)
    office.dispatcher.withdraw(gone)
    worker.set_capacity(5)
    office.dispatcher.reconsider(worker)
    assert [worker_of(request) for request in (gone, kept)] == ["-", "a"]


def test_one_that_has_tried_goes_elsewhere_and_waits_first() -> None:
    office = Office(queue_timeout=30.0)
    a = office.worker("a", capacity=1)
    office.worker("b", capacity=1)
    first, other, waiting = (office.ask() for _ in range(3))
    assert worker_of(first) == "a"
    a.free_slot()
    a.set_away(Away.REFUSING, True)
    office.again(first)
    assert worker_of(first) == "waits"
    office.done(other)
    assert [worker_of(request) for request in (first, waiting)] == ["b", "waits"]


def test_it_waits_once_for_so_long_however_often_it_is_queued() -> None:
    office = Office(queue_timeout=30.0)
    worker = office.worker("a", capacity=0)
    request = office.ask()
    office.timers.wind(10.0)
    worker.set_capacity(1)
    office.dispatcher.reconsider(worker)
    worker.free_slot()
    worker.set_away(Away.REFUSING, True)
    office.again(request)
    assert request.waits_s == [30.0, 20.0]


# Routes that nobody serves


def test_whoever_comes_first_waits_for_the_first_worker() -> None:
    office = Office(settle=5.0)
    request, other = office.ask(b"/a"), office.ask(b"/b")
    office.timers.wind(100.0)
    assert worker_of(request) == "waits"
    office.worker("a", "/a")
    assert [worker_of(request), worker_of(other)] == ["a", "no_route"]


def test_unknown_routes_wait_while_the_router_settles() -> None:
    office = Office(settle=5.0)
    office.worker("a", "/a")
    request, other = office.ask(b"/b"), office.ask(b"/c")
    assert len(office.dispatcher.lobby) == 2
    office.timers.wind(4.9)
    office.worker("b", "/b")
    assert [worker_of(request), worker_of(other)] == ["b", "waits"]
    office.timers.wind(0.2)
    assert worker_of(other) == "no_route"
    assert worker_of(office.ask(b"/d")) == "no_route"


def test_a_route_is_held_after_its_last_worker() -> None:
    office = Office(hold=60.0, settle=0.0)
    first = office.worker("a", "/a")
    office.worker("any", "*")
    office.dispatcher.leave(first)
    request = office.ask(b"/a")
    assert worker_of(request) == "waits"
    office.timers.wind(59.0)
    back = office.worker("b", "/a")
    assert worker_of(request) == "b"
    office.done(request)
    office.timers.wind(59.0)
    office.dispatcher.leave(back)
    request = office.ask(b"/a")
    office.timers.wind(59.0)
    assert worker_of(request) == "waits"
    office.timers.wind(2.0)
    assert worker_of(request) == "any"
    assert [str(pool.route) for pool in office.dispatcher.routes.values()] == ["*"]


def test_a_worker_may_change_its_routes() -> None:
    office = Office(settle=0.0)
    worker = office.worker("a", "/a", "/b", capacity=1)
    office.ask(b"/a")
    dropped, kept = office.ask(b"/a"), office.ask(b"/b")
    office.join(worker, "/b", "/c", "/b")
    assert [str(pool.route) for pool in worker.pools] == ["/b", "/c"]
    assert [worker_of(request) for request in (dropped, kept)] == ["waits", "waits"]
    office.dispatcher.free_slot(worker)
    assert [worker_of(request) for request in (dropped, kept)] == ["waits", "a"]


# Workers that are away


def test_a_pause_after_a_refusal_ends_by_itself() -> None:
    office = Office()
    worker = office.worker("a")
    request = office.ask()
    office.dispatcher.pause(worker)
    office.dispatcher.free_slot(worker)
    office.again(request)
    assert worker_of(request) == "waits"
    office.timers.wind(REFUSAL_PAUSE_S * 0.9)
    assert worker_of(request) == "waits"
    office.timers.wind(REFUSAL_PAUSE_S * 0.2)
    assert worker_of(request) == "a"
    assert office.counters.refused == 1


def fail(office: Office, worker: Worker, n: int) -> None:
    for _ in range(n):
        office.dispatcher.blame(worker)


def test_who_fails_too_often_rests_each_time_longer() -> None:
    office = Office(max_failures=3, rest=30.0)
    bad, _ = office.worker("a"), office.worker("b")
    fail(office, bad, 2)
    bad.failures = 0
    fail(office, bad, 2)
    assert bad.state == "up"
    for n_rests in (1, 2):
        fail(office, bad, 3)
        assert (bad.state, bad.rests) == ("resting", n_rests)
        fail(office, bad, 3)
        office.timers.wind(30.0 * n_rests - 1)
        assert bad.state == "resting"
        assert {worker_of(office.ask()) for _ in range(4)} == {"b"}
        office.timers.wind(2.0)
        assert (bad.state, bad.failures) == ("up", 0)


def test_the_last_worker_of_a_pool_never_rests() -> None:
    office = Office(max_failures=1)
    a = office.worker("a", "/a", "/b")
    b = office.worker("b", "/a")
    fail(office, a, 5)
    assert a.state == "up"  # nobody else serves /b
    fail(office, b, 1)
    assert b.state == "resting"
    office.dispatcher.leave(a)
    assert (b.state, b.failures) == ("up", 0)


@each("how", ["suspect", "leaves", "drops the route"])
def test_who_rests_is_called_back_when_nobody_else_is_there(how: str) -> None:
    office = Office(max_failures=1, rest=30.0)
    a, b = office.worker("a", "/a"), office.worker("b", "/a", capacity=1)
    office.worker("asleep", "/a", capacity=0).set_away(Away.SUSPECT, True)
    fail(office, a, 1)
    assert a.state == "resting"
    office.ask(b"/a")
    request = office.ask(b"/a")
    assert worker_of(request) == "waits"
    if how == "suspect":
        b.set_away(Away.SUSPECT, True)
        office.dispatcher.reconsider(b)
    elif how == "leaves":
        office.dispatcher.leave(b)
    else:
        office.join(b, "/other")
    assert (a.state, worker_of(request)) == ("up", "a")
    office.timers.wind(100.0)
    assert a.state == "up"


def test_a_full_worker_that_is_not_away_wakes_nobody() -> None:
    office = Office(max_failures=1)
    a, b = office.worker("a"), office.worker("b")
    fail(office, a, 1)
    b.set_capacity(0)
    office.dispatcher.reconsider(b)
    assert a.state == "resting"


def test_who_leaves_is_picked_no_more_and_closes_when_it_is_done() -> None:
    office = Office()
    worker = office.worker("a")
    first, second = office.ask(), office.ask()
    office.dispatcher.leave(worker)
    office.dispatcher.leave(worker)
    assert not office.dispatcher.workers
    link: Any = worker.link
    office.done(first)
    assert not link.closed_for
    office.done(second)
    assert link.closed_for == "drained"


def test_a_link_is_replaced_before_its_stream_ids_run_out() -> None:
    office = Office()
    link = FakeLink("a", ids_left=MIN_STREAM_IDS + 2)
    worker = office.worker("a", link=link)
    asked = [office.ask() for _ in range(2)]
    assert worker.state == "up"
    asked.append(office.ask())
    assert (worker.state, link.is_going_away) == ("draining", True)
    assert worker_of(office.ask()) == "waits"
    for request in asked:
        office.done(request)
    assert link.closed_for == "drained"


def test_a_session_without_ids_is_left_and_the_request_goes_on() -> None:
    office = Office()
    link = FakeLink("a")
    link.fails = StreamIdsExhausted("none")
    spent = office.worker("a", link=link)
    office.worker("b")
    assert worker_of(office.ask()) == "b"
    assert (spent.state, spent.in_flight, spent.served, link.closed_for) == ("draining", 0, 0, "drained")


def test_a_head_that_no_session_takes() -> None:
    office = Office()
    link = FakeLink("a")
    link.fails = BlockTooLargeError("large")
    worker = office.worker("a", link=link)
    assert worker_of(office.ask()) == "too_large"
    assert (worker.in_flight, worker.served, worker.state) == (0, 0, "up")


def test_what_a_worker_does_not_take_costs_no_slot() -> None:
    office = Office()
    link = FakeLink("a")
    link.fails = HttpError(BODY_TOO_LARGE)
    worker = office.worker("a", link=link)
    assert worker_of(office.ask()) == "too_large"
    assert (worker.in_flight, worker.served, worker.state) == (0, 0, "up")


def test_what_is_set_apart_keeps_nobody_from_being_picked() -> None:
    office = Office()
    busy, other = office.worker("busy"), office.worker("other")
    for is_tunnel in (True, False):
        busy.take_slot()
        office.dispatcher.set_apart(busy, is_tunnel=is_tunnel)
    assert [worker_of(office.ask()) for _ in range(4)].count("busy") == 2
    assert (office.counters.tunnels, office.counters.event_streams) == (1, 1)
    assert (busy.in_flight, other.in_flight) == (2, 2)


def test_a_worker_that_drains_is_let_go_when_its_last_tunnel_has_ended() -> None:
    office = Office()
    link = FakeLink("a")
    worker = office.worker("a", link=link)
    for _ in range(2):
        worker.take_slot()
    office.dispatcher.set_apart(worker, is_tunnel=True)
    office.dispatcher.leave(worker)
    office.dispatcher.free_slot(worker)
    assert link.closed_for == ""
    worker.unite(is_tunnel=True)
    office.dispatcher.free_slot(worker)
    assert link.closed_for == "drained"


# The end


def test_who_waits_for_a_worker_to_come_is_told_that_none_will() -> None:
    office = Office()
    gone = office.worker("gone", "/gone")
    office.dispatcher.leave(gone)
    requests = [office.ask(b"/gone"), office.ask(b"/nobody")]
    office.dispatcher.stop()
    assert [worker_of(request) for request in requests] == ["shutting_down"] * 2
    assert worker_of(office.ask(b"/gone")) == "shutting_down"


def test_also_while_others_still_work() -> None:
    office = Office()
    gone, busy = office.worker("gone", "/gone"), office.worker("busy", "/busy", capacity=1)
    served, waiting = office.ask(b"/busy"), office.ask(b"/busy")
    office.dispatcher.leave(gone)
    requests = [office.ask(b"/gone"), office.ask(b"/nobody")]
    office.dispatcher.stop()
    assert [worker_of(request) for request in requests] == ["shutting_down"] * 2
    assert worker_of(office.ask(b"/gone")) == "shutting_down"
    # Who has somebody to wait for goes on; until that one leaves.
    assert worker_of(waiting) == "waits"
    office.done(served)
    assert worker_of(waiting) == "busy"
    last = office.ask(b"/busy")
    office.dispatcher.leave(busy)
    assert worker_of(last) == "shutting_down"


def test_nothing_happens_after_the_close() -> None:
    office = Office()
    office.dispatcher.leave(office.worker("a"))
    assert office.timers.n_waiting == 2
    office.dispatcher.close()
    assert office.timers.n_waiting == 0


# Whatever happens when

PATHS = (b"/a", b"/a/b", b"/c")
ROUTES = ("*", "/a", "/a/b")


class Strict(FakeWaiting):
    """Goes only to who may have it. `is_large`: no session takes its head."""

    def __init__(self, path: bytes, arrived: float, size_bytes: int, is_large: bool) -> None:
        super().__init__(path, b"a", arrived, size_bytes)
        self.is_large = is_large

    def send(self, worker: Worker) -> None:
        assert not worker.away
        assert worker.in_flight <= worker.capacity, "its slot was taken before"
        assert self.queue is None
        if self.is_large:
            raise BlockTooLargeError("large")
        super().send(worker)


# Bugs


def test_a_request_that_raises_costs_nobody_else_its_slot() -> None:
    office = Office()
    worker = office.worker("w", capacity=2, link=FakeLink())
    worker.link.fails = ArithmeticError()  # type: ignore[attr-defined]
    bad = office.ask()
    assert bad.is_broken_off
    assert worker.in_flight == 0
    worker.link.fails = None  # type: ignore[attr-defined]
    assert [worker_of(office.ask()) for _ in range(3)] == ["w", "w", "waits"]


def test_one_that_raises_does_not_keep_the_others_from_being_served() -> None:
    class Bad(FakeWaiting):
        def send(self, worker: Worker) -> None:
            raise ArithmeticError

    office = Office()
    worker = office.worker("w", capacity=1)
    first = office.ask()
    bad, good = Bad(), office.ask()
    office.dispatcher.withdraw(good)
    for request in (bad, good):
        office.dispatcher.submit(request)
    assert [worker_of(bad), worker_of(good)] == ["waits", "waits"]
    office.done(first)
    assert bad.is_broken_off
    assert worker_of(good) == "w"
    assert worker.in_flight == 1


def test_one_that_raises_amid_many_does_not_lose_the_others() -> None:
    class Bad(FakeWaiting):
        def decline(self, error: object) -> None:
            raise ArithmeticError

    office = Office()
    requests = [FakeWaiting(), Bad(), FakeWaiting()]
    for request in requests:
        office.dispatcher.submit(request)
    office.dispatcher.stop()
    assert [worker_of(request) for request in requests] == ["shutting_down", "-", "shutting_down"]
    assert requests[1].is_broken_off


# Processes


def silent(office: Office, request: FakeWaiting) -> None:
    """Its worker has fallen silent with it, and is lost."""
    worker = request.worker
    assert worker is not None
    office.dispatcher.leave(worker)
    office.dispatcher.free_slot(worker)
    request.tried |= {worker.process_id}
    request.shunned |= {worker.process_id}
    request.worker = None
    office.dispatcher.submit(request)


def test_who_fell_silent_with_a_request_does_not_get_it_again() -> None:
    office = Office()
    office.join(make_worker("w", process_id="one"))
    request = office.ask()
    silent(office, request)
    again = make_worker("w", capacity=2, process_id="one")
    office.join(again)
    assert worker_of(request) == "waits"
    # It stands in nobody's way, and keeps its place.
    others = [office.ask() for _ in range(3)]
    assert [worker_of(other) for other in others] == ["w", "w", "waits"]
    office.done(others[0])
    assert [worker_of(request), worker_of(others[2])] == ["waits", "w"]
    office.join(make_worker("other", process_id="two"))
    assert worker_of(request) == "other"


def test_of_two_the_one_that_is_shunned_is_not_picked() -> None:
    office = Office()
    for name in ("a", "b"):
        office.join(make_worker(name, capacity=1, process_id=name))
    request = office.ask()
    assert worker_of(request) == "a"
    silent(office, request)
    assert worker_of(request) == "b"
    office.join(make_worker("a", capacity=1, process_id="a"))
    office.done(request)
    request.worker, request.tried, request.shunned = None, frozenset("ab"), frozenset("b")
    office.dispatcher.submit(request)
    assert worker_of(request) == "a"


# Routes left behind


def test_replaced_routes_are_held_up_to_the_limit() -> None:
    office = Office(max_routes=4)
    worker = office.worker("w", "/0")
    for number in range(1, 50):
        office.join(worker, f"/{number}")
        assert len(office.dispatcher.routes.values()) <= 4
    known = sorted(str(pool.route) for pool in office.dispatcher.routes.values())
    assert known == ["/46", "/47", "/48", "/49"]
    office.timers.wind(60)
    assert [str(pool.route) for pool in office.dispatcher.routes.values()] == ["/49"]


def test_what_another_holds_is_not_forgotten() -> None:
    office = Office(max_routes=2)
    mover, other = office.worker("mover", "/a"), make_worker("other")
    office.join(mover, "/b")
    office.join(other, "/a")
    office.dispatcher.leave(other)
    for route in ("/c", "/d"):
        office.join(mover, route)
    assert worker_of(office.ask(b"/a")) == "waits"


class DispatcherModel(RuleBasedStateMachine):
    """Loads, joins and leaves, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.office = Office(queue_size=5, queue_bytes=65536, settle=5.0, hold=3.0, max_failures=2, rest=4.0)
        self.dispatcher = self.office.dispatcher
        self.workers: list[Worker] = []
        self.requests: list[Strict] = []
        self.n_workers = 0

    def some(self, data: Any, choices: list[Any]) -> Any:
        return data.draw(st.sampled_from(choices))

    @property
    def served(self) -> list[Strict]:
        return [request for request in self.requests if request.worker is not None]

    @rule(path=st.sampled_from(PATHS), size=st.sampled_from([5_000, 10_000, 33_000]), is_large=st.integers(0, 9))
    def ask(self, path: bytes, size: int, is_large: int) -> None:
        request = Strict(path, float(len(self.requests)), size, is_large == 0)
        self.requests.append(request)
        self.dispatcher.submit(request)

    @precondition(lambda self: self.served)
    @rule(data=st.data())
    def answer(self, data: Any) -> None:
        request = self.some(data, self.served)
        request.worker.failures = 0
        self.office.done(request)
        self.requests.remove(request)

    @precondition(lambda self: self.served)
    @rule(data=st.data())
    def refuse(self, data: Any) -> None:
        request = self.some(data, self.served)
        self.dispatcher.pause(request.worker)
        self.dispatcher.free_slot(request.worker)
        self.office.again(request)

    @precondition(lambda self: self.served)
    @rule(data=st.data())
    def fail(self, data: Any) -> None:
        request = self.some(data, self.served)
        self.dispatcher.blame(request.worker)
        self.office.done(request)
        self.requests.remove(request)

    @rule(data=st.data())
    def withdraw(self, data: Any) -> None:
        waiting = [request for request in self.requests if request.queue is not None]
        if waiting:
            request = self.some(data, waiting)
            self.dispatcher.withdraw(request)
            self.requests.remove(request)

    @rule(data=st.data(), size=st.integers(1, 500))
    def grow(self, data: Any, size: int) -> None:
        waiting = [request for request in self.requests if request.queue is not None]
        if waiting:
            request = self.some(data, waiting)
            request.size_bytes += size
            request.queue.grow(request, size)

    @precondition(lambda self: len(self.workers) < 4)
    @rule(
        routes=st.sets(st.sampled_from(ROUTES), min_size=1),
        capacity=st.integers(0, 3),
        weight=st.sampled_from([5_000, 10_000, 33_000]),
        ids=st.sampled_from([5, MIN_STREAM_IDS + 1, 1 << 20]),
    )
    def join(self, routes: set[str], capacity: int, weight: int, ids: int) -> None:
        self.n_workers += 1
        link: Any = FakeLink(ids_left=ids)
        worker = make_worker(f"w{self.n_workers}", capacity=capacity, weight=weight, link=link)
        self.workers.append(worker)
        self.office.join(worker, *sorted(routes))

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), routes=st.sets(st.sampled_from(ROUTES), min_size=1))
    def join_again(self, data: Any, routes: set[str]) -> None:
        self.office.join(self.some(data, self.workers), *sorted(routes))

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def lose(self, data: Any) -> None:
        """As links.py does: the owner first, then each stream."""
        worker = self.some(data, self.workers)
        self.workers.remove(worker)
        self.dispatcher.leave(worker)
        for request in [request for request in self.served if request.worker is worker]:
            self.dispatcher.free_slot(worker)
            self.office.again(request)

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), capacity=st.integers(0, 3))
    def set_capacity(self, data: Any, capacity: int) -> None:
        worker = self.some(data, self.workers)
        worker.set_capacity(capacity)
        self.dispatcher.resume(worker)

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), is_silent=st.booleans())
    def suspect(self, data: Any, is_silent: bool) -> None:
        worker = self.some(data, self.workers)
        worker.set_away(Away.SUSPECT, is_silent)
        self.dispatcher.reconsider(worker)

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def exhaust(self, data: Any) -> None:
        self.some(data, self.workers).link.fails = StreamIdsExhausted("none")

    @rule(seconds=st.sampled_from([0.05, 0.2, 2.0, 10.0]))
    def wind(self, seconds: float) -> None:
        self.office.timers.wind(seconds)

    @invariant()
    def no_room_while_somebody_waits(self) -> None:
        for pool in self.dispatcher.routes.values():
            assert not (len(pool.queue) and any(worker.has_room for worker in pool.workers.values()))

    @invariant()
    def slots_are_those_of_who_is_served(self) -> None:
        held = collections.Counter(request.worker.serial for request in self.served if request.worker)
        for worker in self.workers:
            assert worker.in_flight == held[worker.serial]
            assert worker.has_room == (not worker.away and worker.in_flight < worker.capacity)
        known = [worker for worker in self.workers if worker.serial in self.dispatcher.workers]
        assert len(known) == len(self.dispatcher.workers)

    @invariant()
    def everybody_is_somewhere_and_counted(self) -> None:
        queues = [self.dispatcher.lobby, *(pool.queue for pool in self.dispatcher.routes.values())]
        waiting = [request for request in self.requests if request.queue is not None]
        assert sum(len(queue) for queue in queues) == len(waiting)
        for queue in queues:
            mine = [request for request in waiting if request.queue is queue]
            assert (len(queue), queue.n_bytes) == (len(mine), sum(request.size_bytes for request in mine))
        for request in self.requests:
            assert [request.worker is not None, bool(request.error), request.queue is not None].count(True) == 1

    @invariant()
    def routes_have_their_workers(self) -> None:
        for worker in self.workers:
            for pool in worker.pools:
                assert pool.workers[worker.serial] is worker
                assert self.dispatcher.routes.get(pool.route) is pool
            assert {*worker.contested} == {pool for pool in worker.pools if len(pool.workers) > 1}
        for request in self.requests:
            if request.queue is self.dispatcher.lobby:
                assert self.dispatcher.routes.match(b"a", request.head.path) is None


TestDispatcherModel = DispatcherModel.TestCase
TestDispatcherModel.settings = settings(max_examples=settings().max_examples)
