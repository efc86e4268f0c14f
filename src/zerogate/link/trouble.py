"""Why there is no link to a router: told once, and then counted, at growing distances."""

import logging

logger = logging.getLogger("zerogate.link")

# When it is summed up for the first time; each further time after twice as long, and no longer than the last.
FIRST_COUNT_S = 60.0
MAX_COUNT_S = 3600.0
# Causes that are told one by one. A peer may have something else to say each time.
MAX_CAUSES = 8


class Trouble:
    """What is wrong with one endpoint. Knows no clock: times are in seconds, of any one.

    words: what was wrong at the last try; "" if nothing was
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._told: set[str] = set()
        self._since = 0.0
        self._n_tries = 0
        self._pause_s = FIRST_COUNT_S
        self._count_at = 0.0
        self.words = ""

    def __repr__(self) -> str:
        return f"<Trouble {self._where}: {self._n_tries} tries, {self.words or 'none'}>"

    def note(self, words: str, now: float, message: str, level: int, *, is_sure: bool = True) -> None:
        """A try has failed. `message` is told of a cause that is new, and `is_sure`; `words` are the cause alone."""
        if not self.words:
            self._since = now
            self._count_at = now + FIRST_COUNT_S
        self.words = words
        self._n_tries += 1
        logger.debug("try %d: %s", self._n_tries, message)
        if not is_sure:
            return
        if words not in self._told and len(self._told) < MAX_CAUSES:
            self._told.add(words)
            logger.log(level, "%s", message)
        elif now >= self._count_at:
            self._pause_s = min(2 * self._pause_s, MAX_COUNT_S)
            self._count_at = now + self._pause_s
            minutes = (now - self._since) / 60
            logger.log(
                level,
                "no link to the router at %s for %.0f min, after %d tries: %s",
                self._where,
                minutes,
                self._n_tries,
                words,
            )

    def end(self) -> None:
        """There is a link, and it has joined."""
        self._told.clear()
        self._n_tries = 0
        self._pause_s = FIRST_COUNT_S
        self.words = ""
