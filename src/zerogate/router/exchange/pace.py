"""How slow a client may be with a request's body before it is given up (`--min-body-rate`).

A client that is silent holds a slot of its worker, and so does one that sends a byte a second: a time-out between two
pieces sees only the first. So each byte buys time, behind GRACE_S that everybody has: who keeps to the rate on average
hears of nothing but `--body-timeout`, who does not is late in the end.
"""

import math

# Time that every client has at first, whatever its rate: for slow starts, and for applications that talk first.
GRACE_S = 10.0


class Pace:
    """One client's account. Times are the event loop's, in seconds; `late_at` is when it has been too slow.

    rate: bytes a second; 0 for no such rule
    silence_s: how long it may say nothing at all
    """

    __slots__ = ("_byte_s", "_paid_until", "_silence_s", "late_at")

    def __init__(self, rate: int, silence_s: float, now: float) -> None:
        self._byte_s = 1 / rate if rate else math.inf
        self._silence_s = silence_s
        self.late_at = 0.0
        self.restart(now)

    def __repr__(self) -> str:
        return f"<Pace late_at={self.late_at:.1f}>"

    def restart(self, now: float) -> None:
        """It was not the client's turn until now."""
        self._paid_until = now + GRACE_S if self._byte_s < math.inf else math.inf
        self.late_at = min(self._paid_until, now + self._silence_s)

    def receive(self, n_bytes: int, now: float) -> None:
        """So much has come."""
        self._paid_until += n_bytes * self._byte_s
        self.late_at = min(self._paid_until, now + self._silence_s)
