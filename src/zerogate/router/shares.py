"""Shares: workers that get so many of a route's requests, whatever the load, as a canary does.

Workers with the same labels are one **part**, however many they are: they take turns within it. Each part has an
account. A request is noted in all of them, and one is due to a part whose account has come to a whole request. So
shares are exact over any few hundred requests; they add up; what is left is everybody else's.

Nobody waits for a part: what is due to one that is full goes to others, and is made up for later, with twice the share
at most, so that nobody gets a burst. A part with nobody there (lost, silent, resting) is owed nothing meanwhile. While
nobody else is there the parts have all of it, each as its share is to the others'.
"""

from zerogate.router.turns import Turns
from zerogate.router.workers import Worker
from zerogate.wire.http.terms import Labels

# As many requests a part may be behind, or ahead by clients that come back to it; what is more is forgotten.
MAX_OWED = 100.0
# So much of a request's worth is between two that a part gets: it makes up with twice its share.
MIN_APART = 0.5


class Part(Turns):
    """Workers that have a share together. What one of them has said last holds for it.

    share: of one, as it was asked for
    """

    __slots__ = ("_apart", "_owed", "share")

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self._owed = 0.0
        self._apart = 0.0

    def __repr__(self) -> str:
        return f"<Part of {self.share:g}: {len(self.members)} workers, {self._owed:g} owed>"

    @property
    def owed(self) -> float:
        """How many requests it should have had, and has not; fewer than none if it had more."""
        return self._owed

    @property
    def is_due(self) -> bool:
        """Whether a request is its."""
        # Sums of fractions: twenty times 0.05 are a little less than 1.
        return self._owed > 1.0 - 1e-9 and self._apart > MIN_APART - 1e-9

    @property
    def is_there(self) -> bool:
        """Whether any of its workers is."""
        return any(worker.is_there for worker in self.members.values())

    def note(self, share: float) -> None:
        """One more request has come, of which so much is this part's."""
        self._owed = min(self._owed + share, MAX_OWED)
        self._apart += share

    def take(self) -> None:
        """It has got one."""
        self._owed = max(self._owed - 1.0, -MAX_OWED)
        self._apart = 0.0


class Shares:
    """The parts of a route, by their labels."""

    def __init__(self) -> None:
        self.parts: dict[Labels, Part] = {}
        self._labels: dict[int, Labels] = {}

    def __repr__(self) -> str:
        return f"<Shares {[*self.parts.values()]}>"

    def add(self, worker: Worker) -> None:
        """A worker whose terms have a share."""
        labels, share, _ = worker.terms
        assert share is not None
        part = self.parts.setdefault(labels, Part(share))
        part.share = share
        self._labels[worker.serial] = labels
        part.add(worker)

    def remove(self, worker: Worker) -> None:
        labels = self._labels.pop(worker.serial)
        part = self.parts[labels]
        part.remove(worker)
        if not part.members:
            del self.parts[labels]

    def part_of(self, worker: Worker) -> Part | None:
        labels = self._labels.get(worker.serial)
        return None if labels is None else self.parts[labels]

    @property
    def granted(self) -> dict[Part, float]:
        """What each gets: less than it has asked for where all together ask for more than there is."""
        total = max(1.0, sum(part.share for part in self.parts.values()))
        return {part: part.share / total for part in self.parts.values()}

    def note(self, *, is_all: bool) -> None:
        """One more request has come for the route. `is_all`: nobody is there who has no share."""
        there = [part for part in self.parts.values() if part.is_there]
        total = sum(part.share for part in (there if is_all else self.parts.values()))
        for part in there:
            part.note(part.share / (total if is_all else max(1.0, total)))

    def in_turn(self, *, is_all: bool) -> list[Part]:
        """To whom a request is due, or any of them, whoever is owed most first."""
        due = (part for part in self.parts.values() if is_all or part.is_due)
        return sorted(due, key=lambda part: -part.owed)
