"""The links that workers dialled: how a worker joins, changes, falls silent, drains and is lost."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Container
from typing import Any
from weakref import WeakKeyDictionary

from zerogate.link.link import Link
from zerogate.router.counters import Counters
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.workers import DEFAULT_CAPACITY, Away, Worker
from zerogate.settings import RouterSettings
from zerogate.wire.fields import Fields
from zerogate.wire.http.join import JoinError, JoinReply, parse_join
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.streams import Stream

logger = logging.getLogger("zerogate.router")

# Refused joins and failed links that `status` shows.
MAX_REFUSALS = 16


class Links:
    """The owner of all links (link/link.py, LinkOwner). `workers` has each link, and its worker once it has joined."""

    def __init__(self, settings: RouterSettings, dispatcher: Dispatcher, counters: Counters) -> None:
        self._settings = settings
        self._dispatcher = dispatcher
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._join_timers: dict[Link, asyncio.TimerHandle] = {}
        # The port by which each came.
        self._keys: WeakKeyDictionary[Link, str] = WeakKeyDictionary()
        self._is_stopping = False
        self.workers: dict[Link, Worker | None] = {}
        self.refusals: deque[dict[str, Any]] = deque(maxlen=MAX_REFUSALS)

    def make_link(self, key: str = "") -> asyncio.Protocol:
        """For a connection to the link port of this key."""
        if len(self.workers) >= self._settings.max_links:
            logger.warning("a link was turned away: there are %d already (--max-links)", len(self.workers))
            return _TurnedAway()
        link = Link(self, self._settings, is_router=True)
        self._keys[link] = key
        return link

    def n_workers(self, keys: Container[str] | None = None) -> int:
        """How many workers take requests, of those that came by these ports."""
        return sum(
            worker is not None and not worker.away and (keys is None or self._keys.get(link) in keys)
            for link, worker in self.workers.items()
        )

    def send_away(self, keys: Container[str]) -> None:
        """Have the workers of these ports dial anew. They still answer what they are sent."""
        for link in self.workers:
            if self._keys.get(link) in keys:
                link.goaway()

    def take_back(self) -> None:
        """Who was sent away comes again, on a new link: the old ones finish what they have."""
        for link, worker in list(self.workers.items()):
            if not link.session.is_going_away:
                continue
            if worker is not None:
                self._dispatcher.leave(worker)
            if worker is None or not worker.in_flight:
                link.close("dial anew")

    def stop(self) -> None:
        """Send the workers away: they finish what they have."""
        self._is_stopping = True
        for link in list(self.workers):
            link.goaway()

    def close(self) -> None:
        for link in list(self.workers):
            link.close("the router stops")

    # LinkOwner

    def on_connected(self, link: Link) -> None:
        self._counters.links += 1
        self.workers[link] = None

    def on_ready(self, link: Link) -> None:
        timeout = self._settings.handshake_timeout
        self._join_timers[link] = self._loop.call_later(timeout, link.fail, "no JOIN in time")

    def on_stream(self, link: Link, stream: Stream, fields: Fields, fin: bool) -> None:
        settings = self._settings
        try:
            join = parse_join(fields, settings.max_routes)
        except JoinError as error:
            self._note_refusal(link, error.reason)
            logger.warning("%s cannot join: %s", link.peer, error.reason)
            link.send_reply(stream, encode_block(JoinReply(error.status, reason=error.reason).fields()), True)
            return
        worker = self.workers.get(link)
        if worker is None:
            capacity = link.peer_max_concurrent
            worker = Worker(link, DEFAULT_CAPACITY if capacity is None else capacity, self._loop.time())
            self.workers[link] = worker
            self._join_timers.pop(link).cancel()
            self._counters.joined += 1
        worker.set_name(join.name)
        worker.software = join.software
        worker.strips_prefix = join.strips_prefix
        worker.set_weight(join.weight)
        routes = ", ".join(str(route) for route in join.routes)
        logger.info("worker %s joined from %s: serves %s, capacity %d", join.name, link.peer, routes, worker.capacity)
        reply = JoinReply(200, router=settings.name, routers=settings.advertise)
        link.send_reply(stream, encode_block(reply.fields()), True)
        self._dispatcher.join(worker, join.routes)

    def on_settings(self, link: Link, max_concurrent: int) -> None:
        worker = self.workers.get(link)
        if worker is not None:
            worker.set_capacity(max_concurrent)
            self._dispatcher.resume(worker)

    def on_goaway(self, link: Link, last_stream_id: int) -> None:
        worker = self.workers.get(link)
        if worker is not None and Away.DRAINING not in worker.away:
            self._counters.drained += 1
            logger.info("worker %s is leaving, %d in flight", worker.name, worker.in_flight)
            self._dispatcher.leave(worker)
        if worker is None or not worker.in_flight:
            # The one who hears last closes: the other end's close could take away what is still on its way to us.
            link.close("drained")

    def on_suspect(self, link: Link, is_suspect: bool) -> None:
        worker = self.workers.get(link)
        if worker is not None:
            logger.warning("worker %s %s", worker.name, "is silent" if is_suspect else "has spoken again")
            worker.set_away(Away.SUSPECT, is_suspect)
            self._dispatcher.reconsider(worker)

    def on_closed(self, link: Link, reason: str) -> None:
        worker = self.workers.pop(link)
        if (timer := self._join_timers.pop(link, None)) is not None:
            timer.cancel()
        if worker is not None:
            if Away.DRAINING in worker.away or self._is_stopping:
                logger.info("worker %s has left", worker.name)
            else:
                self._counters.lost += 1
                logger.warning("worker %s lost: %s (%d in flight)", worker.name, reason, worker.in_flight)
            self._dispatcher.leave(worker)
        elif not self._is_stopping:
            self._note_refusal(link, reason)

    def _note_refusal(self, link: Link, reason: str) -> None:
        self._counters.links_failed += 1
        self.refusals.append({"peer": link.peer, "reason": reason, "at": time.strftime("%Y-%m-%dT%H:%M:%S%z")})


class _TurnedAway(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
