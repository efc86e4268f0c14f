"""A client that speaks HTTP/1: its connection, its requests in order, its replies framed.

Requests that a client sends ahead (pipelining) wait here, unparsed beyond one read, until those before them have been
answered: the connection is not read while one waits.
"""

import asyncio
import math
from typing import TYPE_CHECKING, cast

from zerogate.link.handlers import Fields
from zerogate.router import sockets
from zerogate.router.exchange import SWITCHING_PROTOCOLS, Exchange, State
from zerogate.router.interim import NO_INTERIM, Interim, NoInterim
from zerogate.wire.http.errors import HEAD_TIMEOUT, TOO_MANY_CLIENTS, HttpError, error_reply
from zerogate.wire.http.reply import ReplyBody, check_trailers, reply_head
from zerogate.wire.http.request import RequestEnd, RequestHead
from zerogate.wire.http1 import Connection, Reading, Situation, Writing

if TYPE_CHECKING:
    from zerogate.router.frontend import Frontend

# After the last reply what the client still sends is read and dropped for so long: a reset would take the reply away
# before the client has read it (RFC 9112, 9.6).
LINGER_S = 2.0

# Silence amid a reply to a half-closed client, after which it is taken to have gone.
HALF_CLOSED_S = 5.0


class Http1Client(asyncio.Protocol):
    """One connection. At most one exchange at a time."""

    def __init__(self, frontend: "Frontend") -> None:
        self._frontend = frontend
        self._deadlines = frontend.deadlines
        self._loop = frontend.loop
        self._connection = Connection(frontend.limits, frontend.known_heads)
        self._exchange: Exchange | None = None
        self._body: ReplyBody | None = None
        self._held = b""
        self._bytes_out = 0
        self._unsent_bytes = 0
        self._has_eof = False
        self._is_advancing = False
        self._is_body_paused = False
        self._is_closing = False
        self.interim: Interim | NoInterim = NO_INTERIM
        self._is_paused = False
        self._is_timing_head = False
        self._is_tunnel = False
        self.is_writable = True
        self.address = ""
        self.deadline = math.inf
        self.tick = 0

    def __repr__(self) -> str:
        return f"<Http1Client {self.address} {self._exchange or 'idle'}>"

    # Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peername = transport.get_extra_info("peername")
        self.address = peername[0] if isinstance(peername, tuple) else "unix"
        self._forwarding = self._frontend.forwarding(self.address)
        self.expect(self._frontend.settings.keepalive_timeout)
        if not self._frontend.add(self):
            self._refuse(HttpError(TOO_MANY_CLIENTS))

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_gone()
            self._frontend.note(self.address, exchange, self._bytes_out)
        self._frontend.remove(self)

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return
        self._advance(self._connection.receive(data))

    def eof_received(self) -> bool:
        """The client sends no more. It may still read: a half-closed client gets its reply (RFC 9112, 9.6)."""
        self._has_eof = True
        exchange = self._exchange
        if self._is_closing:
            return False
        self._connection.receive_eof()
        if self._is_tunnel and exchange is not None:
            exchange.end_request([])
            return True
        if exchange is not None:
            if exchange.state is State.REPLYING:
                self.expect(HALF_CLOSED_S)
            else:
                self._make_interim(exchange).probe()
        self._advance()
        return True

    def pause_writing(self) -> None:
        self.is_writable = False
        self._connection.hold()

    def resume_writing(self) -> None:
        self.is_writable = True
        self._connection.release()
        if self._exchange is not None:
            self._exchange.client_writable()
        elif self._is_closing:
            self.expect(LINGER_S)
        else:
            self._advance()

    # Deadlines

    def expect(self, seconds: float) -> None:
        if self._has_eof and self._exchange is not None and self._exchange.state is State.REPLYING:
            seconds = min(seconds, HALF_CLOSED_S)
        self.deadline = math.inf if self._is_tunnel else self._deadlines.now + seconds

    def on_deadline(self) -> None:
        self.deadline = math.inf
        if self._exchange is not None:
            self._exchange.on_deadline()
        elif self._is_still_taking():
            self.expect(self._frontend.settings.idle_timeout)
        elif self._is_closing:
            self._transport.abort()
        elif self._is_timing_head:
            self._refuse(HttpError(HEAD_TIMEOUT))
        else:
            self.close()

    def _is_still_taking(self) -> bool:
        """Whether a slow client has taken something of its last reply since it was last asked."""
        before, self._unsent_bytes = self._unsent_bytes, self.unsent_bytes()
        return 0 < self._unsent_bytes != before

    # Requests

    def _advance(self, pieces: list[RequestHead | bytes | RequestEnd] | None = None) -> None:
        """Take what the client has sent, up to a request that has to wait for the reply to the one before it."""
        if self._is_advancing:
            return
        self._is_advancing = True
        pieces = self._connection.next() if pieces is None else pieces
        while pieces:
            for piece in pieces:
                if type(piece) is RequestHead:
                    self._begin(piece)
                else:
                    self._take(cast("RequestEnd | bytes", piece))
            pieces = self._connection.next()
        self._is_advancing = False
        if not self._is_closing:
            self._await_more()

    def _begin(self, head: RequestHead) -> None:
        self._is_timing_head = False
        self._is_body_paused = False
        self._bytes_out = 0
        self._exchange = exchange = self._frontend.make_exchange(self, head, self._forwarding)
        self.interim = self._make_interim(exchange) if head.expects_continue else NO_INTERIM
        self._frontend.dispatcher.submit(exchange)

    def _take(self, piece: RequestEnd | bytes) -> None:
        exchange = self._exchange
        if type(piece) is RequestEnd:
            if exchange is not None:
                exchange.end_request(piece.trailers)
        elif exchange is not None:
            self.interim.has_body()
            exchange.receive_body(cast(bytes, piece))

    def _await_more(self) -> None:
        """Everything that came has been dealt with: what must come next, and by when?"""
        connection = self._connection
        if connection.has_unread:
            self._pause()
        elif not self._is_body_paused:
            self._resume()
        match connection.situation:
            case Situation.REFUSE | Situation.CUT:
                assert connection.error is not None
                self._refuse(connection.error)
            case Situation.LINGER:
                self._linger()
            case Situation.CLOSE:
                self.close()
            case Situation.REST:
                self._is_body_paused = False
                self.expect(LINGER_S)
                self._resume()
            case Situation.REQUEST:
                self.expect(self._frontend.settings.keepalive_timeout)
            case Situation.HEAD if not self._is_timing_head:
                # From a head's first byte on it has so much time; further bytes buy no more.
                self._is_timing_head = True
                self.expect(self._frontend.settings.head_timeout)

    def _refuse(self, error: HttpError) -> None:
        """The client broke the rules, or took too long: say so if it can still be said, and close."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            has_begun = exchange.state is State.REPLYING
            exchange.client_gone()
            exchange.status = exchange.status or error.status
            self._frontend.note(self.address, exchange, self._bytes_out)
            if has_begun:
                self.cut()
                return
        self._write_error(error, exchange.head if exchange else None, exchange.request_id if exchange else b"")
        self._linger()

    def _pause(self) -> None:
        if not self._is_paused and not self._is_closing:
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused and not self._is_closing:
            self._is_paused = False
            self._transport.resume_reading()

    # Replies

    def begin_reply(self, fields: Fields, fin: bool) -> None:
        exchange = self._exchange
        assert exchange is not None
        frontend = self._frontend
        reply = reply_head(fields)
        exchange_status = reply.status
        self._body = ReplyBody(reply, exchange.head.method)
        if reply.status == SWITCHING_PROTOCOLS:
            head = self._connection.send_tunnel(reply, date=frontend.date)
            self._is_tunnel = True
            self.deadline = math.inf
            sockets.keep_alive(self._transport)
            self._loop.call_soon(self._advance)
        else:
            close = frontend.is_stopping or self._has_eof
            head = self._connection.send_head(reply, fin=fin, date=frontend.date, close=close)
        exchange.status = exchange_status
        if fin:
            self._write(head)
        elif exchange.worker is not None:
            # The body's first piece mostly comes in the same read of the link: one write for both.
            self._held = head
            exchange.worker.link.after_batch(self._write_held)

    def send_reply(self, fields: Fields, body: bytes) -> None:
        exchange, frontend = self._exchange, self._frontend
        assert exchange is not None
        head = reply_head(fields)
        close = frontend.is_stopping or self._has_eof
        reply = self._connection.send_whole(head, body, date=frontend.date, close=close)
        exchange.status = head.status
        self._bytes_out += len(reply)
        self._transport.write(reply)

    def send_body(self, data: bytes, fin: bool) -> None:
        assert self._body is not None
        self._body.receive(len(data))
        framed = self._connection.send_body(data)
        if fin:
            self._body.end()
            framed += self._connection.send_end()
        framed, self._held = self._held + framed, b""
        if framed:
            self._write(framed)
        if fin and self._is_tunnel:
            self._transport.write_eof()

    def send_trailers(self, trailers: Fields) -> None:
        assert self._body is not None
        self._write_held()
        checked = check_trailers(trailers)
        self._body.end()
        self._write(self._connection.send_end(checked))

    def _make_interim(self, exchange: Exchange) -> Interim:
        return Interim(exchange, self._is_current, self._transport.write)

    def _is_current(self, exchange: Exchange) -> bool:
        return self._exchange is exchange and not self._is_closing

    def pause_body(self) -> None:
        self._is_body_paused = True
        self._pause()

    def resume_body(self) -> None:
        self._is_body_paused = False
        if not self._connection.has_unread:
            self._resume()

    def unsent_bytes(self) -> int:
        return sockets.unsent_bytes(self._transport)

    def end_exchange(self) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        self._frontend.note(self.address, exchange, self._bytes_out)
        connection = self._connection
        if self._is_tunnel:
            connection.close()
        if connection.writing is Writing.LAST:
            self._linger()
        elif connection.has_unread or self._is_paused or self._has_eof or connection.reading is not Reading.IDLE:
            self._advance()
        else:
            self.deadline = self._deadlines.now + self._frontend.settings.keepalive_timeout

    def fail(self, error: HttpError) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        self._write_error(error, exchange.head, exchange.request_id)
        exchange.status = error.status
        self._frontend.note(self.address, exchange, self._bytes_out)
        if self._connection.writing is Writing.LAST:
            self._linger()
        else:
            self._advance()

    def cut(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._frontend.note(self.address, exchange, self._bytes_out)
        self._write_held()
        if self._connection.cut():
            # The end of the connection is the end of the body: only a reset says that this was not it.
            self._is_closing = True
            sockets.reset(self._transport)
        else:
            self.close()

    def close(self) -> None:
        """End, after what is left to send."""
        self._is_closing = True
        self._transport.close()
        self._expect_end()

    def close_if_idle(self) -> None:
        if self._exchange is None and not self._is_closing:
            self.close()

    def give_up(self) -> None:
        """The router stops, and the time to finish is over."""
        if self._exchange is not None:
            self._exchange.give_up()
        elif not self._is_closing:
            self.close()

    def abort(self) -> None:
        self._transport.abort()

    def _write_held(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._write(held)
            self.expect(self._frontend.settings.idle_timeout)

    def _write(self, data: bytes) -> None:
        self._bytes_out += len(data)
        self._transport.write(data)

    def _write_error(self, error: HttpError, head: RequestHead | None, request_id: bytes) -> None:
        frontend = self._frontend
        frontend.counters.count_error(error.code)
        close = frontend.is_stopping or self._has_eof or error.kind.closes
        reply, body = error_reply(error, head, request_id or frontend.new_request_id())
        self._write(self._connection.send_whole(reply, body, date=frontend.date, close=close))

    def _linger(self) -> None:
        """Close, but let the client read what it was sent: drop what it still sends, for a while."""
        if self._has_eof or not self._transport.can_write_eof():
            self.close()
            return
        self._is_closing = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._expect_end()

    def _expect_end(self) -> None:
        """What is left to send may take as long as the client keeps taking it; then it has LINGER_S to close."""
        self.expect(self._frontend.settings.idle_timeout if self.unsent_bytes() else LINGER_S)
