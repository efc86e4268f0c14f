"""The ASGI host: one call of the application for each stream (ASGI 3, HTTP connection scope 2.4).

The request's body waits here, within the stream's window, until the application asks for it: that is what slows the
client down. The reply goes out as the application sends it; `await send()` returns late if the client reads slowly.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from zerogate.link.handlers import Fields, StreamHandler
from zerogate.link.link import Link
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.streams import Stream
from zerogate.worker.asgi_types import Application, AsgiError, Message, Scope
from zerogate.worker.reply_block import reply_block, trailers_block

if TYPE_CHECKING:
    from zerogate.worker.service import WorkerService

logger = logging.getLogger("zerogate.worker")

# `await send()` waits while more of the reply than this has no credit yet.
MAX_PENDING_BYTES = 64 * 1024


class AsgiCall(StreamHandler):
    """One exchange at the worker: the handler of its stream, and the application's `receive` and `send`."""

    # Defaults of the class: most calls never change them, and a new call is made for each request.
    _body: list[bytes] | None = None
    _head = b""
    _has_begun = False
    _has_body_ended = True
    _is_body_told = False
    _is_complete = False
    _wants_continue = False
    _wants_trailers = False
    _waiters: tuple[()] | list[asyncio.Future[None]] = ()
    _timer: asyncio.TimerHandle | None = None
    is_gone = False
    task: asyncio.Task[None] | None = None

    def __init__(
        self, service: "WorkerService", link: Link, stream: Stream, scope: Scope, fields: Fields, fin: bool
    ) -> None:
        self._service = service
        self._link = link
        self._stream = stream
        self.scope = scope
        if not fin and b"upgrade" not in fields:
            self._has_body_ended = False
            self._wants_continue = fields.get(b"expect", b"").lower() == b"100-continue"

    def __repr__(self) -> str:
        state = "gone" if self.is_gone else "complete" if self._is_complete else "begun" if self._has_begun else "new"
        return f"<AsgiCall {self.scope['method']} {self.scope['path']} {state}>"

    async def run(self, application: Application) -> None:
        """Call the application and see the reply through, whatever it does."""
        try:
            await application(self.scope, self.receive, self.send)
            if not self._is_complete and not self.is_gone:
                raise AsgiError("the application returned without a complete reply")
        except asyncio.CancelledError:
            if not self.is_gone:
                self._fail()
        except (Exception, SystemExit):
            if not self.is_gone:
                logger.exception("%s %s failed", self.scope["method"], self.scope["path"])
                self._fail()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            # The stream and its handler refer to each other: without this each call would wait for the collector.
            self._stream.handler = None
            self._service.calls.discard(self)

    # The application's side

    async def receive(self) -> Message:
        """ASGI receive: the body's next piece; `http.disconnect` once the client has left or the reply is complete."""
        while True:
            if self.is_gone or self._is_complete:
                return {"type": "http.disconnect"}
            if self._body or (self._has_body_ended and not self._is_body_told):
                return self._next_piece()
            if self._wants_continue:
                self._wants_continue = False
                if not self._has_begun:
                    self._link.send_headers(self._stream, CONTINUE_BLOCK, False)
            await self._wait()

    async def send(self, message: Message) -> None:
        """ASGI send. Raises AsgiError for a message that the specification does not allow here."""
        if self.is_gone:
            return
        kind = message["type"]
        if kind == "http.response.body":
            self._send_body(message.get("body", b""), message.get("more_body", False))
            stream = self._stream
            while stream.pending_bytes > MAX_PENDING_BYTES and not self.is_gone:
                await self._wait()
        elif kind == "http.response.start":
            if self._head or self._has_begun:
                raise AsgiError("http.response.start sent twice")
            self._head = reply_block(message["status"], message.get("headers", ()))
            self._wants_trailers = bool(message.get("trailers", False))
        elif kind == "http.response.trailers":
            self._send_trailers(message.get("headers", ()), message.get("more_trailers", False))
        else:
            raise AsgiError(f"unexpected message {kind!r}")

    # The link's side (StreamHandler)

    def on_reply(self, fields: Fields, fin: bool) -> None:
        self._link.reset(self._stream, RstStatus.PROTOCOL_ERROR)

    def on_headers(self, fields: Fields, fin: bool) -> None:
        # Trailers: ASGI has no place for a request's trailers.
        if fin:
            self._end_body()

    def on_data(self, data: bytes, fin: bool) -> None:
        if self._has_body_ended or self._is_complete:
            self._link.consumed(self._stream, len(data))
            return
        if self._body is None:
            self._body = [data]
        else:
            self._body.append(data)
        if fin:
            self._end_body()
        else:
            self._wake()

    def on_writable(self) -> None:
        self._wake()

    def on_reset(self, status: int) -> None:
        self._leave()

    def on_lost(self, reason: str) -> None:
        self._leave()

    # Inside

    def _next_piece(self) -> Message:
        body, self._body = self._body, None
        data = b"".join(body) if body else b""
        if not self._has_body_ended:
            self._link.consumed(self._stream, len(data))
        self._is_body_told = self._has_body_ended
        return {"type": "http.request", "body": data, "more_body": not self._has_body_ended}

    def _send_body(self, data: bytes, more: bool) -> None:
        if self._is_complete:
            # As other servers do: what comes after the end is dropped, once for all and without harm.
            logger.warning("%s %s: body sent after the end", self.scope["method"], self.scope["path"])
            return
        stream = self._stream
        fin = not more and not self._wants_trailers
        if not self._has_begun:
            if not self._head:
                raise AsgiError("http.response.body before http.response.start")
            if fin and data:
                self._link.send_whole_reply(stream, self._head, data)
            else:
                self._link.send_reply(stream, self._head, fin)
            self._has_begun = True
            if data and not fin:
                self._link.send_data(stream, data, False)
        elif data or fin:
            self._link.send_data(stream, data, fin)
        if fin:
            self._complete()

    def _send_trailers(self, headers: Iterable[tuple[bytes, bytes]], more: bool) -> None:
        if not self._has_begun or not self._wants_trailers or self._is_complete:
            raise AsgiError("http.response.trailers where none are due")
        self._link.send_headers(self._stream, trailers_block(headers), not more)
        if not more:
            self._complete()

    def _complete(self) -> None:
        self._is_complete = True
        self._service.release(self._link)
        if self._waiters:
            self._wake()

    def _fail(self) -> None:
        """The application failed: 500 if nothing has been said, else the stream breaks."""
        if self._is_complete:
            return
        if self._has_begun:
            self._link.reset(self._stream, RstStatus.INTERNAL_ERROR)
        else:
            self._has_begun = True
            self._link.send_reply(self._stream, FAILURE_BLOCK, False)
            self._link.send_data(self._stream, FAILURE_BODY, True)
        self._complete()

    def _leave(self) -> None:
        """The client has left, or the link has: let the application hear of it, then end it."""
        if self.is_gone:
            return
        self.is_gone = True
        self._body = None
        if not self._is_complete:
            self._service.release(self._link)
            if self.task is not None:
                self._timer = self._service.cancel_later(self.task)
        self._wake()

    def _end_body(self) -> None:
        self._has_body_ended = True
        self._wake()

    async def _wait(self) -> None:
        """Until something has happened to the stream."""
        waiter: asyncio.Future[None] = self._service.loop.create_future()
        self._waiters = [*self._waiters, waiter]
        await waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, ()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


FAILURE_BODY = b"Internal Server Error\n"
FAILURE_BLOCK = reply_block(
    500, [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(FAILURE_BODY))]
)
CONTINUE_BLOCK = encode_block({b":status": b"100", b":version": b"HTTP/1.1"})
