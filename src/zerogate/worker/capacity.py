"""One capacity, several routers: how many requests each of them may send at once.

**Grants.** Each router is granted what it needs, as far as it goes: where the routers need more than there is, nobody
gets more than a fair share while another lacks (max-min fairness), and where they need less, the rest goes by need.
Who has used up its grant may need more than that: it counts as twice as much. Everybody keeps at least one, so that a
router's first request finds an open door. A grant grows only into what others have given up, so that the grants
together never exceed the capacity, if it is enough for one each.

**Turns.** What comes over is refused, which costs nothing. Who was refused has a turn: the next free slots are for
those with turns, in order, so that a busy router cannot take each slot before another has heard of it.
"""

from dataclasses import dataclass

from zerogate.link.link import Link

# How fast need is forgotten: halved with each round of sharing.
DECAY = 0.5
# Who has not come for a slot that was free for so many rounds has lost its turn.
MAX_INVITATIONS = 2


@dataclass(slots=True)
class _Router:
    in_flight: int = 0
    peak: int = 0
    refused: int = 0
    need: int = 0
    granted: int = 0
    invitations: int = 0
    is_leaving: bool = False


class CapacityShare:
    """Counts what is in flight for each router, and shares out the rest."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.in_flight = 0
        self._routers: dict[Link, _Router] = {}
        self._turns: list[Link] = []

    def add(self, router: Link) -> None:
        self._routers[router] = _Router()

    def remove(self, router: Link) -> None:
        """The router is gone. What it had in flight is free."""
        self._lose_turn(router)
        gone = self._routers.pop(router, None)
        if gone is not None:
            self.in_flight -= gone.in_flight

    def leave(self, router: Link) -> None:
        """The router will send nothing new. What it has in flight still counts."""
        self._lose_turn(router)
        state = self._routers.get(router)
        if state is not None:
            state.is_leaving = True

    def take(self, router: Link) -> bool:
        """A request came. False if there is no room for it: refuse it."""
        state = self._routers[router]
        turns = self._turns
        if self.in_flight >= self.capacity or turns:
            ahead = turns.index(router) if router in turns else len(turns)
            if self.in_flight + ahead >= self.capacity:
                state.refused += 1
                if ahead == len(turns) and not state.is_leaving:
                    state.invitations = 0
                    turns.append(router)
                return False
            self._lose_turn(router)
        self.in_flight += 1
        state.in_flight += 1
        if state.in_flight > state.peak:
            state.peak = state.in_flight
        return True

    def release(self, router: Link) -> Link | None:
        """A request of the router's is over. Returns whose turn it is, if somebody was refused: to be told."""
        state = self._routers.get(router)
        if state is None:
            return None
        self.in_flight -= 1
        state.in_flight -= 1
        turns = self._turns
        if not turns:
            return None
        free = self.capacity - self.in_flight
        return turns[free - 1] if free <= len(turns) else None

    def granted(self, router: Link) -> int:
        """The router's grant of the last round; at least one."""
        return max(1, self._routers[router].granted)

    def share(self) -> dict[Link, int]:
        """Share out anew. Returns the grants that have changed, and those of routers whose turn it is."""
        routers = {link: state for link, state in self._routers.items() if not state.is_leaving}
        for state in routers.values():
            demand = state.peak if state.peak < state.granted else 2 * state.granted
            state.need = max(demand, state.peak + state.refused, int(state.need * DECAY))
            state.peak = state.in_flight
            state.refused = 0
        targets = self._targets(routers)
        changed = self._give_up(routers, targets)
        changed.update(self._grow(routers, targets))
        for link in self._invite():
            changed[link] = self.granted(link)
        return changed

    # Inside

    def _targets(self, routers: dict[Link, _Router]) -> dict[Link, int]:
        """The grants as they should be."""
        targets: dict[Link, int] = {}
        left = self.capacity
        by_need = sorted(routers.items(), key=lambda item: item[1].need)
        for index, (link, state) in enumerate(by_need):
            targets[link] = max(1, min(state.need, left // (len(by_need) - index)))
            left = max(0, left - targets[link])
        weight = sum(state.need + 1 for state in routers.values())
        rest = left
        for link, state in by_need:
            extra = left * (state.need + 1) // weight
            targets[link] += extra
            rest -= extra
        if by_need:
            targets[by_need[-1][0]] += rest
        return targets

    def _give_up(self, routers: dict[Link, _Router], targets: dict[Link, int]) -> dict[Link, int]:
        changed = {}
        for link, state in routers.items():
            if state.granted > targets[link]:
                changed[link] = state.granted = targets[link]
        return changed

    def _grow(self, routers: dict[Link, _Router], targets: dict[Link, int]) -> dict[Link, int]:
        """What is neither granted nor in use goes to those who should have more."""
        changed = {}
        # A router that leaves uses what it has in flight, and no more.
        used = sum(max(state.in_flight, 0 if state.is_leaving else state.granted) for state in self._routers.values())
        free = self.capacity - used
        for link, state in routers.items():
            more = min(targets[link] - state.granted, max(free, 1 - state.granted))
            if more > 0:
                free -= more
                state.granted += more
                changed[link] = state.granted
        return changed

    def _invite(self) -> list[Link]:
        """Who could have come by now and has not is told once more, and then loses its turn."""
        free = self.capacity - self.in_flight
        invited = self._turns[: max(0, free)]
        for link in invited:
            self._routers[link].invitations += 1
            if self._routers[link].invitations > MAX_INVITATIONS:
                self._turns.remove(link)
        return invited

    def _lose_turn(self, router: Link) -> None:
        if router in self._turns:
            self._turns.remove(router)
