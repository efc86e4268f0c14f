"""Whether a WebSocket's client is still there: pings, and what is taken for an answer (RFC 6455, 5.5.2).

Whatever comes is as good as a pong, which cannot overtake a long message, nor what is not read yet. So it is if the
client takes what had to wait for it: the ping stands behind that. And while our own event loop was held up an answer
may have come that was not read: then the client has its time once more.
"""

import asyncio
import math
from typing import Final, Protocol

from zerogate.settings import WebSocketSettings

# When time is over it is looked once more, after what lies ready has been read: uvloop calls timers before that. Who is
# late by more than this was held up.
LOOK_AGAIN_S: Final = 0.1


class Pinged(Protocol):
    """A WebSocket, as its pings see it.

    has_unread: something of the client's waits to be looked at
    pending_bytes, taken_bytes: what waits for credit of the client's, and what has gone on
    """

    @property
    def has_unread(self) -> bool: ...

    @property
    def pending_bytes(self) -> int: ...

    @property
    def taken_bytes(self) -> int: ...

    def ping(self) -> None:
        """Send one."""

    def give_up(self) -> None:
        """Nobody is there."""


class Pings:
    """From `start` to `stop`. `has_heard` is for whoever hears the client to set.

    Who is pinged stands with the timer alone: it knows us, and would wait for the collector if we knew it.
    """

    __slots__ = (
        "_due",
        "_is_second_look",
        "_loop",
        "_pending_bytes",
        "_ping_at",
        "_settings",
        "_taken_bytes",
        "_timer",
        "_waits_until",
        "has_heard",
    )

    def __init__(self, settings: WebSocketSettings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._ping_at = math.inf
        # For an answer to the first ping that has none; math.inf if each has.
        self._waits_until = math.inf
        self._is_second_look = False
        self._pending_bytes = self._taken_bytes = 0
        self.has_heard = False

    def start(self, pinged: Pinged) -> None:
        self._ping_at = self._loop.time() + self._settings.ws_ping_interval
        self._look_at(self._ping_at, pinged)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at(self, due: float, pinged: Pinged) -> None:
        if due < math.inf:
            self._due = due
            self._timer = self._loop.call_at(due, self._look, pinged)

    def _look(self, pinged: Pinged) -> None:
        self._timer = None
        settings = self._settings
        # Event loops may call a little too early.
        now = max(self._loop.time(), self._due)
        is_held_up = now - self._due > LOOK_AGAIN_S
        if self._is_there(pinged):
            self._waits_until = math.inf
        elif now >= self._waits_until:
            if is_held_up:
                self._waits_until = now + settings.ws_ping_timeout
            elif self._is_second_look:
                pinged.give_up()
                return
            else:
                self._is_second_look = True
                self._look_at(now + LOOK_AGAIN_S, pinged)
                return
        self._is_second_look = False
        if now >= self._ping_at:
            pinged.ping()
            self._ping_at = now + settings.ws_ping_interval
            self._waits_until = min(self._waits_until, now + settings.ws_ping_timeout)
        self._look_at(min(self._ping_at, self._waits_until), pinged)

    def _is_there(self, pinged: Pinged) -> bool:
        """Whether it has said or taken something since this was asked before."""
        pending_bytes, taken_bytes = self._pending_bytes, self._taken_bytes
        self._pending_bytes, self._taken_bytes = pinged.pending_bytes, pinged.taken_bytes
        has_heard, self.has_heard = self.has_heard, False
        has_taken = pending_bytes > 0 and self._taken_bytes > taken_bytes
        return has_heard or pinged.has_unread or has_taken
