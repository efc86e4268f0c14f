"""What a client that speaks HTTP/1 is sent: its replies, as `wire/http1/connection.py` frames them."""

import asyncio

from zerogate.router import sockets
from zerogate.router.desk import Desk
from zerogate.router.faces import Pairs
from zerogate.router.state import ClientState
from zerogate.transports import write_pieces
from zerogate.wire.http.errors import HttpError, error_reply
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http1 import Connection, Writing
from zerogate.wire.pieces import VIEW_BYTES, join_small


class Http1Replies(ClientState):
    """That half of a client (`http1.py`)."""

    _connection: Connection
    _desk: Desk
    _transport: asyncio.Transport
    _held: list[bytes]
    _held_bytes: int
    bytes_out: int

    def send_interim(self, status: int, fields: Pairs) -> None:
        self._write(self._connection.send_interim(status, list(fields)))

    def send_head(self, head: ReplyHead, *, fin: bool) -> None:
        octets = self._connection.send_head(head, fin=fin, date=self._desk.date.value, close=self._must_close)
        (self._write if fin else self._hold)(octets)

    def send_whole(self, head: ReplyHead, body: bytes) -> None:
        octets = self._connection.send_whole(head, body, date=self._desk.date.value, close=self._must_close)
        self.bytes_out += len(octets)
        self._transport.write(octets)

    def send_body(self, data: bytes) -> None:
        octets = self._connection.send_body(data)
        # What: more of a long reply mostly comes in the same turn. Why, benchmark: a third of the writes, 70 µs a MiB.
        may_wait = len(octets) >= VIEW_BYTES and not self._transport.get_write_buffer_size()
        (self._hold if may_wait else self._write)(octets)

    def send_end(self, trailers: Pairs = ()) -> None:
        is_tunnel = self._connection.writing is Writing.TUNNEL
        self._write(self._connection.send_end(list(trailers)))
        if is_tunnel and self._transport.can_write_eof():
            sockets.write_eof(self._transport)

    def send_error(self, error: HttpError, request_id: bytes) -> None:
        head, body = error_reply(error, self._connection.request, request_id)
        close = self._must_close or error.kind.closes
        self._write(self._connection.send_whole(head, body, date=self._desk.date.value, close=close))

    def unsent_bytes(self) -> int:
        return sockets.unsent_bytes(self._transport)

    @property
    def _must_close(self) -> bool:
        return self._desk.is_stopping or self._connection.is_half_closed

    def _hold(self, octets: bytes) -> None:
        """Write it at the end of the turn, with what else comes by then."""
        if not self._held:
            self._desk.loop.call_soon(self._write_held)
        self._held.append(octets)
        self._held_bytes += len(octets)
        if self._held_bytes >= sockets.HIGH_WATER_BYTES:
            self._write_held()

    def _write_held(self) -> None:
        if self._held:
            pieces, self._held, self._held_bytes = join_small(self._held), [], 0
            self.bytes_out += sum(map(len, pieces))
            write_pieces(self._transport, pieces)

    def _write(self, octets: bytes) -> None:
        if self._held:
            self._held.append(octets)
            self._write_held()
        elif octets:
            self.bytes_out += len(octets)
            self._transport.write(octets)
