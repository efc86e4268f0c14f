"""One capacity for several routers: grants, and turns for who was refused."""

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.fakes import FakeLink
from zerogate.worker.capacity import CapacityShare

ROUNDS = 20


def make(capacity: int, n_routers: int) -> tuple[CapacityShare, list[Any]]:
    share = CapacityShare(capacity)
    routers: list[Any] = [FakeLink(f"router-{number}") for number in range(n_routers)]
    for router in routers:
        share.add(router)
    return share, routers


def take(share: CapacityShare, router: Any, n: int) -> int:
    """How many of `n` requests are taken."""
    return sum(share.take_slot(router) for _ in range(n))


def release(share: CapacityShare, router: Any, n: int) -> None:
    for _ in range(n):
        share.free_slot(router)


def grants(share: CapacityShare, routers: list[Any]) -> list[int]:
    return [share.granted(router) for router in routers]


def test_one_router_may_have_it_all() -> None:
    share, (router,) = make(10, 1)
    share.share()
    assert share.granted(router) == 10
    assert take(share, router, 11) == 10
    assert share.in_flight == 10


def test_a_worker_that_takes_nothing_grants_nothing() -> None:
    share, routers = make(0, 2)
    share.share()
    assert grants(share, routers) == [0, 0]
    assert not share.take_slot(routers[0])


def test_idle_routers_share_evenly() -> None:
    share, routers = make(12, 3)
    share.share()
    assert sum(grants(share, routers)) == 12
    assert max(grants(share, routers)) - min(grants(share, routers)) <= 1


def test_need_moves_grants() -> None:
    share, routers = make(100, 2)
    busy, idle = routers
    for _ in range(ROUNDS):
        n = take(share, busy, share.granted(busy))
        share.share()
        release(share, busy, n)
    assert (share.granted(busy), share.granted(idle)) == (100, 1)


def test_who_is_busy_later_gets_its_share_back() -> None:
    share, routers = make(100, 2)
    flights = [0, 0]
    for _ in range(2 * ROUNDS):
        for number in (0, 1) if _ >= ROUNDS else (0,):
            flights[number] += take(share, routers[number], max(0, share.granted(routers[number]) - flights[number]))
        share.share()
        for number in (0, 1):
            release(share, routers[number], flights[number])
            flights[number] = 0
    assert all(abs(grant - 50) <= 1 for grant in grants(share, routers))


def test_who_needs_nothing_keeps_nothing_from_others() -> None:
    """A worker with two slots serves two requests of one router, however long they are, while the other has none."""
    share, (busy, idle) = make(2, 2)
    assert take(share, busy, 1) == 1
    share.share()
    assert grants(share, [busy, idle]) == [2, 1]
    assert take(share, busy, 1) == 1
    # The door stands open, though there is nothing behind it: whoever comes is refused, and has the next slot.
    assert not share.take_slot(idle)
    share.share()
    assert grants(share, [busy, idle]) == [1, 1]
    assert share.free_slot(busy) == idle
    assert not share.take_slot(busy)
    assert share.take_slot(idle)


def test_who_has_used_up_its_grant_need_not_wait_for_the_next_round() -> None:
    calls: list[str] = []
    share = CapacityShare(8, on_full=lambda: calls.append("full"))
    routers: list[Any] = [FakeLink(name) for name in ("busy", "idle")]
    busy, idle = routers
    share.add(busy)
    assert take(share, busy, 8) == 8
    release(share, busy, 8)
    assert not calls  # There is nobody to share with.
    share.add(idle)
    for _ in range(ROUNDS):
        share.share()
    assert grants(share, routers) == [4, 4]
    assert take(share, busy, 3) == 3
    assert not calls
    assert take(share, busy, 3) == 3
    assert calls == ["full"]
    assert share.share_early() == {busy: 8, idle: 1}
    assert take(share, busy, 2) == 2
    assert calls == ["full", "full"]
    # Who has some in flight keeps what it needed in this round.
    release(share, busy, 8)
    share.share()
    share.share()
    assert take(share, idle, 3) == 3
    release(share, idle, 2)
    assert take(share, busy, 5) == 5
    share.share_early()
    assert grants(share, routers) == [5, 3]


