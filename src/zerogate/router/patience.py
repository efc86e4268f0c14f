"""For how long a client is made to wait for the one worker that it comes back to (`--sticky-wait`)."""

from collections.abc import Callable

from zerogate.router.affinity import Line
from zerogate.router.queue import Queue
from zerogate.router.timers import Timers
from zerogate.router.waiting import Waiting

# Event loops count in milliseconds.
SLACK_S = 0.001


class Patience:
    """`on_over` is called with those who have waited for `seconds`, or as long as they may wait for anybody.

    There is one timer for each line, not for each who waits: clients that leave sooner are to cost nothing.
    """

    def __init__(self, seconds: float, timers: Timers, on_over: Callable[[list[Waiting]], None]) -> None:
        self._seconds = seconds
        self._timers = timers
        self._on_over = on_over
        self._timed: set[Line] = set()

    def __repr__(self) -> str:
        return f"<Patience of {self._seconds:g} s with {len(self._timed)} lines>"

    def begin(self, line: Line, request: Waiting) -> None:
        """The request is the last in this line."""
        request.awaits_until = min(self._timers.time() + self._seconds, request.wait_until)
        if line not in self._timed:
            self._look_later(line)

    def _look_later(self, line: Line) -> None:
        waiting = line.queue.waiting
        if waiting:
            self._timed.add(line)
            until = next(iter(waiting)).awaits_until
            self._timers.call_later(until - self._timers.time(), self._look, line)

    def _look(self, line: Line) -> None:
        self._timed.discard(line)
        queue: Queue[Waiting] = line.queue
        now = self._timers.time() + SLACK_S
        overdue = []
        while queue.waiting and next(iter(queue.waiting)).awaits_until <= now:
            overdue.append(queue.pop())
        self._look_later(line)
        self._on_over(overdue)
