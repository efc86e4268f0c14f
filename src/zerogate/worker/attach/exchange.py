"""One request at an attached server, from its head to the last of its reply.

What becomes of it when the server fails (the router decides what the client gets):

    no connection                          REFUSED_STREAM: nothing was sent, so anybody may have it
    the connection ends before the reply   if it was idle before, as servers close those, and the request may be sent
                                           again: once more, on a new one. Else INTERNAL_ERROR
    no valid reply                         INTERNAL_ERROR
    the connection ends amid the reply     INTERNAL_ERROR, and the client sees it cut

Nothing here waits but to connect, for the request's body, and for a router that is slow: the reply comes by callbacks.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from zerogate.errors import ReplyError
from zerogate.wire.http.join import EARLY_HINTS
from zerogate.wire.http1.reply_reader import Event, Interim, ReplyEnd, ReplyReader, ServerHead
from zerogate.wire.spdy.frames import RstStatus
from zerogate.worker.attach.connection import ServerConnection, User
from zerogate.worker.attach.pool import Pool
from zerogate.worker.attach.request_head import IDEMPOTENT, RequestBody, request_head
from zerogate.worker.attach.tunnel import ServerTunnel
from zerogate.worker.call import COMPLETE, NEW, Call
from zerogate.worker.errors import ApplicationError, ClientDisconnected
from zerogate.worker.reply_block import early_hints_block, reply_block, trailers_block
from zerogate.worker.tunnel import UpgradeCall

CONTINUE = 100
EARLY_HINTS_STATUS = 103
SWITCHING_PROTOCOLS = 101


class Owner(Protocol):
    """Who has exchanges."""

    loop: asyncio.AbstractEventLoop
    pool: Pool

    def on_no_connection(self, call: Call, error: OSError) -> None:
        """The server takes no connection."""

    def on_failure(self, call: Call, reason: str) -> None:
        """The server has failed a request."""


class Exchange(User):
    """The work for one call. `start` it once."""

    __slots__ = (
        "_body",
        "_call",
        "_connection",
        "_drained",
        "_head",
        "_is_over",
        "_is_request_sent",
        "_may_repeat",
        "_owner",
        "_reader",
        "_room",
        "_tasks",
        "_was_idle",
    )

    def __init__(self, owner: Owner, call: Call) -> None:
        """Raises ApplicationError if the request cannot be sent as HTTP/1."""
        self._owner = owner
        self._call = call
        fields = call.fields
        has_body = not call.has_body_ended
        pool = owner.pool
        self._head = request_head(fields, pool.authority, has_body=has_body, keeps=pool.keeps)
        self._body = RequestBody(fields) if has_body else None
        if not has_body and fields.get(b"content-length", b"0").strip(b"0"):
            raise ApplicationError("a request with a length but without a body")
        # One with a body has none left to send again.
        self._may_repeat = not has_body and fields[b":method"] in IDEMPOTENT
        self._reader: ReplyReader
        self._connection: ServerConnection | None = None
        self._is_request_sent = False
        self._was_idle = False
        self._is_over = False
        self._room: asyncio.Future[None] | None = None
        self._tasks: tuple[()] | set[asyncio.Task[None]] = ()  # most need none
        call.work = self

    def __repr__(self) -> str:
        return f"<Exchange {self._call.label} {self._connection}>"

    def start(self) -> None:
        """Send the request, now or as soon as there is a connection."""
        connection = self._owner.pool.take(may_repeat=self._may_repeat)
        if connection is None:
            self._run(self._connect())
        else:
            self._use(connection)

    def cancel(self) -> None:
        """Nobody waits for the reply any more."""
        if not self._is_over:
            self._call.reset(RstStatus.INTERNAL_ERROR)
            self._end()

    # From the server (User)

    def on_octets_in(self, data: bytes) -> None:
        try:
            self._tell(self._reader.receive(data))
        except ClientDisconnected:
            self._end()
        except ReplyError as error:
            self._fail(error.reason)
        except ApplicationError as error:
            self._fail(f"the reply is not one that can be passed on: {error.reason}")

    def on_eof_in(self) -> None:
        try:
            self._tell(self._reader.end())
        except ClientDisconnected:
            self._end()
        except ReplyError as error:
            self._break(error.reason)

    def on_writable(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def on_lost(self, reason: str) -> None:
        self._connection = None
        self._break(reason)

    # The request

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._owner.loop.create_task(work)
        tasks = self._tasks = self._tasks or set()
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _connect(self) -> None:
        try:
            connection = await self._owner.pool.connect()
        except OSError as error:
            self._owner.on_no_connection(self._call, error)
            self._call.reset(RstStatus.REFUSED_STREAM)
            self._end()
        else:
            self._use(connection)

    def _use(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._was_idle = not connection.is_fresh
        connection.user = self
        self._reader = connection.reader
        self._reader.expect(self._call.fields[b":method"])
        if self._body is None:
            self._is_request_sent = True
            connection.write(self._head)
        else:
            self._run(self._send_body(self._body))

    async def _send_body(self, body: RequestBody) -> None:
        """Send the head with the first of the body, and each piece when the server has taken those before."""
        call = self._call
        head = self._head
        if b"expect" in call.fields:
            # The server says whether it wants the body. A router that hears nothing asks for it after a while.
            self._write(head)
            head = b""
            await call.collect_body(1)
        while (data := await call.read_body()) is not None:
            is_last = call.has_body_ended
            try:
                piece = body.encode(data, is_last=is_last)
            except ApplicationError as error:
                self._fail(error.reason)
                return
            self._write(head + piece)
            head = b""
            if is_last:
                self._is_request_sent = True
                return
            await self._drain_request()

    def _write(self, data: bytes) -> None:
        if data and self._connection is not None:
            self._connection.write(data)

    async def _drain_request(self) -> None:
        while self._connection is not None and not self._connection.is_writable:
            self._room = self._owner.loop.create_future()
            await self._room

    # The reply

    def _tell(self, events: list[Event]) -> None:
        """Pass on what has come at once: head and body together, and in one write if the reply is whole."""
        call = self._call
        head: ServerHead | None = None
        pieces: list[bytes] = []
        end: ReplyEnd | None = None
        for event in events:
            if isinstance(event, bytes):
                pieces.append(event)
            elif isinstance(event, ServerHead):
                head = event
            elif isinstance(event, ReplyEnd):
                end = event
            else:
                self._tell_interim(event)
        data = b"".join(pieces)
        if head is not None:
            if head.status == SWITCHING_PROTOCOLS:
                self._switch(head, data)
                return
            has_trailers = head.has_trailers if end is None else bool(end.trailers)
            call.begin_reply(reply_block(head.status, head.fields), has_trailers)
        if end is not None:
            call.send_body(data, False)
            if call.stage < COMPLETE:
                call.send_trailers(trailers_block(end.trailers))
            self._finish()
        elif (data or head is not None) and call.send_body(data, True):
            self._pause()

    def _tell_interim(self, interim: Interim) -> None:
        call = self._call
        if interim.status == CONTINUE:
            call.ask_for_body()
        elif interim.status == EARLY_HINTS_STATUS and EARLY_HINTS in call.link.accepts:
            call.send_interim(early_hints_block(value for name, value in interim.fields if name == b"link"))

    def _switch(self, head: ServerHead, data: bytes) -> None:
        call = self._call
        connection = self._connection
        assert connection is not None
        if not isinstance(call, UpgradeCall) or head.upgrade != call.fields[b"upgrade"].lower():
            raise ReplyError("it switches to a protocol that was not asked for")
        self._is_over = True
        ServerTunnel(call, connection, head.fields).begin(data)

    def _pause(self) -> None:
        assert self._connection is not None
        self._connection.pause_reading()
        self._run(self._drain_reply())

    async def _drain_reply(self) -> None:
        try:
            await self._call.drain()
        except ClientDisconnected:
            self._end()
        else:
            if self._connection is not None:
                self._connection.resume_reading()

    # Ends

    def _finish(self) -> None:
        """The reply is complete. The connection is good for another request if this one was sent whole."""
        connection, reader = self._connection, self._reader
        if connection is not None and reader.may_be_kept and self._is_request_sent:
            self._connection = None
            connection.user = None
            self._owner.pool.give_back(connection, reader.keep_s)
        self._end()

    def _break(self, reason: str) -> None:
        """The connection has ended too soon."""
        if self._is_over:
            return
        if self._was_idle and self._may_repeat and not self._reader.has_begun:
            self._was_idle = False
            self._drop_connection()
            self._run(self._connect())
        else:
            self._fail(reason)

    def _fail(self, reason: str) -> None:
        if self._is_over:
            return
        self._owner.on_failure(self._call, reason if self._call.stage == NEW else f"{reason}, amid the reply")
        self._call.reset(RstStatus.INTERNAL_ERROR)
        self._end()

    def _end(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._drop_connection()
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()
        self._call.end()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
