"""Trouble that strangers can cause as often as they like, told without letting them fill the log."""

import asyncio
import logging

# How often the rest is summed up, while it goes on.
SUM_UP_EVERY_S = 10.0


class SparseLog:
    """One kind of trouble: the first `burst` times it is told at once, then counted, and the count told now and then.

    what: the kind, for people, in the plural
    """

    def __init__(self, logger: logging.Logger, what: str, *, burst: int = 1) -> None:
        self._loop = asyncio.get_running_loop()
        self._logger = logger
        self._what = what
        self._burst = burst
        self._n_told = 0
        self._n_more = 0
        self._last = ""
        self._timer: asyncio.TimerHandle | None = None

    def warning(self, message: str, *arguments: object) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(SUM_UP_EVERY_S, self._sum_up)
        if self._n_told < self._burst:
            self._n_told += 1
            self._logger.warning(message, *arguments)
        else:
            self._n_more += 1
            self._last = message % arguments

    def close(self) -> None:
        """Tell what is left to tell."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tell_count()

    def _sum_up(self) -> None:
        """It goes on: another count. It has stopped: the next time is told at once again."""
        self._timer = None
        if self._n_more:
            self._tell_count()
            self._timer = self._loop.call_later(SUM_UP_EVERY_S, self._sum_up)
        else:
            self._n_told = 0

    def _tell_count(self) -> None:
        if self._n_more:
            self._logger.warning("%d more %s; the last: %s", self._n_more, self._what, self._last)
            self._n_more = 0
