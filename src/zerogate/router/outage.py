"""What the log says of requests that wait because nobody is there to take them: once, and once when that is over."""

import logging

logger = logging.getLogger("zerogate.router")

# Between two of the same kind: a worker that comes and goes all the time is told of by its own lines.
QUIET_S = 10.0


class Outage:
    """One queue's. `is_on` from when it was told of until its end was."""

    __slots__ = ("_quiet_until", "is_on")

    def __init__(self) -> None:
        self.is_on = False
        self._quiet_until = 0.0

    def __repr__(self) -> str:
        return f"<Outage {'on' if self.is_on else 'over'}>"

    def begin(self, now: float, words: str) -> None:
        """A request waits, and nobody is there."""
        if not self.is_on and now >= self._quiet_until:
            self.is_on = True
            self._quiet_until = now + QUIET_S
            logger.warning("%s", words)

    def end(self, words: str) -> None:
        """Somebody has come."""
        if self.is_on:
            self.is_on = False
            logger.warning("%s", words)
