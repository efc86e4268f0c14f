"""Clients that take a reply slowly: how long they may hold a slot, and whose fault it is."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.bench import KINDS, Ask, Bench
from tests.support.link_peer import PeerRequest
from tests.support.virtual_time import run_virtually
from zerogate.router.faces import TAKING_WINDOW_S

KIB = 1024
# The wheel of deadlines, and the steps of the bench.
SLACK_S = 4.0
RATE = 500

Scenario = Callable[[Bench, str], Awaitable[None]]


def bench(**options: Any) -> Callable[[Scenario], Callable[[str], None]]:
    """Runs a scenario on a bench with these settings, in virtual time, for each kind of client."""

    def decorate(scenario: Scenario) -> Callable[[str], None]:
        @pytest.mark.parametrize("kind", KINDS)
        def test(kind: str) -> None:
            async def main() -> None:
                async with Bench.open(**options) as made:
                    await scenario(made, kind)

            run_virtually(asyncio.wait_for(main(), 10_000))

        return test

    return decorate


async def begin(b: Bench, kind: str) -> tuple[Ask, PeerRequest]:
    """A reply that the client does not keep up with."""
    worker = await b.worker("w")
    ask = b.ask(kind, window_bytes=16 * KIB)
    await b.quiet()
    request = worker.requests[0]
    request.reply()
    request.data(bytes(2000 * KIB))
    await b.quiet()
    assert not ask.is_writable
    return ask, request


def failures(b: Bench) -> list[int]:
    return [worker.failures for worker in b.links.workers.values() if worker]


@bench()
async def test_who_takes_next_to_nothing_is_cut(b: Bench, kind: str) -> None:
    ask, request = await begin(b, kind)

    def take() -> bool:
        if not b.counters.cut:
            ask.take_slowly(5)
        return b.counters.cut > 0

    took = await b.until(take, 600.0)
    assert took <= TAKING_WINDOW_S + SLACK_S
    await b.quiet()
    assert request.reset is not None
    assert failures(b) == [0]
    # What is unsent may still go, at the same pace.
    while not ask.is_cut:
        ask.take_slowly(5)
        await b.wait(1.0)
        took += 1.0
    assert took <= 2 * (TAKING_WINDOW_S + SLACK_S)


@bench()
async def test_even_if_it_makes_room_now_and_then(b: Bench, kind: str) -> None:
    """Each time the worker sends more, the client is slow anew."""
    ask, _ = await begin(b, kind)
    seconds = 0
    while not b.counters.cut:
        ask.take_slowly(RATE // 3)
        await b.wait(1.0)
        seconds += 1
        assert seconds < 200


@bench()
async def test_who_keeps_to_the_rate_has_all_the_time(b: Bench, kind: str) -> None:
    ask, request = await begin(b, kind)
    for _ in range(300):
        ask.take_slowly(2 * RATE)
        await b.wait(1.0)
    assert not ask.is_cut
    while request.unsent_bytes or not ask.is_writable:
        ask.take()
        await b.quiet()
    request.data(b"", fin=True)
    await b.quiet()
    ask.take()
    await b.quiet()
    assert ask.is_complete


@bench(min_body_rate=0)
async def test_without_a_rate_some_progress_will_do(b: Bench, kind: str) -> None:
    ask, _ = await begin(b, kind)
    for _ in range(300):
        ask.take_slowly(1)
        await b.wait(1.0)
    assert not ask.is_cut
    ask.leave()
    await b.quiet()


@bench(idle_timeout=math.inf)
async def test_the_rate_holds_though_silence_may_last_for_ever(b: Bench, kind: str) -> None:
    ask, _ = await begin(b, kind)
    await b.until(lambda: b.counters.cut, TAKING_WINDOW_S + SLACK_S)
    await b.until(lambda: ask.is_cut, TAKING_WINDOW_S + SLACK_S)


@bench(idle_timeout=20.0)
async def test_a_stream_of_few_events_is_not_slow(b: Bench, kind: str) -> None:
    """Its client has once not kept up, and has taken everything since: what is on its way at the time is no proof."""
    ask, request = await begin(b, kind)
    while request.unsent_bytes or not ask.is_writable:
        ask.take()
        await b.quiet()
    for _ in range(30):
        request.data(b"event")
        await b.wait(10.0)
        ask.take()
    assert not ask.is_cut
    request.data(b"", fin=True)
    await b.quiet()
    assert ask.is_complete
