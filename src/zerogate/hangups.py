"""SIGHUP: a terminal that was closed, or an operator who wants something renewed.

The kernel takes a terminal away and then says so; but a shell that goes tells its jobs first, and its terminal goes
with it a moment later. And who was left behind by its shell, in the background, has no terminal any more and is to go
on: a SIGHUP that comes to it one day is an operator's.
"""

import asyncio
import signal
from collections.abc import Callable

from zerogate.process import has_terminal

# After which a SIGHUP is an operator's if there still is a terminal, and when that is looked at again: a shell may take
# its time to go.
DECIDE_S = 0.2
LOOK_AGAIN_S = (1.0, 5.0)
# How often it is looked whether there is a terminal. One that was missing twice, and nobody has said a word, was meant
# to be outlived.
LOOK_EVERY_S = 5.0


class Hangups:
    """Calls `stop` when the terminal was closed, and `on_hangup` for any other SIGHUP. In a running event loop.

    Under nohup(1) the terminal's end is nobody's business.
    """

    def __init__(self, stop: Callable[[], object], on_hangup: Callable[[], object]) -> None:
        self._stop = stop
        self._on_hangup = on_hangup
        self._may_lose_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and has_terminal()
        self._was_missing = False
        self._loop = asyncio.get_running_loop()
        self._timers: list[asyncio.TimerHandle] = []
        self._loop.add_signal_handler(signal.SIGHUP, self._hear)
        if self._may_lose_terminal:
            self._later(LOOK_EVERY_S, self._look)

    def close(self) -> None:
        """Nothing more is told, and nobody ends of it: whoever calls this is about to end in good order."""
        for timer in self._timers:
            timer.cancel()
        self._loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _hear(self) -> None:
        if not self._may_lose_terminal:
            self._on_hangup()
        elif not has_terminal():
            self._stop()
        else:
            self._later(DECIDE_S, self._decide)

    def _decide(self) -> None:
        if not has_terminal():
            self._stop()
            return
        for seconds in LOOK_AGAIN_S:
            self._later(seconds, self._stop_without_terminal)
        self._on_hangup()

    def _stop_without_terminal(self) -> None:
        if not has_terminal():
            self._stop()

    def _look(self) -> None:
        is_missing = not has_terminal()
        if is_missing and self._was_missing:
            self._may_lose_terminal = False
            return
        self._was_missing = is_missing
        self._later(LOOK_EVERY_S, self._look)

    def _later(self, seconds: float, function: Callable[[], None]) -> None:
        now = self._loop.time()
        self._timers = [timer for timer in self._timers if timer.when() > now and not timer.cancelled()]
        self._timers.append(self._loop.call_later(seconds, function))
