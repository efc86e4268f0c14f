"""When a client is pinged, and when it is given up."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.virtual_time import run_virtually
from zerogate.settings import WebSocketSettings
from zerogate.worker.websocket_pings import LOOK_AGAIN_S, Pings


class Client:
    """Who is pinged, and answers if it `answers`. Times are since its pings have begun."""

    def __init__(self, interval: float, timeout: float, *, answers: bool = True) -> None:
        self.loop = asyncio.get_running_loop()
        self.began_at = self.loop.time()
        self.pings = Pings(WebSocketSettings(ws_ping_interval=interval, ws_ping_timeout=timeout), self.loop)
        self.answers = answers
        self.pinged_at: list[float] = []
        self.given_up_at: float | None = None
        self.has_unread = False
        self.pending_bytes = 0
        self.taken_bytes = 0
        self.pings.start(self)

    @property
    def now(self) -> float:
        return round(self.loop.time() - self.began_at, 3)

    def ping(self) -> None:
        self.pinged_at.append(self.now)
        self.pings.has_heard = self.answers

    def give_up(self) -> None:
        self.given_up_at = self.now

    def hold_up(self, seconds: float) -> None:
        """The event loop is held up for so long."""
        clock: Any = self.loop
        clock._clock.now += seconds


def pinging(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    run_virtually(main())


@pytest.mark.parametrize("timeout", [1.0, 5.0, 17.0, 0.0])
def test_who_answers_is_pinged_every_interval(timeout: float) -> None:
    async def test() -> None:
        client = Client(5.0, timeout)
        await asyncio.sleep(31)
        client.pings.stop()
        client.pings.stop()
        await asyncio.sleep(31)
        assert client.pinged_at == [5.0, 10.0, 15.0, 20.0, 25.0, 30.0]
        assert client.given_up_at is None

    pinging(test)


@pytest.mark.parametrize(
    ("timeout", "n_pings", "given_up_at"), [(1.0, 1, 6.0), (5.0, 1, 10.0), (17.0, 4, 22.0), (0.0, 20, None)]
)
def test_who_does_not_is_given_up(timeout: float, n_pings: int, given_up_at: float | None) -> None:
    """So long after the first that has no answer, however many have followed."""

    async def test() -> None:
        client = Client(5.0, timeout, answers=False)
        await asyncio.sleep(101)
        client.pings.stop()
        assert len(client.pinged_at) == n_pings
        assert client.given_up_at == (None if given_up_at is None else round(given_up_at + LOOK_AGAIN_S, 3))

    pinging(test)


def test_none_at_all() -> None:
    async def test() -> None:
        client = Client(0.0, 5.0, answers=False)
        await asyncio.sleep(100)
        assert not client.pinged_at

    pinging(test)


def test_what_is_not_read_yet_may_be_an_answer() -> None:
    async def test() -> None:
        client = Client(5.0, 5.0, answers=False)
        client.has_unread = True
        await asyncio.sleep(51)
        assert client.given_up_at is None
        client.has_unread = False
        await asyncio.sleep(15)
        assert client.given_up_at is not None

    pinging(test)


def test_to_take_what_had_to_wait_is_an_answer() -> None:
    async def test() -> None:
        client = Client(5.0, 5.0, answers=False)
        client.pending_bytes = 1000
        for _ in range(50):
            await asyncio.sleep(1)
            client.taken_bytes += 1
        assert client.given_up_at is None
        await asyncio.sleep(15)
        assert client.given_up_at is not None

    pinging(test)


def test_what_goes_on_without_waiting_is_none() -> None:
    """There is a window that nobody has taken anything of."""

    async def test() -> None:
        client = Client(5.0, 5.0, answers=False)
        for _ in range(15):
            await asyncio.sleep(1)
            client.taken_bytes += 1000
        assert client.given_up_at is not None

    pinging(test)


def test_while_the_event_loop_is_held_up_no_answer_is_heard() -> None:
    async def test() -> None:
        client = Client(5.0, 5.0, answers=False)
        await asyncio.sleep(5.5)
        assert client.pinged_at == [5.0]
        client.hold_up(60.0)
        await asyncio.sleep(4.0)
        assert client.given_up_at is None
        client.pings.has_heard = True
        await asyncio.sleep(5.0)
        assert client.given_up_at is None
        # It has its time once more, and not for ever.
        await asyncio.sleep(6.0)
        assert client.given_up_at is not None

    pinging(test)


def test_an_answer_that_comes_with_the_last_look_is_one() -> None:
    """uvloop calls timers before it reads."""

    async def test() -> None:
        client = Client(5.0, 5.0, answers=False)
        await asyncio.sleep(10.0 + LOOK_AGAIN_S / 2)
        client.pings.has_heard = True
        await asyncio.sleep(2.0)
        assert client.given_up_at is None
        client.pings.stop()

    pinging(test)
