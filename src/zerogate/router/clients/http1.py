"""A client that speaks HTTP/1: its connection to the socket, and to the exchange it is in.

What the octets mean, and what may come when, is `wire/http1/connection.py`'s matter. Here is what has a socket and a
clock: reading is paused and resumed, replies are written, deadlines are set, and the connection ends.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from zerogate.router import sockets
from zerogate.router.clients.alone import alone
from zerogate.router.clients.ending import Ending
from zerogate.router.clients.probe import probe
from zerogate.router.clients.replies import Http1Replies
from zerogate.router.desk import HALF_CLOSED_S, LINGER_S, Desk
from zerogate.router.faces import BODY_CREDIT_BYTES, ClientExchange
from zerogate.router.forwarding import Forwarding
from zerogate.router.state import FastClient
from zerogate.transports import NONE, descriptor_of
from zerogate.wire.http.errors import HEAD_TIMEOUT, SPEAKS_TLS, TOO_MANY_CLIENTS, HttpError
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestEnd, RequestHead
from zerogate.wire.http1 import Connection, Event, Reading, Situation, Writing

logger = logging.getLogger("zerogate.router")

_REPLY = Situation.REPLY  # used for each request; through the class it is a call each time, in Python 3.11


class CarefulHttp1Client(Http1Replies, asyncio.Protocol):
    """One connection. At most one exchange at a time."""

    def __init__(
        self, desk: Desk, connection: Connection, ends: sockets.Ends | None, refusal: HttpError | None
    ) -> None:
        self._desk = desk
        self._ends = ends
        self._refusal = refusal
        self._connection = connection
        self._exchange: ClientExchange | None = None
        self._forwarding: Forwarding
        self._transport: asyncio.Transport
        self._descriptor = NONE
        self._ending: Ending
        self._credit_bytes = 0
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._is_handing_on = False
        self._is_paused = False
        self._is_body_held = False
        self._probed: ClientExchange | None = None
        self._timed: Situation | None = None  # what has a time of its own, which further bytes do not move
        self.is_writable = True
        self.address = ""
        self.bytes_out = 0
        self.deadline = math.inf
        self.tick = 0

    def __repr__(self) -> str:
        return f"<Http1Client {self.address} {self._exchange or self._connection!r}>"

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        transport.set_write_buffer_limits(high=sockets.HIGH_WATER_BYTES)
        self._descriptor = descriptor_of(transport)
        self._ending = Ending(transport, self._desk.settings)
        ends = self._ends or sockets.ends_of(transport)
        self.address = ends.address or "unix"
        self._forwarding = self._desk.forwarding(*ends)
        self.expect(self._desk.settings.keepalive_timeout)
        error = self._refusal if self._desk.add(self) else HttpError(TOO_MANY_CLIENTS)
        if error is not None:
            self._send_early_error(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._descriptor = NONE
        self._connection.close()
        self._abandon()
        self._held.clear()
        self._probed = None  # It knows us: neither would be freed before the collector comes.
        self._desk.departures.forget(self)
        self._desk.remove(self)

    @alone
    def _abandon(self) -> None:
        if self._exchange is not None:
            self._exchange.abandon()

    def data_received(self, data: bytes) -> None:
        try:
            self._hand_on(self._connection.receive(data))
        except Exception as error:
            self.break_off(error)

    @alone
    def eof_received(self) -> bool:
        """The client sends no more. It may still read: a half-closed client gets its reply (RFC 9112, 9.6)."""
        connection = self._connection
        is_tunnel = connection.situation is Situation.TUNNEL
        connection.receive_eof()
        if is_tunnel and self._exchange is not None:
            self._exchange.receive_end(())
        else:
            self._doubt()
        self._hand_on(())
        return not self._ending.is_lingering and not self._transport.is_closing()

    @alone
    def on_departure(self, *, is_gone: bool) -> None:
        """The same of a client that is not read (departures.py): what it has sent before comes later, if at all."""
        if is_gone:
            self._transport.abort()
        elif self._is_paused:
            self._doubt()

    def pause_writing(self) -> None:
        self.is_writable = False
        self._connection.hold()

    @alone
    def resume_writing(self) -> None:
        self.is_writable = True
        self._connection.release()
        if self._exchange is not None:
            self._exchange.resume_reply()
        else:
            self._hand_on(self._connection.next())

    # From the deadlines

    def expect(self, seconds: float) -> None:
        if self._connection.is_half_closed and self._connection.writing is Writing.BODY:
            seconds = min(seconds, HALF_CLOSED_S)
        self.deadline = self._desk.deadlines.now + seconds

    @alone
    def on_deadline(self) -> None:
        self.deadline = math.inf
        if self._exchange is not None:
            self._exchange.expire()
        elif seconds := self._ending.look():
            self.expect(seconds)
        elif self._connection.situation is Situation.HEAD:
            self._send_early_error(HttpError(HEAD_TIMEOUT))
        elif self._ending.is_lingering or self._transport.is_closing():
            self._transport.abort()
        else:
            self.close()

    # Requests

    @alone
    def _go_on(self) -> None:
        """Hand on what has been kept back."""
        self._hand_on(self._connection.next())

    def _hand_on(self, events: Sequence[Event]) -> None:
        """Hand on what the client has sent; then see to what must come next, and by when."""
        connection = self._connection
        self._is_handing_on = True
        begun = None
        while events:
            for event in events:
                if type(event) is RequestHead:
                    begun = self._begin(event)
                elif self._exchange is None:
                    continue  # The rest of a request that has its reply.
                elif type(event) is RequestEnd:
                    self._exchange.receive_end(event.trailers)
                else:
                    self._credit_bytes -= len(cast(bytes, event))
                    self._exchange.receive_body(cast(bytes, event))
            events = connection.next() if connection.has_unread else ()
        if begun is not None and begun is self._exchange and connection.reading is Reading.BODY:
            begun.receive_pause()
        self._is_handing_on = False
        if (situation := connection.situation) is not _REPLY and (settle := _SETTLE.get(situation)) is not None:
            settle(self)
        self._pause_or_resume()

    def _begin(self, head: RequestHead) -> ClientExchange:
        self._timed = None
        self._credit_bytes = BODY_CREDIT_BYTES
        self._is_body_held = False
        self.bytes_out = 0
        self._exchange = exchange = self._desk.make_exchange(self, head, self._forwarding)
        exchange.begin()
        return exchange

    def _await_request(self) -> None:
        self.deadline = self._desk.deadlines.now + self._desk.keepalive_timeout

    def _await_head(self) -> None:
        self._expect_once(Situation.HEAD, self._desk.settings.head_timeout)

    def _await_rest(self) -> None:
        self._expect_once(Situation.REST, LINGER_S)

    def _expect_once(self, what: Situation, seconds: float) -> None:
        if self._timed is not what:
            self._timed = what
            self.expect(seconds)

    def _reject(self) -> None:
        """The client broke the rules: say so if it can still be said."""
        error = self._connection.error
        assert error is not None
        if self._exchange is not None:
            self._exchange.reject_request(error)
        else:
            self._send_early_error(error)

    def _pause_or_resume(self) -> None:
        """Read on unless something must be dealt with first, which is then all that is kept of what the client sent."""
        has_no_credit = self._credit_bytes <= 0 or self._is_body_held
        must_pause = self._connection.has_unread or (self._exchange is not None and has_no_credit)
        if must_pause is not self._is_paused and not self._transport.is_closing():
            self._is_paused = must_pause
            if must_pause:
                self._transport.pause_reading()
                if self._desk.departures.watch(self, self._transport):
                    self._doubt()
            else:
                self._transport.resume_reading()

    # From the exchange (faces.py, Client)

    def credit_body(self, n_bytes: int) -> None:
        self._credit_bytes += n_bytes
        self._is_body_held = False
        if not self._is_handing_on:
            self._pause_or_resume()

    def hold_body(self) -> None:
        self._is_body_held = True
        if not self._is_handing_on:
            self._pause_or_resume()

    def open_tunnel(self, head: ReplyHead) -> None:
        self.deadline = math.inf
        sockets.keep_alive(self._transport)
        self._write(self._connection.send_tunnel(head))
        if not self._is_handing_on:
            self._go_on()
        if self._connection.is_half_closed and self._exchange is not None:
            # The client had said so before there was a tunnel whose end that could be.
            self._exchange.receive_end(())

    def cut(self) -> None:
        self._write_held()
        if self._connection.cut():
            # The connection's end is the body's: only a reset says that this was not it.
            sockets.reset(self._transport)
        else:
            self.close()

    def end(self) -> None:
        self._exchange = None
        if not self._is_paused and self._connection.is_idle:
            self._await_request()
        elif not self._is_handing_on:
            self._go_on()

    def _doubt(self) -> None:
        """The client sends no more: it waits for its reply, or has left."""
        if self._connection.writing is Writing.BODY:
            self.expect(HALF_CLOSED_S)
        elif self._connection.writing is Writing.DUE and self._probed is not self._exchange:
            self._probed = self._exchange
            probe(partial(self._ask_whether_there, self._exchange), self._desk.loop)

    def _ask_whether_there(self, exchange: ClientExchange | None) -> bool:
        if is_due := self._exchange is exchange and self._connection.writing is Writing.DUE:
            self.send_interim(100, ())
        return is_due

    # The end

    def close(self) -> None:
        """End, after what is left to send."""
        self._connection.close()
        self.expect(self._ending.close())

    def close_if_idle(self) -> None:
        if self._exchange is None and not self._transport.is_closing():
            self.close()

    @alone
    def shut_down(self) -> None:
        if self._exchange is not None:
            self._exchange.shut_down()
        else:
            self.close_if_idle()

    def abort(self) -> None:
        self._transport.abort()

    def break_off(self, error: Exception) -> None:
        """A bug of ours: the exchange ends as well as it can, and the connection with it."""
        logger.error("%r failed", self, exc_info=error)
        self._is_handing_on = True
        if self._exchange is not None:
            self._exchange.break_off()
        try:
            self.close()
        except Exception:
            self._transport.abort()

    def _send_early_error(self, error: HttpError) -> None:
        """Tell a client that is in no exchange what it did wrong, and close."""
        request_id = self._desk.new_request_id()
        self.bytes_out = 0
        if error.kind is not SPEAKS_TLS:  # Who does would make nothing of it.
            self.send_error(error, request_id)
        self._desk.note_early_error(error, self, request_id)
        self._linger()

    def _linger(self) -> None:
        """Close, but let the client read what it was sent: drop what it still sends, for a while."""
        if not self._ending.is_lingering and not self._transport.is_closing():
            self._connection.close()
            self.expect(self._ending.linger(is_half_closed=self._connection.is_half_closed))


class Http1Client(FastClient, CarefulHttp1Client):
    """The same, where a read is a request alone by what is compiled (native/client.pyx)."""


# What comes next, where it is not the exchange's matter.
_SETTLE: dict[Situation, Callable[[CarefulHttp1Client], None]] = {
    Situation.REQUEST: CarefulHttp1Client._await_request,
    Situation.HEAD: CarefulHttp1Client._await_head,
    Situation.REST: CarefulHttp1Client._await_rest,
    Situation.TELL: CarefulHttp1Client._reject,
    Situation.CUT: CarefulHttp1Client._reject,
    Situation.CLOSE: CarefulHttp1Client.close,
    Situation.LINGER: CarefulHttp1Client._linger,
}
