"""Who stands there: no flood keeps others out, and every account comes back to nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerogate.router.doorstep import (
    ADDRESS_BURST,
    ADDRESS_PER_S,
    MAX_ADDRESSES,
    MAX_PER_ADDRESS,
    NETWORK_PART,
    Doorstep,
)


class Link:
    def __init__(self) -> None:
        self.reason = ""

    def close(self, reason: str) -> None:
        self.reason = reason


def test_one_address_has_so_many_at_once_and_others_come_in() -> None:
    doorstep = Doorstep()
    links = [Link() for _ in range(MAX_PER_ADDRESS)]
    assert not any(doorstep.enter(link, "192.0.2.1", 0.0) for link in links)
    assert "on their way in already" in doorstep.enter(Link(), "192.0.2.1", 0.0)
    assert doorstep.enter(Link(), "192.0.2.2", 0.0) == ""
    doorstep.leave(links[0])
    assert doorstep.enter(Link(), "192.0.2.1", 0.0) == ""


def test_one_address_may_come_so_often() -> None:
    doorstep = Doorstep()

    def come(now: float) -> str:
        link = Link()
        reason = doorstep.enter(link, "192.0.2.1", now)
        doorstep.leave(link)
        return reason

    assert not any(come(0.0) for _ in range(ADDRESS_BURST))
    assert "too often" in come(0.0)
    assert come(1.0 / ADDRESS_PER_S) == ""
    assert "too often" in come(1.0 / ADDRESS_PER_S)


@pytest.mark.parametrize(
    ("addresses", "n_in"),
    [
        (["2001:db8:1:2::1", "2001:db8:1:2::1%eth0"], 1),
        (["2001:db8:1:2::1", "2001:db8:1:2:ffff::"], 2),
        ([f"2001:db8:1:2::{number:x}" for number in range(20)], NETWORK_PART),
        ([f"2001:db8:1:{number:x}::1" for number in range(20)], 20),
        (["192.0.2.1", "192.0.2.2"], 2),
        (["::ffff:192.0.2.1", "192.0.2.1"], 1),
        (["::ffff:192.0.2.1", "::ffff:192.0.2.2"], 2),
    ],
)
def test_whoever_has_a_network_is_counted_as_one_too(addresses: list[str], n_in: int) -> None:
    """Whoever has IPv6 has 2^64 addresses at least."""
    doorstep = Doorstep()
    links = [(Link(), address) for _ in range(2 * MAX_PER_ADDRESS) for address in addresses]
    standing = [link for link, address in links if not doorstep.enter(link, address, 0.0)]
    assert len(standing) == len(doorstep) == n_in * MAX_PER_ADDRESS
    for link in standing:
        doorstep.leave(link)
    assert not doorstep._n_of


def test_a_network_may_come_so_often() -> None:
    doorstep = Doorstep()
    n_in = 0
    for number in range(2 * NETWORK_PART * ADDRESS_BURST):
        link = Link()
        n_in += not doorstep.enter(link, f"2001:db8:1:2::{number:x}", 0.0)
        doorstep.leave(link)
    assert n_in == NETWORK_PART * ADDRESS_BURST


def test_this_machine_may_come_as_it_likes() -> None:
    doorstep = Doorstep()
    assert not any(doorstep.enter(Link(), "", 0.0) for _ in range(10 * ADDRESS_BURST))


def test_the_oldest_makes_room() -> None:
    doorstep = Doorstep()
    first, second = Link(), Link()
    for link in (first, second):
        doorstep.enter(link, "192.0.2.1", 0.0)
    doorstep.make_room("others come")
    assert first.reason == "others come"
    assert second.reason == ""
    assert len(doorstep) == 1
    assert "1 links of 1 origins" in repr(doorstep)


def test_addresses_are_forgotten_before_they_are_too_many() -> None:
    doorstep = Doorstep()
    for number in range(2 * MAX_ADDRESSES):
        link = Link()
        doorstep.enter(link, f"address {number}", 0.0)
        doorstep.leave(link)
    assert len(doorstep._rates) == MAX_ADDRESSES
    assert len(doorstep) == 0


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["", "a", "b"])), max_size=60))
def test_the_account_comes_back_to_nothing(moves: list[tuple[int, str]]) -> None:
    doorstep = Doorstep()
    standing: dict[int, Link] = {}
    for number, address in moves:
        if number in standing:
            doorstep.leave(standing.pop(number))
        else:
            link = standing[number] = Link()
            assert doorstep.enter(link, address, 0.0) == ""
    assert len(doorstep) == len(standing)
    for link in standing.values():
        doorstep.leave(link)
        doorstep.leave(link)
    assert len(doorstep) == 0
    assert not doorstep._n_of
