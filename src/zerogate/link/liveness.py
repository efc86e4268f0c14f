"""How long a peer has been silent, and what vouches for it meanwhile (protocol.md, Liveness). Knows no clock.

A **pulse** is a second connection from the same process, which answers although the process is too busy to speak on the
link itself. Who has one is silent, but not lost.
"""

from zerogate.link.state import LivenessState
from zerogate.native.compiled import slots

# So long a link may be silent before it is pinged, as a part of the time after which it is suspect.
PING_PART = 1 / 3


class Liveness(LivenessState):
    """See the module. All times are of one clock, in seconds.

    heard: when the link last brought something; for the link to write
    alive: when the peer was last known to live, by its link or by its pulse, as of the last check
    pulse: that of the peer's pulse, if it has one. It may be replaced, and counts for what it has heard when it is over
    """

    __slots__ = slots(LivenessState, "_due", "_interval", "alive", "heard", "pulse")

    def __init__(self, suspect_after: float, now: float) -> None:
        self._interval = suspect_after * PING_PART
        self._due = now
        self.heard = self.alive = now
        self.pulse: Liveness | None = None

    def __repr__(self) -> str:
        return f"<Liveness heard at {self.heard:.1f}, alive at {self.alive:.1f}>"

    def schedule(self, now: float) -> float:
        """Set when the next check is due, and return it."""
        self._due = now + self._interval
        return self._due

    def check(self, now: float) -> None:
        """Take stock. A check that comes late says that this process was stopped or busy: that time was not the peer's.

        What came meanwhile may not have been read yet. A check is late by chance, so an interval's worth is let pass.
        """
        ours = max(0.0, now - self._due - self._interval)
        self.heard = min(now, self.heard + ours)
        self.alive = max(min(now, self.alive + ours), self.heard, self.pulse.heard if self.pulse is not None else 0.0)

    def wants_ping(self, now: float) -> bool:
        """Whether the link has brought nothing since about the last check."""
        return now - self.heard >= self._interval * 0.9
