"""One capacity, several routers: how many requests each of them may send at once.

Each router is granted what it has in flight and a share of what is free, by need: who has lately used more of its
grant, or was refused, gets more. Everybody keeps at least one, so that a router's first request finds an open door;
what comes over is refused, which costs nothing. With one router the grant is simply the capacity.
"""

from dataclasses import dataclass

from zerogate.link.link import Link

# How fast need is forgotten: halved with each round of sharing.
DECAY = 0.5


@dataclass(slots=True)
class _Router:
    in_flight: int = 0
    peak: int = 0
    need: float = 0.0
    granted: int = 0
    is_leaving: bool = False


class CapacityShare:
    """Counts what is in flight for each router, and shares out the rest."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.in_flight = 0
        self._routers: dict[Link, _Router] = {}

    def add(self, router: Link) -> None:
        self._routers[router] = _Router()

    def remove(self, router: Link) -> None:
        """The router is gone. What it had in flight is free."""
        gone = self._routers.pop(router, None)
        if gone is not None:
            self.in_flight -= gone.in_flight

    def leave(self, router: Link) -> None:
        """The router will send nothing new. What it has in flight still counts."""
        state = self._routers.get(router)
        if state is not None:
            state.is_leaving = True

    def take(self, router: Link) -> bool:
        """A request came. False if there is no room for it: refuse it."""
        state = self._routers[router]
        if self.in_flight >= self.capacity:
            state.need += 1
            return False
        self.in_flight += 1
        state.in_flight += 1
        if state.in_flight > state.peak:
            state.peak = state.in_flight
        return True

    def release(self, router: Link) -> None:
        """A request of the router's is over."""
        state = self._routers.get(router)
        if state is not None:
            self.in_flight -= 1
            state.in_flight -= 1

    def share(self) -> dict[Link, int]:
        """Share out anew. Returns the grants that have changed."""
        routers = {link: state for link, state in self._routers.items() if not state.is_leaving}
        for state in routers.values():
            state.need = state.need * DECAY + state.peak
            state.peak = state.in_flight
        free = max(0, self.capacity - self.in_flight)
        total = sum(state.need + 1 for state in routers.values())
        grants = {
            link: max(1, state.in_flight + (free if len(routers) == 1 else round(free * (state.need + 1) / total)))
            for link, state in routers.items()
        }
        changed = {router: grant for router, grant in grants.items() if routers[router].granted != grant}
        for router, grant in changed.items():
            routers[router].granted = grant
        return changed
