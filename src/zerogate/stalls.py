"""Saying what holds the event loop when it is held for long: which requests, and where in the code.

The event loop notes the time, a few times a second; a thread looks at that. Requests cost nothing more for it. Where
the whole process stood still (SIGSTOP, a machine that sleeps) the thread did, too, and says nothing.
"""

import asyncio
import logging
import math
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("zerogate")

# As a part of what is a stall: how often the time is noted, and looked at.
INTERVAL_PART = 1 / 4
# One stack a minute: what comes meanwhile is counted.
REPORT_EVERY_S = 60.0
# Innermost frames that are shown.
MAX_FRAMES = 30

# Requests that are named.
MAX_NAMED = 10

# The requests that are there, for people: those that the task answers, and the others. Called from another thread.
Requests = Callable[["asyncio.Task[Any] | None"], tuple[list[str], list[str]]]


class Stalls:
    """Watches the running event loop from `start` until `stop`. `seconds`: how long it may be held, or math.inf."""

    def __init__(self, seconds: float, requests: Requests) -> None:
        self._seconds = seconds
        self._interval = seconds * INTERVAL_PART
        self._requests = requests
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._timer: asyncio.TimerHandle | None = None
        self._beat = time.monotonic()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None
        self._reported_at = -REPORT_EVERY_S
        self._n_untold = 0

    def __repr__(self) -> str:
        return f"<Stalls of {self._seconds:g} s, {self._n_untold} untold>"

    def start(self) -> None:
        if math.isfinite(self._seconds):
            self._note()
            self._thread = threading.Thread(target=self._run, name="stalls", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join()

    def _note(self) -> None:
        self._beat = time.monotonic()
        self._timer = self._loop.call_later(self._interval, self._note)

    def _run(self) -> None:
        """The thread."""
        stalled_since: float | None = None
        is_told = False
        looked_at = time.monotonic()
        while not self._is_over.wait(self._interval):
            now = time.monotonic()
            late_s = now - looked_at - self._interval
            looked_at = now
            if late_s > self._interval:
                # We stood still ourselves: that is nobody's fault here.
                self._beat = max(self._beat, now)
            beat = self._beat
            if stalled_since is not None and beat > stalled_since:
                if is_told:
                    logger.warning("the event loop goes on, after %.1f s", beat - stalled_since)
                stalled_since = None
            elif stalled_since is None and now - beat >= self._seconds:
                stalled_since = beat
                is_told = now - self._reported_at >= REPORT_EVERY_S
                if is_told:
                    self._reported_at = now
                    self._report(now - beat)
                else:
                    self._n_untold += 1

    def _report(self, held_s: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        stack = "".join(traceback.format_stack(frame, MAX_FRAMES)) if frame is not None else ""
        holding, waiting = self._requests(asyncio.current_task(self._loop))
        untold = f"; {self._n_untold} more stalls since the last report" if self._n_untold else ""
        self._n_untold = 0
        logger.warning(
            "the event loop is held by %s, for %.1f s so far; %s%s. Its stack:\n%s",
            _named(holding) or "no request",
            held_s,
            f"{len(waiting)} wait: {_named(waiting)}" if waiting else "none waits",
            untold,
            stack.rstrip(),
        )


def _named(requests: list[str]) -> str:
    shown = ", ".join(requests[:MAX_NAMED])
    more = len(requests) - MAX_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