def test_a_slot_that_is_free_goes_at_once_to_who_has_used_up_its_grant() -> None:
    calls: list[str] = []
    share = CapacityShare(2, on_full=lambda: calls.append("full"))
    routers: list[Any] = [FakeLink(name) for name in ("busy", "other")]
    busy, other = routers
    for router in routers:
        share.add(router)
    assert [take(share, router, 1) for router in routers] == [1, 1]
    assert share.share_early() == {}
    assert calls == ["full"]
    share.free_slot(other)
    assert calls == ["full", "full"]
    assert share.share_early() == {busy: 2}
    # The other one has its own back as soon as it needs it; and a round forgets nobody who is short of some.
    assert take(share, other, 1) == 1
    assert share.share_early() == {busy: 1}
    assert len(calls) == 3
    share.share()
    assert len(calls) == 4
    share.free_slot(other)
    assert share.share_early() == {busy: 2}
    share.free_slot(busy)
    share.share()
    assert len(calls) == 4


def test_small_needs_are_met_and_large_ones_share_the_rest() -> None:
    share, routers = make(100, 3)
    small, *large = routers
    for _ in range(ROUNDS):
        flights = [take(share, small, 5), *(take(share, router, share.granted(router)) for router in large)]
        share.share()
        for router, n in zip(routers, flights, strict=True):
            release(share, router, n)
    assert share.granted(small) >= 5
    assert all(40 <= share.granted(router) <= 50 for router in large)


def test_only_what_changed_is_told() -> None:
    share, (one,) = make(10, 1)
    other: Any = FakeLink()
    assert share.add(other) == {one: 5, other: 5}
    for _ in range(ROUNDS):
        assert share.share() == {}
    assert share.remove(other) == {one: 10}
    assert share.remove(other) == {}


def test_the_only_router_has_it_all() -> None:
    share = CapacityShare(10)
    one: Any = FakeLink()
    other: Any = FakeLink()
    assert share.add(one) == {one: 10}
    assert not share.is_shared
    share.add(other)
    assert share.is_shared
    # Busy beyond what it is granted: that is no reason to keep the rest from it when it is alone again.
    assert take(share, one, 10) == 10
    assert not share.take_slot(other)
    share.share()
    assert share.granted(one) < 10
    assert share.remove(other) == {one: 10}
    assert not share.is_shared
    release(share, one, 10)


@pytest.mark.parametrize("how", ["leave", "remove"])
def test_who_was_never_there_does_not_go(how: str) -> None:
    share, (one,) = make(10, 1)
    assert getattr(share, how)(FakeLink()) == {}
    share.leave(one)
    assert share.leave(one) == {}


def test_more_routers_than_capacity_have_one_each() -> None:
    share, routers = make(2, 5)
    share.share()
    assert grants(share, routers) == [1] * 5
    assert [take(share, router, 1) for router in routers] == [1, 1, 0, 0, 0]


def test_who_was_refused_is_told_and_comes_first() -> None:
    share, (busy, late) = make(3, 2)
    take(share, busy, 3)
    assert not share.take_slot(late)
    assert share.free_slot(busy) == late
    # The free slot is kept for who was refused, not for who is fast.
    assert not share.take_slot(busy)
    assert share.take_slot(late)
    assert share.free_slot(late) == busy
    assert share.take_slot(busy)


def test_turns_are_in_order() -> None:
    share, routers = make(1, 4)
    holder, *others = routers
    assert share.take_slot(holder)
    assert [share.take_slot(router) for router in others] == [False] * 3
    for router in others:
        told = share.free_slot(holder)
        assert told == router
        assert [share.take_slot(other) for other in others if other is not router] == [False] * 2
        assert share.take_slot(router)
        holder = router


def test_who_does_not_come_loses_its_turn() -> None:
    share, (busy, gone) = make(1, 2)
    share.take_slot(busy)
    assert not share.take_slot(gone)
    assert share.free_slot(busy) is gone
    rounds = 0
    while not share.take_slot(busy):
        told = share.share()
        assert gone in told or rounds > 1
        rounds += 1
        assert rounds < 5
    assert rounds >= 1


@pytest.mark.parametrize("how", ["remove", "leave"])
def test_who_goes_loses_its_turn_at_once(how: str) -> None:
    share, (busy, gone) = make(1, 2)
    share.take_slot(busy)
    assert not share.take_slot(gone)
    getattr(share, how)(gone)
    assert share.free_slot(busy) is None
    assert share.take_slot(busy)


