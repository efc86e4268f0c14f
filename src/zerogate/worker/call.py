"""One request at the worker, in HTTP's words: its fields, its body, its reply, its end. Knows no kind of application.

The reply goes through these stages, in order:

    NEW       nothing of it has been said
    HEAD      its head is known, and waits: most replies come whole, and then head and body are one write
    BODY      the head is sent, and pieces of the body may follow
    TRAILERS  the body is complete, and trailers are due
    COMPLETE  all of it has been said
    GONE      the client left before that, or the link did: nothing more can be said

The request's body waits here, within the stream's window, until somebody takes it: that is what slows the client down.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol

from zerogate.link.handlers import Fields, StreamHandler
from zerogate.link.link import Link
from zerogate.native.compiled import Base, NoPaths, find, slots
from zerogate.wire.pieces import add_piece
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.streams import Stream
from zerogate.worker.errors import ApplicationError, ClientDisconnected
from zerogate.worker.printable import printable
from zerogate.worker.reply_block import is_event_stream_block, reply_block
from zerogate.worker.request_block import RequestFields

logger = logging.getLogger("zerogate.worker")

NEW: Final = 0
HEAD: Final = 1
BODY: Final = 2
TRAILERS: Final = 3
COMPLETE: Final = 4
GONE: Final = 5
STAGE_NAMES: Final = ("NEW", "HEAD", "BODY", "TRAILERS", "COMPLETE", "GONE")

# So much of a reply may have no credit yet before who sends it is asked to wait.
MAX_PENDING_BYTES: Final = 64 * 1024


if TYPE_CHECKING:
    CallState = Base
    FastCall = NoPaths
else:
    CallState = find("calls", "CallState", Base)
    FastCall = find("calls", "FastCall", NoPaths)


class Work(Protocol):
    """What answers a call: a task of asyncio's, or a future of a thread's."""

    def cancel(self) -> object:
        """Let it end before it is done."""


class CallOwner(Protocol):
    """Who has calls, all that have not ended. `cancel_after`: seconds that work goes on after its client has left."""

    loop: asyncio.AbstractEventLoop
    cancel_after: float
    calls: "set[CarefulCall]"

    def free_slot(self, link: Link) -> None:
        """A call of this link's has ended, and with it the work: its slot is free."""

    def set_apart(self, link: Link) -> "CallOwner":
        """A call of this link's goes on for long, and is no request any more. Returns who owns it from now on."""


