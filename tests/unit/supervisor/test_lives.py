"""All processes: whose they are, and how they end."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest

from tests.support.house import House, child
from tests.support.virtual_time import run_virtually
from zerogate.child import STARTED
from zerogate.supervisor.lives import Lives

PATIENCE_S = 7.0


def living(house: House, test: Callable[[Lives], Awaitable[None]]) -> None:
    async def main() -> None:
        await test(Lives(PATIENCE_S, lambda child, life, word: house.note(f"{child.label} says {word.decode()[:-1]}")))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "create_subprocess_exec", house.create)
        run_virtually(main())


def test_whose_they_are() -> None:
    one, two = child("one"), child("two")
    house = House(two=[{"starts_in": None}])

    async def test(lives: Lives) -> None:
        first, second, third = lives.begin(one), lives.begin(two), lives.begin(one)
        assert lives.of([one]) == [first, third]
        assert lives.of([two]) == [second]
        assert repr(lives) == "<Lives ['child one', 'child two', 'child one']>"
        await first.is_up.wait()
        lives.send_signal(signal.SIGHUP, [one, two])
        assert house.notes.count("one gets SIGHUP") == 2
        assert "two gets SIGHUP" not in house.notes  # it could not bear it yet
        assert house.notes.count(f"child one says {STARTED.decode()[:-1]}") == 2
        assert await lives.end([first])
        assert lives.of([one, two]) == [third, second] or lives.of([one, two]) == [second, third]
        assert await lives.end([*lives.of([one, two]), first])
        assert not lives.of([one, two])

    living(house, test)


def test_who_does_not_end_is_killed_and_all_have_the_same_time() -> None:
    one, two = child("one"), child("two")
    house = House(one=[{"ends_in": None}], two=[{"ends_in": None}])

    async def test(lives: Lives) -> None:
        began = [lives.begin(one), lives.begin(two)]
        await began[0].is_up.wait()
        assert not await lives.end(began)
        assert house.time_of("two gets SIGKILL") - house.time_of("one gets SIGTERM") == pytest.approx(PATIENCE_S)

    living(house, test)


def test_their_time_may_be_less() -> None:
    one = child("one")
    house = House(one=[{"ends_in": None}])

    async def test(lives: Lives) -> None:
        life = lives.begin(one)
        await life.is_up.wait()
        assert not await lives.end([life], asyncio.get_running_loop().time() + 2.0)
        assert house.time_of("one gets SIGKILL") - house.time_of("one gets SIGTERM") == pytest.approx(2.0)

    living(house, test)


def test_one_relieves_all_others_of_its_child() -> None:
    one, two = child("one"), child("two")
    house = House()

    async def test(lives: Lives) -> None:
        began = [lives.begin(one), lives.begin(two), lives.begin(one), lives.begin(one)]
        await began[-1].is_up.wait()
        assert await lives.relieve(began[2])
        assert [life.is_over.is_set() for life in began] == [True, False, False, True]
        await lives.end(began)
        assert await lives.relieve(began[2])

    living(house, test)


def test_all_at_once() -> None:
    house = House(one=[{"ends_in": None}])

    async def test(lives: Lives) -> None:
        life = lives.begin(child("one"))
        await life.is_up.wait()
        lives.kill()
        await life.is_over.wait()

    living(house, test)


def test_once_it_is_closed_nobody_lives() -> None:
    house = House()

    async def test(lives: Lives) -> None:
        lives.close()
        life = lives.begin(child("one"))
        await life.is_over.wait()
        assert house.notes == ["one begins", "one gets SIGKILL", "one ends"]

    living(house, test)
