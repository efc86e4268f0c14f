"""Pools: the workers of one route, and whose turn it is.

**Picking.** Of the workers with room, the one with the least in flight over its weight; among equals, the one whose
turn comes first, and at the very start the one whose name does. A turn is a virtual time, as in start-time fair
queueing: each pick moves the worker's turn on by 1/weight from the pool's clock, so equals alternate, a weight of 200
comes twice as often as 100, and who was away or has just joined starts at the clock and gets no burst.

The workers are in a heap by (load, turn). An entry is never updated: a worker whose key changed is pushed again, and an
entry whose key is no longer its worker's is dropped when it comes up. So a pick costs O(log n), and so does a release.
A pool of one has nothing to order: its heap stays empty, and however often its worker is picked, that is one turn.
"""

from collections.abc import Collection
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any

from zerogate.router.outage import Outage
from zerogate.router.queue import Queue
from zerogate.router.workers import Worker
from zerogate.wire.http.routes import Route

# Outdated heap entries are swept out when they are more than this many times the workers.
SLACK = 4
MIN_SLACK = 64

Entry = tuple[float, float, tuple[str, int], Worker]


class Pool:
    """The workers of one route and its queue. Offer a worker only while it has room."""

    __slots__ = (
        "_clock",
        "_had_turn",
        "_heap",
        "_max_entries",
        "_only",
        "_turns",
        "outage",
        "queue",
        "route",
        "workers",
    )

    def __init__(self, route: Route, queue: Queue[Any]) -> None:
        self.route = route
        self.workers: dict[int, Worker] = {}
        self.queue = queue
        self.outage = Outage()
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
            if self._only is None:
                for each in self.workers.values():
                    each.contested[self] = None
        else:
            worker.contested[self] = None
            if worker.has_room:
                self.offer(worker)

    def remove(self, worker: Worker) -> None:
        del self.workers[worker.serial]
        del self._turns[worker.serial]
        worker.contested.pop(self, None)
        self._sweep()  # An outdated entry would keep the worker, and all of its link, until it came up.
        if self._only is not None:
            self._only.contested.pop(self, None)

    def offer(self, worker: Worker) -> None:
        """The worker's load or standing has changed and it has room: it may be picked again. Not in a pool of one."""
        heap = self._heap
        heappush(heap, (worker.load, self._turns[worker.serial], worker.rank, worker))
        if len(heap) > self._max_entries:
            self._sweep()

    def pick(self, avoid: Collection[str] = (), never: Collection[str] = ()) -> Worker | None:
        """Whose turn it is, or None if nobody has room. The exchange is counted as the worker's.

        avoid: processes whose workers are picked only if nobody else has room
        never: those of them whose workers are not picked at all
        """
        only = self._only
        if only is not None:
            if not only.has_room or only.process_id in never:
                return None
            only.take_slot()
            self._had_turn = True
            if only.contested:
                only.offer()
            return only
        heap = self._heap
        turns = self._turns
        while heap:
            load, turn, _, worker = heap[0]
            if load != worker.load or turn != turns.get(worker.serial) or not worker.has_room:
                heappop(heap)
            elif avoid and worker.process_id in avoid:
                return self._pick_other(avoid, never)
            elif len(worker.pools) == 1:
                self._move_turn_on(worker)
                if worker.has_room:
                    heapreplace(heap, (worker.load, turns[worker.serial], worker.rank, worker))
                return worker
            else:
                self.count(worker)
                return worker
        return None

    def has_spare_room(self) -> bool:
        """Whether the worker whose turn it is has room to spare."""
        if self._only is not None:
            return self._only.has_spare_room
        heap = self._heap
        while heap:
            load, turn, _, worker = heap[0]
            if load == worker.load and turn == self._turns.get(worker.serial) and worker.has_room:
                return worker.has_spare_room
            heappop(heap)
        return False

    def count(self, worker: Worker) -> None:
        """Count an exchange as the worker's, whether or not it was its turn, and move its turn on."""
        self._move_turn_on(worker)
        worker.offer()

    def _move_turn_on(self, worker: Worker) -> None:
        turns = self._turns
        turn = turns[worker.serial]
        if turn > self._clock:
            self._clock = turn
        turns[worker.serial] = self._clock + worker.share
        worker.take_slot()

    def _pick_other(self, avoid: Collection[str], never: Collection[str]) -> Worker | None:
        heap = self._heap
        turns = self._turns
        avoided: list[Entry] = []
        while heap:
            load, turn, _, worker = heap[0]
            if load == worker.load and turn == turns.get(worker.serial) and worker.has_room:
                if worker.process_id not in avoid:
                    break
                avoided.append(heap[0])
            heappop(heap)
        picked = self.pick()
        shunned: list[Entry] = []
        for entry in avoided:
            if entry[-1].process_id in never:
                shunned.append(entry)
            else:
                heappush(heap, entry)
        picked = picked or self.pick()
        for entry in shunned:
            heappush(heap, entry)
        return picked

    def _sweep(self) -> None:
        turns = self._turns
        workers = self.workers.values()
        self._only = next(iter(workers)) if len(workers) == 1 else None
        self._had_turn = False
        self._heap = [] if self._only else [(w.load, turns[w.serial], w.rank, w) for w in workers if w.has_room]
        heapify(self._heap)
        self._max_entries = MIN_SLACK + SLACK * len(self.workers)
