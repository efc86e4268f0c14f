"""Routes whose last worker has left: held for a while, so that requests wait for it, or another, to come back."""

from collections import OrderedDict
from collections.abc import Callable

from zerogate.router.timers import Timer, Timers
from zerogate.router.workers import Worker
from zerogate.wire.http.routes import Route

# Of all workers together. Each costs about a KiB, and a worker that comes and goes with ever new routes leaves all of
# them behind: beyond it whoever has most of them loses its oldest.
MAX_HELD_ROUTES = 16_384


class Holds:
    """`on_over` is called when nobody has come back to a route for `seconds`, or it is one too many."""

    def __init__(self, seconds: float, timers: Timers, on_over: Callable[[Route], None]) -> None:
        self._seconds = seconds
        self._timers = timers
        self._on_over = on_over
        self._by_route: dict[Route, Timer] = {}
        self._owner_of: dict[Route, str] = {}
        self._routes_of: dict[str, OrderedDict[Route, None]] = {}  # the oldest first

    def __repr__(self) -> str:
        return f"<Holds {len(self._by_route)} routes>"

    def begin(self, route: Route, owner: str) -> None:
        """Its last worker has left, whose key is called so; "" without one."""
        self._by_route[route] = self._timers.call_later(self._seconds, self._be_over, route)
        self._owner_of[route] = owner
        self._routes_of.setdefault(owner, OrderedDict())[route] = None
        if len(self._by_route) > MAX_HELD_ROUTES:
            self._be_over(self._one_too_many(owner))

    def _one_too_many(self, owner: str) -> Route:
        """Who leaves most behind mostly comes just now: then one need not look for it."""
        routes = self._routes_of[owner]
        if len(routes) == 1 or len(routes) * len(self._routes_of) <= MAX_HELD_ROUTES:
            routes = max(self._routes_of.values(), key=len)
        return next(iter(routes))

    def end(self, route: Route) -> None:
        """Somebody serves it again, or for the first time."""
        if route in self._by_route:
            self._forget(route)

    def assign(self, route: Route, worker: Worker) -> None:
        """The worker has left the held route behind, and serves others: it counts as the worker's own."""
        worker.left_behind[route] = self._by_route[route]

    def limit(self, worker: Worker, n_kept: int) -> None:
        """If the worker has left more routes behind, the oldest are held no longer."""
        left = worker.left_behind
        while len(left) > n_kept:
            route = next(iter(left))
            # Not if somebody has come back to it meanwhile, even if he has left again.
            if left.pop(route) is self._by_route.get(route):
                self._be_over(route)

    def close(self) -> None:
        for timer in self._by_route.values():
            timer.cancel()

    def _be_over(self, route: Route) -> None:
        self._forget(route)
        self._on_over(route)

    def _forget(self, route: Route) -> None:
        self._by_route.pop(route).cancel()
        owner = self._owner_of.pop(route)
        routes = self._routes_of[owner]
        del routes[route]
        if not routes:
            del self._routes_of[owner]
