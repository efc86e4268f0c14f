"""One capacity, several routers: how many requests each of them may send at once.

**Grants.** Each router is granted what it needs, as far as it goes: where the routers need more than there is, nobody
gets more than a fair share while another lacks (max-min fairness), and where they need less, the rest goes by need.
Who has used up its grant may need more than that: it counts as twice as much, and is not kept waiting for the next
round; then who has nothing in flight needs nothing. Everybody keeps at least one, so that a router's first request
finds an open door; but nothing is kept behind the door of who needs nothing, if others need it: else a worker with few
slots would leave some idle while requests wait. A grant grows only into what others have given up, so that beyond the
capacity there are open doors, and nothing else. What a router was granted last is what it was told last: who comes and
who goes is a reason to share out anew, and a router that is alone has all of it.

**Apart.** A tunnel or a stream of events is no request: nobody waits for it to end. Up to `max_apart` of them are
counted for themselves, and its router is told one more for each.

**Turns.** What comes over is refused, which costs nothing. Who was refused has a turn: the next free slots are for
those with turns, in order, so that a busy router cannot take each slot before another has heard of it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from zerogate.link.link import Link
from zerogate.native.compiled import Base, NoPaths, find, slots

# How fast need is forgotten: halved with each round of sharing.
DECAY = 0.5
# Who has not come for a slot that was free for so many rounds has lost its turn.
MAX_INVITATIONS = 2


if TYPE_CHECKING:
    RouterState = Base
    ShareState = Base
    FastShare = NoPaths
else:
    RouterState = find("calls", "RouterState", Base)
    ShareState = find("calls", "ShareState", Base)
    FastShare = find("calls", "FastShare", NoPaths)


class RouterShare(RouterState):
    """What is known of one router."""

    __slots__ = slots(
        RouterState,
        "apart",
        "granted",
        "in_flight",
        "invitations",
        "is_gone",
        "is_leaving",
        "need",
        "peak",
        "refused",
    )

    def __init__(self) -> None:
        self.in_flight = 0
        self.apart = 0
        self.peak = 0
        self.refused = 0
        self.need = 0
        self.granted = 0
        self.invitations = 0
        self.is_leaving = False
        self.is_gone = False


Grants = dict[Link, int]


class CarefulShare(ShareState):
    """Counts what is in flight for each router, and shares out the rest.

    Whatever changes grants returns those that have changed: their routers must be told.
    on_full: is called when one of several routers has used up its grant, and as long as one has, with each round and
        when a slot is free; `share_early` is due soon, and until then it is not called again
    """

    def __init__(self, capacity: int, max_apart: int = 0, on_full: Callable[[], None] = lambda: None) -> None:
        self.capacity = capacity
        self.is_pressed = False
        self.is_short = False
        self._on_full = on_full
        self.in_flight = 0
        self.apart = 0
        self._max_apart = max_apart
        self._least = min(1, capacity)
        self._routers: dict[Link, RouterShare] = {}
        self._turns: list[Link] = []

    @property
    def is_shared(self) -> bool:
        """Whether several routers have a part in it, so that it must be shared out again and again."""
        return len(self._routers) > 1

    def add(self, router: Link) -> Grants:
        """A router has come."""
        self._routers[router] = RouterShare()
        return self.share()

    def remove(self, router: Link) -> Grants:
        """The router is gone. What it had in flight still counts, until each of it has ended."""
        state = self._routers.get(router)
        if state is None:
            return {}
        self._lose_turn(router)
        if state.in_flight or state.apart:
            state.is_leaving = state.is_gone = True
        else:
            del self._routers[router]
        return self.share()

    def leave(self, router: Link) -> Grants:
        """The router will send nothing new. What it has in flight still counts."""
        state = self._routers.get(router)
        if state is None or state.is_leaving:
            return {}
        self._lose_turn(router)
        state.is_leaving = True
        return self.share()

    def take_slot(self, router: Link) -> bool:
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
        if state.in_flight >= state.granted and not self.is_pressed and self.is_shared:
            self._press()
        return True

    def free_slot(self, router: Link) -> Link | None:
        """The work for a request of the router's has ended: once for each slot it took, also if the router is gone.

        Returns whose turn it is, if somebody was refused: to be told.
        """
        state = self._routers[router]
        self.in_flight -= 1
        state.in_flight -= 1
        if state.is_gone:
            self._forget(router, state)
        if self.is_short and not self.is_pressed:
            self._press()
        return self.next_in_turn() if self._turns else None

    def set_apart(self, router: Link) -> bool:
        """One of the router's requests goes on for long. False if there is no room for more of these: it stays one.

        As after `free_slot` there is room for another request: see `next_in_turn`.
        """
        if self.apart >= self._max_apart:
            return False
        state = self._routers[router]
        self.apart += 1
        state.apart += 1
        self.in_flight -= 1
        state.in_flight -= 1
        return True

    def free_apart(self, router: Link) -> None:
        """The work for one that was set apart has ended."""
        state = self._routers[router]
        self.apart -= 1
        state.apart -= 1
        self._forget(router, state)

    def next_in_turn(self) -> Link | None:
        """Whose turn it is now that a slot is free, if somebody was refused."""
        turns = self._turns
        if not turns:
            return None
        free = self.capacity - self.in_flight
        return turns[free - 1] if free <= len(turns) else None

    def granted(self, router: Link) -> int:
        """How many requests the router may have."""
        return self._routers[router].granted

    def told(self, router: Link) -> int:
        """How many streams the router may have: what it is told."""
        state = self._routers[router]
        return state.granted + state.apart

    def share(self) -> Grants:
        """Share out anew. Returns the grants that have changed, and those of routers whose turn it is."""
        for state in self._routers.values():
            state.need = max(_demand(state), int(state.need * DECAY))
        changed = self._deal()
        for state in self._routers.values():
            state.peak = state.in_flight
            state.refused = 0
        for link in self._invite():
            changed[link] = self.granted(link)
        if self.is_short and not self.is_pressed:
            self._press()
        return changed

    def share_early(self) -> Grants:
        """Share out amid a round, as somebody has used up its grant. Returns the grants that have changed."""
        self.is_pressed = False
        for state in self._routers.values():
            if state.in_flight or state.refused:
                state.need = max(_demand(state), state.need)
            else:
                state.need = state.peak = 0
        return self._deal()

    # Inside

    def _deal(self) -> Grants:
        routers = {link: state for link, state in self._routers.items() if not state.is_leaving}
        targets = self._targets(routers)
        changed = self._give_up(routers, targets)
        changed.update(self._grow(routers, targets))
        self.is_short = len(routers) > 1 and any(
            state.granted <= state.in_flight < self.capacity for state in routers.values()
        )
        return changed

    def _press(self) -> None:
        self.is_pressed = True
        self._on_full()

    def _forget(self, router: Link, state: RouterShare) -> None:
        if state.is_gone and not state.in_flight and not state.apart:
            del self._routers[router]

    def _targets(self, routers: dict[Link, RouterShare]) -> Grants:
        """The grants as they should be."""
        targets: Grants = {}
        left = self.capacity
        by_need = sorted(routers.items(), key=lambda item: item[1].need)
        needy = [(link, state) for link, state in by_need if state.need]
        for index, (link, state) in enumerate(needy):
            targets[link] = max(self._least, min(state.need, left // (len(needy) - index)))
            left = max(0, left - targets[link])
        for link in [link for link, state in by_need if not state.need]:
            targets[link] = self._least
            left = max(0, left - self._least)
        weight = sum(state.need + 1 for state in routers.values())
        rest = left
        for link, state in by_need:
            extra = left * (state.need + 1) // weight
            targets[link] += extra
            rest -= extra
        if by_need:
            targets[by_need[-1][0]] += rest
        return targets

    def _give_up(self, routers: dict[Link, RouterShare], targets: Grants) -> Grants:
        changed = {}
        for link, state in routers.items():
            if state.granted > targets[link]:
                changed[link] = state.granted = targets[link]
        return changed

    def _grow(self, routers: dict[Link, RouterShare], targets: Grants) -> Grants:
        """What is neither granted nor in use goes to those who should have more."""
        changed = {}
        # A router that leaves uses what it has in flight, and no more.
        free = self.capacity - sum(self._kept(state) for state in self._routers.values())
        for link, state in routers.items():
            # What a router has in flight beyond its grant stands in nobody's way but others'.
            kept = self._kept(state)
            grant = max(self._least, min(targets[link], kept + free))
            if grant > state.granted:
                free -= max(0, grant - kept)
                changed[link] = state.granted = grant
        return changed

    def _kept(self, state: RouterShare) -> int:
        """What nobody else may have: nothing behind an open door that needs nothing."""
        is_door = not state.need and state.granted == self._least
        return max(state.in_flight, 0 if state.is_leaving or is_door else state.granted)

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


def _demand(state: RouterShare) -> int:
    """What a router has needed since the last round."""
    return max(state.peak if state.peak < state.granted else 2 * state.granted, state.peak + state.refused)


class CapacityShare(FastShare, CarefulShare):
    """The same, where it is usual by what is compiled (native/calls.pyx)."""
