"""Accepting connections from a listening socket, also when there is nothing left to accept them with.

Not the event loop's own server: without a free descriptor uvloop's accepts and closes at once, and asyncio's logs a
traceback for each of its 2048 tries, again and again. Neither says which connections are accepted and not made yet, and
neither can leave off and go on.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Protocol

logger = logging.getLogger("zerogate.link")

# So many are accepted in one turn of the event loop; then others have theirs.
BATCH = 64
# How long to leave those who connect to the kernel's queue when nobody else can be taken. Long enough to cost nothing,
# short against the second after which a client's kernel would try again.
PAUSE_S = 0.1

# How long to leave those who connect to another process, if it should rather have them. An idle one needs less.
YIELD_S = 0.005
# If it has not taken them it is busy: one is taken in its place. Who has to do so again and again in vain takes it to
# hang, and waits for nobody for so long.
MAX_YIELDS = 20
IMPATIENT_S = 1.0


class Turn(Protocol):
    """Several processes accept from one socket, and agree who takes the next."""

    def is_ours(self) -> bool:
        """Whether nobody else should rather take the next connection."""

    def taken(self) -> None:
        """We have taken one."""


class Acceptor:
    """Gives each connection of `sock` to `take`. Stands still until `resume`.

    `has_room` is asked before each: while it says no, and while there are no descriptors, connections wait in the
    kernel's queue. `turn` is asked before each, too, if others accept from the socket. `label` is what the log calls
    the socket; `n_pauses` counts how often connections had to wait.
    """

    def __init__(
        self,
        sock: socket.socket,
        take: Callable[[socket.socket], None],
        label: str,
        has_room: Callable[[], bool] = lambda: True,
        turn: Turn | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._take = take
        self._label = label
        self._has_room = has_room
        self._turn = turn
        self._n_yields = 0
        self._impatient_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_reading = False
        self.n_pauses = 0

    def resume(self) -> None:
        """Take connections from now on."""
        self.pause()
        self._is_reading = True
        self._loop.add_reader(self._sock, self._on_readable)

    def pause(self) -> None:
        """Take none. They wait, and are not lost as long as the socket is open, here or in another process."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._sock)

    def accept_all(self) -> None:
        """Take all who wait, room or not, and none after them."""
        self.pause()
        while self._accept():
            pass
        self.pause()

    def _on_readable(self) -> None:
        for _ in range(BATCH):
            if not self._has_room():
                self._rest("there are too many already")
                return
            if not self._is_our_turn() and self._loop.time() >= self._impatient_until:
                self.pause()
                self._timer = self._loop.call_later(YIELD_S, self._insist)
                return
            if not self._accept():
                return

    def _insist(self) -> None:
        """Take what another one was left to take, if it still waits."""
        self.resume()
        if self._is_our_turn() or not self._has_room() or not self._accept():
            return
        self._n_yields += 1
        if self._n_yields >= MAX_YIELDS:
            self._n_yields = 0
            self._impatient_until = self._loop.time() + IMPATIENT_S

    def _is_our_turn(self) -> bool:
        if self._turn is not None and not self._turn.is_ours():
            return False
        self._n_yields = 0
        return True

    def _accept(self) -> bool:
        """Whether there may be more."""
        try:
            sock, _ = self._sock.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionError:
            return True  # It has gone again.
        except OSError as error:
            # No descriptors (EMFILE, ENFILE), no memory (ENOBUFS, ENOMEM): the queue stays readable all the while.
            self._rest(error.strerror or str(error))
            return False
        if self._turn is not None:
            self._turn.taken()
        self._take(sock)
        return True

    def _rest(self, reason: str) -> None:
        self.pause()
        self.n_pauses += 1
        if self.n_pauses == 1:
            logger.warning("%s: connections have to wait: %s. This is said once", self._label, reason)
        self._timer = self._loop.call_later(PAUSE_S, self.resume)
