"""Pools: which rules hold in them. What the rules do is test_shares.py and test_affinity.py."""

from tests.support.fakes import FakeWaiting, make_worker
from zerogate.router.pool import Pool
from zerogate.router.queue import Queue
from zerogate.router.workers import Away, Worker
from zerogate.wire.http.routes import Route
from zerogate.wire.http.terms import make_terms


def make_pool() -> Pool:
    return Pool(Route("", "/a"), Queue(10, 1000))


def leave(pool: Pool, worker: Worker) -> None:
    pool.remove(worker)
    worker.pools.remove(pool)


def test_without_terms_there_are_no_rules() -> None:
    pool = make_pool()
    make_worker("a", pool)
    assert not pool.has_rules
    sticky = make_worker("b", pool, terms=make_terms([], None, "cookie"))
    canary = make_worker("c", pool, terms=make_terms([], 5.0))
    assert pool.has_rules
    leave(pool, sticky)
    assert pool.has_rules
    leave(pool, canary)
    assert not pool.has_rules
    assert "<Pool /a workers=1 waiting=0>" in repr(pool)


def test_who_has_a_share_takes_no_turns_with_the_others() -> None:
    pool = make_pool()
    stable, canary = make_worker("a", pool), make_worker("c", pool, terms=make_terms(["v=2"], 5.0))
    assert list(pool.workers.values()) == [stable, canary]
    assert list(pool.members.values()) == [stable]
    assert pool.part_of(stable) is None
    assert (part := pool.part_of(canary)) is not None
    assert "owed" in repr(part)
    assert pool.peers_of(stable) == pool.members
    assert pool.peers_of(canary) == pool.workers
    assert pool.feeds(stable)
    assert not pool.feeds(canary)
    assert not pool.feeds(make_worker("stranger"))
    stable.set_away(Away.SUSPECT, True)
    assert pool.feeds(canary)


def test_spare_room_is_theirs_who_would_get_it() -> None:
    pool = make_pool()
    stable = make_worker("a", pool, capacity=0)
    make_worker("c", pool, terms=make_terms([], 5.0))
    assert not pool.has_spare_room()
    stable.set_away(Away.SUSPECT, True)
    assert pool.has_spare_room()


def test_who_waits_for_one_worker_counts_as_waiting() -> None:
    pool = make_pool()
    worker = make_worker("a", pool, terms=make_terms([], None, "client"))
    assert pool.line_of(worker) is None
    line = pool.add_line(worker)
    line.queue.push(FakeWaiting())
    assert (pool.n_waiting, pool.line_of(worker)) == (1, line)
    assert line.feeds(worker)
    assert "1 waiting" in repr(line)


def test_what_the_first_says_of_stickiness_holds() -> None:
    pool = make_pool()
    first = make_worker("a", pool, terms=make_terms([], None, "header:x-user"))
    make_worker("b", pool, terms=make_terms([], None, "cookie"))
    request = FakeWaiting()
    assert pool.choose(request) is not None
    assert request.cookie is None
    leave(pool, first)
    assert pool.choose(request) is not None
    assert request.cookie is not None


def test_who_waits_and_shuns_a_worker_keeps_nobody_from_it() -> None:
    pool = make_pool()
    stable = make_worker("a", pool)
    make_worker("c", pool, capacity=0, terms=make_terms(["v=2"], 5.0))
    waiting = FakeWaiting()
    waiting.tried = waiting.shunned = frozenset({stable.process_id})
    assert pool.choose(waiting) is None
    assert pool.queue.push(waiting)
    assert pool.choose(FakeWaiting()) is stable
