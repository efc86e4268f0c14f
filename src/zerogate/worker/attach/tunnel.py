"""What a request becomes when its server switches protocols: octets both ways, each at the other end's pace."""

from zerogate.wire.spdy.frames import RstStatus
from zerogate.worker.attach.connection import ServerConnection, User
from zerogate.worker.errors import ClientDisconnected
from zerogate.worker.reply_block import switching_block
from zerogate.worker.tunnel import Receiver, UpgradeCall


class ServerTunnel(User, Receiver):
    """Between a call and a connection: it ends when both ways have, or either end is gone."""

    __slots__ = ("_call", "_connection", "_has_server_ended", "_is_over", "_owed_bytes", "_pairs")

    def __init__(self, call: UpgradeCall, connection: ServerConnection, pairs: list[tuple[bytes, bytes]]) -> None:
        self._call = call
        self._connection = connection
        self._pairs = pairs
        self._owed_bytes = 0
        self._has_server_ended = False
        self._is_over = False
        connection.user = self
        call.receiver = self
        call.work = self

    def __repr__(self) -> str:
        return f"<ServerTunnel {self._call.label}>"

    def begin(self, data: bytes) -> None:
        """Open it. `data` came behind the server's 101."""
        try:
            self._call.open_tunnel(switching_block(self._pairs))
        except Exception:
            self.cancel()
            raise
        if data:
            self.on_octets_in(data)

    def cancel(self) -> None:
        """It has lasted long enough."""
        self._call.reset(RstStatus.INTERNAL_ERROR)
        self._end()

    # From the server (User)

    def on_octets_in(self, data: bytes) -> None:
        try:
            is_full = self._call.send_body(data, True)
        except ClientDisconnected:
            self._end()
            return
        if is_full:
            self._connection.pause_reading()

    def on_eof_in(self) -> None:
        self._has_server_ended = True
        try:
            self._call.send_body(b"", False)
        except ClientDisconnected:
            self._end()
            return
        self._look()

    def on_writable(self) -> None:
        owed, self._owed_bytes = self._owed_bytes, 0
        if owed and not self._is_over:
            self._call.consumed(owed)

    def on_lost(self, reason: str) -> None:
        self._end()

    # From the client (Receiver)

    def on_octets(self, data: bytes, fin: bool) -> None:
        if self._is_over:
            self._call.consumed(len(data))
            return
        if data:
            self._connection.write(data)
            if self._connection.is_writable:
                self._call.consumed(len(data))
            else:
                self._owed_bytes += len(data)
        if fin:
            self._connection.write_eof()
            self._look()

    def on_room(self) -> None:
        self._connection.resume_reading()

    def on_gone(self) -> None:
        self._end()

    # Inside

    def _look(self) -> None:
        """Whether both ways have ended: then what was written still goes."""
        if self._call.is_over and not self._is_over:
            self._is_over = True
            self._connection.close()
            self._call.end()

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._connection.abort()
            self._call.end()
