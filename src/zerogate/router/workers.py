"""A worker as the router knows it: what it serves, what it has, what it can take."""

import enum
import itertools
import math
from typing import Any, Protocol

from zerogate.link.link import Link
from zerogate.native.compiled import slots
from zerogate.router.outage import Outage
from zerogate.router.queue import Queue
from zerogate.router.state import WorkerState
from zerogate.router.timers import Timer
from zerogate.wire.http.join import DEFAULT_WEIGHT
from zerogate.wire.http.routes import Route
from zerogate.wire.http.terms import Terms

# For a worker that never sends SETTINGS_MAX_CONCURRENT_STREAMS: the draft sets no limit, but a queue here is fairer.
DEFAULT_CAPACITY = 100

# One slot in so many, and one at least of two or more, is kept for requests that are ready.
SPARE_DIVISOR = 4

_serials = itertools.count()


class Away(enum.Flag):
    """Why a worker gets nothing new."""

    DRAINING = enum.auto()
    SUSPECT = enum.auto()
    RESTING = enum.auto()
    REFUSING = enum.auto()


class Standing(Protocol):
    """Where a worker stands among others, to be picked (`turns.py`)."""

    def offer(self, worker: "Worker") -> None: ...


class Waiters(Protocol):
    """Who waits for some workers: for all of a pool, or for one (`affinity.py`)."""

    route: Route
    queue: Queue[Any]

    def feeds(self, worker: "Worker") -> bool:
        """Whether this worker may have them."""

    def count(self, worker: "Worker", request: Any) -> None:
        """The worker has one of them."""


class ServedPool(Waiters, Protocol):
    """A pool (`pool.py`) as its workers know it."""

    outage: Outage
    workers: "dict[int, Worker]"

    def remove(self, worker: "Worker") -> None: ...

    def settle(self, worker: "Worker") -> None: ...

    def peers_of(self, worker: "Worker") -> "dict[int, Worker]": ...

    def takers(self) -> "list[Worker]": ...

    def line_of(self, worker: "Worker") -> Waiters | None: ...


class Worker(WorkerState):
    """One joined worker, on one link.

    key_name: what the router's list calls its key; empty if it came without one
    process_id: of the process that it is in, as far as is known: random, so that no two have the same
    timeout_s, idle_timeout_s: how long its replies may take to begin, and be silent
    max_body_bytes: what it takes of a request; None for whatever there is
    in_flight: requests that it has; `tunnels` and `event_streams` are counted for themselves
    capacity: what it has said that it takes, less those
    contested: where it stands among other workers; theirs to write who have it (`turns.py`)
    terms: what it has joined on; `placed` are those by which its pools have it, the dispatcher's to write
    title: its name, and its labels if it has any, for people
    left_behind: routes that it served before its last JOIN, and what holds them; the dispatcher's to write
    Pools order workers by `load`, in-flight exchanges over weight, among equals by whose turn it is, then by `rank`.
    """

    __slots__ = slots(
        WorkerState,
        "away",
        "capacity",
        "contested",
        "event_streams",
        "failures",
        "has_room",
        "idle_timeout_s",
        "ids_left",
        "in_flight",
        "joined_at",
        "key_name",
        "left_behind",
        "link",
        "load",
        "max_body_bytes",
        "name",
        "placed",
        "pools",
        "process_id",
        "rank",
        "rested_at",
        "rests",
        "serial",
        "served",
        "software",
        "stride",
        "strips_prefix",
        "terms",
        "timeout_s",
        "title",
        "tunnels",
        "weight",
    )

    def __init__(self, link: Link, capacity: int, now: float, process_id: str = "") -> None:
        self.link = link
        self.serial = next(_serials)
        # A worker that does not say is taken for another process each time it dials.
        self.process_id = process_id or f"#{self.serial}"
        self.terms = self.placed = Terms()
        self.set_name("?")
        self.software = ""
        self.key_name = ""
        self.strips_prefix = False
        self.timeout_s = math.inf
        self.idle_timeout_s = math.inf
        self.max_body_bytes: int | None = None
        self.weight = DEFAULT_WEIGHT
        self.stride = 1.0
        self.pools: list[ServedPool] = []
        self.contested: dict[Standing, None] = {}
        self.left_behind: dict[Route, Timer] = {}
        self.capacity = capacity
        self.in_flight = 0
        self.tunnels = 0
        self.event_streams = 0
        self.served = 0
        self.load = 0.0
        self.joined_at = now
        self.failures = 0
        self.rested_at = now
        self.rests = 0
        self.away = Away(0)
        self.has_room = capacity > 0
        self.ids_left = link.session.ids_left

    def __repr__(self) -> str:
        return f"<Worker {self.name} {self.state} {self.in_flight}/{self.capacity}>"

    @property
    def state(self) -> str:
        """One word for people."""
        return next((reason.name.lower() for reason in Away if reason in self.away and reason.name), "up")

    @property
    def has_spare_room(self) -> bool:
        """Whether there is room for a request that may keep its slot waiting, besides what is kept for others."""
        n_kept = min(self.capacity - 1, -(-self.capacity // SPARE_DIVISOR))
        return self.has_room and self.in_flight < self.capacity - n_kept

    def set_name(self, name: str, terms: Terms | None = None) -> None:
        """`terms`, if they are others than before, hold from the next `Dispatcher.join`."""
        self.name = name
        self.rank = (name, self.serial)
        self.terms = terms or self.terms
        labels = self.terms.label_text
        self.title = f"{name} ({labels})" if labels else name

    @property
    def is_there(self) -> bool:
        """Whether it takes requests, though it may be full, or have refused one just now."""
        return not self.away or self.away is Away.REFUSING

    def set_weight(self, weight: int) -> None:
        self.weight = weight
        self.stride = DEFAULT_WEIGHT / weight
        self.load = self.in_flight * self.stride

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing of ours."""
        return not (self.in_flight or self.tunnels or self.event_streams)

    def set_capacity(self, n_streams: int) -> None:
        """It takes so many streams, of whatever kind."""
        self.capacity = n_streams - self.tunnels - self.event_streams
        self.has_room = not self.away and self.in_flight < self.capacity

    def set_apart(self, *, is_tunnel: bool) -> None:
        """One exchange in flight is no request any more. What it has room for stays as it is."""
        self._count_apart(1, is_tunnel)

    def unite(self, *, is_tunnel: bool) -> None:
        """It is in flight again, for its end."""
        self._count_apart(-1, is_tunnel)

    def _count_apart(self, n: int, is_tunnel: bool) -> None:
        if is_tunnel:
            self.tunnels += n
        else:
            self.event_streams += n
        self.capacity -= n
        self.in_flight -= n
        self.load = self.in_flight * self.stride

    def set_away(self, reason: Away, is_away: bool) -> None:
        self.away = self.away | reason if is_away else self.away & ~reason
        self.has_room = not self.away and self.in_flight < self.capacity

    def offer(self) -> None:
        """Stand, as it is now, in each of its pools; does nothing without room. The one place where room is offered.

        Where it is alone there is nothing to stand in: a worker may serve thousands of routes that nobody else does.
        """
        if self.has_room:
            for standing in self.contested:
                standing.offer(self)

    def take_slot(self) -> None:
        """One more exchange in flight."""
        self.in_flight += 1
        self.ids_left -= 1
        self.load = self.in_flight * self.stride
        if self.in_flight >= self.capacity:
            self.has_room = False

    def free_slot(self) -> None:
        """One exchange less in flight."""
        self.in_flight -= 1
        self.load = self.in_flight * self.stride
        if not self.has_room:
            self.has_room = not self.away and self.in_flight < self.capacity
