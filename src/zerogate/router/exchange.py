"""An exchange: one request and its reply, from the client's first byte to its last.

    QUEUED --a worker has room--> SENT --SYN_REPLY--> REPLYING --FIN--> DONE
       ^                           |
       +---- lost or refused, -----+
             and safe to repeat

It stands between a client connection and a stream, hands each piece on as it comes, and slows one side down to the
other's pace. Until the reply begins it keeps what it has sent of the request, up to `retry_bytes`, so that it can be
sent again elsewhere. Nothing here waits: every method is an event, and returns when its consequences are under way.
"""

import enum
from typing import TYPE_CHECKING

from zerogate.errors import ReplyError
from zerogate.link.handlers import Fields
from zerogate.link.link import Link
from zerogate.router.client import Client
from zerogate.router.request_block import Forwarding, request_block
from zerogate.wire.http.errors import (
    BAD_REPLY,
    BODY_TIMEOUT,
    QUEUE_TIMEOUT,
    REPLY_TIMEOUT,
    SHUTTING_DOWN,
    WORKER_FAILED,
    WORKER_LOST,
    ErrorKind,
    HttpError,
)
from zerogate.wire.http.request import RequestHead
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.headers import encode_block, merge_fields
from zerogate.wire.spdy.streams import Stream

if TYPE_CHECKING:
    from zerogate.router.dispatcher import Dispatcher
    from zerogate.router.pool import Queue
    from zerogate.router.workers import Worker

# RFC 9110, 9.2.2.
IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})

SWITCHING_PROTOCOLS = 101

# So much of a request's body may wait for the worker's credit before the client is slowed down.
MAX_PENDING_BYTES = 64 * 1024


class State(enum.IntEnum):
    QUEUED = 0
    SENT = 1
    REPLYING = 2
    DONE = 3