def test_the_work_for_a_router_that_is_gone_counts_until_it_has_ended() -> None:
    share, (one, other) = make(4, 2)
    assert take(share, one, 3) == 3
    share.remove(one)
    assert share.in_flight == 3
    assert take(share, other, 2) == 1
    assert share.is_shared
    share.remove(one)  # once more: nothing new about it
    release(share, one, 3)
    assert share.in_flight == 1
    assert not share.is_shared
    share.share()
    assert share.granted(other) == 4
    with pytest.raises(KeyError):
        share.free_slot(one)


def test_a_router_that_leaves_keeps_what_it_has_and_no_more() -> None:
    share, (leaving, other) = make(10, 2)
    take(share, leaving, 4)
    share.leave(leaving)
    share.share()
    assert share.granted(other) == 6
    release(share, leaving, 4)
    share.share()
    assert share.granted(other) == 10


@settings(deadline=None)
@given(capacity=st.integers(1, 50), needs=st.lists(st.integers(0, 60), min_size=1, max_size=6))
def test_grants_settle_to_a_fair_share(capacity: int, needs: list[int]) -> None:
    share, routers = make(capacity, len(needs))
    for _ in range(ROUNDS):
        flights = [take(share, r, min(need, share.granted(r))) for r, need in zip(routers, needs, strict=True)]
        share.share()
        for router, n in zip(routers, flights, strict=True):
            release(share, router, n)
    # What was in flight over a grant that shrank is free now, and goes to those who should have more.
    share.share()
    given_out = grants(share, routers)
    assert min(given_out) >= 1
    # Who needs nothing has an open door, if need be beyond the capacity.
    n_doors = sum(not need for need in needs)
    assert sum(given_out) <= max(capacity + n_doors, len(routers))
    if capacity >= len(routers):
        assert sum(given_out) >= capacity
        # Who needs more than it has is not worse off than anybody by more than what rounding leaves.
        fair = capacity // len(routers)
        for grant, need in zip(given_out, needs, strict=True):
            assert grant >= min(need, fair) - 1


