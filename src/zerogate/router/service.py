"""The router: wires its parts together, starts them, and stops without losing anything."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from zerogate.router.access_log import AccessLog
from zerogate.router.admin import Admin
from zerogate.router.clients.http1 import Http1Clients
from zerogate.router.counters import Counters
from zerogate.router.desk import Desk
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.exchange import Exchange
from zerogate.router.links import Links
from zerogate.router.listeners import Listeners
from zerogate.router.status import status_of
from zerogate.settings import RouterSettings

# How often a stopping router looks whether it is done.
STOP_POLL_S = 0.02
# When the grace is over: to get the last error replies out, and then the last frames.
LAST_WORDS_S = 1.0


class Router:
    """`start`, then `stop`. Runs in the running event loop."""

    def __init__(self, settings: RouterSettings) -> None:
        self.settings = settings
        self._loop = asyncio.get_running_loop()
        self._started_at = self._loop.time()
        counters = Counters()
        access_log = None if settings.access_log == "off" else AccessLog(settings.access_log)
        self._dispatcher = Dispatcher(settings, counters, self._loop)
        self.links = Links(settings, self._dispatcher, counters)
        self._desk = Desk(settings, counters, partial(Exchange, self._dispatcher), access_log)
        self._admin_desk = Desk(settings, Counters(), Admin(self.status, settings.admin))
        self.listeners = Listeners(settings)

    async def start(self) -> None:
        """Bind every port. Raises UsageError or StartError, with nothing left open."""
        try:
            self.listeners.bind()
            await self.listeners.start(Http1Clients(self._desk), self.links.make_link, Http1Clients(self._admin_desk))
        except BaseException:
            self.listeners.close()
            self._close()
            raise

    async def stop(self) -> None:
        """Take nothing new, finish what is in flight within `grace`, send the workers away."""
        await self.listeners.stop_http()
        self.listeners.close()
        self._desk.stop()
        self.links.stop()
        self._dispatcher.stop()
        await self._wait(lambda: not self._desk.clients, self.settings.grace)
        self._desk.shut_down()
        await self._wait(lambda: not self._desk.clients, LAST_WORDS_S)
        self._close()
        self.links.close()
        await self._wait(lambda: self.links.are_gone, LAST_WORDS_S)

    def reopen_log(self) -> None:
        """After the access log was moved away."""
        self._desk.reopen_log()

    def status(self) -> dict[str, Any]:
        """What `/status` says."""
        now = self._loop.time()
        return status_of(self.settings.name, self._started_at, now, self._desk, self._dispatcher, self.links)

    async def _wait(self, is_done: Callable[[], bool], seconds: float) -> None:
        give_up = self._loop.time() + seconds
        while not is_done() and self._loop.time() < give_up:
            await asyncio.sleep(STOP_POLL_S)

    def _close(self) -> None:
        self._desk.close()
        self._admin_desk.close()
        self._dispatcher.close()
