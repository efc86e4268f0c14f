"""Time that is handed in: what asyncio's loop gives, and what the tests' own clock gives, is the same."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.support.fakes import FakeTimers
from tests.support.virtual_time import run_virtually
from zerogate.router.timers import Timer, Timers

Wind = Callable[[float], Awaitable[None]]


async def scenario(timers: Timers, wind: Wind) -> list[str]:
    began = timers.time()
    happened: list[str] = []

    def happen(what: str) -> None:
        happened.append(f"{what} {timers.time() - began:.1f}")

    timers.call_later(2.0, happen, "second")
    timers.call_later(1.0, happen, "first")
    cancelled: Timer = timers.call_later(1.5, happen, "never")
    cancelled.cancel()
    timers.call_later(3.0, lambda: timers.call_later(1.0, happen, "from a timer"))
    await wind(3.5)
    happened.append("wound")
    await wind(3.5)
    return happened


HAPPENED = ["first 1.0", "second 2.0", "wound", "from a timer 4.0"]


@pytest.mark.parametrize("kind", ["the event loop", "the tests' own"])
def test_what_is_to_happen_happens_then_and_in_order(kind: str) -> None:
    async def main() -> list[str]:
        if kind == "the event loop":
            return await scenario(asyncio.get_running_loop(), asyncio.sleep)
        timers = FakeTimers()

        async def wind(seconds: float) -> None:
            timers.wind(seconds)

        return await scenario(timers, wind)

    assert run_virtually(main()) == HAPPENED