class Exchange:
    """See the module. `worker` is who has it now; `tried` are the serials of those who lost or refused it.

    Most exchanges need few of these: the rest are defaults of the class, which cost a new exchange nothing.
    """

    state = State.QUEUED
    status = 0
    retries = 0
    wait_until = 0.0
    worker: "Worker | None" = None
    queue: "Queue | None" = None
    tried: frozenset[int] = frozenset()
    _stream: Stream | None = None
    _kept: list[bytes] | None = None
    _kept_bytes = 0
    _owed_bytes = 0
    _unsent_bytes = 0
    _request_ended = True
    _trailers: Fields | None = None
    _is_tunnel = False
    _has_reply_ended = False

    def __init__(
        self,
        dispatcher: "Dispatcher",
        client: Client,
        head: RequestHead,
        forwarding: Forwarding,
        request_id: bytes,
        now: float,
    ) -> None:
        self._dispatcher = dispatcher
        self._client = client
        self._forwarding = forwarding
        self.head = head
        self.request_id = request_id
        self.arrived = now
        if head.has_body or head.upgrade:
            self._kept = []
            self._request_ended = False

    def __repr__(self) -> str:
        name = self.worker.name if self.worker else "nobody"
        return f"<Exchange {self.head.method!r} {self.head.target!r} {self.state.name} {name}>"

    @property
    def size_bytes(self) -> int:
        """What it holds of the request, for the queue's account."""
        return self.head.size_bytes + self._kept_bytes

    # From the dispatcher

    def wait(self, seconds: float) -> None:
        """No worker has room: the client is told after `seconds`."""
        self._client.expect(seconds)

    def send(self, worker: "Worker") -> None:
        """Send the request, or what there is of it, to a worker that has room."""
        link = worker.link
        head = self.head
        kept = self._kept
        fin = self._request_ended and not kept and not self._trailers
        block = request_block(head, self._forwarding, self.request_id)
        self._stream = stream = link.open_stream(block, fin, self)
        self.worker = worker
        self.state = State.SENT
        if not fin:
            if kept:
                body = b"".join(kept)
                link.send_data(stream, body, self._request_ended and not self._trailers)
            if self._trailers:
                link.send_headers(stream, encode_block(self._trailers), True)
            if not self._request_ended:
                self._client.interim.want_body_soon()
                self._client.resume_body()
        self._client.expect(self._dispatcher.settings.timeout)

    def refuse(self, error: HttpError) -> None:
        """No worker will have it."""
        self.state = State.DONE
        self._client.fail(error)

    # From the client

    def receive_body(self, data: bytes) -> None:
        """A piece of the request's body, or of what a client sends through a tunnel."""
        stream = self._stream
        settings = self._dispatcher.settings
        if self._kept is not None:
            self._kept_bytes += len(data)
            if self._kept_bytes <= settings.retry_bytes or stream is None:
                self._kept.append(data)
            else:
                self._kept = None
        if stream is None:
            if self.queue is not None:
                self.queue.grow(self, len(data))
            if self._kept_bytes >= settings.retry_bytes:
                self._client.pause_body()
            return
        link = self._worker_link()
        link.send_data(stream, data, False)
        if stream.pending_bytes > MAX_PENDING_BYTES:
            self._client.pause_body()
        if self.state is State.SENT:
            self._client.expect(settings.body_timeout)

    def end_request(self, trailers: list[tuple[bytes, bytes]]) -> None:
        """The request's body is complete; or the client has closed its half of a tunnel."""
        self._request_ended = True
        if trailers:
            self._trailers = merge_fields(trailers)
        stream = self._stream
        if stream is None:
            return
        link = self._worker_link()
        if self._trailers:
            link.send_headers(stream, encode_block(self._trailers), True)
        else:
            link.send_data(stream, b"", True)
        if self._has_reply_ended:
            self._finish()
        elif self.state is State.SENT:
            self._client.expect(self._dispatcher.settings.timeout)

    def client_writable(self) -> None:
        """The client has taken what was sent to it: the worker may go on."""
        if self._owed_bytes and self._stream is not None:
            owed, self._owed_bytes = self._owed_bytes, 0
            self._worker_link().consumed(self._stream, owed)
        if self.state is State.REPLYING:
            self._client.expect(self._dispatcher.settings.idle_timeout)

    def client_gone(self) -> None:
        """The client has left: the worker is told at once, and nobody is blamed."""
        if self.state is State.DONE:
            return
        self._dispatcher.counters.aborted += 1
        if self.state is State.QUEUED:
            self._dispatcher.withdraw(self)
        self._leave_worker(RstStatus.CANCEL)
        self.state = State.DONE

    def on_deadline(self) -> None:
        """Nothing has come for as long as was allowed."""
        settings = self._dispatcher.settings
        if self.state is State.QUEUED:
            self._dispatcher.withdraw(self)
            waited = f"no worker had room within {settings.queue_timeout:g} s"
            self.refuse(HttpError(QUEUE_TIMEOUT, waited))
        elif self.state is State.SENT:
            stream = self._stream
            if stream is not None and 0 < stream.pending_bytes != self._unsent_bytes:
                # A slow application that still reads.
                self._unsent_bytes = stream.pending_bytes
                self._client.expect(settings.body_timeout)
                return
            is_client_slow = not self._request_ended and stream is not None and not stream.pending_bytes
            self._leave_worker(RstStatus.CANCEL, failed=not is_client_slow)
            self.state = State.DONE
            if is_client_slow:
                self._client.fail(HttpError(BODY_TIMEOUT))
            else:
                self._client.fail(HttpError(REPLY_TIMEOUT))
        elif self.state is State.REPLYING:
            unsent = self._client.unsent_bytes()
            if unsent and unsent != self._unsent_bytes:
                # A slow client that still reads; the worker is not to blame for the silence.
                self._unsent_bytes = unsent
                self._client.expect(settings.idle_timeout)
                return
            self._cut(RstStatus.CANCEL, failed=not unsent)

    def give_up(self) -> None:
        """The router stops before the exchange is over."""
        if self.state is State.REPLYING:
            self._cut(RstStatus.CANCEL, failed=False)
            return
        if self.state is State.QUEUED:
            self._dispatcher.withdraw(self)
        self._leave_worker(RstStatus.CANCEL)
        self.refuse(HttpError(SHUTTING_DOWN))

    # From the link

    def on_reply(self, fields: Fields, fin: bool) -> None:
        client = self._client
        try:
            client.begin_reply(fields, fin)
        except ReplyError as error:
            self._reject_reply(error)
            return
        self.state = State.REPLYING
        self._kept = None
        self._is_tunnel = bool(self.head.upgrade) and self.status == SWITCHING_PROTOCOLS
        if fin:
            self._finish()

    def on_whole_reply(self, fields: Fields, data: bytes) -> None:
        if self.head.upgrade:
            self.on_reply(fields, False)
            if self.state is State.REPLYING:
                self.on_data(data, True)
            return
        try:
            self._client.send_reply(fields, data)
        except ReplyError as error:
            self._reject_reply(error)
            return
        self._finish()

    def on_headers(self, fields: Fields, fin: bool) -> None:
        try:
            if self.state is State.REPLYING:
                if fin:
                    self._client.send_trailers(fields)
                    self._finish()
            elif fields.get(b":status", b"").startswith(b"100"):
                self._client.interim.want_body()
            else:
                raise ReplyError("HEADERS before the reply")
        except ReplyError as error:
            self._reject_reply(error)

    def on_data(self, data: bytes, fin: bool) -> None:
        client = self._client
        if self.state is not State.REPLYING:
            self._reject_reply(ReplyError("DATA before the reply"))
            return
        try:
            client.send_body(data, fin)
        except ReplyError as error:
            self._reject_reply(error)
            return
        if fin:
            if self._is_tunnel and not self._request_ended:
                self._has_reply_ended = True  # a half close: the client may still send
            else:
                self._finish()
            return
        if client.is_writable:
            assert self._stream is not None
            self._worker_link().consumed(self._stream, len(data))
        else:
            self._owed_bytes += len(data)
        client.expect(self._dispatcher.settings.idle_timeout)

    def on_writable(self) -> None:
        if not self._request_ended:
            self._client.resume_body()
            if self.state is State.SENT:
                self._client.expect(self._dispatcher.settings.body_timeout)

    def on_reset(self, status: int) -> None:
        self._stream = None
        if self.state is State.REPLYING:
            self._cut(status, failed=status != RstStatus.REFUSED_STREAM)
        elif status == RstStatus.REFUSED_STREAM:
            self._dispatcher.counters.refused += 1
            if self.worker is not None:
                self._dispatcher.has_refused(self.worker)
            self._leave_worker(status)
            self._try_again(WORKER_FAILED, is_refusal=True)
        else:
            self._leave_worker(status, failed=True)
            self.state = State.DONE
            self._client.fail(HttpError(WORKER_FAILED))

    def on_lost(self, reason: str) -> None:
        self._stream = None
        if self.state is State.REPLYING:
            self._cut(RstStatus.CANCEL, failed=False)
            return
        self._leave_worker(RstStatus.CANCEL)
        self._try_again(WORKER_LOST, is_refusal=False)

    # Inside

    def _worker_link(self) -> Link:
        assert self.worker is not None
        return self.worker.link

    def _try_again(self, kind: ErrorKind, *, is_refusal: bool) -> None:
        """Send it to another worker if that is safe: never begun there, or idempotent; and the body still at hand."""
        is_whole = self._kept is not None or not (self.head.has_body or self.head.upgrade)
        # A refusal has cost nothing, and may come again while somebody else has the worker's room: it is not counted.
        may_repeat = is_refusal or (self.head.method in IDEMPOTENT and self.retries < self._dispatcher.settings.retries)
        if not is_whole or not may_repeat:
            self.state = State.DONE
            self._client.fail(HttpError(kind, WORKER_LOST.words))
            return
        if not is_refusal:
            self.retries += 1
            self.wait_until = 0.0
        if self.worker is not None:
            self.tried |= {self.worker.serial}
        self.state = State.QUEUED
        self._dispatcher.retry(self)

    def _reject_reply(self, error: ReplyError) -> None:
        self._dispatcher.report_bad_reply(self, error)
        if self.state is State.REPLYING:
            self._cut(RstStatus.PROTOCOL_ERROR, failed=True)
            return
        self._leave_worker(RstStatus.PROTOCOL_ERROR, failed=True)
        self.state = State.DONE
        self._client.fail(HttpError(BAD_REPLY))

    def _cut(self, status: int, *, failed: bool) -> None:
        self._dispatcher.counters.cut += 1
        self._leave_worker(status, failed=failed)
        self.state = State.DONE
        self._client.cut()

    def _finish(self) -> None:
        """The reply is complete. A request that is still coming is no use to the worker any more."""
        stream, self._stream = self._stream, None
        worker = self.worker
        self.state = State.DONE
        if stream is not None:
            # The session remembers its last stream; by its handler that would keep the worker, and so the link.
            stream.handler = None
            if not self._request_ended:
                self._worker_link().reset(stream, RstStatus.CANCEL)
        self._client.end_exchange()
        if worker is not None:
            worker.failures = 0
            self._dispatcher.release(worker)

    def _leave_worker(self, status: int, *, failed: bool = False) -> None:
        """Reset the stream if it is still there, and free the worker's slot. Who it was stays known, for the log."""
        worker = self.worker
        if self.state is State.QUEUED or worker is None:
            return
        if self._stream is not None:
            worker.link.reset(self._stream, status)
            self._stream = None
        if failed:
            self._dispatcher.has_failed(worker)
        self._dispatcher.release(worker)
