"""Dialling: a worker keeps one link to each of its endpoints, for ever, whoever starts first."""

import asyncio
import logging
import random
from collections.abc import Callable

from zerogate.link.causes import absence
from zerogate.link.link import Link
from zerogate.link.trouble import Trouble
from zerogate.settings.endpoint import Endpoint

# A link that lasted this long was no part of a failure to connect: dial again at once.
STEADY_S = 60.0
CONNECT_TIMEOUT_S = 5.0


class Dialler:
    """Keeps a link to one endpoint. Names are resolved anew for each try.

    Waits between tries with exponential backoff and full jitter, from `redial_min` seconds on. Where nobody listens up
    to `redial_max`, so that a router is found soon that is started again; where somebody does who will not have us, or
    says nothing, up to `redial_refused`. That there is no router is news, unless not `is_told`.

    trouble: why there is no link
    """

    def __init__(
        self,
        endpoint: Endpoint,
        make_link: Callable[["Dialler"], Link],
        *,
        redial_min: float,
        redial_max: float,
        redial_refused: float,
        is_told: bool = True,
    ) -> None:
        self.endpoint = endpoint
        self._make_link = make_link
        self._redial_min = redial_min
        self._redial_max = redial_max
        self._redial_refused = redial_refused
        self._is_told = is_told
        self._failures = 0
        self._refusals = 0
        self.trouble = Trouble(endpoint.text)
        self._again = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"dial {self.endpoint.text}")

    def stop(self) -> None:
        """Dial no more. The link that is up stays."""
        if self._task is not None:
            self._task.cancel()

    def dial_again(self, lasted_s: float) -> None:
        """The link has ended, or its router is leaving, after `lasted_s` seconds of service."""
        self._refusals = 0
        if lasted_s >= STEADY_S:
            self._failures = 0
        else:
            self._failures += 1
        self._again.set()

    def dial_later(self) -> None:
        """The link has ended before it was of any use: somebody listens there, and will not have us."""
        self._refusals += 1
        self._again.set()

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await self._connect()
            except (OSError, TimeoutError) as error:
                words = absence(error)
                message = f"no router at {self.endpoint.text} yet ({words}): dialling on"
                level = logging.INFO if self._is_told else logging.DEBUG
                self.trouble.note(words, asyncio.get_running_loop().time(), message, level)
                self._failures += 1
                self._refusals = 0
            else:
                await self._again.wait()
                self._again.clear()
            await asyncio.sleep(self._delay())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        endpoint = self.endpoint
        if endpoint.path:
            await loop.create_unix_connection(self._make_own_link, endpoint.path)
        else:
            await loop.create_connection(self._make_own_link, endpoint.host, endpoint.port)

    def _make_own_link(self) -> Link:
        return self._make_link(self)

    def _delay(self) -> float:
        if self._refusals:
            return self._jitter(self._redial_refused, self._refusals)
        return self._jitter(self._redial_max, self._failures) if self._failures else 0.0

    def _jitter(self, most_s: float, n: int) -> float:
        ceiling = min(most_s, self._redial_min * 2.0 ** min(n, 30))
        return max(self._redial_min, random.uniform(0.0, ceiling))
