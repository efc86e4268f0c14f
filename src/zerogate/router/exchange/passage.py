"""What both halves of an exchange stand on: who takes part, how far it is, and the ways out.

Whatever happens, an exchange comes to `_end`, once: there it is noted, and its client goes on. A worker's slot is freed
by `_leave_worker`, or by `_finish` when all went well; nothing else touches either. It has one from DUE to HALF, and in
no other state, so that `break_off` knows what to give back where a bug of ours stops it midway.
"""

import enum
import logging
import time
from typing import Any

from zerogate.errors import ReplyError
from zerogate.link.handlers import StreamHandler
from zerogate.link.link import Link
from zerogate.router.affinity import StickyCookie
from zerogate.router.desk import Desk
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.exchange.body import RequestBody
from zerogate.router.faces import Client
from zerogate.router.forwarding import Forwarding
from zerogate.router.queue import Queue
from zerogate.router.waiting import Waiting
from zerogate.router.workers import Worker
from zerogate.wire.http.errors import BAD_REPLY, WORKER_FAILED, ErrorKind, HttpError
from zerogate.wire.http.reply import ReplyBody
from zerogate.wire.http.request import RequestHead
from zerogate.wire.spdy import streams
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.streams import Stream

logger = logging.getLogger("zerogate.router")

# Longer than a network is down for a moment, and short for what waits for nobody.
MAX_HALF_IDLE_S = 60.0

# RFC 9110, 9.2.2.
IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})


class State(enum.IntEnum):
    """How far the reply is (exchange.py has the drawing)."""

    COLLECTING = 0
    WAITING = 1
    DUE = 2
    OPEN = 3
    TUNNEL = 4
    HALF = 5
    DONE = 6


_DONE = State.DONE  # used for each exchange; through the class it is a call each time, in Python 3.11


