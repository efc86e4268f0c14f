"""Routes whose last worker has left: held for a while, so that requests wait for it, or another, to come back."""

from collections.abc import Callable

from zerogate.router.timers import Timer, Timers
from zerogate.router.workers import Worker
from zerogate.wire.http.routes import Route

# Of all workers together: beyond it the oldest is forgotten. Each costs about a KiB, and a worker that comes and goes
# with ever new routes leaves all of them behind.
MAX_HELD_ROUTES = 16_384


class Holds:
    """`on_over` is called when nobody has come back to a route for `seconds`, or it is one too many."""

    def __init__(self, seconds: float, timers: Timers, on_over: Callable[[Route], None]) -> None:
        self._seconds = seconds
        self._timers = timers
        self._on_over = on_over
        self._by_route: dict[Route, Timer] = {}

    def __repr__(self) -> str:
        return f"<Holds {len(self._by_route)} routes>"

    def begin(self, route: Route) -> None:
        """Its last worker has left."""
        self._by_route[route] = self._timers.call_later(self._seconds, self._be_over, route)
        if len(self._by_route) > MAX_HELD_ROUTES:
            self._cut_short(next(iter(self._by_route)))

    def end(self, route: Route) -> None:
        """Somebody serves it again, or for the first time."""
        timer = self._by_route.pop(route, None)
        if timer is not None:
            timer.cancel()

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
                self._cut_short(route)

    def close(self) -> None:
        for timer in self._by_route.values():
            timer.cancel()

    def _cut_short(self, route: Route) -> None:
        self._by_route[route].cancel()
        self._be_over(route)

    def _be_over(self, route: Route) -> None:
        del self._by_route[route]
        self._on_over(route)
