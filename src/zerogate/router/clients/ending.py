"""How a client's connection ends, once no exchange is in progress and none will begin.

What is left to send may take as long as the client keeps taking it. Then the client has LINGER_S to close: what it
still sends is read and dropped meanwhile, so that no reset overtakes the last reply. Each step returns how long it may
take, in seconds.
"""

import asyncio

from zerogate.router import sockets
from zerogate.router.desk import LINGER_S
from zerogate.router.faces import TAKING_WINDOW_S
from zerogate.settings import RouterSettings


class Ending:
    """See the module. There is one for each connection from its beginning; it does nothing until it is asked.

    is_lingering: the client may still send for a while, but nothing of it is looked at
    """

    __slots__ = ("_settings", "_transport", "_unsent_bytes", "is_lingering")

    def __init__(self, transport: asyncio.Transport, settings: RouterSettings) -> None:
        self._transport = transport
        self._settings = settings
        self._unsent_bytes = 0
        self.is_lingering = False

    def close(self) -> float:
        """End, after what is left to send."""
        self._transport.close()
        return self._wait_s()

    def linger(self, *, is_half_closed: bool) -> float:
        """Close, but let the client read what it was sent, unless it has closed its half (`is_half_closed`)."""
        self.is_lingering = True
        if is_half_closed or not self._transport.can_write_eof():
            return self.close()
        sockets.write_eof(self._transport)
        return self._wait_s()

    def look(self) -> float:
        """The time is over: how long the client has again, if it has taken enough of what is left; else 0."""
        before_bytes, self._unsent_bytes = self._unsent_bytes, sockets.unsent_bytes(self._transport)
        return window_s(self._settings) if is_taking(before_bytes, self._unsent_bytes, self._settings) else 0.0

    def _wait_s(self) -> float:
        self._unsent_bytes = sockets.unsent_bytes(self._transport)
        return window_s(self._settings) if self._unsent_bytes else LINGER_S


def window_s(settings: RouterSettings) -> float:
    """How long a client has to take something, in seconds."""
    return min(TAKING_WINDOW_S, settings.idle_timeout)


def is_taking(before_bytes: int, unsent_bytes: int, settings: RouterSettings) -> bool:
    """Whether it has taken enough within a window: `--min-body-rate`, or anything at all without one."""
    enough_bytes = max(1, settings.min_body_rate * window_s(settings))
    return unsent_bytes > 0 and (not before_bytes or before_bytes - unsent_bytes >= enough_bytes)
