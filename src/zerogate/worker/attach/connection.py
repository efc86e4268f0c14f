"""One connection to an attached server: octets both ways, for one user after the other."""

import asyncio
import contextlib
from typing import Any, Protocol, cast

from zerogate.wire.http1.reply_reader import ReplyReader

# Written and not taken by the server: beyond it who writes has to wait.
MAX_UNSENT_BYTES = 64 * 1024


class User(Protocol):
    """Who has a connection: a request, or the tunnel that it has become."""

    def on_octets_in(self, data: bytes) -> None:
        """The server has sent something."""

    def on_eof_in(self) -> None:
        """The server will send nothing more."""

    def on_writable(self) -> None:
        """What was written is taken, mostly: `is_writable` again."""

    def on_lost(self, reason: str) -> None:
        """The connection is gone."""


class ServerConnection(asyncio.Protocol):
    """See the module.

    user: who has it; None while it is idle
    reader: of its replies, for one user after the other
    is_fresh: nobody had it before
    is_writable: the server keeps up
    is_gone: it cannot be used any more
    idle_since, idle_until: when it was given back, and for how long it may be kept
    """

    def __init__(self) -> None:
        self._transport: Any = None
        self.user: User | None = None
        self.reader = ReplyReader()
        self.is_fresh = True
        self.is_writable = True
        self.is_gone = False
        self.idle_since = 0.0
        self.idle_until = 0.0
        self._is_reading = True

    def __repr__(self) -> str:
        state = "gone" if self.is_gone else "idle" if self.user is None else "busy"
        return f"<ServerConnection {state}>"

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def write_eof(self) -> None:
        """Close our half."""
        if not self.is_gone and self._transport.can_write_eof():
            with contextlib.suppress(OSError):  # asyncio's, where the server has reset it: it is lost, then.
                self._transport.write_eof()

    def pause_reading(self) -> None:
        if self._is_reading and not self.is_gone:
            self._is_reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._is_reading and not self.is_gone:
            self._is_reading = True
            self._transport.resume_reading()

    def close(self) -> None:
        """When what was written is sent."""
        self.user = None
        self.is_gone = True
        self._transport.close()

    def abort(self) -> None:
        """Now: what was written may be lost."""
        self.user = None
        self.is_gone = True
        if self._transport is not None:
            self._transport.abort()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(Any, transport)
        if self.is_gone:
            # Who asked for it has gone meanwhile.
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=MAX_UNSENT_BYTES)

    def data_received(self, data: bytes) -> None:
        if self.user is not None:
            self.user.on_octets_in(data)
        elif not self.is_gone:
            # Nobody has asked: whatever it means, the next request must not take it for its reply.
            self.abort()

    def eof_received(self) -> bool:
        user = self.user
        if user is None:
            self.is_gone = True
            return False
        user.on_eof_in()
        # Who goes on after that closes it.
        return self.user is not None

    def pause_writing(self) -> None:
        self.is_writable = False

    def resume_writing(self) -> None:
        self.is_writable = True
        if self.user is not None:
            self.user.on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_gone = True
        user, self.user = self.user, None
        if user is not None:
            user.on_lost("the connection broke" if exc is not None else "the connection ended")
