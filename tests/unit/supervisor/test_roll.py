"""Processes are replaced one after the other, and whatever happens on the way somebody serves."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.house import GRACE_S, STOP, House, alone, child, own_signals, rolling, run, send
from zerogate.runner import KILL_AFTER_S
from zerogate.supervisor.children import Child
from zerogate.supervisor.roll import PATIENCE_S

__all__ = ["alone", "own_signals"]

pytestmark = pytest.mark.usefixtures("alone")

ROLL = send(signal.SIGHUP)

JOINS: dict[str, Any] = {"joins_in": 0.5}


def later(seconds: float, what: Callable[[], object]) -> Callable[[], object]:
    return lambda: asyncio.get_running_loop().call_later(seconds, what)


def after(house: House, what: str) -> list[str]:
    """The notes from this one on."""
    return house.notes[house.notes.index(what) :]


def nothing() -> None:
    """Time passes."""


def test_the_next_one_has_joined_before_the_one_before_it_leaves() -> None:
    house = House(one=[JOINS], two=[JOINS])
    assert run(house, [rolling("one"), rolling("two")], nothing, ROLL, STOP, every_s=10.0) == 0
    assert after(house, "all are up") == [
        *("all are up", "one begins", "one gets SIGTERM", "one ends", "two begins", "two gets SIGTERM", "two ends"),
        *("one gets SIGTERM", "two gets SIGTERM", "one ends", "two ends"),
    ]
    # Up after 0.1 s, and joined half a second later.
    assert house.time_of("one gets SIGTERM") - house.time_of("one begins", 1) == pytest.approx(0.6)


def test_who_may_not_roll_stays() -> None:
    house = House()
    assert run(house, [child("router", takes_hangup=True), rolling("one")], ROLL, STOP, every_s=5.0) == 0
    assert house.notes.count("router begins") == 1
    assert "router gets SIGHUP" in house.notes
    assert house.notes.count("one begins") == 2


def test_without_a_router_nobody_waits_for_a_join() -> None:
    house = House()
    assert run(house, [rolling("one")], ROLL, STOP, every_s=5.0) == 0
    assert house.time_of("one gets SIGTERM") - house.time_of("one begins", 1) == pytest.approx(0.1)


@pytest.mark.parametrize(("parts_in", "waits_s"), [(1.0, 0.1), (15.0, 5.5)])
def test_nor_where_there_is_a_router_no_longer(parts_in: float, waits_s: float) -> None:
    """It went before the roll, or amid it: the one before it has none either."""
    house = House(one=[{**JOINS, "parts_in": parts_in}, {}])
    assert run(house, [rolling("one")], nothing, ROLL, STOP, every_s=10.0) == 0
    waited_s = house.time_of("one gets SIGTERM") - house.time_of("one begins", 1)
    assert waited_s == pytest.approx(waits_s, abs=0.2)


def test_who_does_not_start_any_more_leaves_all_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    house = House(one=[JOINS, {"fails": (1, b"a slip of the pen")}, JOINS], two=[JOINS])
    children = [rolling("one"), rolling("two")]
    with caplog.at_level(logging.ERROR, "zerogate"):
        assert run(house, children, nothing, ROLL, nothing, ROLL, STOP, every_s=20.0) == 0
    (said,) = caplog.messages
    assert said == (
        "child one was not replaced (a slip of the pen): the process before it goes on, and the others stay as they are"
    )
    # The second time it goes well.
    assert house.notes.count("one begins") == 3
    assert house.notes.count("two begins") == 2
    assert [process.returncode for process in house.processes["one"]] == [0, 1, 0]


def test_one_that_cannot_be_started_at_all(caplog: pytest.LogCaptureFixture) -> None:
    house = House()

    def spoil() -> None:
        house.error = OSError(11, "Resource temporarily unavailable")
        ROLL()

    assert run(house, [rolling("one")], spoil, STOP, every_s=5.0) == 0
    assert "could not be started: Resource temporarily unavailable" in caplog.text
    assert house.notes.count("one begins") == 1


def test_one_that_does_not_come_up_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    house = House(one=[JOINS, {"starts_in": 50.0, **JOINS}])
    with caplog.at_level(logging.WARNING, "zerogate"):
        assert run(house, [rolling("one")], nothing, ROLL, STOP, every_s=100.0) == 0
    assert caplog.messages == ["the successor of child one has not come up yet: waiting"] * int(50.0 // PATIENCE_S)
    assert house.time_of("one gets SIGTERM") - house.time_of("one begins", 1) == pytest.approx(50.5)


def test_one_that_does_not_join_either(caplog: pytest.LogCaptureFixture) -> None:
    house = House(one=[JOINS, {}])
    with caplog.at_level(logging.WARNING, "zerogate"):
        assert run(house, [rolling("one")], nothing, ROLL, STOP, every_s=20.0) == 0
    assert caplog.messages == ["the successor of child one has not joined a router yet: waiting"]
    # Both are there until the end.
    assert house.notes[-4:] == ["one gets SIGTERM", "one gets SIGTERM", "one ends", "one ends"]


def test_another_wish_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    """Who hangs is not waited for any longer, and who was replaced already is made of what has changed since."""
    house = House(one=[JOINS], two=[JOINS, {"starts_in": None}, JOINS])
    children = [rolling("one"), rolling("two")]
    assert run(house, children, nothing, ROLL, ROLL, STOP, every_s=10.0) == 0
    assert house.notes.count("one begins") == 3
    assert house.notes.count("two begins") == 3
    assert not caplog.messages


def test_many_wishes_at_once_are_few() -> None:
    house = House(one=[{"ends_in": 5.0, **JOINS}])

    def storm() -> None:
        for at_s in range(20):
            asyncio.get_running_loop().call_later(1.0 + 0.1 * at_s, ROLL)

    # They all come while the first to be replaced still drains.
    assert run(house, [rolling("one")], nothing, storm, STOP, every_s=60.0) == 0
    assert house.notes.count("one begins") == house.notes.count("one ends") == 3


def test_one_that_dies_while_its_successor_comes_up_is_followed_at_once() -> None:
    house = House(one=[{"dies_in": 10.4, **JOINS}, {"joins_in": 30.0}])
    assert run(house, [rolling("one")], nothing, ROLL, STOP, every_s=10.0) == 0
    # Nobody serves: what is up, and tries to join, is better than that.
    assert house.notes.count("one begins") == 2


def test_one_that_has_died_and_waits_to_be_started_again_is_followed_too() -> None:
    house = House(one=[{"dies_in": 10.0}, {"starts_in": 0.01}, {"dies_in": 3000.0}])
    assert run(house, [rolling("one")], later(9.95, ROLL), STOP, every_s=100.0) == 0
    assert house.notes.count("one begins") == 2


def test_one_that_does_not_end_in_time_is_killed_and_that_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    house = House(one=[{"ends_in": None}, {}])
    assert run(house, [rolling("one")], ROLL, STOP, every_s=60.0) == 0
    assert house.time_of("one gets SIGKILL") - house.time_of("one gets SIGTERM") == GRACE_S + KILL_AFTER_S
    assert "has not ended within" in caplog.text


def test_who_is_worn_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    house = House(one=[{"wears_in": 5.0, **JOINS}, JOINS], two=[JOINS])
    with caplog.at_level(logging.INFO, "zerogate"):
        assert run(house, [rolling("one"), rolling("two")], nothing, STOP, every_s=20.0) == 0
    assert house.notes.count("one begins") == 2
    assert house.notes.count("two begins") == 1
    assert "child one is to be replaced: it is tired" in caplog.messages


def test_who_is_worn_and_about_to_be_replaced_is_replaced_once() -> None:
    house = House(one=[{"wears_in": 5.0, **JOINS}, {"starts_in": 10.0, **JOINS}])
    # Worn after 5.6 s, and its successor is on the way since 5.0.
    assert run(house, [rolling("one")], later(4.9, ROLL), STOP, every_s=60.0) == 0
    assert house.notes.count("one begins") == 2


def test_who_is_worn_while_the_one_before_it_drains_is_replaced_after_it() -> None:
    house = House(one=[{"wears_in": 5.0, "ends_in": 4.0, **JOINS}, {"wears_in": 1.0, **JOINS}, JOINS])
    assert run(house, [rolling("one")], nothing, STOP, every_s=60.0) == 0
    assert house.notes.count("one begins") == 3
    # Never more than one process too many.
    assert house.time_of("one begins", 2) == house.time_of("one ends")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
@pytest.mark.parametrize("at_s", [0.0, 0.05, 0.3, 0.65])
def test_a_stop_amid_a_roll_ends_both(at_s: float, number: int) -> None:
    """Before the next one begins, while it comes up, while it joins, and while the one before it drains."""
    house = House(one=[{"ends_in": 2.0, **JOINS}])

    def roll() -> None:
        ROLL()
        asyncio.get_running_loop().call_later(at_s, send(number))

    assert run(house, [rolling("one")], nothing, roll, every_s=10.0) == (number != signal.SIGTERM)
    assert house.notes.count("one ends") == house.notes.count("one begins") <= 2


def test_descriptors_are_given_back() -> None:
    gc.collect()  # what other tests have left
    n_before = len(os.listdir("/proc/self/fd"))
    house = House(one=[JOINS], two=[JOINS])
    children: list[Child] = [rolling("one"), rolling("two")]
    assert run(house, children, *[ROLL] * 100, nothing, STOP, every_s=10.0) == 0
    assert house.notes.count("one begins") == house.notes.count("one ends") == 101
    assert len(os.listdir("/proc/self/fd")) <= n_before
