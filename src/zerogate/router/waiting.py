"""A request that wants a worker, as those know it who decide."""

from typing import Protocol

from zerogate.router.affinity import Sought
from zerogate.router.queue import Queue
from zerogate.router.workers import Worker
from zerogate.wire.http.errors import HttpError


class Waiting(Sought, Protocol):
    """A request that wants a worker, as far as the dispatcher knows it: an exchange is one.

    arrived: when it came, in the timers' time
    wait_until: when it has waited long enough; 0 before it first waits
    awaits_until: until when it waits for one worker alone, which it does once; 0 if it has not
    size_bytes: what it holds in memory
    queue: where it waits, or None
    prefix: the path prefix of the route by which it was last sent
    """

    arrived: float
    wait_until: float
    awaits_until: float
    queue: "Queue[Waiting] | None"
    prefix: str

    @property
    def size_bytes(self) -> int: ...

    def send(self, worker: Worker) -> None:
        """Go to this worker, whose slot is taken for it. Raises BlockTooLargeError, StreamIdsExhausted."""

    def decline(self, error: HttpError) -> None:
        """No worker will have it."""

    def wait(self, seconds: float) -> None:
        """No worker has room: wait, but not longer than this."""

    def break_off(self) -> None:
        """One of the above has raised: give back what it has, and end it. Never raises."""
