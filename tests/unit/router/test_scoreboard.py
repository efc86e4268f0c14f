"""Who takes the next connection: a model of several processes that look at the numbers of all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerogate.router.scoreboard import CLIENTS, LINKS, SLACK, TAKEN_SLACK, Scoreboard, make_memory


@contextmanager
def boards(n: int, *, are_open: bool = True) -> Iterator[list[Scoreboard]]:
    with make_memory(n) as memory:
        made = [Scoreboard(memory.fileno(), n, own) for own in range(n)]
        for board in made if are_open else []:
            board.open()
        yield made


def test_whoever_has_clearly_fewer_takes_it() -> None:
    with boards(2) as (one, two):
        for n in range(SLACK + 1):
            assert one.is_least(CLIENTS, n)
            one.take(CLIENTS, n)
        assert not one.is_least(CLIENTS, SLACK + 1)
        assert two.is_least(CLIENTS, 0)
        # Links are counted for themselves.
        assert one.is_least(LINKS, 0)
        # An eighth of what others have is no matter.
        two.is_least(CLIENTS, 80)
        assert one.is_least(CLIENTS, 90)
        assert not one.is_least(CLIENTS, 91)


def test_among_equals_whoever_has_taken_clearly_fewer() -> None:
    """Connections come one after the other, and go: none is there when the next comes."""
    with boards(2) as (one, two):
        taken = [0, 0]
        for _ in range(1000):
            two_can = two.is_least(CLIENTS, 0)
            number = 0 if one.is_least(CLIENTS, 0) else 1
            assert number == 0 or two_can
            (one, two)[number].take(CLIENTS, 0)
            taken[number] += 1
        assert abs(taken[0] - taken[1]) <= TAKEN_SLACK + 1


def test_nobody_waits_for_who_does_not_accept() -> None:
    with boards(3) as (one, two, three), make_memory(1) as other:
        assert Scoreboard(other.fileno(), 1).is_least(CLIENTS, 9)
        assert not one.is_least(CLIENTS, 5)
        two.close()
        assert not one.is_least(CLIENTS, 5)
        one.clear(2)  # its process is gone
        assert one.is_least(CLIENTS, 5)
        three.open()
        assert not one.is_least(CLIENTS, 5)


def test_who_comes_back_does_not_make_up_for_what_others_took() -> None:
    with boards(2, are_open=False) as (one, two):
        one.open()
        for _ in range(100):
            one.take(CLIENTS, 0)
        two.open()
        assert one.is_least(CLIENTS, 0)
        for _ in range(TAKEN_SLACK + 1):
            assert two.is_least(CLIENTS, 0)
            two.take(CLIENTS, 0)
        assert not two.is_least(CLIENTS, 0)


def test_a_lane_counts_for_itself() -> None:
    with boards(2) as (one, two):
        found = [5]
        lane = one.lane(CLIENTS, lambda: found[0])
        assert not lane.is_ours()
        assert two.is_least(CLIENTS, 7)
        assert not two.is_least(CLIENTS, 8)
        lane.taken()
        assert two.is_least(CLIENTS, 8)


def test_whoever_leaves_is_counted_no_more_though_nobody_asks() -> None:
    with boards(2) as (one, two):
        found = [40]
        lane = two.lane(CLIENTS, lambda: found[0])
        assert not lane.is_ours()
        assert one.is_least(CLIENTS, 20)
        found[0] = 0
        lane.left()
        assert not one.is_least(CLIENTS, 20)


def test_without_the_systems_memory_a_file_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.memfd_create", raising=False)
    with boards(2) as (one, two):
        one.take(CLIENTS, 8)
        assert not one.is_least(CLIENTS, 9)
        assert two.is_least(CLIENTS, 0)


@given(st.integers(2, 5), st.data())
def test_shares_are_even_whoever_looks_first(n: int, data: Any) -> None:
    """Clients come, in whatever order processes look, and stay: nobody has clearly more than another."""
    with boards(n) as made:
        have = [0] * n
        for _ in range(data.draw(st.integers(1, 40))):
            order = data.draw(st.permutations(range(n)))
            first = next(number for number in order if made[number].is_least(CLIENTS, have[number]))
            made[first].take(CLIENTS, have[first])
            have[first] += 1
        assert max(have) - min(have) <= SLACK + 1