class Passage(StreamHandler, Waiting):
    """`worker` is who has it now or had it last; `tried` are the processes that lost or refused it, and `shunned` those
    of them that fell silent with it: they may still be at it, and do not get it again.

    Most exchanges need few of these: the rest are defaults of the class, which cost a new exchange nothing.
    """

    state = State.WAITING
    status = 0
    error_code = ""
    prefix = ""
    retries = 0
    wait_until = 0.0
    worker: Worker | None = None
    queue: Queue[Any] | None = None
    tried: frozenset[str] = frozenset()
    shunned: frozenset[str] = frozenset()
    is_noted = False
    awaits_until = 0.0
    cookie: StickyCookie | None = None
    _stream: Stream | None = None
    _body: RequestBody | None = None
    _reply_body: ReplyBody | None = None
    _has_ended = False
    # A tunnel or a stream of events: its worker counts it for itself.
    _is_apart = False
    _is_tunnel = False

    def __init__(
        self,
        dispatcher: Dispatcher,
        desk: Desk,
        client: Client,
        head: RequestHead,
        forwarding: Forwarding,
        request_id: bytes,
    ) -> None:
        self._desk = desk
        self._dispatcher = dispatcher
        self._client = client
        self._forwarding = forwarding
        self.head = head
        self.request_id = request_id
        self.arrived = time.monotonic()
        if head.has_body or head.upgrade:
            self._body = RequestBody(desk.settings.retry_bytes)
            if head.has_body and not head.expects_continue:
                self.state = State.COLLECTING

    def take_over(
        self,
        state: int,
        arrived: float,
        worker: Worker | None,
        stream: Stream | None,
        status: int,
        has_ended: bool,
        reply_body: ReplyBody | None,
    ) -> None:
        """Stand in the place of a UsualExchange (native/exchange.pyx) that has come so far."""
        self.state = State(state)
        self.arrived = arrived
        self.worker = worker
        self.status = status
        self._has_ended = has_ended
        self._reply_body = reply_body
        self._stream = stream
        # One that has none by now is gone, and this is about to hear of it.
        if stream is not None and stream.handler is not None:
            stream.handler = self

    def __repr__(self) -> str:
        body = "" if self._body is None else f" {self._body!r}"
        worker = self.worker_name or "nobody"
        request = f"{self.request_id.decode('latin-1')} {self.head.method!r} {self.head.target!r}"
        return f"<Exchange {request}{body} {self.state.name} {worker}>"

    @property
    def size_bytes(self) -> int:
        """What it holds of the request, for the queue's account."""
        return self.head.size_bytes + (0 if self._body is None else self._body.kept_bytes)

    @property
    def worker_name(self) -> str:
        return "" if self.worker is None else self.worker.name

    @property
    def worker_labels(self) -> str:
        return "" if self.worker is None else self.worker.terms.label_text

    @property
    def worker_title(self) -> str:
        return "" if self.worker is None else self.worker.title

    @property
    def client_address(self) -> str:
        """The client's, by the word of a trusted proxy if there is one before us."""
        forwarding = self._forwarding
        return forwarding.told(self.head).client.address if forwarding.is_trusted else forwarding.address

    @property
    def _has_request_ended(self) -> bool:
        return self._body is None or self._body.has_ended

    # The worker's own times, once it has the request.

    @property
    def _timeout_s(self) -> float:
        assert self.worker is not None
        return self.worker.timeout_s

    @property
    def _idle_timeout_s(self) -> float:
        assert self.worker is not None
        return self.worker.idle_timeout_s

    @property
    def _half_idle_s(self) -> float:
        """For what is left of a tunnel when one end has closed: bounded even where replies may be silent for ever."""
        return min(self._idle_timeout_s, MAX_HALF_IDLE_S)

    def _way(self) -> tuple[Link, Stream]:
        """To the worker that has it."""
        assert self.worker is not None
        assert self._stream is not None
        return self.worker.link, self._stream

    def _set_apart(self, *, is_tunnel: bool) -> None:
        assert self.worker is not None
        self._is_apart = True
        self._is_tunnel = is_tunnel
        self._dispatcher.set_apart(self.worker, is_tunnel=is_tunnel)

    def _finish_long(self) -> None:
        """`_finish` for what may be set apart."""
        self._unite()
        self._finish()

    def _unite(self) -> None:
        """It counts as a request again, whose slot can be freed."""
        if self._is_apart:
            assert self.worker is not None
            self._is_apart = False
            self.worker.unite(is_tunnel=self._is_tunnel)

    def _finish(self) -> None:
        """The reply is complete. What is still under way, either way, is no use any more."""
        worker = self.worker
        stream = self._stream
        assert worker is not None
        assert stream is not None
        self._stream = None
        # The session remembers its last stream; by its handler that would keep the worker, and so the link.
        stream.handler = None
        try:
            if stream.remote < streams.DONE or (self._body is not None and not self._body.has_ended):
                worker.link.reset(stream, RstStatus.CANCEL)
        finally:
            self.state = _DONE
            worker.failures = 0
            self._dispatcher.free_slot(worker)
        self._end()

    def _send_error(self, error: HttpError) -> None:
        """The client is told instead of a reply."""
        self.state = State.DONE
        self.status = error.status
        self.error_code = error.code
        self._desk.counters.count_error(error.code)
        self._client.send_error(error, self.request_id)
        self._end()

    def _cut(self, status: int = RstStatus.CANCEL, *, is_workers_fault: bool = False) -> None:
        """The reply has begun, and will not be completed."""
        self._desk.counters.cut += 1
        self._leave_worker(status, is_workers_fault=is_workers_fault)
        self.state = State.DONE
        self._client.cut()
        self._end()

    def _reject_reply(self, error: ReplyError) -> None:
        """What the worker says is not valid HTTP."""
        self._desk.counters.bad_replies += 1
        target = self.head.target.decode("latin-1")
        logger.error("worker %s: bad reply to %s: %s", self.worker_title, target, error.reason)
        if self.state is State.DUE:
            self._leave_worker(RstStatus.PROTOCOL_ERROR, is_workers_fault=True)
            self._send_error(HttpError(BAD_REPLY))
        else:
            self._cut(RstStatus.PROTOCOL_ERROR, is_workers_fault=True)

    def _try_again(self, kind: ErrorKind, *, is_refusal: bool, is_silence: bool = False) -> None:
        """Send it to another worker if that is safe: never begun there, or idempotent; and the body still at hand.

        Once only after a silence: what takes one process away may take the next.
        """
        body = self._body
        is_at_hand = body is None or (body.is_whole if is_refusal else body.is_repeatable)
        retries = 0 if self.shunned else self._desk.settings.retries
        # A refusal has cost nothing, and may come again while somebody else has the worker's room: it is not counted.
        may_repeat = is_refusal or (self.head.method in IDEMPOTENT and self.retries < retries)
        if not is_at_hand or not may_repeat:
            self._send_error(HttpError(kind))
            return
        if not is_refusal:
            self.retries += 1
            self.wait_until = 0.0
        assert self.worker is not None
        self.tried |= {self.worker.process_id}
        if is_silence:
            self.shunned |= {self.worker.process_id}
        self._desk.counters.retries += 1
        self.cookie = None
        self._dispatcher.submit(self)

    def _leave_worker(self, status: int = RstStatus.CANCEL, *, is_workers_fault: bool = False) -> None:
        """Reset the stream if it is still there, and free the worker's slot. Who it was stays known, for the log."""
        worker = self.worker
        assert worker is not None
        stream, self._stream = self._stream, None
        try:
            if stream is not None:
                worker.link.reset(stream, status)
            if is_workers_fault:
                self._dispatcher.blame(worker)
        finally:
            self.state = State.WAITING
            self._unite()
            self._dispatcher.free_slot(worker)

    def _end(self) -> None:
        """The one end."""
        self.state = _DONE
        self._has_ended = True
        try:
            self._desk.note(self, self._client)
        finally:
            self._client.end()

    # After a bug

    def break_off(self) -> None:
        """A bug of ours has stopped it midway: what it holds is given back, its client is told or cut. Never raises."""
        if self._has_ended:
            return
        for step in (self._give_back, self._tell_client, self._end):
            try:
                step()
            except Exception:
                # The first failure has been logged, and is mostly the reason of this one.
                logger.debug("%r could not be broken off in order", self, exc_info=True)

    def _give_back(self) -> None:
        if State.DUE <= self.state <= State.HALF:
            self._leave_worker(RstStatus.INTERNAL_ERROR)
        else:
            self._dispatcher.withdraw(self)

    def _tell_client(self) -> None:
        self.state = State.DONE
        if self.status:
            self._client.cut()
            return
        error = HttpError(WORKER_FAILED, "this request could not be completed")
        self.status, self.error_code = error.status, error.code
        self._desk.counters.count_error(error.code)
        try:
            self._client.send_error(error, self.request_id)
        except Exception:
            self._client.cut()
            raise
