"""Pools: the workers of one route, whose turn it is, and who waits for one of them.

**Picking.** Of the workers with room, the one with the least in flight over its weight; among equals, the one whose
turn comes first, and at the very start the one whose name does. A turn is a virtual time, as in start-time fair
queueing: each pick moves the worker's turn on by 1/weight from the pool's clock, so equals alternate, a weight of 200
comes twice as often as 100, and who was away or has just joined starts at the clock and gets no burst.

The workers are in a heap by (load, turn). An entry is never updated: a worker whose key changed is pushed again, and an
entry whose key is no longer its worker's is dropped when it comes up. So a pick costs O(log n), and so does a release.
A pool of one has nothing to order: its heap stays empty, and however often its worker is picked, that is one turn.
"""

from collections import OrderedDict
from collections.abc import Collection
from heapq import heapify, heappop, heappush, heapreplace
from typing import TYPE_CHECKING

from zerogate.router.workers import Worker
from zerogate.wire.http.routes import Route

if TYPE_CHECKING:
    from zerogate.router.exchange import Exchange

# Outdated heap entries are swept out when they are more than this many times the workers.
SLACK = 4
MIN_SLACK = 64

Entry = tuple[float, float, tuple[str, int], Worker]


class Pool:
    """The workers of one route and its queue. Offer a worker only while it has room."""

    __slots__ = ("_clock", "_had_turn", "_heap", "_max_entries", "_only", "_turns", "queue", "route", "workers")

    def __init__(self, route: Route, queue: "Queue") -> None:
        self.route = route
        self.workers: dict[int, Worker] = {}
        self.queue = queue
        self._only: Worker | None = None  # the worker of a pool of one,
        self._had_turn = False  # and whether it has been picked
        self._clock = 0.0
        self._turns: dict[int, float] = {}
        self._heap: list[Entry] = []
        self._max_entries = MIN_SLACK

    def __repr__(self) -> str:
        return f"<Pool {self.route} workers={len(self.workers)} waiting={len(self.queue)}>"

    def add(self, worker: Worker) -> None:
        if self._only is not None and self._had_turn:
            self._turns[self._only.serial] = self._clock + self._only.share
        self.workers[worker.serial] = worker
        self._turns[worker.serial] = self._clock
        if len(self.workers) <= 2:
            self._sweep()
        elif worker.has_room:
            self.offer(worker)

    def remove(self, worker: Worker) -> None:
        del self.workers[worker.serial]
        del self._turns[worker.serial]
        self._sweep()  # An outdated entry would keep the worker, and all of its link, until it came up.

    def offer(self, worker: Worker) -> None:
        """The worker's load or standing has changed and it has room: it may be picked again."""
        if self._only is not None:
            return
        heap = self._heap
        heappush(heap, (worker.load, self._turns[worker.serial], worker.rank, worker))
        if len(heap) > self._max_entries:
            self._sweep()

    def pick(self, avoid: Collection[int] = ()) -> Worker | None:
        """Whose turn it is, or None if nobody has room. Workers whose serial is in `avoid` only if nobody else has.

        The exchange is counted as the worker's.
        """
        only = self._only
        if only is not None:
            if not only.has_room:
                return None
            only.take()
            self._had_turn = True
            if len(only.pools) > 1:
                self._offer_again(only)
            return only
        heap = self._heap
        turns = self._turns
        while heap:
            load, turn, _, worker = heap[0]
            if load != worker.load or turn != turns.get(worker.serial) or not worker.has_room:
                heappop(heap)
            elif avoid and worker.serial in avoid:
                return self._pick_other(avoid)
            elif len(worker.pools) == 1:
                self._count(worker)
                if worker.has_room:
                    heapreplace(heap, (worker.load, turns[worker.serial], worker.rank, worker))
                return worker
            else:
                self.take(worker)
                return worker
        return None

    def take(self, worker: Worker) -> None:
        """Count an exchange as the worker's, and move its turn on."""
        self._count(worker)
        self._offer_again(worker)

    def _offer_again(self, worker: Worker) -> None:
        if worker.has_room:
            for pool in worker.pools:
                pool.offer(worker)

    def _count(self, worker: Worker) -> None:
        turns = self._turns
        turn = turns[worker.serial]
        if turn > self._clock:
            self._clock = turn
        turns[worker.serial] = self._clock + worker.share
        worker.take()

    def _pick_other(self, avoid: Collection[int]) -> Worker | None:
        heap = self._heap
        turns = self._turns
        avoided: list[Entry] = []
        while heap:
            load, turn, _, worker = heap[0]
            if load == worker.load and turn == turns.get(worker.serial) and worker.has_room:
                if worker.serial not in avoid:
                    break
                avoided.append(heap[0])
            heappop(heap)
        picked = self.pick()
        for entry in avoided:
            heappush(heap, entry)
        return picked or self.pick()

    def _sweep(self) -> None:
        turns = self._turns
        workers = self.workers.values()
        self._only = next(iter(workers)) if len(workers) == 1 else None
        self._had_turn = False
        self._heap = [] if self._only else [(w.load, turns[w.serial], w.rank, w) for w in workers if w.has_room]
        heapify(self._heap)
        self._max_entries = MIN_SLACK + SLACK * len(self.workers)


class Queue:
    """Exchanges waiting for a worker: first come, first served; bounded in count and bytes, not in age.

    Its owner sees to the age: each exchange has a deadline of its own. `waiting` is to be looked at only.
    """

    __slots__ = ("_max_bytes", "_max_count", "n_bytes", "waiting")

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self.waiting: OrderedDict[Exchange, int] = OrderedDict()
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self.waiting)

    def push(self, exchange: "Exchange", *, first: bool = False) -> bool:
        """Wait in line, or `first` after a retry. False if the queue is full."""
        size = exchange.size_bytes
        if len(self.waiting) >= self._max_count or self.n_bytes + size > self._max_bytes:
            return False
        self.waiting[exchange] = size
        self.n_bytes += size
        if first:
            self.waiting.move_to_end(exchange, last=False)
        return True

    def grow(self, exchange: "Exchange", n_bytes: int) -> None:
        """The waiting exchange keeps `n_bytes` more of its body. It keeps its place, though the queue be full."""
        self.waiting[exchange] += n_bytes
        self.n_bytes += n_bytes

    def remove(self, exchange: "Exchange") -> None:
        self.n_bytes -= self.waiting.pop(exchange)

    def first_arrival(self) -> float:
        """When the one that is next came. Only of a queue that is not empty."""
        return next(iter(self.waiting)).arrived

    def pop(self) -> "Exchange":
        exchange, size = self.waiting.popitem(last=False)
        self.n_bytes -= size
        return exchange

    def drain(self) -> "list[Exchange]":
        """Everybody, in order; the queue is empty after it."""
        waiting = list(self.waiting)
        self.waiting.clear()
        self.n_bytes = 0
        return waiting