class CarefulCall(CallState, StreamHandler):
    """One exchange at the worker, and the handler of its stream.

    fields: the request's, by name, several values joined with NUL; `:method`, `:path` and such are among them
    stage: how far the reply is; see the module
    is_gone: the client has left, or the link has, maybe after all was said: nobody hears the reply
    has_body_ended: all of the body has come, though it may not have been taken yet
    work: what the host does for it; set by the host, until the end
    """

    # What: slots, all set for each call. Why, benchmark: defaults of the class are dearer to read than these to set, by
    # 2 to 5 % of what a request costs the worker (CPython 3.11).
    __slots__ = slots(
        CallState,
        "_body",
        "_has_trailers",
        "_head",
        "_is_body_told",
        "_is_end_told",
        "_owner",
        "_stream",
        "_timer",
        "_waiters",
        "_wants_continue",
        "fields",
        "has_body_ended",
        "is_gone",
        "link",
        "stage",
        "work",
    )

    def __init__(self, owner: CallOwner, link: Link, stream: Stream, fields: RequestFields, fin: bool) -> None:
        self._owner = owner
        self._stream = stream
        self.link = link
        self.fields = fields
        self.stage = NEW
        self.is_gone = False
        self.work: Work | None = None
        self._body: list[bytes] | None = None
        self._is_body_told = False
        self._is_end_told = False
        self._wants_continue = False
        self._head = b""
        self._has_trailers = False
        self._waiters: tuple[()] | list[asyncio.Future[None]] = ()
        self._timer: asyncio.TimerHandle | None = None
        if fin or b"upgrade" in fields:
            self.has_body_ended = True
        else:
            self.has_body_ended = False
            self._wants_continue = fields.get(b"expect", b"").lower() == b"100-continue"
        stream.handler = self
        owner.calls.add(self)

    def __repr__(self) -> str:
        return f"<Call {self.label} {STAGE_NAMES[self.stage]}>"

    @property
    def label(self) -> str:
        """What was asked for, for logs: `GET /path`. As it was written, not decoded, and without the query."""
        method, path = self.fields.get(b":method", b"-"), self.fields.get(b":path", b"-")
        return f"{printable(method)} {printable(path.partition(b'?')[0])}"

    def is_of(self, owner: CallOwner) -> bool:
        """Whether it is this one's now: who owns what is set apart has no requests."""
        return self._owner is owner

    # The request

    def take_body(self) -> bytes | None:
        """What has come of the body since the last time; empty once at its end; None if there is nothing to tell.

        The client may send as much again. `has_body_ended` says whether this was the last of it.
        """
        if self.stage >= COMPLETE:
            return None
        body = self._body
        if body:
            self._body = None
            data = b"".join(body)
            if not self.has_body_ended:
                self.link.consumed(self._stream, len(data))
        elif self.has_body_ended and not self._is_body_told:
            data = b""
        else:
            return None
        self._is_body_told = self.has_body_ended
        return data

    async def read_body(self) -> bytes | None:
        """The next piece of the body, as soon as it comes, as `take_body` has it; None when the call is over."""
        while self.stage < COMPLETE:
            data = self.take_body()
            if data is not None:
                return data
            self.ask_for_body()
            await self._wait()
        if self._is_end_told:
            # Who asks again and again must not stop the event loop, and can be cancelled here.
            await asyncio.sleep(0)
        self._is_end_told = True
        return None

    async def collect_body(self, n_bytes: int) -> None:
        """Wait until so much of the body is here to be taken, or all of it, or the call is over."""
        while not self.has_body_ended and self.stage < COMPLETE and sum(map(len, self._body or ())) < n_bytes:
            await self._wait()

    def ask_for_body(self) -> None:
        """Tell a client that waits for it (`expect: 100-continue`) to send the body."""
        if self._wants_continue:
            self._wants_continue = False
            if self.stage <= HEAD:
                self.link.send_headers(self._stream, CONTINUE_BLOCK, False)

    # The reply

    def send_interim(self, block: bytes) -> None:
        """Something to be told before the reply, a raw name/value block: for routers that take it (`Link.accepts`).

        Raises ApplicationError once the reply has begun, and ClientDisconnected.
        """
        self._check_not_gone()
        if self.stage != NEW:
            raise ApplicationError("an interim reply after the reply was begun")
        self.link.send_headers(self._stream, block, False)

    def begin_reply(self, block: bytes, has_trailers: bool = False) -> None:
        """The head of the reply, a raw name/value block (`reply_block`). It is sent with the first of the body.

        Raises ApplicationError if there was one before, and ClientDisconnected, as whatever sends does.
        """
        if self.stage != NEW:
            self._check_not_gone()
            raise ApplicationError("the reply was begun twice")
        self.stage = HEAD
        self._head = block
        if has_trailers:
            self._has_trailers = True

    def send_body(self, data: bytes | bytearray | memoryview, more: bool) -> bool:
        """A piece of the body, the last one unless there is `more`. If it returns True, await `drain` before the next.

        A buffer may be used again at once. Raises ApplicationError before `begin_reply` and for what are no octets,
        ClientDisconnected. What comes after the end is dropped.
        """
        if type(data) is not bytes:
            data = _octets(data)
        stage = self.stage
        stream = self._stream
        fin = not more and not self._has_trailers
        if stage == HEAD:
            if fin and data:
                self.link.send_whole_reply(stream, self._head, data)
            else:
                self.link.send_reply(stream, self._head, fin)
                if not fin and is_event_stream_block(self._head):
                    self._owner = self._owner.set_apart(self.link)
                if data:
                    self.link.send_data(stream, data, False)
            self.stage = BODY
        elif stage == BODY:
            if data or fin:
                self.link.send_data(stream, data, fin)
        else:
            self._check_not_gone()
            if stage == NEW:
                raise ApplicationError("a body without a head")
            # As other servers do: what comes after the end is dropped, once for all and without harm.
            logger.warning("%s: body sent after the end", self.label)
            return False
        if fin:
            self.stage = COMPLETE
            if self._waiters:
                self._wake()
        elif not more:
            self.stage = TRAILERS
        return stream.pending_bytes > MAX_PENDING_BYTES

    def send_trailers(self, block: bytes, more: bool = False) -> None:
        """Fields behind the body, a raw name/value block.

        Raises ApplicationError if `begin_reply` promised none or the body is not complete, ClientDisconnected.
        """
        self._check_not_gone()
        if self.stage != TRAILERS:
            raise ApplicationError("trailers where none are due")
        self.link.send_headers(self._stream, block, not more)
        if not more:
            self._complete()

    async def drain(self) -> None:
        """Wait until most of what was sent has been taken by the router. Raises ClientDisconnected."""
        while self._stream.pending_bytes > MAX_PENDING_BYTES and not self.is_gone:
            await self._wait()
        self._check_not_gone()

    def break_off(self) -> None:
        """No reply, or no more of it: 500 if nothing has been said, else the stream breaks."""
        if self.stage >= COMPLETE:
            return
        if self.stage <= HEAD:
            self.link.send_whole_reply(self._stream, FAILURE_BLOCK, FAILURE_BODY)
            self._complete()
        else:
            self.reset(RstStatus.INTERNAL_ERROR)

    def reset(self, status: RstStatus) -> None:
        """No reply, or no more of it, and none of ours in its place: the router decides what becomes of the request."""
        if self.stage < COMPLETE:
            self.link.reset(self._stream, status)
            self._complete()

    def end(self) -> None:
        """The host has done with it, and no work goes on: its slot is free. A reply that is not complete has failed."""
        if self.stage < COMPLETE:
            logger.error("%s: the application ended without a complete reply", self.label)
            self.break_off()
        if self._timer is not None:
            self._timer.cancel()
        # They refer to us, and we to them: without this each call would wait for the collector.
        self._stream.handler = None
        self.work = None
        owner = self._owner
        owner.calls.remove(self)
        owner.free_slot(self.link)

    # The link's side (StreamHandler)

    def on_reply(self, fields: Fields, fin: bool) -> None:
        self.link.reset(self._stream, RstStatus.PROTOCOL_ERROR)
        self._leave()

    def on_headers(self, fields: Fields, fin: bool) -> None:
        # Trailers of the request: nobody has asked for them yet.
        if fin:
            self._end_body()

    def on_data(self, data: bytes, fin: bool) -> None:
        if self.has_body_ended or self.stage >= COMPLETE:
            self.link.consumed(self._stream, len(data))
            return
        if self._body is None:
            self._body = [data]
        else:
            add_piece(self._body, data)
        if fin:
            self._end_body()
        elif self._waiters:
            self._wake()

    def on_writable(self) -> None:
        self._wake()

    def on_reset(self, status: int) -> None:
        self._leave()

    def on_lost(self, reason: str) -> None:
        self._leave()

    # Inside

    def _complete(self) -> None:
        self.stage = COMPLETE
        if self._waiters:
            self._wake()

    def _check_not_gone(self) -> None:
        if self.stage == GONE:
            raise ClientDisconnected("the client has left")

    def _leave(self) -> None:
        """The client has left, or the link has: let the application hear of it, then end it."""
        self.is_gone = True
        self._body = None
        if self.stage < COMPLETE:
            self.stage = GONE
            if self.work is not None:
                self._timer = self._owner.loop.call_later(self._owner.cancel_after, self.work.cancel)
        self._wake()

    def _end_body(self) -> None:
        self.has_body_ended = True
        self._wake()

    async def _wait(self) -> None:
        """Until something has happened to the stream."""
        waiter: asyncio.Future[None] = self._owner.loop.create_future()
        self._waiters = [*self._waiters, waiter]
        try:
            await waiter
        except asyncio.CancelledError:
            # Who asks with a time limit, and asks again, must not be waited for again and again.
            self._waiters = [other for other in self._waiters if other is not waiter]
            raise

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, ()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class Call(FastCall, CarefulCall):
    """The same, where it is usual by what is compiled (native/calls.pyx)."""

    __slots__ = ()


def _octets(data: object) -> bytes:
    """A copy of a buffer. What is none would fail when a turn's output is joined, and others' replies with it."""
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise ApplicationError(f"a body is bytes, not {type(data).__name__}")


FAILURE_BODY: Final = b"Internal Server Error\n"
FAILURE_BLOCK: Final = reply_block(
    500, [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(FAILURE_BODY))]
)
CONTINUE_BLOCK: Final = encode_block({b":status": b"100", b":version": b"HTTP/1.1"})