class ShareModel(RuleBasedStateMachine):
    """Whatever routers do, the capacity is kept, everybody knows its grant, and nothing is lost count of."""

    @initialize(capacity=st.integers(1, 8), max_apart=st.integers(0, 4))
    def start(self, capacity: int, max_apart: int) -> None:
        self.share = CapacityShare(capacity, max_apart)
        self.max_apart = max_apart
        self.apart: dict[Any, int] = {}
        self.flights: dict[Any, int] = {}
        self.leaving: set[Any] = set()
        self.gone: dict[Any, int] = {}
        self.is_shared_out = False
        self.told: dict[Any, int] = {}

    def some(self, data: Any) -> Any:
        return data.draw(st.sampled_from(list(self.flights)))

    def tell(self, grants: dict[Any, int]) -> None:
        assert set(grants) <= set(self.flights) - self.leaving
        self.told.update(grants)
        self.is_shared_out = not any(self.gone.values())
        for router, n in [*self.gone.items()]:
            if not n and not self.apart.get(router):
                del self.gone[router]

    @precondition(lambda self: len(self.flights) < 5)
    @rule()
    def add(self) -> None:
        router: Any = FakeLink()
        self.flights[router] = 0
        self.tell(self.share.add(router))

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def remove(self, data: Any) -> None:
        router = self.some(data)
        self.leaving.discard(router)
        del self.told[router]
        self.gone[router] = self.flights.pop(router)
        self.tell(self.share.remove(router))

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def leave(self, data: Any) -> None:
        router = self.some(data)
        self.leaving.add(router)
        self.tell(self.share.leave(router))

    @precondition(lambda self: self.flights)
    @rule(data=st.data(), n=st.integers(1, 5))
    def take(self, data: Any, n: int) -> None:
        router = self.some(data)
        self.flights[router] += take(self.share, router, n)

    @precondition(lambda self: any((*self.flights.values(), *self.gone.values())))
    @rule(data=st.data())
    def release(self, data: Any) -> None:
        counts = {**self.flights, **self.gone}
        router = data.draw(st.sampled_from([router for router, n in counts.items() if n]))
        told = self.share.free_slot(router)
        (self.flights if router in self.flights else self.gone)[router] -= 1
        self.is_shared_out = False
        assert told is None or (told in self.flights and told not in self.leaving)

    @precondition(lambda self: any((*self.flights.values(), *self.gone.values())))
    @rule(data=st.data())
    def set_apart(self, data: Any) -> None:
        counts = {**self.flights, **self.gone}
        router = data.draw(st.sampled_from([router for router, n in counts.items() if n]))
        n_apart = sum(self.apart.values())
        assert self.share.set_apart(router) is (n_apart < self.max_apart)
        if n_apart < self.max_apart:
            self.apart[router] = self.apart.get(router, 0) + 1
            (self.flights if router in self.flights else self.gone)[router] -= 1
            self.is_shared_out = False
            told = self.share.next_in_turn()
            assert told is None or (told in self.flights and told not in self.leaving)

    @precondition(lambda self: any(self.apart.values()))
    @rule(data=st.data())
    def free_apart(self, data: Any) -> None:
        router = data.draw(st.sampled_from([router for router, n in self.apart.items() if n]))
        self.share.free_apart(router)
        self.apart[router] -= 1

    @invariant()
    def what_is_apart_is_told_besides(self) -> None:
        if hasattr(self, "share"):
            assert self.share.apart == sum(self.apart.values()) <= self.max_apart
            for router in self.flights:
                assert self.share.told(router) == self.share.granted(router) + self.apart.get(router, 0)

    @rule()
    def share_early(self) -> None:
        self.tell(self.share.share_early())

    @rule()
    def share_out(self) -> None:
        self.tell(self.share.share())
        staying = set(self.flights) - self.leaving
        if len(staying) == 1:
            # At least what is not in use by those who leave.
            (router,) = staying
            used = sum(self.flights[other] for other in self.leaving) + sum(self.gone.values())
            assert self.told[router] >= max(1, self.share.capacity - used)

    @invariant()
    def the_capacity_is_kept(self) -> None:
        if hasattr(self, "share"):
            in_flight = sum(self.flights.values()) + sum(self.gone.values())
            assert self.share.in_flight == in_flight <= self.share.capacity

    @invariant()
    def grants_are_what_was_told_and_no_more_than_there_is(self) -> None:
        if hasattr(self, "share"):
            staying = set(self.flights) - self.leaving
            assert all(self.share.granted(router) == self.told[router] >= 1 for router in staying)
            # Beyond the capacity there are open doors, and nothing else.
            assert sum(self.told[router] for router in staying if self.told[router] > 1) <= self.share.capacity

    @invariant()
    def who_is_alone_has_all_of_it(self) -> None:
        if hasattr(self, "share") and len(self.flights) == 1 and not self.leaving and self.is_shared_out:
            assert [*self.told.values()] == [self.share.capacity]

    @invariant()
    def rounds_go_on_while_there_are_several(self) -> None:
        if hasattr(self, "share"):
            n_gone = sum(n > 0 or self.apart.get(router, 0) > 0 for router, n in self.gone.items())
            assert self.share.is_shared == (len(self.flights) + n_gone > 1)


ShareModel.TestCase.settings = settings(max_examples=2 * settings().max_examples)
TestShareModel = ShareModel.TestCase


def test_what_is_apart_leaves_room_for_requests() -> None:
    share = CapacityShare(2, max_apart=3)
    router: Any = FakeLink()
    share.add(router)
    for n_apart in range(1, 4):
        assert share.take_slot(router)
        assert share.set_apart(router)
        assert (share.in_flight, share.told(router)) == (0, 2 + n_apart)
    assert take(share, router, 3) == 2
    # There is no room for a fourth: it is a request like others, and so no more of these fit.
    assert not share.set_apart(router)
    assert not share.take_slot(router)
    share.free_apart(router)
    assert share.told(router) == 4
    assert not share.take_slot(router)


def test_who_was_refused_comes_when_a_request_turns_out_to_be_a_tunnel() -> None:
    share = CapacityShare(2, max_apart=1)
    one, other = routers = [FakeLink("one"), FakeLink("other")]
    for router in routers:
        share.add(cast(Any, router))
    assert take(share, one, 2) == 2
    assert not share.take_slot(cast(Any, other))
    assert share.set_apart(cast(Any, one))
    assert share.next_in_turn() is other
    assert share.take_slot(cast(Any, other))
