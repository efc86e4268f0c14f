"""The router: binds its ports, lets workers join, and stops without losing anything."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from zerogate.errors import UsageError
from zerogate.link.endpoint import parse_address, parse_endpoint
from zerogate.link.handlers import Fields
from zerogate.link.link import Link
from zerogate.link.listen import Listener, bind_endpoint, bind_tcp, inherited_listeners
from zerogate.router.admin import AdminClient
from zerogate.router.counters import Counters
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.frontend import Frontend
from zerogate.router.status import status_of
from zerogate.router.workers import DEFAULT_CAPACITY, Away, Worker
from zerogate.settings import RouterSettings
from zerogate.wire.http.join import JoinError, JoinReply, parse_join
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.streams import Stream

logger = logging.getLogger("zerogate.router")

# How often a stopping router looks whether it is done.
STOP_POLL_S = 0.02
# When the grace is over: to get the last error replies out, and then the last frames.
LAST_WORDS_S = 1.0
# Refused joins and failed links that `status` shows.
MAX_REFUSALS = 16


class Router:
    """`start`, then `stop`. Runs in the running event loop."""

    def __init__(self, settings: RouterSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.dispatcher = Dispatcher(settings, self.counters)
        self.frontend = Frontend(settings, self.dispatcher, self.counters)
        self.links: dict[Link, Worker | None] = {}
        self.http_listeners: list[Listener] = []
        self.link_listeners: list[Listener] = []
        self._admin_listeners: list[Listener] = []
        self._loop = asyncio.get_running_loop()
        self.started_at = self._loop.time()
        self._join_timers: dict[Link, asyncio.TimerHandle] = {}
        self.refusals: deque[dict[str, Any]] = deque(maxlen=MAX_REFUSALS)

    async def start(self) -> None:
        """Bind every port. Raises UsageError or StartError, with nothing left open."""
        try:
            self._bind()
            for listener in self.http_listeners:
                await listener.start(self.frontend.make_client)
            for listener in self.link_listeners:
                await listener.start(self._make_link)
            for listener in self._admin_listeners:
                await listener.start(lambda: AdminClient(self._status))
        except BaseException:
            self._close_listeners()
            self.frontend.close()
            self.dispatcher.close()
            raise

    async def stop(self) -> None:
        """Take nothing new, finish what is in flight within `grace`, send the workers away."""
        for listener in self.http_listeners:
            await listener.stop()
        self._close_listeners()
        self.frontend.stop()
        for link in list(self.links):
            link.goaway()
        self.dispatcher.stop()
        await self._wait(lambda: not self.frontend.clients, self.settings.grace)
        self.frontend.give_up()
        await self._wait(lambda: not self.frontend.clients, LAST_WORDS_S)
        self.frontend.close()
        self.dispatcher.close()
        for link in list(self.links):
            link.close("the router stops")
        await self._wait(lambda: not self.links, LAST_WORDS_S)

    # Links (LinkOwner)

    def on_connected(self, link: Link) -> None:
        self.counters.links += 1
        self.links[link] = None

    def on_ready(self, link: Link) -> None:
        timeout = self.settings.handshake_timeout
        self._join_timers[link] = self._loop.call_later(timeout, link.fail, "no JOIN in time")

    def on_stream(self, link: Link, stream: Stream, fields: Fields, fin: bool) -> None:
        try:
            join = parse_join(fields, self.settings.max_routes)
        except JoinError as error:
            self._note_refusal(link, error.reason)
            logger.warning("%s cannot join: %s", link.peer, error.reason)
            link.send_reply(stream, encode_block(JoinReply(error.status, reason=error.reason).fields()), True)
            return
        worker = self.links.get(link)
        if worker is None:
            capacity = link.peer_max_concurrent
            worker = Worker(link, DEFAULT_CAPACITY if capacity is None else capacity, self._loop.time())
            self.links[link] = worker
            self._join_timers.pop(link).cancel()
            self.counters.joined += 1
        worker.set_name(join.name)
        worker.software = join.software
        worker.set_weight(join.weight)
        routes = ", ".join(str(route) for route in join.routes)
        logger.info("worker %s joined from %s: serves %s, capacity %d", join.name, link.peer, routes, worker.capacity)
        reply = JoinReply(200, self.settings.name, tuple(self.settings.advertise))
        link.send_reply(stream, encode_block(reply.fields()), True)
        self.dispatcher.join(worker, join.routes)

    def on_settings(self, link: Link, max_concurrent: int) -> None:
        worker = self.links.get(link)
        if worker is not None:
            worker.set_capacity(max_concurrent)
            self.dispatcher.has_room_again(worker)

    def on_goaway(self, link: Link, last_stream_id: int) -> None:
        worker = self.links.get(link)
        if worker is not None and Away.DRAINING not in worker.away:
            self.counters.drained += 1
            logger.info("worker %s is leaving, %d in flight", worker.name, worker.in_flight)
            self.dispatcher.leave(worker)
        if worker is None or not worker.in_flight:
            # The one who hears last closes: the other end's close could take away what is still on its way to us.
            link.close("drained")

    def on_suspect(self, link: Link, is_suspect: bool) -> None:
        worker = self.links.get(link)
        if worker is not None:
            logger.warning("worker %s %s", worker.name, "is silent" if is_suspect else "has spoken again")
            worker.set_away(Away.SUSPECT, is_suspect)
            self.dispatcher.has_changed(worker)

    def on_closed(self, link: Link, reason: str) -> None:
        worker = self.links.pop(link)
        if (timer := self._join_timers.pop(link, None)) is not None:
            timer.cancel()
        if worker is not None:
            if Away.DRAINING in worker.away or self.frontend.is_stopping:
                logger.info("worker %s has left", worker.name)
            else:
                self.counters.lost += 1
                logger.warning("worker %s lost: %s (%d in flight)", worker.name, reason, worker.in_flight)
            self.dispatcher.leave(worker)
        elif not self.frontend.is_stopping:
            self._note_refusal(link, reason)

    # Inside

    async def _wait(self, is_done: Callable[[], bool], seconds: float) -> None:
        give_up = self._loop.time() + seconds
        while not is_done() and self._loop.time() < give_up:
            await asyncio.sleep(STOP_POLL_S)

    def _bind(self) -> None:
        settings = self.settings
        inherited = inherited_listeners()
        self.http_listeners = inherited.http
        self.link_listeners = inherited.bind
        if not self.http_listeners:
            for address in settings.http:
                self.http_listeners += bind_tcp(*parse_address(address), f"--http {address}")
        if not self.link_listeners:
            for text in settings.bind:
                endpoint = parse_endpoint(text)
                if not endpoint.is_local and not settings.insecure:
                    raise UsageError(
                        f"--bind {text}: anybody who reaches this address could become a worker. Bind a loopback "
                        "address or ipc://, or say --insecure if the network is yours alone"
                    )
                self.link_listeners += bind_endpoint(endpoint, f"--bind {text}")
        if settings.admin != "off":
            self._admin_listeners = bind_tcp(*parse_address(settings.admin), f"--admin {settings.admin}")

    def _make_link(self) -> asyncio.Protocol:
        if len(self.links) >= self.settings.max_links:
            logger.warning("a link was turned away: there are %d already (--max-links)", len(self.links))
            return _TurnedAway()
        return Link(self, self.settings, is_router=True)

    def _note_refusal(self, link: Link, reason: str) -> None:
        self.counters.links_failed += 1
        self.refusals.append({"peer": link.peer, "reason": reason, "at": time.strftime("%Y-%m-%dT%H:%M:%S%z")})

    def _status(self) -> dict[str, Any]:
        return status_of(self)

    def _close_listeners(self) -> None:
        for listener in (*self.http_listeners, *self.link_listeners, *self._admin_listeners):
            listener.close()
        self.http_listeners, self.link_listeners, self._admin_listeners = [], [], []


class _TurnedAway(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
