"""Whose turn it is, in pools without rules."""

import collections
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.fakes import make_worker
from zerogate.router.pool import Pool
from zerogate.router.queue import Queue
from zerogate.router.workers import Away, Worker
from zerogate.wire.http.routes import Route


def make_pool(prefix: str = "") -> Pool:
    return Pool(Route("", prefix), Queue(10, 1000))


def release(worker: Worker) -> None:
    """As the dispatcher does when an exchange is over and nobody waits."""
    worker.free_slot()
    change(worker)


def change(worker: Worker) -> None:
    worker.offer()


def names(pool: Pool, n: int, *, is_kept: bool = False) -> str:
    """The names of those picked, one after the other."""
    picked = ""
    for _ in range(n):
        worker = pool.pick()
        assert worker is not None
        picked += worker.name
        if not is_kept:
            release(worker)
    return picked


def test_nobody_is_there() -> None:
    assert make_pool().pick() is None


def test_equals_alternate_and_the_first_name_comes_first() -> None:
    pool = make_pool()
    for name in "cab":
        make_worker(name, pool)
    assert names(pool, 9) == "abcabcabc"


def test_the_least_in_flight_is_picked() -> None:
    pool = make_pool()
    a, b, c = (make_worker(name, pool) for name in "abc")
    assert names(pool, 6, is_kept=True) == "abcabc"
    release(b)
    release(b)
    release(c)
    assert names(pool, 3, is_kept=True) == "bcb" or (a.in_flight, b.in_flight, c.in_flight) == (2, 2, 2)
    assert [worker.in_flight for worker in (a, b, c)] == [2, 2, 2]


def test_full_workers_are_not_picked() -> None:
    pool = make_pool()
    small, large = make_worker("a", pool, capacity=1), make_worker("b", pool, capacity=3)
    assert sorted(names(pool, 4, is_kept=True)) == ["a", "b", "b", "b"]
    assert pool.pick() is None
    release(small)
    assert pool.pick() is small
    assert pool.pick() is None
    large.set_capacity(4)
    change(large)
    assert pool.pick() is large


@pytest.mark.parametrize("is_kept", [False, True], ids=["one by one", "at once"])
def test_weights(is_kept: bool) -> None:
    pool = make_pool()
    for name, weight in (("a", 100), ("b", 200), ("c", 300)):
        make_worker(name, pool, capacity=1000, weight=weight)
    assert collections.Counter(names(pool, 600, is_kept=is_kept)) == {"a": 100, "b": 200, "c": 300}


def test_weights_take_turns_rather_than_come_in_bursts() -> None:
    pool = make_pool()
    make_worker("a", pool, weight=100)
    make_worker("b", pool, weight=200)
    picked = names(pool, 300)
    assert all(collections.Counter(picked[at : at + 3]) == {"a": 1, "b": 2} for at in range(0, 300, 3))


def test_who_joins_or_comes_back_gets_no_burst() -> None:
    pool = make_pool()
    make_worker("a", pool)
    b = make_worker("b", pool)
    names(pool, 100)
    make_worker("c", pool)
    assert collections.Counter(names(pool, 30)) == {"a": 10, "b": 10, "c": 10}
    b.set_away(Away.SUSPECT, True)
    assert set(names(pool, 50)) == {"a", "c"}
    b.set_away(Away.SUSPECT, False)
    change(b)
    counts = collections.Counter(names(pool, 30))
    assert counts["b"] <= 11
    assert min(counts.values()) >= 9


def test_who_is_away_is_not_picked_until_all_reasons_are_gone() -> None:
    pool = make_pool()
    worker = make_worker("a", pool)
    for reason in Away:
        worker.set_away(reason, True)
    for reason in Away:
        assert pool.pick() is None
        assert worker.state != "up"
        worker.set_away(reason, False)
        change(worker)
    assert worker.state == "up"
    assert pool.pick() is worker


def test_who_has_left_is_not_picked() -> None:
    pool = make_pool()
    a, b = make_worker("a", pool), make_worker("b", pool)
    pool.remove(a)
    a.pools.remove(pool)
    assert names(pool, 3) == "bbb"
    pool.remove(b)
    assert pool.pick() is None


def test_avoided_only_if_there_is_somebody_else() -> None:
    pool = make_pool()
    a, b, c = (make_worker(name, pool, capacity=2) for name in "abc")
    assert pool.pick({a.process_id, b.process_id}) is c
    assert pool.pick({a.process_id, b.process_id}) is c
    # c is full: better the one that failed than nobody.
    assert pool.pick({a.process_id, b.process_id}) is a
    assert pool.pick() is b


def test_avoided_also_behind_an_outdated_entry() -> None:
    pool = make_pool()
    a, gone, c, d = (make_worker(name, pool) for name in "abcd")
    gone.set_away(Away.SUSPECT, True)
    assert pool.pick({a.process_id, c.process_id}) is d


def test_two_routes_share_a_worker() -> None:
    one, other = make_pool("/a"), make_pool("/b")
    both, only = make_worker("b", one, other, capacity=1), make_worker("o", other, capacity=1)
    assert one.pick() is both
    assert other.pick() is only
    assert one.pick() is None
    assert other.pick() is None
    release(both)
    assert other.pick() is both
    assert one.pick() is None


