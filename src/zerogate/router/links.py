"""The links that workers dialled: how a worker joins, changes, falls silent, drains and is lost."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Container
from typing import Any
from weakref import WeakKeyDictionary

from zerogate.link.allowance import Allowance
from zerogate.link.bind import is_local_key
from zerogate.link.link import Link
from zerogate.link.marks import mark_of, new_id
from zerogate.link.sparse_log import SparseLog
from zerogate.router.admission import Admission
from zerogate.router.counters import Counters
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.doorstep import Doorstep
from zerogate.router.pulses import Pulses
from zerogate.router.reply_block import read_reply_block
from zerogate.router.seat import Seat
from zerogate.router.workers import DEFAULT_CAPACITY, Away, Worker
from zerogate.settings import RouterSettings
from zerogate.wire.fields import Fields
from zerogate.wire.http.join import (
    EARLY_HINTS,
    ID,
    IDLE_TIMEOUT,
    MAX_BODY,
    PULSE,
    PULSE_METHOD,
    TIMEOUT,
    Join,
    JoinError,
    JoinReply,
    parse_join,
    parse_pulse,
)
from zerogate.wire.http.terms import LABEL, SHARE, STICKY
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.streams import Stream

logger = logging.getLogger("zerogate.router")

ACCEPTS = (ID, PULSE, EARLY_HINTS, TIMEOUT, IDLE_TIMEOUT, MAX_BODY, LABEL, SHARE, STICKY)

# Refused joins and failed links that `status` shows.
MAX_REFUSALS = 16

# Streams that one worker may open at once, and each second: one JOIN is enough, and each replaces the one before.
JOINS_BURST = 32
JOINS_PER_S = 1.0

# Routes that are logged when a worker joins: it may serve a hundred and more.
MAX_LOGGED_ROUTES = 10

# Reasons of a kind that are logged one by one before they are counted: each is somebody else's.
LOG_BURST = 20


# A link that its worker ends, with nothing in flight. It need not have joined: it may have found that it has another.
DRAINED = "drained"
# One that may not stand on the doorstep: it is told of where it is counted.
TURNED_AWAY = "turned away"


class Links:
    """The owner of all links (link/link.py, LinkOwner).

    seat: whose they are, where several processes are one router; then `id` is that of the seat
    id: this router process's own, random
    shorten_horizon: is told of time-outs that may be shorter than the router's own
    on_left: is called whenever a link is gone
    workers: each link that is no pulse, and its worker once it has joined
    """

    def __init__(
        self,
        settings: RouterSettings,
        dispatcher: Dispatcher,
        counters: Counters,
        seat: Seat | None = None,
        shorten_horizon: Callable[[float], None] = lambda seconds: None,
        on_left: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._shorten_horizon = shorten_horizon
        self._on_left = on_left
        self._dispatcher = dispatcher
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._join_timers: dict[Link, asyncio.TimerHandle] = {}
        self._joins_left: dict[Link, Allowance] = {}
        self._pulses = Pulses()
        self._doorstep = Doorstep()
        self.admission = Admission(settings, self._judge_again)
        # The port by which each came.
        self._keys: WeakKeyDictionary[Link, str] = WeakKeyDictionary()
        self._is_stopping = False
        self._n_joined = 0
        self._n_of_key: Counter[bytes] = Counter()
        self._turned_away = SparseLog(logger, "links turned away")
        self._cannot_join = SparseLog(logger, "joins refused", burst=LOG_BURST)
        self._ended = SparseLog(logger, "links ended before they had joined", burst=LOG_BURST)
        seat = seat or Seat(new_id())
        self.id = seat.id
        self._processes = seat.processes
        self.workers: dict[Link, Worker | None] = {}
        self.refusals: deque[dict[str, Any]] = deque(maxlen=MAX_REFUSALS)

    def make_link(self, key: str = "ipc") -> asyncio.BaseProtocol:
        """For a connection to the link port of this key."""
        if self._n_joined >= self._max_links:
            self._turn_away(f"there are {self._n_joined} already (--max-links)")
            return _TurnedAway()
        link = Link(
            self,
            self._settings,
            is_router=True,
            mark=mark_of(self.id),
            mechanisms=self.admission.mechanisms(is_local=is_local_key(key)),
            decode_reply=read_reply_block,
        )
        self._keys[link] = key
        return link

    def n_workers(self, keys: Container[str] | None = None) -> int:
        """How many workers take requests, of those that came by these ports."""
        return sum(
            worker is not None and not worker.away and (keys is None or self._keys.get(link) in keys)
            for link, worker in self.workers.items()
        )

    def left_behind(self, keys: Container[str]) -> Counter[str]:
        """How many workers take requests at each port that is not among these."""
        return Counter(
            key
            for link, worker in self.workers.items()
            if worker is not None and not worker.away and (key := self._keys.get(link)) is not None and key not in keys
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
            if worker is None or worker.is_idle:
                link.close("dial anew")

    @property
    def _max_links(self) -> int:
        """Who has joined must get in with its pulse, too; who else takes its place may not join."""
        return self._settings.max_links + self._pulses.n_missing

    def stop(self) -> None:
        """Send the workers away: they finish what they have."""
        self._is_stopping = True
        for link in list(self.workers):
            link.goaway()

    def close(self) -> None:
        for link in list(self.workers):
            link.close("the router stops")
        self._pulses.close()
        for log in (self._turned_away, self._cannot_join, self._ended):
            log.close()

    @property
    def are_gone(self) -> bool:
        """Whether no link is left, and no pulse."""
        return not self.workers and not self._pulses

    # LinkOwner

    def on_connected(self, link: Link) -> None:
        self._counters.links += 1
        self.workers[link] = None
        address = "" if is_local_key(self._keys[link]) else link.peer.rpartition(":")[0]
        if reason := self._doorstep.enter(link, address, self._loop.time()):
            self._turn_away(reason)
            link.close(TURNED_AWAY)
        elif self._n_joined + len(self._doorstep) > self._max_links:
            self._turn_away("one that had not joined made room for the next (--max-links)")
            self._doorstep.make_room(TURNED_AWAY)

    def _turn_away(self, reason: str) -> None:
        self._counters.links_failed += 1
        self._turned_away.warning("a link was turned away: %s", reason)

    def on_ready(self, link: Link) -> None:
        timeout = self._settings.handshake_timeout
        self._join_timers[link] = self._loop.call_later(timeout, link.fail, "no JOIN in time")

    def on_stream(self, link: Link, stream: Stream, fields: Fields, fin: bool) -> None:
        now = self._loop.time()
        if link.has_failed:
            return
        if not self._joins_left.setdefault(link, Allowance(JOINS_BURST, JOINS_PER_S, now)).spend(now):
            link.expel("a flood of JOINs")
            return
        try:
            if fields.get(b":method") == PULSE_METHOD:
                self._take_pulse(link, stream, parse_pulse(fields))
            else:
                self._join(link, stream, parse_join(fields, self._settings.max_routes))
        except JoinError as error:
            self._note_failure(link, error.reason)
            self._cannot_join.warning("%s cannot join: %s", link.peer, error.reason)
            _answer(link, stream, JoinReply(error.status, reason=error.reason))

    def _join(self, link: Link, stream: Stream, join: Join) -> None:
        settings = self._settings
        if link in self._pulses:
            raise JoinError(400, "a pulse cannot join")
        key_name = self.admission.check(link.peer_key, join.routes)
        worker = self.workers.get(link)
        if worker is None:
            if self._n_joined >= settings.max_links:
                raise JoinError(503, f"there are {self._n_joined} workers already (--max-links)")
            if key_name and self._n_of_key[link.peer_key] >= settings.max_links_per_key:
                n = self._n_of_key[link.peer_key]
                raise JoinError(503, f"the key {key_name} has {n} links already (--max-links-per-key)")
            self._n_of_key[link.peer_key] += 1
            self._n_joined += 1
            self._doorstep.leave(link)
            capacity = link.peer_max_concurrent
            process_id = _process_of(link, join.id) if join.id else ""
            worker = Worker(link, DEFAULT_CAPACITY if capacity is None else capacity, self._loop.time(), process_id)
            self.workers[link] = worker
            self._join_timers.pop(link).cancel()
            self._counters.joined += 1
            if process_id:
                self._pulses.add_worker(process_id, link)
        worker.set_name(join.name, join.terms)
        worker.software = join.software
        worker.key_name = key_name
        worker.strips_prefix = join.strips_prefix
        worker.set_weight(join.weight)
        worker.timeout_s = _granted(join.timeout_s, settings.timeout, settings.max_timeout)
        worker.idle_timeout_s = _granted(join.idle_timeout_s, settings.idle_timeout, settings.max_idle_timeout)
        worker.max_body_bytes = join.max_body_bytes
        self._shorten_horizon(min(worker.timeout_s, worker.idle_timeout_s))
        routes = ", ".join(str(route) for route in join.routes[:MAX_LOGGED_ROUTES])
        more = len(join.routes) - MAX_LOGGED_ROUTES
        if more > 0:
            routes += f" and {more} more"
        logger.info(
            "worker %s joined from %s: serves %s, capacity %d", worker.title, link.peer, routes, worker.capacity
        )
        reply = JoinReply(
            200, settings.name, settings.advertise, id=self.id, accepts=ACCEPTS, processes=self._processes
        )
        _answer(link, stream, reply)
        self._dispatcher.join(worker, join.routes)

    def _take_pulse(self, link: Link, stream: Stream, process_id: str) -> None:
        if self.workers.get(link) is not None:
            raise JoinError(400, "a worker's link is no pulse")
        if link not in self._pulses:
            if not self._pulses.add(_process_of(link, process_id), link):
                raise JoinError(404, "no worker of this process has joined here")
            # Not among the links that may still become workers, nor counted as one.
            self._counters.pulses += 1
            self._doorstep.leave(link)
            del self.workers[link]
            self._join_timers.pop(link).cancel()
        _answer(link, stream, JoinReply(200, self._settings.name, id=self.id))

    def _judge_again(self) -> None:
        """The keys have changed: whoever may not be here any more goes, and what it had is anybody's."""
        for link, worker in list(self.workers.items()):
            routes = [] if worker is None else [pool.route for pool in worker.pools]
            try:
                key_name = self.admission.check(link.peer_key, routes)
            except JoinError as error:
                link.expel(error.reason)
            else:
                if worker is not None:
                    worker.key_name = key_name

    def on_settings(self, link: Link, max_concurrent: int) -> None:
        worker = self.workers.get(link)
        if worker is not None:
            had_room, was_away = worker.has_room, worker.away
            worker.set_capacity(max_concurrent)
            # It may say so ten thousand times a second, and serve a hundred routes.
            if worker.has_room is not had_room or was_away:
                self._dispatcher.resume(worker)

    def on_goaway(self, link: Link, last_stream_id: int) -> None:
        worker = self.workers.get(link)
        if worker is not None and Away.DRAINING not in worker.away:
            self._counters.drained += 1
            logger.info("worker %s is leaving, %d in flight", worker.title, worker.in_flight)
            self._dispatcher.leave(worker)
        if worker is None or worker.is_idle:
            # The one who hears last closes: the other end's close could take away what is still on its way to us.
            link.close(DRAINED)

    def on_suspect(self, link: Link, is_suspect: bool) -> None:
        worker = self.workers.get(link)
        if worker is not None:
            is_alive = self._loop.time() - link.liveness.alive < self._settings.suspect_after
            what = "is silent, but its process lives" if is_alive else "is silent"
            logger.warning("worker %s %s", worker.title, what if is_suspect else "has spoken again")
            worker.set_away(Away.SUSPECT, is_suspect)
            self._dispatcher.reconsider(worker)

    def on_closed(self, link: Link, reason: str) -> None:
        self._joins_left.pop(link, None)
        self._doorstep.leave(link)
        if (timer := self._join_timers.pop(link, None)) is not None:
            timer.cancel()
        if link in self._pulses:
            self._pulses.remove(link)
            return
        worker = self.workers.pop(link)
        self._on_left()
        if worker is not None:
            self._lose(worker, reason)
        elif not self._is_stopping and reason not in (DRAINED, TURNED_AWAY):
            self._note_failure(link, reason)
            if link.has_failed:
                self._ended.warning("link to %s ended: %s", link.peer, reason)

    def _lose(self, worker: Worker, reason: str) -> None:
        self._n_joined -= 1
        self._n_of_key[worker.link.peer_key] -= 1
        if not self._n_of_key[worker.link.peer_key]:
            del self._n_of_key[worker.link.peer_key]
        self._pulses.remove_worker(worker.process_id, worker.link)
        if worker.link.has_failed and not worker.link.was_silent:
            self._note_failure(worker.link, reason)
        if Away.DRAINING in worker.away or self._is_stopping:
            logger.info("worker %s has left", worker.title)
        else:
            self._counters.lost += 1
            logger.warning("worker %s lost: %s (%d in flight)", worker.title, reason, worker.in_flight)
        self._dispatcher.leave(worker)

    def _note_failure(self, link: Link, reason: str) -> None:
        self._counters.links_failed += 1
        self.refusals.append({"peer": link.peer, "reason": reason, "at": time.strftime("%Y-%m-%dT%H:%M:%S%z")})


def _granted(asked_s: float | None, default_s: float, most_s: float) -> float:
    """What a worker gets of what it asks for. Who asks for nothing has the router's own, whatever the most is."""
    return default_s if asked_s is None else min(asked_s, most_s)


def _process_of(link: Link, process_id: str) -> str:
    """What a worker's process is called here: what it calls itself, which with another key is another."""
    return f"{process_id} {link.peer_key.hex()}"


def _answer(link: Link, stream: Stream, reply: JoinReply) -> None:
    link.send_reply(stream, encode_block(reply.fields()), True)


class _TurnedAway(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
