"""Links that come to the wrong process: each is handed on, unread, to the one that its worker wishes to reach.

Several processes accept from one port, and which of them takes a connection is nobody's choice. A worker says in the
padding of its greeting whom it means (link/marks.py): those ten octets are looked at and left where they are, nothing
has been said yet, and so the descriptor alone is all that has to be handed over.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence

from zerogate.link.marks import START_BYTES, id_in, is_start
from zerogate.router.rendezvous import readable
from zerogate.router.seat import Seat

logger = logging.getLogger("zerogate.router")

# A greeting comes in one piece, nearly always. Where it has not, this is when the rest is looked for; then after twice
# as long each time, for what has been peeked at is ready to be read, and would keep us looking at it.
PEEK_AFTER_S = 0.01
# So many may make up their minds at once: as many workers may start at the same moment. Beyond that whoever has taken
# longest is ours, and stands on our doorstep, where those who have not joined are bounded (doorstep.py).
MAX_WAITS = 256
# One descriptor with each message, whose text is the key of its port.
MAX_KEY_BYTES = 512


class Sorter:
    """`outboxes` lead to each seat's inbox, in order; they and ours are the sorter's from here on.

    A connection that says nothing for `timeout_s` is ours.
    """

    def __init__(self, seat: Seat, inbox: socket.socket, outboxes: Sequence[socket.socket], timeout_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._inbox = inbox
        self._inbox.setblocking(False)
        self._outboxes = dict(zip(seat.processes, outboxes, strict=True))
        for box in self._outboxes.values():
            box.setblocking(False)
        self._outboxes.pop(seat.id).close()
        self._timeout_s = timeout_s
        self._waits: dict[asyncio.Timeout, None] = {}  # the oldest first
        self._is_closed = False

    def open(self, take: Callable[[str, socket.socket], None]) -> None:
        """Have `take` called for what others hand on to us, with the key of the port by which it came."""
        self._loop.add_reader(self._inbox, self._on_readable, take)

    def close(self) -> None:
        """What comes from now on is ours, and nobody is waited for."""
        if self._is_closed:
            return
        self._is_closed = True
        self._loop.remove_reader(self._inbox)
        for box in (self._inbox, *self._outboxes.values()):
            box.close()
        self._outboxes = {}
        for wait in list(self._waits):
            self._end_wait(wait)

    async def is_ours(self, sock: socket.socket, key: str) -> bool:
        """Whether a connection is for us. Else it has been handed on, or closed if that could not be."""
        sock.setblocking(False)
        box = self._outboxes.get(id_in(await self._peek(sock)))
        if box is None:
            return True
        with contextlib.closing(sock):
            try:
                socket.send_fds(box, [key.encode()], [sock.fileno()])
            except OSError as error:
                # It takes no more, for now: the worker dials again.
                logger.debug("a link could not be handed on: %s", error)
        return False

    async def _peek(self, sock: socket.socket) -> bytes:
        """The first octets, if they come in time and may be a greeting's."""
        start = b""
        pause_s = PEEK_AFTER_S
        try:
            async with asyncio.timeout(0 if self._is_closed else self._timeout_s) as wait:
                if len(self._waits) >= MAX_WAITS:
                    self._end_wait(next(iter(self._waits)))
                self._waits[wait] = None
                try:
                    while len(start) < START_BYTES:
                        await readable(sock)
                        start = sock.recv(START_BYTES, socket.MSG_PEEK)
                        if not is_start(start):
                            return start
                        if len(start) < START_BYTES:
                            await asyncio.sleep(pause_s)
                            pause_s *= 2
                finally:
                    self._waits.pop(wait, None)
        except (TimeoutError, OSError):
            pass  # The link itself finds out what is wrong.
        return start

    def _end_wait(self, wait: asyncio.Timeout) -> None:
        del self._waits[wait]
        if not wait.expired():
            wait.reschedule(self._loop.time())

    def _on_readable(self, take: Callable[[str, socket.socket], None]) -> None:
        while True:
            try:
                key, descriptors, _, _ = socket.recv_fds(self._inbox, MAX_KEY_BYTES, 1)
            except OSError:
                return
            if not key and not descriptors:
                self._loop.remove_reader(self._inbox)  # Nobody is left who could send any.
                return
            for descriptor in descriptors:
                take(key.decode(), socket.socket(fileno=descriptor))