def test_who_is_alone_in_one_pool_is_picked_in_the_other_too() -> None:
    one, other = make_pool("/a"), make_pool("/b")
    both = make_worker("b", one, other, capacity=100)
    make_worker("o", other, capacity=100)
    assert one.pick() is both
    assert names(other, 5, is_kept=True) == "obobo"


def test_who_joins_one_that_was_alone_comes_next() -> None:
    pool = make_pool()
    make_worker("a", pool, capacity=100)
    assert names(pool, 3) == "aaa"
    make_worker("b", pool, capacity=100)
    assert names(pool, 4) == "baba"


def test_who_is_left_alone_takes_all() -> None:
    pool = make_pool()
    a, b = make_worker("a", pool, capacity=2), make_worker("b", pool, capacity=2)
    assert names(pool, 2) == "ab"
    pool.remove(b)
    b.pools.remove(pool)
    assert names(pool, 2, is_kept=True) == "aa"
    assert pool.pick() is None
    release(a)
    assert pool.pick({a.process_id}) is a


def test_the_heap_is_bounded() -> None:
    pool = make_pool()
    workers = [make_worker(f"{number}", pool, capacity=100) for number in range(10)]
    for _ in range(3000):
        change(workers[0])
    held = [pool.pick() for _ in range(500)]
    for worker in held:
        assert worker is not None
        release(worker)
    # Nobody outside sees it, and it must not grow.
    assert len(pool._idle) + len(pool._busy) <= 64 + 4 * len(workers) + 1
    assert set(names(pool, 10)) == set("0123456789")


class TurnsModel(RuleBasedStateMachine):
    """Two pools, against one that looks at every worker each time."""

    def __init__(self) -> None:
        super().__init__()
        self.pools = [make_pool("/a"), make_pool("/b")]
        self.workers: list[Worker] = []
        self.clocks = [0.0, 0.0]
        self.turns: list[dict[int, float]] = [{}, {}]
        self.had_turn: list[Worker | None] = [None, None]  # who was picked when it was alone

    def some(self, data: Any) -> Worker:
        return data.draw(st.sampled_from(self.workers))  # type: ignore[no-any-return]

    def expected(self, number: int, avoid: set[int]) -> Worker | None:
        free = [worker for worker in self.workers if self.pools[number] in worker.pools and worker.has_room]
        turns = self.turns[number]
        return min(
            [worker for worker in free if worker.process_id not in avoid] or free,
            key=lambda worker: (worker.load, turns[worker.serial], worker.rank),
            default=None,
        )

    @precondition(lambda self: len(self.workers) < 8)
    @rule(
        name=st.sampled_from("abc"),
        capacity=st.integers(0, 3),
        weight=st.sampled_from([1, 100, 150, 300]),
        served=st.sampled_from([(0,), (1,), (0, 1)]),
    )
    def join(self, name: str, capacity: int, weight: int, served: tuple[int, ...]) -> None:
        worker = make_worker(name, *(self.pools[n] for n in served), capacity=capacity, weight=weight)
        self.workers.append(worker)
        for n in served:
            before, self.had_turn[n] = self.had_turn[n], None
            if before is not None:
                self.turns[n][before.serial] = self.clocks[n] + 100 / before.weight
            self.turns[n][worker.serial] = self.clocks[n]

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def leave(self, data: Any) -> None:
        worker = self.some(data)
        self.workers.remove(worker)
        self.had_turn = [None if before is worker else before for before in self.had_turn]
        for pool in list(worker.pools):
            pool.remove(worker)
            worker.pools.remove(pool)

    @rule(number=st.integers(0, 1), data=st.data())
    def pick(self, number: int, data: Any) -> None:
        ids = [worker.process_id for worker in self.workers]
        avoid = data.draw(st.sets(st.sampled_from(ids))) if ids else set()
        expected = self.expected(number, avoid)
        picked = self.pools[number].pick(avoid)
        assert picked is expected
        if picked is not None and len(self.pools[number].workers) == 1:
            self.had_turn[number] = picked
        elif picked is not None:
            turn = self.turns[number][picked.serial]
            self.clocks[number] = max(self.clocks[number], turn)
            self.turns[number][picked.serial] = self.clocks[number] + 100 / picked.weight

    @precondition(lambda self: any(worker.in_flight for worker in self.workers))
    @rule(data=st.data())
    def release(self, data: Any) -> None:
        release(data.draw(st.sampled_from([worker for worker in self.workers if worker.in_flight])))

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), capacity=st.integers(0, 3))
    def set_capacity(self, data: Any, capacity: int) -> None:
        worker = self.some(data)
        worker.set_capacity(capacity)
        change(worker)

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), reason=st.sampled_from(list(Away)), is_away=st.booleans())
    def set_away(self, data: Any, reason: Away, is_away: bool) -> None:
        worker = self.some(data)
        worker.set_away(reason, is_away)
        change(worker)

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), weight=st.sampled_from([50, 100, 1000]))
    def join_again(self, data: Any, weight: int) -> None:
        worker = self.some(data)
        worker.set_weight(weight)
        change(worker)

    @invariant()
    def room_is_what_it_says(self) -> None:
        for worker in self.workers:
            assert worker.has_room == (not worker.away and worker.in_flight < worker.capacity)


TurnsModel.TestCase.settings = settings(stateful_step_count=40)
TestTurnsModel = TurnsModel.TestCase
