"""The Date field's value, made once a second (RFC 9110, 6.6.1)."""

from email.utils import formatdate

from zerogate.router.state import DateState
from zerogate.router.timers import Timers


class HttpDate(DateState):
    """`value` is the time now, as HTTP writes it."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._tick()

    def close(self) -> None:
        self._timer.cancel()

    def _tick(self) -> None:
        self.value = formatdate(usegmt=True).encode()
        self._timer = self._timers.call_later(1.0, self._tick)
