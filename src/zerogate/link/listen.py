"""Listening sockets at work: bound by us, handed over by the router before us, or opened by systemd."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from zerogate.link.accept import Acceptor, Turn
from zerogate.link.bind import Place

logger = logging.getLogger("zerogate.link")

MakeProtocol = Callable[[], asyncio.BaseProtocol]
# Whether a connection is for this process; else it has been handed on, and is closed here.
IsOurs = Callable[[socket.socket], Awaitable[bool]]


class Listener:
    """One listening socket, and those who have connected to it but have no protocol yet.

    `is_inherited` says that the socket stays open elsewhere: who waits there to be accepted is not lost when we close
    it. `n_pauses` counts how often connections had to wait because there was no room for them.
    """

    def __init__(self, sock: socket.socket, place: Place, *, is_inherited: bool = False) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.is_inherited = is_inherited
        self._make_protocol: MakeProtocol
        self._acceptor: Acceptor | None = None
        self._is_ours: IsOurs | None = None
        self._connecting: set[asyncio.Task[Any]] = set()
        # A Unix socket of our own is removed in the end; systemd's is systemd's.
        self._path = ""
        self._inode = 0
        self.label = place.label
        # Where 0 was asked for, the kernel has chosen a port.
        self.place = place if place.family == socket.AF_UNIX else place._replace(address=sock.getsockname())
        if not is_inherited:
            self.adopt()

    def __repr__(self) -> str:
        state = "waits" if self._acceptor is None else f"connecting={len(self._connecting)}"
        return f"<Listener {self.key} {state}>"

    @property
    def key(self) -> str:
        return self.place.key

    @property
    def port(self) -> int:
        """The TCP port; 0 for a Unix socket."""
        return 0 if self.place.family == socket.AF_UNIX else int(self.place.address[1])

    @property
    def n_pauses(self) -> int:
        return 0 if self._acceptor is None else self._acceptor.n_pauses

    def fileno(self) -> int:
        return self.sock.fileno()

    @property
    def n_connecting(self) -> int:
        """How many are accepted and have no protocol yet."""
        return len(self._connecting)

    def start(
        self,
        make_protocol: MakeProtocol,
        has_room: Callable[[int], bool] = lambda n_connecting: True,
        *,
        turn: Turn | None = None,
        is_ours: IsOurs | None = None,
    ) -> None:
        """Take connections. `has_room` is asked before each, and told how many have no protocol yet.

        Where other processes take connections from the same socket, `turn` says who takes the next, and `is_ours` whom
        one that was taken is for.
        """
        self._make_protocol = make_protocol
        self._is_ours = is_ours
        self._acceptor = Acceptor(self.sock, self._connect, self.label, lambda: has_room(self.n_connecting), turn)
        self._acceptor.resume()

    def pause(self) -> None:
        """Take no connections for now: they wait."""
        if self._acceptor is not None:
            self._acceptor.pause()

    def resume(self) -> None:
        if self._acceptor is not None:
            self._acceptor.resume()

    async def stop(self) -> None:
        """Close, but take those first who have connected and wait to be accepted: the kernel would reset them.

        Returns when each has its protocol, and so is known to those who count connections.
        """
        if self._acceptor is not None and not self.is_inherited:
            self._acceptor.accept_all()
        self.close()
        while self._connecting:
            await asyncio.wait(self._connecting)

    def adopt(self) -> None:
        """The socket is ours alone."""
        self.is_inherited = False
        if self.place.family == socket.AF_UNIX:
            self._path = os.path.abspath(self.place.address)
            with contextlib.suppress(OSError):
                self._inode = os.stat(self._path).st_ino

    def share(self) -> None:
        """The socket is ours, and that of others, one of whom removes its path."""
        self.is_inherited = False

    def take(self, sock: socket.socket) -> None:
        """A connection to here that another process has accepted for us."""
        self._begin(self._make_transport(sock))

    def hand_over(self) -> None:
        """A successor has the socket, its path, and all who wait there."""
        self._path = ""
        self.is_inherited = True

    def close(self) -> None:
        """Take no new connections. A Unix socket's path is removed unless a successor has replaced it."""
        self.pause()
        self.sock.close()
        if self._path:
            with contextlib.suppress(OSError):
                if os.stat(self._path).st_ino == self._inode:
                    os.unlink(self._path)

    def _connect(self, sock: socket.socket) -> None:
        self._begin(self._make_transport(sock) if self._is_ours is None else self._sort(sock, self._is_ours))

    def _begin(self, steps: Coroutine[Any, Any, None]) -> None:
        # A task for each connection, as asyncio's own server has: the transport is made in several turns of the loop.
        task = asyncio.get_running_loop().create_task(steps)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _sort(self, sock: socket.socket, is_ours: IsOurs) -> None:
        if await is_ours(sock):
            await self._make_transport(sock)

    async def _make_transport(self, sock: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._make_protocol, sock)
        except OSError as error:
            # It has gone before it had a protocol.
            logger.debug("%s: a connection was lost at once: %s", self.label, error)
            sock.close()
