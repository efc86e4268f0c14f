"""The signals that stop a process, before there is an event loop and with it."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from types import FrameType

from zerogate.child import parent_pipe

# What has come before an event loop heeded it.
_noted: list[int] = []


def note_signals(*numbers: int, interrupts: bool = False) -> None:
    """Until `stop_on_signals`, note that one of these has come; the second interrupts, as Ctrl-C does.

    An exception at any line is none that can be relied on: amid an import the interpreter may drop it, and what is
    being made is left half made. Where something may hang that only an exception ends, as an import of somebody else's,
    `interrupts` has the first one interrupt, too. One that is ignored is noted as well, as the event loop would heed
    it: a shell has its background jobs ignore Ctrl-C, and a script's `kill -INT` means what it says.
    """
    _noted.clear()

    def note(number: int, frame: FrameType | None) -> None:
        is_first = not _noted
        _noted.append(number)
        if interrupts or not is_first:
            raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, note)


def stop_on_signals(
    stop: Callable[[], object],
    stop_at_once: Callable[[], object],
    on_first: Callable[[], object] = lambda: None,
) -> None:
    """Have the event loop call `stop` on the first SIGTERM or SIGINT; `stop_at_once` is called on the second.

    By handlers of the interpreter's, and not of the event loop's: those would wait for an application that blocks it,
    and so nothing but `kill -9` would end it. `on_first` does not wait for the event loop either. A signal that was
    noted has come first.
    """
    loop = asyncio.get_running_loop()
    is_stopping = False

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal is_stopping
        with contextlib.suppress(RuntimeError):  # the loop is closed: we are at the end anyway
            if is_stopping:
                # A service manager tells a whole group at once, and then our parent tells us again: that is no second
                # wish of anybody's. The parent has the last word, and SIGKILL for it.
                if parent_pipe() is None:
                    stop_at_once()
                return
            is_stopping = True
            on_first()
            loop.call_soon_threadsafe(stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    if _noted:
        first, *_ = _noted
        _noted.clear()
        on_signal(first, None)


def raise_noted() -> None:
    """Have those come again that nobody has heeded, to whoever handles them now."""
    noted = _noted[:]
    _noted.clear()
    for number in noted:
        signal.raise_signal(number)
