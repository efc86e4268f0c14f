"""Time as the deciding parts see it: handed in, so that tests have a clock of their own."""

from collections.abc import Callable
from typing import Any, Protocol


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """A clock in seconds, of no particular zero, and what is to happen by it. An asyncio event loop is one."""

    def time(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: Any) -> Timer: ...
