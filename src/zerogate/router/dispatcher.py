"""Where each exchange goes: route, pool, worker, or queue. Decides and hands over; never waits.

Invariant: while an exchange waits in a pool's queue, no worker of that pool has room.
"""

import asyncio
import logging

from zerogate.errors import ReplyError
from zerogate.router.counters import Counters
from zerogate.router.exchange import Exchange
from zerogate.router.pool import Pool, Queue
from zerogate.router.routes import RouteTable
from zerogate.router.workers import Away, Worker
from zerogate.settings import RouterSettings
from zerogate.wire.http.errors import HEAD_TOO_LARGE, NO_ROUTE, QUEUE_FULL, SHUTTING_DOWN, HttpError
from zerogate.wire.http.fields import normalise_host
from zerogate.wire.http.request import RequestHead
from zerogate.wire.http.routes import Route
from zerogate.wire.http1 import KnownHeads
from zerogate.wire.spdy.headers import BlockTooLargeError
from zerogate.wire.spdy.session import StreamIdsExhausted

logger = logging.getLogger("zerogate.router")

# A worker that refused has no room that we know of, until it says SETTINGS or this has passed.
REFUSAL_PAUSE_S = 0.1

# A link is replaced when so many stream ids are left: enough for what is sent while the new one comes up.
MIN_STREAM_IDS = 16


# Heads whose route is known. A head that nobody else has is not looked up again, but does no harm.
MAX_MATCHES = 512


