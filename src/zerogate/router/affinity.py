"""Affinity: clients that come back to the worker that has had them before.

**By a cookie** the router tells a client who has it. What is in it is made of the worker's own random id and the route,
so every router that the worker has joined reads it alike; and it says nothing but which worker of this route. Any other
value is no cookie: the client gets a worker as everybody does, and its cookie with the reply.

**By a header or the client's address** it is who comes first by rendezvous hashing: of each worker and the key a number
is made, and the largest wins. So all routers agree without a word, weights and shares count, and one that joins or
leaves moves its own part of the clients and nobody else's.

Who is wanted and full is waited for, in a line of its own (`Line`), and not for long: the dispatcher's matter.
"""

import math
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from zerogate.router.queue import Queue
from zerogate.router.workers import ServedPool, Worker
from zerogate.wire.http.cookies import cookie_finder, session_cookie
from zerogate.wire.http.request import RequestHead
from zerogate.wire.http.routes import Route
from zerogate.wire.http.terms import COOKIE, HEADER, Sticky

COOKIE_PREFIX = b"zerogate-"

# Keys are dealt into so many lots, whose workers are remembered: one need not look at all workers for each request.
N_LOTS = 16_384
_TWO_64 = float(1 << 64)


class Sought(Protocol):
    """A request, as far as it matters who gets it.

    tried: the processes that lost or refused it (`Worker.process_id`)
    shunned: those of them that must not have it again
    is_noted: whether it is in the accounts of the route's shares
    cookie: what its client is to be told with the reply; None for nothing
    """

    head: RequestHead
    tried: frozenset[str]
    shunned: frozenset[str]
    is_noted: bool
    cookie: "StickyCookie | None"

    @property
    def client_address(self) -> str:
        """Empty if it is not known."""


class StickyCookie(NamedTuple):
    """Which worker a client is to come back to."""

    name: bytes
    value: bytes
    path: bytes

    def text(self, outer_path: bytes, *, is_secure: bool) -> bytes:
        """The Set-Cookie. `outer_path` is what a proxy before us has taken off the path."""
        return session_cookie(self.name, self.value, outer_path + self.path, is_secure=is_secure)


class Group(NamedTuple):
    """Workers that have a share of the keys together, by a name for it that is always the same."""

    name: str
    share: float
    workers: list[Worker]


class Line:
    """Who waits for one worker of a pool, and for no other."""

    def __init__(self, pool: ServedPool, worker: Worker, queue: Queue[Any]) -> None:
        self.route = pool.route
        self.queue = queue
        self._pool = pool
        self._worker = worker

    def __repr__(self) -> str:
        return f"<Line {self.route} {self._worker.name} {len(self.queue)} waiting>"

    def feeds(self, worker: Worker) -> bool:
        return worker is self._worker

    def count(self, worker: Worker, request: Any) -> None:
        self._pool.count(worker, request)


class Affinity:
    """Which worker of a route a client belongs to.

    lines: who waits for whom, by the worker's serial
    """

    def __init__(self, sticky: Sticky, route: Route) -> None:
        self.sticky = sticky
        self.lines: dict[int, Line] = {}
        self._route = str(route)
        self._path = route.prefix.encode()
        self._name = COOKIE_PREFIX + _digest(self._route, 4).hex().encode()
        self._find_cookies = cookie_finder(self._name)
        self._field = sticky.field.encode()
        self._values: dict[int, bytes] = {}
        self._by_value: dict[bytes, Worker] = {}
        self._groups: list[Group] = []
        self._owners: dict[int, Worker] = {}

    def __repr__(self) -> str:
        return f"<Affinity {self.sticky} {self._route} of {len(self._values)}>"

    @property
    def n_waiting(self) -> int:
        return sum(len(line.queue) for line in self.lines.values())

    def set_workers(self, groups: list[Group]) -> None:
        """Who is in the route now, in the order in which they have joined."""
        workers = [worker for group in groups for worker in group.workers]
        known = self._values
        self._values = {
            worker.serial: known.get(worker.serial) or _digest(f"{worker.process_id} {self._route}", 8).hex().encode()
            for worker in workers
        }
        # A process has two links for a while, when it dials anew: the later one counts.
        self._by_value = {self._values[worker.serial]: worker for worker in sorted(workers, key=lambda w: w.serial)}
        current = {worker.serial for worker in self._by_value.values()}
        self._groups = [Group(name, share, [w for w in each if w.serial in current]) for name, share, each in groups]
        self._owners = {}
        self.lines = {serial: line for serial, line in self.lines.items() if serial in self._values}

    def find(self, request: Sought) -> Worker | None:
        """To whom the request's client belongs, if that one is there and has not tried it. It may be full."""
        if self.sticky.how == COOKIE:
            values = self._find_cookies(request.head.fields)
            worker = next((self._by_value[value] for value in values if value in self._by_value), None)
        else:
            key = self._key_of(request)
            worker = self._owner_of(key) if key else None
        if worker is None or not worker.is_there or worker.process_id in request.tried:
            return None
        return worker

    def mark(self, request: Sought, worker: Worker) -> None:
        """The worker gets the request: its client is to be told, unless it knows."""
        request.cookie = None
        if self.sticky.how == COOKIE:
            value = self._values[worker.serial]
            if value not in self._find_cookies(request.head.fields):
                request.cookie = StickyCookie(self._name, value, self._path)

    def _key_of(self, request: Sought) -> bytes:
        if self.sticky.how == HEADER:
            return next((value for name, value in request.head.fields if name == self._field), b"")
        return request.client_address.encode()

    def _owner_of(self, key: bytes) -> Worker | None:
        lot = int.from_bytes(_digest(key, 8)) % N_LOTS
        owner = self._owners.get(lot)
        if owner is None:
            owner = _first(lot, self._groups)
            if owner is not None:
                self._owners[lot] = owner
        if owner is not None and not owner.is_there:
            there = ((name, share, [w for w in workers if w.is_there]) for name, share, workers in self._groups)
            owner = _first(lot, (Group(*group) for group in there))
        return owner


def _first(lot: int, groups: Iterable[Group]) -> Worker | None:
    """Who comes first for a lot."""
    inhabited = [group for group in groups if group.workers]
    if not inhabited:
        return None
    group = min(inhabited, key=lambda group: _rank(lot, f"={group.name}", group.share))
    return min(group.workers, key=lambda worker: _rank(lot, worker.process_id, worker.weight))


def _rank(lot: int, name: str, weight: float) -> float:
    """The lower, the earlier: exponentially distributed, so that each is first as often as its weight is of the sum."""
    if not weight:
        return math.inf
    number = int.from_bytes(_digest(f"{lot} {name}", 8))
    return -math.log((number + 0.5) / _TWO_64) / weight


def _digest(text: str | bytes, n_bytes: int) -> bytes:
    return blake2b(text.encode() if isinstance(text, str) else text, digest_size=n_bytes).digest()
