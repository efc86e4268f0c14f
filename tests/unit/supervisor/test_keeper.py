"""A child that is watched for changes costs nobody else anything, however it fails; which of two processes counts. All
else: the command's tests.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.house import STOP, House, alone, child, own_signals, rolling, run, send
from zerogate.supervisor.keeper import MAX_FAILURES
from zerogate.supervisor.reload import Watch

__all__ = ["alone", "own_signals"]

pytestmark = pytest.mark.usefixtures("alone")


class Quiet:
    """Nothing ever changes."""

    async def changes(self) -> AsyncIterator[list[str]]:
        await asyncio.sleep(1e6)
        yield []


def keep(house: House, *, seconds: float) -> int:
    """`one` is watched, and `two` is not. So many seconds after the start they are stopped."""

    def begin() -> None:
        asyncio.get_running_loop().call_later(seconds, STOP)

    class Watcher(Quiet):
        def changes(self) -> AsyncIterator[list[str]]:
            begin()
            return super().changes()

    return run(house, [child("two"), rolling("one")], watch=Watch(Watcher(), 1.0))


@pytest.mark.parametrize("said", [b"no such module", b""])
def test_one_that_does_not_start_waits_for_a_change(said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    house = House(one=[{"fails": (1, said)}])
    with caplog.at_level(logging.ERROR, "zerogate"):
        assert keep(house, seconds=600.0) == 0
    assert house.notes.count("one begins") == 1
    assert "two gets SIGTERM" in house.notes
    assert caplog.messages == [f"child one does not start: {said.decode() or 'exit code 1'}. Waiting for a change"]


def test_one_that_dies_is_started_again_until_it_waits(caplog: pytest.LogCaptureFixture) -> None:
    lives: list[dict[str, Any]] = [{"dies_in": 1.0}]
    house = House(one=lives)
    with caplog.at_level(logging.ERROR, "zerogate"):
        assert keep(house, seconds=600.0) == 0
    assert house.notes.count("one begins") == MAX_FAILURES
    assert caplog.messages[-1] == (
        f"child one has died {MAX_FAILURES} times in a row (exit code 1). Waiting for a change"
    )


def test_the_other_is_as_ever() -> None:
    house = House(two=[{"dies_in": 60.0}, {}])
    assert keep(house, seconds=100.0) == 0
    assert house.notes.count("two begins") == 2


def test_a_successor_that_dies_is_started_again_while_its_predecessor_drains() -> None:
    house = House(one=[{"joins_in": 0.5, "ends_in": 10.0}, {"joins_in": 0.5, "dies_in": 2.0}, {"joins_in": 0.5}])
    assert run(house, [rolling("one")], send(signal.SIGHUP), lambda: None, STOP, every_s=15.0) == 0
    died, began_again = house.time_of("one ends"), house.time_of("one begins", 2)
    assert began_again - died == pytest.approx(0.2)
    assert began_again < house.time_of("one ends", 1)
