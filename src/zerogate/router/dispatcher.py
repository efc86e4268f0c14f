"""Where each request goes: route, pool, worker, or queue. Decides and hands over; never waits, and owns no clock.

Invariant: while a request waits in a pool's queue, no worker of that pool has room but such as it shuns.
"""

import logging
import math
from collections import Counter
from collections.abc import Collection

from zerogate.router.counters import Counters
from zerogate.router.holds import Holds
from zerogate.router.outage import Outage
from zerogate.router.patience import Patience
from zerogate.router.pool import Pool
from zerogate.router.queue import Queue
from zerogate.router.rests import Rests
from zerogate.router.routes import RouteTable
from zerogate.router.state import DispatcherState
from zerogate.router.timers import Timers
from zerogate.router.waiting import Waiting
from zerogate.router.workers import Away, ServedPool, Waiters, Worker
from zerogate.settings import RouterSettings
from zerogate.wire.http.errors import HEAD_TOO_LARGE, NO_ROUTE, QUEUE_FULL, SHUTTING_DOWN, HttpError
from zerogate.wire.http.routes import Route
from zerogate.wire.spdy.headers import BlockTooLargeError
from zerogate.wire.spdy.session import StreamIdsExhausted

logger = logging.getLogger("zerogate.router")

# A worker that refused has no room that we know of, until it says SETTINGS or this has passed.
REFUSAL_PAUSE_S = 0.1

# A link is replaced when so many stream ids are left: enough for what is sent while the new one comes up.
MIN_STREAM_IDS = 16


