"""Whose turn it is among workers of one route: all of them, or those that have a share of their own (shares.py).

**Picking.** Of the workers with room, the one with the least in flight over its weight; among equals, the one whose
turn comes first, and at the very start the one whose name does. A turn is a virtual time, as in start-time fair
queueing: each pick moves the worker's turn on by 1/weight from the pool's clock, so equals alternate, a weight of 200
comes twice as often as 100, and who was away or has just joined starts at the clock and gets no burst.

Workers with nothing in flight are in a heap by turn, others in one by (load, turn). An entry is never updated: a worker
whose key changed is pushed again, and an entry whose key is no longer its worker's is dropped when it comes up. So a
pick costs O(log n), and so does a release. While somebody has nothing to do nobody looks at the busy ones: they only
are noted, and pushed when there is nobody else. In a large pool, where a request finds most idle, that saves half.
Who is alone has nothing to order: its heaps stay empty, and however often its worker is picked, that is one turn.
"""

from collections.abc import Collection
from heapq import heapify, heappop, heappush, heapreplace

from zerogate.native.compiled import slots
from zerogate.router.state import FastTurns, TurnsState
from zerogate.router.workers import Worker

# Outdated heap entries are swept out when they are more than this many times the workers.
SLACK = 4
MIN_SLACK = 64

IdleEntry = tuple[float, tuple[str, int], Worker]
BusyEntry = tuple[float, float, tuple[str, int], Worker]


class CarefulTurns(TurnsState):
    """`members` are who takes turns. Offer one only while it has room."""

    __slots__ = slots(
        TurnsState,
        "_busy",
        "_clock",
        "_had_turn",
        "_idle",
        "_max_entries",
        "_noted",
        "_only",
        "_turns",
        "members",
    )

    def __init__(self) -> None:
        self.members: dict[int, Worker] = {}
        self._only: Worker | None = None  # who is alone here,
        self._had_turn = False  # and whether it has been picked
        self._clock = 0.0
        self._turns: dict[int, float] = {}
        self._idle: list[IdleEntry] = []
        self._busy: list[BusyEntry] = []
        self._noted: dict[Worker, None] = {}  # busy ones that may have no entry yet
        self._max_entries = MIN_SLACK

    def __repr__(self) -> str:
        return f"<Turns of {len(self.members)}>"

    def add(self, worker: Worker) -> None:
        if self._only is not None and self._had_turn:
            self._turns[self._only.serial] = self._clock + self._only.stride
        self.members[worker.serial] = worker
        self._turns[worker.serial] = self._clock
        if len(self.members) <= 2:
            self._sweep()
            if self._only is None:
                for each in self.members.values():
                    each.contested[self] = None
        else:
            worker.contested[self] = None
            if worker.has_room:
                self.offer(worker)

    def remove(self, worker: Worker) -> None:
        del self.members[worker.serial]
        del self._turns[worker.serial]
        worker.contested.pop(self, None)
        self._sweep()  # An outdated entry would keep the worker, and all of its link, until it came up.
        if self._only is not None:
            self._only.contested.pop(self, None)

    def offer(self, worker: Worker) -> None:
        """The worker's load or standing has changed and it has room: it may be picked again. Not in a pool of one."""
        idle = self._idle
        if not worker.load:
            heappush(idle, (self._turns[worker.serial], worker.rank, worker))
            if len(idle) > self._max_entries:
                self._sweep()
        elif idle:
            self._noted[worker] = None
        else:
            self._push(worker)

    def _push(self, worker: Worker) -> None:
        busy = self._busy
        heappush(busy, (worker.load, self._turns[worker.serial], worker.rank, worker))
        if len(busy) > self._max_entries:
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
        worker = self._next()
        if worker is None:
            return None
        if avoid and worker.process_id in avoid:
            return self._pick_other(avoid, never)
        is_busy = worker.load
        self._move_turn_on(worker)
        if len(worker.contested) > 1:
            worker.offer()
        elif not is_busy:
            heappop(self._idle)
            if worker.has_room:
                self._noted[worker] = None
        elif worker.has_room:
            heapreplace(self._busy, (worker.load, self._turns[worker.serial], worker.rank, worker))
        return worker

    def _next(self) -> Worker | None:
        """Whose turn it is, of those who have room."""
        turns = self._turns
        idle = self._idle
        while idle:
            turn, _, worker = idle[0]
            if not worker.load and turn == turns.get(worker.serial) and worker.has_room:
                return worker
            heappop(idle)
        if self._noted:
            noted, self._noted = self._noted, {}
            for worker in noted:
                if worker.load and worker.has_room:
                    self._push(worker)
        busy = self._busy
        while busy:
            load, turn, _, worker = busy[0]
            if load == worker.load and turn == turns.get(worker.serial) and worker.has_room:
                return worker
            heappop(busy)
        return None

    def has_spare_room(self) -> bool:
        """Whether the worker whose turn it is has room to spare."""
        worker = self._only or self._next()
        return worker is not None and worker.has_spare_room

    def give(self, worker: Worker) -> None:
        """Count an exchange as the worker's, whether or not it was its turn, and move its turn on."""
        self._move_turn_on(worker)
        worker.offer()

    def _move_turn_on(self, worker: Worker) -> None:
        turns = self._turns
        turn = turns[worker.serial]
        if turn > self._clock:
            self._clock = turn
        turns[worker.serial] = self._clock + worker.stride
        worker.take_slot()

    def _pick_other(self, avoid: Collection[str], never: Collection[str]) -> Worker | None:
        avoided: list[Worker] = []
        while (worker := self._next()) is not None and worker.process_id in avoid:
            avoided.append(worker)
            if worker.load:
                heappop(self._busy)
            else:
                heappop(self._idle)
        picked = self.pick()
        for worker in avoided:
            if worker.process_id not in never:
                self.offer(worker)
        picked = picked or self.pick()
        for worker in avoided:
            if worker.process_id in never:
                self.offer(worker)
        return picked

    def _sweep(self) -> None:
        turns = self._turns
        workers = self.members.values()
        self._only = next(iter(workers)) if len(workers) == 1 else None
        self._had_turn = False
        self._noted = {}
        self._idle = []
        self._busy = []
        self._max_entries = MIN_SLACK + SLACK * len(self.members)
        if self._only is None:
            free = [worker for worker in workers if worker.has_room]
            self._idle = [(turns[w.serial], w.rank, w) for w in free if not w.load]
            self._busy = [(w.load, turns[w.serial], w.rank, w) for w in free if w.load]
            heapify(self._idle)
            heapify(self._busy)


class Turns(FastTurns, CarefulTurns):
    """The same, by shorter ways where these are compiled (native/turns.pyx)."""

    __slots__ = ()