class Dispatcher:
    """Pools, their queues, and the lobby: the queue of requests that came before anybody could serve their route."""

    def __init__(self, settings: RouterSettings, counters: Counters) -> None:
        self.settings = settings
        self.counters = counters
        self.routes: RouteTable[Pool] = RouteTable()
        self.workers: dict[int, Worker] = {}
        self._matches: dict[RequestHead, Pool] = {}
        self.lobby = self._make_queue()
        self._loop = asyncio.get_running_loop()
        self._settles_at = self._loop.time() + settings.settle
        self._has_been_joined = False
        self._is_stopping = False
        self._settle_timer = self._loop.call_later(settings.settle, self._settle)
        self._holds: dict[Route, asyncio.TimerHandle] = {}

    def close(self) -> None:
        self._settle_timer.cancel()
        for timer in self._holds.values():
            timer.cancel()

    def stop(self) -> None:
        """No worker will join any more: who waits for one to come is told so."""
        self._is_stopping = True
        for queue in (self.lobby, *(pool.queue for pool in self.routes.values() if not pool.workers)):
            self._resubmit(queue)

    # Exchanges

    def submit(self, exchange: Exchange) -> None:
        """Send the exchange to a worker, let it wait, or refuse it."""
        head = exchange.head
        pool = self._matches.get(head)
        if pool is None:
            pool = self._match(head)
        if pool is None:
            self._await_route(exchange)
            return
        worker = pool.pick(exchange.tried)
        if worker is None:
            self._enqueue(exchange, pool.queue)
        else:
            self._assign(exchange, worker)

    def retry(self, exchange: Exchange) -> None:
        """Send it elsewhere at once, or before all others that wait."""
        self.counters.retries += 1
        self.submit(exchange)

    def withdraw(self, exchange: Exchange) -> None:
        """The exchange waits no more."""
        if exchange.queue is not None:
            exchange.queue.remove(exchange)
            exchange.queue = None

    def release(self, worker: Worker) -> None:
        """One of the worker's exchanges is over."""
        worker.give_back()
        if worker.has_room:
            pools = worker.pools
            for pool in pools:
                if pool.queue.waiting:
                    self._serve_waiting(worker)
                    break
            if worker.has_room:
                for pool in pools:
                    pool.offer(worker)
        elif not worker.in_flight and Away.DRAINING in worker.away:
            worker.link.close("drained")

    # Workers

    def join(self, worker: Worker, routes: list[Route]) -> None:
        """The worker serves these routes from now on, and no others."""
        self._has_been_joined = True
        wanted = dict.fromkeys(routes)
        for pool in [pool for pool in worker.pools if pool.route not in wanted]:
            self._remove_from(pool, worker)
        for route in wanted:
            pool = self.routes.get(route) or self._make_pool(route)
            if worker.serial not in pool.workers:
                if (hold := self._holds.pop(route, None)) is not None:
                    hold.cancel()
                worker.pools.append(pool)
                pool.add(worker)
        self.workers[worker.serial] = worker
        self._leave_lobby()
        self.has_changed(worker)

    def leave(self, worker: Worker) -> None:
        """The worker is gone."""
        self.workers.pop(worker.serial, None)
        worker.set_away(Away.DRAINING, True)
        for pool in list(worker.pools):
            self._remove_from(pool, worker)

    def has_changed(self, worker: Worker) -> None:
        """The worker's capacity or standing has changed."""
        if worker.has_room:
            self._serve_waiting(worker)
            if worker.has_room:
                for pool in worker.pools:
                    pool.offer(worker)
        elif worker.away:
            for pool in worker.pools:
                self._keep_one_awake(pool)

    def has_refused(self, worker: Worker) -> None:
        """The worker had less room than we thought."""
        worker.set_away(Away.REFUSING, True)
        self._loop.call_later(REFUSAL_PAUSE_S, self.has_room_again, worker)

    def has_room_again(self, worker: Worker) -> None:
        worker.set_away(Away.REFUSING, False)
        self.has_changed(worker)

    def has_failed(self, worker: Worker) -> None:
        """An exchange failed by the worker's fault. After too many running it rests, unless it is the last."""
        worker.failures += 1
        if worker.failures < self.settings.max_failures or Away.RESTING in worker.away:
            return
        if not all(any(w is not worker and not w.away for w in pool.workers.values()) for pool in worker.pools):
            return
        worker.rests += 1
        seconds = self.settings.rest * worker.rests
        worker.set_away(Away.RESTING, True)
        self._loop.call_later(seconds, self._wake, worker)
        logger.warning("worker %s failed %d times running: passed over for %g s", worker.name, worker.failures, seconds)

    def report_bad_reply(self, exchange: Exchange, error: ReplyError) -> None:
        self.counters.bad_replies += 1
        name = exchange.worker.name if exchange.worker else "?"
        logger.error("worker %s: bad reply to %s: %s", name, exchange.head.target.decode("latin-1"), error.reason)

    # Inside

    def _assign(self, exchange: Exchange, worker: Worker) -> None:
        """Send it to the worker whose it has just become."""
        try:
            exchange.send(worker)
        except BlockTooLargeError:
            # A head just within its limit, and what we add to it.
            self.release(worker)
            exchange.refuse(HttpError(HEAD_TOO_LARGE))
            return
        except StreamIdsExhausted:
            worker.set_away(Away.DRAINING, True)
            self.release(worker)
            self.submit(exchange)
            return
        worker.served += 1
        if worker.ids_left < MIN_STREAM_IDS and not worker.away:
            logger.info("link to worker %s has run out of stream ids: asking for a new one", worker.name)
            worker.set_away(Away.DRAINING, True)
            worker.link.goaway()
            self.has_changed(worker)

    def _serve_waiting(self, worker: Worker) -> None:
        """The worker has room: the oldest that waits for it goes first."""
        while worker.has_room:
            waiting = [pool for pool in worker.pools if pool.queue]
            if not waiting:
                break
            pool = min(waiting, key=lambda p: p.queue.first_arrival())
            exchange = pool.queue.pop()
            exchange.queue = None
            pool.take(worker)
            self._assign(exchange, worker)

    def _enqueue(self, exchange: Exchange, queue: Queue) -> None:
        if self._is_stopping and not self.workers:
            exchange.refuse(HttpError(SHUTTING_DOWN))
            return
        if not queue.push(exchange, first=bool(exchange.tried)):
            exchange.refuse(HttpError(QUEUE_FULL))
            return
        exchange.queue = queue
        now = self._loop.time()
        if not exchange.wait_until:
            exchange.wait_until = now + self.settings.queue_timeout
        exchange.wait(exchange.wait_until - now)

    def _match(self, head: RequestHead) -> Pool | None:
        """The pool of the request's route. Equal requests share their head, so it is looked up once for all of them."""
        pool = self.routes.match(normalise_host(head.host), head.path)
        if pool is not None and head.size_bytes <= KnownHeads.MAX_HEAD_BYTES:
            if len(self._matches) >= MAX_MATCHES:
                self._matches.clear()
            self._matches[head] = pool
        return pool

    def _await_route(self, exchange: Exchange) -> None:
        if self._has_been_joined and self._loop.time() >= self._settles_at:
            exchange.refuse(HttpError(NO_ROUTE))
        else:
            self._enqueue(exchange, self.lobby)

    def _settle(self) -> None:
        if self._has_been_joined:
            self._leave_lobby()

    def _leave_lobby(self) -> None:
        self._resubmit(self.lobby)

    def _resubmit(self, queue: Queue) -> None:
        for exchange in queue.drain():
            exchange.queue = None
            self.submit(exchange)

    def _make_queue(self) -> Queue:
        return Queue(self.settings.queue_size, self.settings.queue_bytes)

    def _make_pool(self, route: Route) -> Pool:
        pool = Pool(route, self._make_queue())
        self.routes.add(route, pool)
        self._matches.clear()
        return pool

    def _remove_from(self, pool: Pool, worker: Worker) -> None:
        pool.remove(worker)
        worker.pools.remove(pool)
        if pool.workers:
            self._keep_one_awake(pool)
        else:
            self._holds[pool.route] = self._loop.call_later(self.settings.hold, self._drop, pool)

    def _drop(self, pool: Pool) -> None:
        """Nobody has come back to the route in time."""
        del self._holds[pool.route]
        self.routes.remove(pool.route)
        self._matches.clear()
        self._resubmit(pool.queue)

    def _keep_one_awake(self, pool: Pool) -> None:
        """A pool whose other workers are away has no use for one that rests."""
        if any(not worker.away for worker in pool.workers.values()):
            return
        for worker in list(pool.workers.values()):
            if worker.away == Away.RESTING:
                self._wake(worker)

    def _wake(self, worker: Worker) -> None:
        if Away.RESTING in worker.away:
            worker.failures = 0
            worker.set_away(Away.RESTING, False)
            self.has_changed(worker)
