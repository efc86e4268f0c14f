"""Deadlines that are cheap to move.

Each request moves its client's deadline several times, and hardly any is ever met: a timer for each would cost more
than the request. So an item carries its deadline as a plain attribute, and is looked at only when its place in a wheel
of ticks comes up; if its deadline has moved on, it is put where it belongs now. An item is looked at again after at
most `horizon` seconds. A new deadline is never nearer than that, so none is missed by more than two ticks.
"""

import asyncio
import math
from typing import Protocol

from zerogate.router.state import DeadlinesState


class Timed(Protocol):
    """Something with a deadline, in the event loop's time; math.inf for none."""

    deadline: float
    tick: int  # the wheel's own: where the item is

    def on_deadline(self) -> None:
        """The deadline has passed. Set another, or be removed."""


_NOWHERE = -1
_REMOVED = -2


class Deadlines(DeadlinesState):
    """A wheel of items. `horizon` is the shortest time-out that any of them will set, in seconds."""

    def __init__(self, horizon: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._tick_s = max(0.01, min(0.5, horizon / 10))
        self._horizon_ticks = max(1, int(horizon / self._tick_s) - 1)
        self._buckets: dict[int, dict[Timed, None]] = {}
        self._next = math.floor(self._loop.time() / self._tick_s)
        # A clock for setting deadlines with: never behind the time, and ahead by a tick at most.
        self.now = self._loop.time() + self._tick_s
        self._timer = self._loop.call_later(self._tick_s, self._turn)

    def shorten_horizon(self, seconds: float) -> None:
        """A time-out of so many seconds will be set, too."""
        if seconds < self._horizon_ticks * self._tick_s:
            self._horizon_ticks = max(1, int(seconds / self._tick_s) - 1)

    def add(self, item: Timed) -> None:
        self._place(item, self._loop.time())

    def remove(self, item: Timed) -> None:
        bucket = self._buckets.get(item.tick)
        if bucket is not None:
            bucket.pop(item, None)
        item.tick = _REMOVED

    def close(self) -> None:
        self._timer.cancel()
        self._buckets.clear()

    def _place(self, item: Timed, now: float) -> None:
        tick = math.floor(now / self._tick_s) + self._horizon_ticks
        if item.deadline < tick * self._tick_s:
            tick = math.ceil(item.deadline / self._tick_s)
        item.tick = tick = max(tick, self._next)
        self._buckets.setdefault(tick, {})[item] = None

    def _turn(self) -> None:
        now = self._loop.time()
        self.now = now + self._tick_s
        last = math.floor(now / self._tick_s)
        due: list[Timed] = []
        while self._next <= last:
            due.extend(self._buckets.pop(self._next, ()))
            self._next += 1
        for item in due:
            if item.tick == _REMOVED:
                continue
            item.tick = _NOWHERE
            if item.deadline <= now:
                try:
                    item.on_deadline()
                except Exception as error:
                    # Whatever is wrong with one, the deadlines of all others must still be met.
                    context = {"message": f"the deadline of {item!r} failed", "exception": error}
                    self._loop.call_exception_handler(context)
            if item.tick == _NOWHERE:
                self._place(item, now)
        self._timer = self._loop.call_later(self._tick_s, self._turn)
