"""The wheel of deadlines, on virtual time: never early, never late by more than it says, whatever is moved when."""

import asyncio
import math
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.each import each
from tests.support.virtual_time import run_virtually
from zerogate.router.deadlines import Deadlines


class Item:
    """Notes when it was told. `then` is what it does about it; by default it wants no more."""

    def __init__(self, seconds: float = math.inf, then: Callable[["Item"], None] | None = None) -> None:
        self.tick = 0
        self.told: list[float] = []
        self.wanted: list[float] = []
        self.deadline = math.inf
        self.then = then
        self.expect(seconds)

    def expect(self, seconds: float) -> None:
        self.deadline = asyncio.get_running_loop().time() + seconds

    def on_deadline(self) -> None:
        self.told.append(asyncio.get_running_loop().time())
        self.wanted.append(self.deadline)
        self.deadline = math.inf
        if self.then is not None:
            self.then(self)


def tick_s(horizon: float) -> float:
    return max(0.01, min(0.5, horizon / 10))


def check(item: Item, horizon: float) -> None:
    for told, wanted in zip(item.told, item.wanted, strict=True):
        assert told >= wanted
        # A tick to the place in the wheel, and one until the wheel is there.
        assert told <= wanted + 2 * tick_s(horizon) + 1e-6


@each("horizon", [0.05, 1.0, 10.0, 60.0])
def test_met_once(horizon: float) -> None:
    async def main() -> None:
        wheel = Deadlines(horizon)
        items = [Item(horizon * (1 + number / 7)) for number in range(20)]
        for item in items:
            wheel.add(item)
        await asyncio.sleep(horizon * 5)
        wheel.close()
        for item in items:
            assert len(item.told) == 1
            check(item, horizon)

    run_virtually(main())


def test_moved_on_again_and_again() -> None:
    async def main() -> None:
        wheel = Deadlines(1.0)
        item = Item(1.0)
        wheel.add(item)
        for _ in range(50):
            await asyncio.sleep(0.9)
            assert not item.told
            item.expect(1.0)
        await asyncio.sleep(2.0)
        assert len(item.told) == 1
        check(item, 1.0)
        wheel.close()

    run_virtually(main())


def test_moved_nearer_from_never() -> None:
    async def main() -> None:
        wheel = Deadlines(2.0)
        item = Item()
        wheel.add(item)
        await asyncio.sleep(1000.3)
        item.expect(2.0)
        await asyncio.sleep(3.0)
        assert len(item.told) == 1
        check(item, 2.0)
        wheel.close()

    run_virtually(main())


def test_who_is_told_may_want_to_be_told_again() -> None:
    async def main() -> None:
        wheel = Deadlines(1.0)
        item = Item(1.0, then=lambda told: told.expect(1.5))
        wheel.add(item)
        await asyncio.sleep(16.0)
        assert len(item.told) in (9, 10)
        check(item, 1.0)
        wheel.close()

    run_virtually(main())


def test_who_is_removed_is_not_told() -> None:
    async def main() -> None:
        wheel = Deadlines(1.0)
        removed, kept = Item(1.0), Item(1.0)
        wheel.add(removed)
        wheel.add(kept)
        wheel.remove(removed)
        wheel.remove(removed)
        await asyncio.sleep(5.0)
        assert not removed.told
        assert len(kept.told) == 1
        wheel.close()

    run_virtually(main())


def test_removed_when_told_and_by_another() -> None:
    """Closing one connection may close another whose deadline has come in the same tick."""

    async def main() -> None:
        wheel = Deadlines(1.0)
        items: list[Item] = []

        def remove_all(_: Item) -> None:
            for item in items:
                wheel.remove(item)

        items.extend(Item(1.0, then=remove_all) for _ in range(3))
        for item in items:
            wheel.add(item)
        await asyncio.sleep(10.0)
        assert sum(len(item.told) for item in items) == 1
        wheel.close()

    run_virtually(main())


def test_one_that_fails_does_not_stop_the_others() -> None:
    async def main() -> None:
        failures: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))
        wheel = Deadlines(1.0)

        def fail(_: Item) -> None:
            raise RuntimeError

        items = [Item(1.0, then=fail), Item(1.0), Item(3.0)]
        for item in items:
            wheel.add(item)
        await asyncio.sleep(5.0)
        assert [len(item.told) for item in items] == [1, 1, 1]
        assert [type(failure) for failure in failures] == [RuntimeError]
        wheel.close()

    run_virtually(main())


def test_nobody_is_told_after_the_close() -> None:
    async def main() -> None:
        wheel = Deadlines(1.0)
        item = Item(1.0)
        wheel.add(item)
        wheel.close()
        await asyncio.sleep(5.0)
        assert not item.told

    run_virtually(main())


def test_its_clock_is_never_behind() -> None:
    async def main() -> None:
        wheel = Deadlines(1.0)
        loop = asyncio.get_running_loop()
        for _ in range(100):
            await asyncio.sleep(0.0371)
            assert loop.time() <= wheel.now + 1e-6
            assert wheel.now <= loop.time() + tick_s(1.0) + 1e-6
        wheel.close()

    run_virtually(main())


def test_a_wheel_that_stood_still_tells_all_that_it_owes() -> None:
    async def main() -> None:
        wheel = Deadlines(1.0)
        items = [Item(1.0 + number / 10) for number in range(30)]
        for item in items:
            wheel.add(item)
        loop: Any = asyncio.get_running_loop()
        loop._clock.now += 60.0  # the process was stopped
        await asyncio.sleep(0.2)
        assert [len(item.told) for item in items] == [1] * 30
        wheel.close()

    run_virtually(main())


moves = st.lists(
    # after how long, which, and to how far beyond the shortest time-out
    st.tuples(st.floats(0, 5), st.integers(0, 4), st.one_of(st.floats(0, 20), st.just(math.inf))),
    max_size=40,
)


@given(moves=moves, horizon=st.sampled_from([0.2, 1.0, 3.7]))
def test_whatever_is_moved_when(moves: list[tuple[float, int, float]], horizon: float) -> None:
    async def main() -> None:
        wheel = Deadlines(horizon)
        items = [Item() for _ in range(5)]
        for item in items:
            wheel.add(item)
        for pause, which, more in moves:
            await asyncio.sleep(pause)
            item = items[which]
            if item.deadline > asyncio.get_running_loop().time():
                item.expect(horizon + more)
        await asyncio.sleep(40.0)
        wheel.close()
        for item in items:
            check(item, horizon)
            # Nothing is left that should have been told.
            assert item.deadline == math.inf

    run_virtually(main())


def test_a_shorter_time_out_than_any_before() -> None:
    async def main() -> None:
        deadlines = Deadlines(2.0)
        deadlines.shorten_horizon(60.0)  # That is none.
        deadlines.shorten_horizon(0.4)
        item = Item()
        deadlines.add(item)
        await asyncio.sleep(5)
        item.expect(0.4)
        await asyncio.sleep(5)
        deadlines.close()
        (told,), (wanted,) = item.told, item.wanted
        assert wanted <= told <= wanted + 2 * tick_s(2.0)

    run_virtually(main())