class Dispatcher(DispatcherState):
    """Pools, their queues, and two more: the lobby, for requests that came before anybody could serve their route, and
    the anteroom, for those whose bodies have to begin before they want a worker.

    waiting: the pools with a queue, and some that had one lately; to be looked at only
    """

    def __init__(self, settings: RouterSettings, counters: Counters, timers: Timers) -> None:
        self._settings = settings
        self._counters = counters
        self._timers = timers
        self.routes: RouteTable[Pool] = RouteTable()
        self.workers: dict[int, Worker] = {}
        self.lobby = self._make_queue()
        self.anteroom: Queue[Waiting] = Queue(settings.max_clients, settings.queue_bytes)
        self.waiting: dict[Waiters, None] = {}
        self._outage = Outage()
        self._settles_at = timers.time() + settings.settle
        self._has_been_joined = False
        self._is_stopping = False
        self._settle_timer = timers.call_later(settings.settle, self._settle)
        self._holds = Holds(settings.hold, timers, self._drop)
        self._patience = Patience(settings.sticky_wait, timers, self._submit_again)
        self._rests = Rests(settings, timers, self.reconsider)

    def close(self) -> None:
        """Nothing more will happen by itself."""
        self._settle_timer.cancel()
        self._holds.close()

    def stop(self) -> None:
        """No worker will join any more: who waits for one to come is told so."""
        self._is_stopping = True
        for queue in (self.lobby, *(pool.queue for pool in self.routes.values() if not pool.workers)):
            self._submit_all(queue)

    # Requests

    def submit(self, request: Waiting) -> None:
        """Send the request to a worker, let it wait, or decline it. A request that has tried before waits first."""
        routes = self.routes
        pool = routes.only or routes.match(request.head.host, request.head.path)
        if pool is None:
            self._await_route(request)
            return
        if pool.has_rules:
            worker = self._choose(request, pool)
            if worker is None and request.queue is not None:
                return
        else:
            worker = pool.pick(request.tried, request.shunned)
        if worker is None:
            self.waiting[pool] = None
            self._enqueue(request, pool.queue, pool.workers)
            if len(pool.queue) == 1:
                self._tell_of_outage(pool)
            if pool.has_rules:
                self._call_in(pool)
        else:
            self.assign(request, worker, pool.route.prefix)

    def assign(self, request: Waiting, worker: Worker, prefix: str) -> None:
        """Send it to the worker whose slot it has. A bug costs it alone: we may be here for somebody else's sake."""
        request.prefix = prefix
        try:
            request.send(worker)
        except Exception as error:
            try:
                self._take_back(request, worker, error)
            except Exception:
                logger.exception("%r failed", request)
                request.break_off()
            return
        worker.served += 1
        if worker.ids_left < MIN_STREAM_IDS and not worker.away:
            logger.info("link to worker %s has run out of stream ids: asking for a new one", worker.title)
            worker.set_away(Away.DRAINING, True)
            worker.link.goaway()
            self.reconsider(worker)

    def _choose(self, request: Waiting, pool: Pool) -> Worker | None:
        """By the pool's rules. None if nobody has room, or it waits for the one it wants: then it has a queue."""
        pool.note(request)
        worker = pool.wanted(request)
        if worker is None or (not worker.has_room and not self._await(request, pool, worker)):
            return pool.choose(request)
        if not worker.has_room:
            return None
        pool.count(worker, request)
        return worker

    def _await(self, request: Waiting, pool: Pool, worker: Worker) -> bool:
        """Have it wait for this worker, a little. False if it has, or may not."""
        if request.awaits_until or not self._settings.sticky_wait:
            return False
        line = pool.line_of(worker) or pool.add_line(worker)
        if not line.queue.push(request):
            return False
        self.waiting[line] = None
        self._wait(request)
        self._patience.begin(line, request)
        return True

    def collect(self, request: Waiting) -> bool:
        """Let the request have its body begin before it is submitted. False if there is no room for more bodies."""
        return self.anteroom.push(request)

    def has_spare_room(self, request: Waiting) -> bool:
        """Whether a request that is not ready should be submitted: it takes nobody's place, or nobody will serve it."""
        pool = self.routes.match(request.head.host, request.head.path)
        if pool is None:
            return True
        wanted = pool.wanted(request)
        return pool.has_spare_room() if wanted is None else wanted.has_spare_room

    def withdraw(self, request: Waiting) -> None:
        """The request waits no more."""
        if request.queue is not None:
            request.queue.remove(request)

    # Slots

    def free_slot(self, worker: Worker) -> None:
        """One of the worker's slots is free again."""
        worker.free_slot()
        if worker.has_room:
            # What: asked here. Why, benchmark: mostly nobody waits and the worker is alone, and this is each request.
            if self.waiting or worker.contested:
                self._offer(worker)
        elif worker.is_idle and Away.DRAINING in worker.away:
            worker.link.close("drained")

    def set_apart(self, worker: Worker, *, is_tunnel: bool) -> None:
        """One of the worker's exchanges is a tunnel, or a stream of events: it keeps nobody from sending it more."""
        worker.set_apart(is_tunnel=is_tunnel)
        if is_tunnel:
            self._counters.tunnels += 1
        else:
            self._counters.event_streams += 1
        worker.offer()

    def _offer(self, worker: Worker) -> None:
        """The worker has room: the oldest that waits for it goes first, and what is left may be picked."""
        if self.waiting and self._waiting_for(worker):
            self._serve_waiting(worker)
        worker.offer()

    def _waiting_for(self, worker: Worker) -> list[Waiters]:
        """Those who may go to the worker: looked for where there are fewer to look at."""
        if len(worker.pools) < len(self.waiting):
            lines = (pool.line_of(worker) for pool in worker.pools)
            all_waiters = [*worker.pools, *(line for line in lines if line is not None)]
            return [waiters for waiters in all_waiters if waiters.queue.waiting and waiters.feeds(worker)]
        for waiters in [waiters for waiters in self.waiting if not waiters.queue.waiting]:
            del self.waiting[waiters]
        return [waiters for waiters in self.waiting if waiters.feeds(worker)]

    def _serve_waiting(self, worker: Worker, before: float = math.inf) -> None:
        """Those who came before then, the oldest first."""
        passed_over: list[tuple[Waiters, Waiting]] = []
        while worker.has_room:
            waiting = [pool for pool in self._waiting_for(worker) if pool.queue.first_arrival() < before]
            if not waiting:
                break
            pool = min(waiting, key=lambda p: p.queue.first_arrival())
            request: Waiting = pool.queue.pop()
            if worker.process_id in request.shunned:
                passed_over.append((pool, request))
            else:
                pool.count(worker, request)
                self.assign(request, worker, pool.route.prefix)
        # They had tried before, so the first places are theirs.
        for pool, request in reversed(passed_over):
            self.waiting[pool] = None
            pool.queue.put_back(request)

    # Workers

    def join(self, worker: Worker, routes: list[Route]) -> None:
        """The worker serves these routes from now on, and no others.

        Those that it served before are held for others as if it had left, but count as its own for as long.
        """
        self._has_been_joined = True
        wanted = dict.fromkeys(routes)
        is_placed, worker.placed = worker.placed == worker.terms, worker.terms
        for pool in [pool for pool in worker.pools if pool.route not in wanted]:
            self._remove_from(pool.route, worker)
            if not pool.workers:
                self._holds.assign(pool.route, worker)
        self._holds.limit(worker, self._settings.max_routes - len(wanted))
        for route in wanted:
            pool = self.routes.get(route) or self._make_pool(route)
            if worker.serial not in pool.workers:
                self._holds.end(route)
                worker.pools.append(pool)
                pool.add(worker)
            elif not is_placed:
                lines = pool.lines
                pool.settle(worker)
                self._break_up(*pool.lost_of(lines))
        self.workers[worker.serial] = worker
        self._outage.end(f"worker {worker.title} has joined: requests are served")
        for request in self.lobby.pop_all():
            self._serve_waiting(worker, request.arrived)
            self.submit(request)
        self.reconsider(worker)

    def leave(self, worker: Worker) -> None:
        """The worker takes nothing new any more."""
        self.workers.pop(worker.serial, None)
        worker.set_away(Away.DRAINING, True)
        for pool in list(worker.pools):
            self._remove_from(pool.route, worker)

    def reconsider(self, worker: Worker) -> None:
        """The worker's capacity or standing has changed."""
        if worker.has_room:
            for pool in worker.pools:
                if pool.outage.is_on:
                    pool.outage.end(f"route {pool.route} is served again, by worker {worker.title}")
            self._offer(worker)
        elif worker.away:
            for pool in list(worker.pools):
                self._rests.wake_enough(pool.workers)
                line = pool.line_of(worker)
                if line is not None:
                    self._break_up(line)
                self._call_in(pool)

    def pause(self, worker: Worker) -> None:
        """The worker refused a request: it has less room than we thought."""
        self._counters.refused += 1
        worker.set_away(Away.REFUSING, True)
        self._timers.call_later(REFUSAL_PAUSE_S, self.resume, worker)

    def resume(self, worker: Worker) -> None:
        """The worker may have room again."""
        worker.set_away(Away.REFUSING, False)
        self.reconsider(worker)

    def blame(self, worker: Worker) -> None:
        """A request failed by the worker's fault: after too many running it rests."""
        self._rests.blame(worker)

    # Inside

    def _take_back(self, request: Waiting, worker: Worker, error: Exception) -> None:
        """It could not be sent. Raises what is nobody's fault but ours."""
        if isinstance(error, StreamIdsExhausted):
            worker.set_away(Away.DRAINING, True)
        self.free_slot(worker)
        if isinstance(error, StreamIdsExhausted):
            self.submit(request)
        elif isinstance(error, BlockTooLargeError):
            # A head just within its limit, and what we add to it.
            request.decline(HttpError(HEAD_TOO_LARGE))
        elif isinstance(error, HttpError):
            request.decline(error)
        else:
            raise error

    def _enqueue(self, request: Waiting, queue: "Queue[Waiting]", workers: Collection[int]) -> None:
        if self._is_stopping and not workers:
            request.decline(HttpError(SHUTTING_DOWN))
            return
        if not queue.push(request, first=bool(request.tried)):
            request.decline(HttpError(QUEUE_FULL))
            return
        self._wait(request)

    def _wait(self, request: Waiting) -> None:
        now = self._timers.time()
        if not request.wait_until:
            request.wait_until = now + self._settings.queue_timeout
        request.wait(request.wait_until - now)

    def _await_route(self, request: Waiting) -> None:
        if self._has_been_joined and self._timers.time() >= self._settles_at:
            request.decline(HttpError(NO_ROUTE))
        else:
            self._enqueue(request, self.lobby, ())
            if not self._has_been_joined and self.lobby:
                self._outage.begin(self._timers.time(), "a request waits, and no worker has joined yet")

    def _tell_of_outage(self, pool: Pool) -> None:
        """Say so if a request waits for a worker that is there again, and not for one that has room again."""
        if all(worker.away & ~Away.REFUSING for worker in pool.workers.values()):
            states = Counter(worker.state for worker in pool.workers.values())
            away = ", ".join(f"{n} {state}" for state, n in states.items()) or "none is left"
            words = f"a request waits, and no worker of route {pool.route} is there: {away}"
            pool.outage.begin(self._timers.time(), words)

    def _settle(self) -> None:
        if self._has_been_joined:
            self._submit_all(self.lobby)

    def _submit_all(self, queue: "Queue[Waiting]") -> None:
        self._submit_again(queue.pop_all())

    def _submit_again(self, requests: list[Waiting]) -> None:
        for request in requests:
            try:
                self.submit(request)
            except Exception:
                # The others are in no queue any more: they must not be forgotten.
                logger.exception("%r failed", request)
                request.break_off()

    def _make_queue(self) -> "Queue[Waiting]":
        return Queue(self._settings.queue_size, self._settings.queue_bytes)

    def _make_pool(self, route: Route) -> Pool:
        pool = Pool(route, self._make_queue())
        self.routes.add(route, pool)
        return pool

    def _remove_from(self, route: Route, worker: Worker) -> None:
        pool = self.routes.get(route)
        assert pool is not None, route
        lines = pool.lines
        pool.remove(worker)
        worker.pools.remove(pool)
        self._break_up(*pool.lost_of(lines))
        if pool.workers:
            self._rests.wake_enough(pool.workers)
            self._call_in(pool)
        else:
            if self._is_stopping:
                self._submit_all(pool.queue)
            self._holds.begin(route, worker.key_name)

    def _call_in(self, pool: ServedPool) -> None:
        """Those with a share of the pool may have some of those who wait."""
        for worker in pool.takers():
            if worker.has_room:
                self._offer(worker)

    def _break_up(self, *lines: Waiters) -> None:
        """Whom they wait for is not there any more, or is not theirs."""
        for line in lines:
            self.waiting.pop(line, None)
            self._submit_all(line.queue)

    def _drop(self, route: Route) -> None:
        """Nobody has come back to the route in time."""
        pool = self.routes.get(route)
        assert pool is not None, route
        self.routes.remove(route)
        self.waiting.pop(pool, None)
        self._submit_all(pool.queue)
