"""A worker's account of itself: slots, room, reasons to be away."""

from typing import Any

from tests.support.each import each
from tests.support.fakes import FakeLink, make_worker
from zerogate.router.pool import Pool
from zerogate.router.queue import Queue
from zerogate.router.workers import Away
from zerogate.wire.http.routes import Route


def test_slots_are_taken_and_freed() -> None:
    worker = make_worker("a", capacity=2, link=FakeLink(ids_left=10))
    assert worker.has_room
    worker.take_slot()
    assert (worker.in_flight, worker.has_room, worker.ids_left) == (1, True, 9)
    worker.take_slot()
    assert (worker.in_flight, worker.has_room, worker.load) == (2, False, 2.0)
    worker.free_slot()
    assert (worker.in_flight, worker.has_room, worker.load, worker.ids_left) == (1, True, 1.0, 8)


def test_load_is_in_flight_over_weight() -> None:
    worker = make_worker("a", weight=200)
    worker.take_slot()
    assert worker.load == 0.5
    worker.set_weight(50)
    assert worker.load == 2.0
    worker.free_slot()
    assert worker.load == 0.0


def test_capacity_may_shrink_below_what_is_in_flight() -> None:
    worker = make_worker("a", capacity=3)
    for _ in range(3):
        worker.take_slot()
    worker.set_capacity(1)
    for has_room in (False, False, True):
        worker.free_slot()
        assert worker.has_room is has_room
    worker.set_capacity(0)
    assert not worker.has_room
    assert not make_worker("b", capacity=0).has_room


@each("reason", Away)
def test_who_is_away_has_no_room(reason: Away) -> None:
    worker = make_worker("a", capacity=2)
    worker.take_slot()
    worker.set_away(reason, True)
    worker.set_away(reason, True)
    assert (worker.has_room, worker.state) == (False, str(reason.name).lower())
    worker.free_slot()
    assert not worker.has_room
    worker.set_away(reason, False)
    assert (worker.has_room, worker.state) == (True, "up")


def test_the_first_of_several_reasons_is_shown() -> None:
    worker = make_worker("a", capacity=5)
    worker.set_away(Away.REFUSING, True)
    worker.set_away(Away.DRAINING, True)
    assert repr(worker) == "<Worker a draining 0/5>"
    worker.set_away(Away.DRAINING, False)
    assert worker.state == "refusing"
    assert not worker.has_room


def test_it_is_offered_in_each_pool_where_it_has_company_while_it_has_room() -> None:
    offered: list[str] = []

    class Noting(Pool):
        __slots__ = ()

        def offer(self, worker: Any) -> None:
            offered.append(str(self.route))

    pools = [Noting(Route("", prefix), Queue(1, 1)) for prefix in ("/a", "/b", "/c")]
    worker = make_worker("a", *pools, capacity=1)
    make_worker("other", *pools[:2])
    offered.clear()
    worker.offer()
    assert offered == ["/a", "/b"]
    worker.take_slot()
    worker.offer()
    assert offered == ["/a", "/b"]


def test_ranks_are_by_name_then_by_age() -> None:
    workers = [make_worker(name) for name in ("b", "a", "a")]
    assert sorted(workers, key=lambda worker: worker.rank) == [workers[1], workers[2], workers[0]]


def test_what_is_apart_takes_no_room_from_requests() -> None:
    worker = make_worker("w", capacity=2)
    worker.take_slot()
    worker.take_slot()
    assert not worker.has_room
    worker.set_apart(is_tunnel=True)
    # It had said that it takes two streams: now it says three.
    assert (worker.in_flight, worker.tunnels, worker.capacity, worker.has_room) == (1, 1, 1, False)
    worker.set_capacity(3)
    assert worker.has_room
    worker.set_apart(is_tunnel=False)
    worker.set_capacity(4)
    assert (worker.in_flight, worker.tunnels, worker.event_streams, worker.capacity) == (0, 1, 1, 2)
    assert (worker.load, worker.is_idle) == (0.0, False)
    for is_tunnel in (True, False):
        worker.unite(is_tunnel=is_tunnel)
        worker.free_slot()
    assert worker.is_idle
    worker.set_capacity(2)
    assert worker.has_room
