"""Pools: the workers of one route, its queue, and the rules by which a request gets one of them.

Without rules a request goes to whose turn it is (turns.py). Workers may ask for rules: a share of the requests
(shares.py), or that a client comes back to who has had it (affinity.py). Then `choose` decides instead of `pick`.
"""

from typing import Any

from zerogate.native.compiled import slots
from zerogate.router.affinity import Affinity, Group, Line, Sought
from zerogate.router.outage import Outage
from zerogate.router.queue import Queue
from zerogate.router.shares import Part, Shares
from zerogate.router.turns import Turns
from zerogate.router.workers import Worker
from zerogate.wire.http.routes import Route


class Pool(Turns):
    """`members` are those of its workers that have no share of their own.

    has_rules: whether requests are to be submitted by `choose`
    """

    __slots__ = slots(Turns, "_affinity", "_shares", "has_rules", "outage", "queue", "route", "workers")

    def __init__(self, route: Route, queue: Queue[Any]) -> None:
        super().__init__()
        self.route = route
        self.workers: dict[int, Worker] = {}
        self.queue = queue
        self.outage = Outage()
        self.has_rules = False
        self._shares: Shares | None = None
        self._affinity: Affinity | None = None

    def __repr__(self) -> str:
        return f"<Pool {self.route} workers={len(self.workers)} waiting={self.n_waiting}>"

    @property
    def n_waiting(self) -> int:
        """How many wait, for whoever has room or for one worker."""
        return len(self.queue) + (0 if self._affinity is None else self._affinity.n_waiting)

    # Who is in it

    def add(self, worker: Worker) -> None:
        self.workers[worker.serial] = worker
        if worker.terms.share is None:
            super().add(worker)
        else:
            if self._shares is None:
                self._shares = Shares()
            self._shares.add(worker)
        self._revise()

    def remove(self, worker: Worker) -> None:
        """Who waits for this worker alone may be in a line that is lost by it: see to them (`lost_of`)."""
        del self.workers[worker.serial]
        part = self.part_of(worker)
        if part is None:
            super().remove(worker)
        else:
            assert self._shares is not None
            self._shares.remove(worker)
            if not self._shares.parts:
                self._shares = None
        self._revise()

    def settle(self, worker: Worker) -> None:
        """The worker has joined again, perhaps on other terms: it is where it belongs."""
        self.remove(worker)
        self.add(worker)

    def _revise(self) -> None:
        """Workers have come or gone: what the first of them says of stickiness holds for all."""
        sticky = next((worker.terms.sticky for worker in self.workers.values() if worker.terms.sticky), None)
        if sticky is None:
            self._affinity = None
        else:
            if self._affinity is None or self._affinity.sticky != sticky:
                self._affinity = Affinity(sticky, self.route)
            self._affinity.set_workers(self._groups())
        self.has_rules = self._shares is not None or self._affinity is not None

    def _groups(self) -> list[Group]:
        """Who has which share of the requests."""
        shares = self._shares
        if shares is None:
            return [Group("", 1.0, list(self.workers.values()))]
        groups = [
            Group(each[0].terms.label_text, share, each)
            for part, share in shares.granted.items()
            if (each := list(part.members.values()))
        ]
        rest = max(0.0, 1.0 - sum(group.share for group in groups))
        # A name that no labels have.
        return [Group("*", rest, list(self.members.values())), *groups]

    def part_of(self, worker: Worker) -> Part | None:
        """The share that the worker is in, if it has one."""
        return None if self._shares is None else self._shares.part_of(worker)

    def peers_of(self, worker: Worker) -> dict[int, Worker]:
        """Those who would take what the worker does not: nobody's share grows because others fail."""
        return self.workers if worker.serial not in self.members else self.members

    @property
    def _are_members_there(self) -> bool:
        return any(worker.is_there for worker in self.members.values())

    def takers(self) -> list[Worker]:
        """Those with a share who may have some of those who wait."""
        if self._shares is None or not self.queue.waiting:
            return []
        parts = self._shares.in_turn(is_all=not self._are_members_there)
        return [worker for part in parts for worker in part.members.values()]

    # By the rules

    def note(self, request: Sought) -> None:
        """A request has come: it counts for everybody's share, once."""
        if self._shares is not None and not request.is_noted:
            request.is_noted = True
            self._shares.note(is_all=not self._are_members_there)

    def wanted(self, request: Sought) -> Worker | None:
        """Whom the request's client is to come back to, if that one is there. It may be full."""
        return None if self._affinity is None else self._affinity.find(request)

    def choose(self, request: Sought) -> Worker | None:
        """Who gets a request by the rules, or None if nobody has room. The exchange is counted as the worker's."""
        worker = self._by_share(request)
        if worker is not None and self._affinity is not None:
            self._affinity.mark(request, worker)
        return worker

    def _by_share(self, request: Sought) -> Worker | None:
        # Who waits goes first, where a share is due. A member with room is one that all of them shun: not so this one.
        if self._shares is not None and not self.queue.waiting:
            is_all = not self._are_members_there
            for part in self._shares.in_turn(is_all=is_all):
                # While others are there nobody gets for its share's sake what it has lost before.
                worker = part.pick(request.tried, request.shunned if is_all else request.tried)
                if worker is not None:
                    part.take()
                    return worker
        return self.pick(request.tried, request.shunned)

    def count(self, worker: Worker, request: Sought) -> None:
        """Count the request as the worker's, whether or not it was its turn."""
        part = self.part_of(worker)
        if part is None:
            self.give(worker)
        else:
            part.take()
            part.give(worker)
        if self._affinity is not None:
            self._affinity.mark(request, worker)

    def has_spare_room(self) -> bool:
        """Whether the worker whose turn it is has room to spare."""
        if self._shares is None or self._are_members_there:
            return super().has_spare_room()
        return any(part.has_spare_room() for part in self._shares.parts.values())

    # Who waits

    def feeds(self, worker: Worker) -> bool:
        """Whether those who wait in the queue may go to this worker."""
        if worker.serial not in self.workers:
            return False
        part = self.part_of(worker)
        return part is None or part.is_due or not self._are_members_there

    def line_of(self, worker: Worker) -> Line | None:
        """Who waits for this worker alone."""
        return None if self._affinity is None else self._affinity.lines.get(worker.serial)

    @property
    def lines(self) -> dict[int, Line]:
        """Who waits for which worker, by its serial."""
        return {} if self._affinity is None else dict(self._affinity.lines)

    def lost_of(self, before: dict[int, Line]) -> list[Line]:
        """Which of the `lines` that there were are none any more: all, once stickiness is another."""
        now = self.lines
        return [line for serial, line in before.items() if now.get(serial) is not line]

    def add_line(self, worker: Worker) -> Line:
        """A new one, of a worker that clients come back to. There is room for so many in all of the pool's together."""
        assert self._affinity is not None
        line = self._affinity.lines[worker.serial] = Line(self, worker, self.queue.beside())
        return line
