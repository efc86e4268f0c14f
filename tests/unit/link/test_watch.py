"""A link's clock: first for the handshake, then for silence."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.support.virtual_time import run_virtually
from zerogate.link.limits import MAX_PING_TTL_S
from zerogate.link.liveness import Liveness
from zerogate.link.watch import Watch
from zerogate.settings import LinkSettings

SETTINGS = LinkSettings(handshake_timeout=2.0, suspect_after=3.0, lost_after=9.0)


class FakeLink:
    """Notes what it is told, and when."""

    def __init__(self, settings: LinkSettings) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.liveness = Liveness(settings.suspect_after, self._began)
        self.is_suspect = False
        self.was_silent = False
        self.told: list[tuple[float, Any]] = []
        self.watch = Watch(self, settings, self._loop)

    def _note(self, what: Any) -> None:
        self.told.append((round(self._loop.time() - self._began, 3), what))

    def fail(self, reason: str) -> None:
        self._note(reason)

    def set_suspect(self, is_suspect: bool) -> None:
        self.is_suspect = is_suspect
        self._note("suspect")

    def ping(self, ttl_s: float) -> None:
        self._note(ttl_s)


Scenario = Callable[[FakeLink], Coroutine[Any, Any, None]]


def told(scenario: Scenario, settings: LinkSettings = SETTINGS) -> list[tuple[float, Any]]:
    async def main() -> FakeLink:
        link = FakeLink(settings)
        await scenario(link)
        await asyncio.sleep(100)
        return link

    return run_virtually(main()).told


def test_a_handshake_has_its_time() -> None:
    async def nothing(link: FakeLink) -> None: ...

    assert told(nothing) == [(2.0, "no handshake within 2 s")]


def test_who_says_nothing_is_asked_then_suspect_then_lost() -> None:
    async def begin(link: FakeLink) -> None:
        link.watch.begin()

    pings = [(float(at), 9.0) for at in range(1, 9)]
    assert told(begin) == [*pings[:2], (3.0, "suspect"), *pings[2:], (9.0, "silent for 9.0 s")]


def test_a_ping_says_no_more_than_it_can() -> None:
    async def begin(link: FakeLink) -> None:
        link.watch.begin()
        await asyncio.sleep(2)
        link.watch.stop()

    settings = LinkSettings(suspect_after=3.0, lost_after=1000.0)
    assert told(begin, settings) == [(1.0, MAX_PING_TTL_S), (2.0, MAX_PING_TTL_S)]


def test_who_speaks_is_not_asked() -> None:
    async def speak(link: FakeLink) -> None:
        link.watch.begin()
        for _ in range(20):
            await asyncio.sleep(0.5)
            link.liveness.heard = asyncio.get_running_loop().time()
        link.watch.stop()

    assert told(speak) == []
