"""The request's half of an exchange: from the client to the worker, at the worker's pace."""

import logging

from zerogate.router.exchange.collecting import Collecting
from zerogate.router.exchange.passage import State
from zerogate.router.faces import Pairs
from zerogate.router.request_block import request_block, stripped_block
from zerogate.router.workers import Worker
from zerogate.wire.http.errors import BODY_TOO_LARGE, HttpError

logger = logging.getLogger("zerogate.router")

CONTINUE = 100

_DUE = State.DUE  # used for each exchange; through the class it is a call each time, in Python 3.11

# A worker that does not say whether it wants the body of a request with `expect: 100-continue` is taken to want it.
CONTINUE_S = 1.0


class RequestHalf(Collecting):
    """What the events of the request's half do. Of a request without a body there is only `_send`."""

    _is_continue_sent = False

    def _send(self, worker: Worker) -> None:
        """Send the request, or what there is of it, to a worker that has room. Raises HttpError if it takes no such."""
        body = self._body
        if body is not None and worker.max_body_bytes is not None and self._is_too_large(worker.max_body_bytes):
            raise HttpError(BODY_TOO_LARGE)
        link = worker.link
        fin = body is None or body.is_empty
        if worker.strips_prefix and self.prefix:
            block = stripped_block(self.head, self._forwarding, self.request_id, self.prefix)
        else:
            block = request_block(self.head, self._forwarding, self.request_id)
        self._stream = stream = link.open_stream(block, fin, self)
        self.worker = worker
        self.state = _DUE
        # From here on the slot is its own to give back; before, it was the dispatcher's.
        try:
            if body is not None and not fin:
                self._credit(body.send_kept(link, stream))
                if self.head.expects_continue:
                    self._desk.loop.call_later(CONTINUE_S, self._ask_for_body)
                elif self.head.has_body and not body.has_ended:
                    self._expect_body()
                    return
            self._client.expect(worker.timeout_s)
        except Exception:
            logger.exception("%r failed", self)
            self.break_off()

    def _wait(self, seconds: float) -> None:
        self._client.expect(seconds)

    def _keep_body(self, data: bytes) -> None:
        assert self._body is not None
        self._body.keep(data)
        if self.queue is not None and not self.queue.grow(self, len(data)):
            self._hold_body()

    def _keep_end(self, trailers: Pairs) -> None:
        assert self._body is not None
        self._body.keep_end(trailers)

    def _pass_body(self, data: bytes) -> None:
        assert self._body is not None
        self._credit(self._body.send(*self._way(), data))

    def _is_too_large(self, max_bytes: int) -> bool:
        """Whether the body is known to have more than that: octets of a tunnel are no body."""
        assert self._body is not None
        return self.head.has_body and max(self.head.content_length or 0, self._body.received_bytes) > max_bytes

    def _is_now_too_large(self) -> bool:
        assert self.worker is not None
        max_bytes = self.worker.max_body_bytes
        return max_bytes is not None and self._is_too_large(max_bytes)

    def _pass_open(self, data: bytes) -> None:
        self._pass_body(data)
        if self._is_now_too_large():
            self._cut()

    def _pass_timed(self, data: bytes) -> None:
        self._pass_body(data)
        if self._is_now_too_large():
            self._leave_worker()
            self._send_error(HttpError(BODY_TOO_LARGE))
            return
        if self._way()[1].pending_bytes:
            # It is the worker that is slow.
            self._client.expect(self._desk.settings.body_timeout)
        else:
            self._client.expect(self._keep_pace(len(data)))

    def _expect_body(self) -> None:
        """It is the client's turn from now on; unless the worker is slow."""
        if self._way()[1].pending_bytes:
            self._client.expect(self._timeout_s)
        else:
            self._client.expect(self._restart_pace())

    def _pass_end(self, trailers: Pairs) -> None:
        assert self._body is not None
        self._body.keep_end(trailers)
        self._body.send_end(*self._way())

    def _end_timed(self, trailers: Pairs) -> None:
        self._pass_end(trailers)
        self._client.expect(self._timeout_s)

    # Of a tunnel. Open at both ends it may be silent for ever. Closed at one, there may be nobody left at the other, or
    # somebody who never noticed: what goes the way that is left must go on, or a slot would be held for nothing.

    def _go_half(self) -> None:
        self._go_on()
        self._client.expect(self._half_idle_s)

    def _pass_half(self, data: bytes) -> None:
        self._pass_body(data)
        self._client.expect(self._half_idle_s)

    def _half_end(self, trailers: Pairs) -> None:
        self._pass_end(trailers)
        self._client.expect(self._half_idle_s)

    def _last_end(self, trailers: Pairs) -> None:
        """The other half has ended before."""
        self._pass_end(trailers)
        self._finish_long()

    def _go_on(self) -> None:
        """The worker has been sent all that waited for it."""
        assert self._body is not None
        self._credit(self._body.settle(self._way()[1]))

    def _go_on_due(self) -> None:
        self._go_on()
        if self._has_request_ended:
            # The worker has all of it only now: its time begins.
            self._client.expect(self._timeout_s)
        else:
            self._expect_body()

    def _credit(self, n_bytes: int) -> None:
        if n_bytes:
            self._client.credit_body(n_bytes)

    def _ask_for_body(self) -> None:
        """The client may send the body that it holds back, if it still does."""
        is_held_back = self.head.expects_continue and not self._is_continue_sent and not self._has_body_begun
        if is_held_back and self.state <= State.DUE:
            self._is_continue_sent = True
            self._client.send_interim(CONTINUE, ())
            if self.state is State.DUE:
                self._expect_body()

    @property
    def _has_body_begun(self) -> bool:
        return self._body is not None and self._body.has_begun
