"""Connections to an attached server: made when they are needed, and kept for a while.

Who is done with a connection gives it back, the next takes the one that was given back last: so as few are kept as are
needed, and there are never more than requests at once.

A server closes an idle connection when it likes, perhaps just when a request is on its way. One that may be sent again
does not mind. One that may not gets only a connection that was in use just now, or a new one.
"""

import asyncio

from zerogate.worker.attach.connection import ServerConnection
from zerogate.worker.attach.target import Target

CONNECT_TIMEOUT_S = 5.0
# No server closes a connection so soon: gunicorn does after 2 s, Node.js and uvicorn after 5.
SURELY_OPEN_S = 1.0
# Before the server closes it by its own word (`keep-alive: timeout=5`), we do.
HINT_MARGIN_S = 1.0


class Pool:
    """`idle_s`: how long an idle connection is kept; 0: not at all."""

    def __init__(self, target: Target, idle_s: float) -> None:
        self._target = target
        self._loop = asyncio.get_running_loop()
        self._idle_s = idle_s
        self._idle: list[ServerConnection] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Pool {self._target.text} {len(self._idle)} idle>"

    @property
    def keeps(self) -> bool:
        return self._idle_s > 0

    @property
    def authority(self) -> bytes:
        return self._target.authority.encode()

    def take(self, *, may_repeat: bool) -> ServerConnection | None:
        """An idle connection, for a request that may be sent again or not; None if there is none that will do."""
        now = self._loop.time()
        idle = self._idle
        while idle:
            connection = idle[-1]
            if connection.is_gone:
                idle.pop()
            elif now >= connection.idle_until:
                idle.pop().close()
            elif may_repeat or now - connection.idle_since < SURELY_OPEN_S:
                return idle.pop()
            else:
                return None
        return None

    async def connect(self) -> ServerConnection:
        """A new connection. Raises OSError; TimeoutError is one."""
        target, loop = self._target, self._loop
        connection = ServerConnection()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                if target.path:
                    await loop.create_unix_connection(lambda: connection, target.path)
                else:
                    await loop.create_connection(lambda: connection, target.host, target.port)
        except BaseException:
            # Who is cancelled just when it was made is not told of it.
            connection.abort()
            raise
        return connection

    def give_back(self, connection: ServerConnection, keep_s: int | None) -> None:
        """It may be used again. `keep_s` is for how long the server says that it keeps it."""
        idle_s = self._idle_s if keep_s is None else min(self._idle_s, keep_s - HINT_MARGIN_S)
        if idle_s <= 0 or self._is_closed or connection.is_gone:
            connection.close()
            return
        connection.is_fresh = False
        connection.user = None
        connection.resume_reading()
        connection.idle_since = now = self._loop.time()
        connection.idle_until = now + idle_s
        self._idle.append(connection)
        if self._timer is None:
            self._timer = self._loop.call_later(idle_s, self._reap)

    def close(self) -> None:
        """Nothing is kept any more. Connections in use go on."""
        self._is_closed = True
        self.forget()

    def forget(self) -> None:
        """The server is down: what is open to it is of no use to the next one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _reap(self) -> None:
        now = self._loop.time()
        kept = []
        for connection in self._idle:
            if connection.is_gone:
                continue
            if now >= connection.idle_until:
                connection.close()
            else:
                kept.append(connection)
        self._idle = kept
        soonest = min((connection.idle_until for connection in kept), default=None)
        self._timer = None if soonest is None else self._loop.call_at(soonest, self._reap)
