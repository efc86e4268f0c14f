"""An exchange: one request and its reply, from the client's first byte to its last, over one stream or several.

    COLLECTING --its body has begun--> WAITING --a worker has room--> DUE --SYN_REPLY--> OPEN ----FIN----> DONE
                                          ^                            |  \\
    A request without a body, or whose    +---- lost or refused, ------+   +--101--> TUNNEL --FIN--> HALF
    client awaits `100 Continue`, is            and safe to repeat                    --the client's end--> DONE
    WAITING at once.

It stands between a client and a stream, hands each piece on as it comes, and slows one side down to the other's pace.
It has two halves: the request's (`request_half.py`, with its beginning in `collecting.py` and what is kept of its body
in `body.py`) and the reply's
(`reply_half.py`), whose state is the one above; `passage.py` has what both stand on, and the ways out. This file says
which event does what, when: see the table at its end.

Nothing here waits: every event returns when its consequences are under way.
"""

from collections.abc import Callable

from zerogate.errors import ReplyError
from zerogate.native.compiled import find
from zerogate.router.exchange.passage import State
from zerogate.router.exchange.reply_half import ReplyHalf
from zerogate.router.faces import Pairs
from zerogate.router.workers import Worker
from zerogate.wire.fields import Fields
from zerogate.wire.http.errors import (
    BODY_TIMEOUT,
    NO_ROOM,
    QUEUE_TIMEOUT,
    REPLY_TIMEOUT,
    SHUTTING_DOWN,
    WORKER_FAILED,
    WORKER_LOST,
    HttpError,
)
from zerogate.wire.spdy.frames import RstStatus

# Looked up here: through the class it is a call each time, in Python 3.11.
_WAITING, _DUE = State.WAITING, State.DUE
_send_data = find("exchange", "send_data")


class Exchange(ReplyHalf):
    """See the module. Every public method is an event, and a row of the table."""

    _unsent_bytes = 0

    # From the client (faces.py, ClientExchange)

    def begin(self) -> None:
        # What: past the table, here and in two more places. Why, benchmark: 0.5 µs less for most requests, whose only
        # events are these.
        if self.state is _WAITING:
            self._begin()
        else:
            RULES["begin"][self.state](self)

    def receive_body(self, data: bytes) -> None:
        RULES["receive_body"][self.state](self, data)

    def receive_pause(self) -> None:
        RULES["receive_pause"][self.state](self)

    def receive_end(self, trailers: Pairs) -> None:
        RULES["receive_end"][self.state](self, trailers)

    def resume_reply(self) -> None:
        RULES["resume_reply"][self.state](self)

    def reject_request(self, error: HttpError) -> None:
        RULES["reject_request"][self.state](self, error)

    def abandon(self) -> None:
        RULES["abandon"][self.state](self)

    def expire(self) -> None:
        RULES["expire"][self.state](self)

    def shut_down(self) -> None:
        RULES["shut_down"][self.state](self)

    # From the dispatcher (dispatcher.py, Waiting)

    def send(self, worker: Worker) -> None:
        if self.state is _WAITING:
            self._send(worker)
        else:
            RULES["send"][self.state](self, worker)

    def wait(self, seconds: float) -> None:
        RULES["wait"][self.state](self, seconds)

    def decline(self, error: HttpError) -> None:
        RULES["decline"][self.state](self, error)

    # From the link (link/handlers.py, StreamHandler)

    def on_reply(self, fields: Fields, fin: bool) -> None:
        try:
            RULES["on_reply"][self.state](self, fields, fin)
        except ReplyError as error:
            self._reject_reply(error)

    def on_whole_reply(self, fields: Fields, data: bytes) -> None:
        try:
            if self.state is _DUE:
                self._whole(fields, data)
            else:
                RULES["on_whole_reply"][self.state](self, fields, data)
        except ReplyError as error:
            self._reject_reply(error)

    def on_headers(self, fields: Fields, fin: bool) -> None:
        try:
            RULES["on_headers"][self.state](self, fields, fin)
        except ReplyError as error:
            self._reject_reply(error)

    def on_data(self, data: bytes, fin: bool) -> None:
        # What: most pieces of a long reply. Why, benchmark: 10 µs a piece, and with their link 140 µs a MiB of 430.
        if _send_data(self, data, fin):
            return
        try:
            RULES["on_data"][self.state](self, data, fin)
        except ReplyError as error:
            self._reject_reply(error)

    def on_writable(self) -> None:
        RULES["on_writable"][self.state](self)

    def on_reset(self, status: int) -> None:
        RULES["on_reset"][self.state](self, status)

    def on_lost(self, reason: str) -> None:
        RULES["on_lost"][self.state](self, reason)

    def on_failed(self) -> None:
        self.break_off()

    # While it waits

    def _begin(self) -> None:
        self._dispatcher.submit(self)

    def _expire(self) -> None:
        self._withdraw()
        waited = f"no worker had room within {self._desk.settings.queue_timeout:g} s"
        self._send_error(HttpError(QUEUE_TIMEOUT, waited))

    # While the reply is due

    def _reject_due(self, error: HttpError) -> None:
        self._desk.counters.aborted += 1
        self._leave_worker()
        self._send_error(error)

    def _expire_due(self) -> None:
        pending_bytes = self._way()[1].pending_bytes
        if 0 < pending_bytes != self._unsent_bytes:
            # A slow application that still reads.
            self._unsent_bytes = pending_bytes
            self._client.expect(self._desk.settings.body_timeout)
            return
        # Of a tunnel the client says nothing before the 101: that silence is the worker's.
        is_client_slow = self.head.has_body and not self._has_request_ended and not pending_bytes
        self._leave_worker(is_workers_fault=not is_client_slow)
        self._send_error(HttpError(BODY_TIMEOUT if is_client_slow else REPLY_TIMEOUT))

    def _close_due(self) -> None:
        self._leave_worker()
        self._send_error(HttpError(SHUTTING_DOWN))

    def _reset_due(self, status: int) -> None:
        self._stream = None
        if status == RstStatus.REFUSED_STREAM:
            assert self.worker is not None
            self._dispatcher.pause(self.worker)
            self._leave_worker()
            self._try_again(NO_ROOM, is_refusal=True)
        else:
            self._leave_worker(is_workers_fault=True)
            self._send_error(HttpError(WORKER_FAILED))

    def _lose_due(self, _reason: str) -> None:
        is_silence = self._way()[0].was_silent
        self._stream = None
        self._leave_worker()
        self._try_again(WORKER_LOST, is_refusal=False, is_silence=is_silence)

    # While a worker has it, whether or not the reply has begun

    def _abandon(self) -> None:
        """The client has left: the worker is told at once, and nobody is blamed."""
        self._desk.counters.aborted += 1
        self._leave_worker()
        self._end()

    # Once the reply has begun

    def _cut_off(self, _error: HttpError) -> None:
        self._desk.counters.aborted += 1
        self._cut()

    def _too_quiet(self) -> None:
        if self._watch_ends:
            self._look()
            return
        unsent = self._client.unsent_bytes()
        if unsent and unsent != self._unsent_bytes:
            # A slow client that still reads; the worker is not to blame for the silence.
            self._unsent_bytes = unsent
            self._client.expect(self._idle_timeout_s)
        else:
            # Silence is not a failure: a stream of events may have had nothing to say.
            self._cut()

    def _cut_reset(self, status: int) -> None:
        self._stream = None
        # A worker that takes back what it has begun, or a tunnel whose client does not go (CANCEL), has not failed.
        self._cut(is_workers_fault=status not in (RstStatus.REFUSED_STREAM, RstStatus.CANCEL))

    def _lose_open(self, _reason: str) -> None:
        self._stream = None
        self._cut()

    def _too_still(self) -> None:
        """Silence is for who has ended its half already; what is open at both ends may have nothing to say."""
        if self._has_request_ended:
            self._too_quiet()

    def _half_idle(self) -> None:
        pending_bytes = self._way()[1].pending_bytes
        if 0 < pending_bytes != self._unsent_bytes:
            # A slow worker that still reads.
            self._unsent_bytes = pending_bytes
            self._client.expect(self._half_idle_s)
        else:
            self._cut()

    # Neither

    def _ignore(self, *_: object) -> None:
        """It is over, or the event speaks of what is no longer so."""

    def _never(self, *_: object) -> None:
        raise RuntimeError(f"this must not happen to {self!r}")


Row = tuple[Callable[..., None], ...]
E = Exchange

# What each event does in each state.
# fmt: off
RULES: dict[str, Row] = {
    #                  COLLECTING   WAITING        DUE            OPEN          TUNNEL         HALF          DONE
    "begin":          (E._ignore,   E._begin,      E._never,      E._never,     E._never,      E._never,     E._never),
    "receive_body":   (E._collect,  E._keep_body,  E._pass_timed, E._pass_open, E._pass_body,  E._pass_half, E._ignore),
    "receive_pause":  (E._pause,    E._ignore,     E._ignore,     E._ignore,    E._ignore,     E._ignore,    E._ignore),
    "receive_end":    (E._complete, E._keep_end,   E._end_timed,  E._pass_end,  E._half_end,   E._last_end,  E._ignore),
    "resume_reply":   (E._ignore,   E._ignore,     E._ignore,     E._resume_on, E._resume,     E._ignore,    E._ignore),
    "reject_request": (E._reject,   E._reject,     E._reject_due, E._cut_off,   E._cut_off,    E._cut_off,   E._ignore),
    "abandon":        (E._leave,    E._leave,      E._abandon,    E._abandon,   E._abandon,    E._abandon,   E._ignore),
    "expire":         (E._too_slow, E._expire,     E._expire_due, E._too_quiet, E._too_still,  E._half_idle, E._ignore),
    "shut_down":      (E._close,    E._close,      E._close_due,  E._cut,       E._cut,        E._cut,       E._ignore),

    "send":           (E._never,    E._send,       E._never,      E._never,     E._never,      E._never,     E._never),
    "wait":           (E._never,    E._wait,       E._never,      E._never,     E._never,      E._never,     E._never),
    "decline":        (E._never,    E._send_error, E._never,      E._never,     E._never,      E._never,     E._never),

    "on_reply":       (E._ignore,   E._ignore,     E._reply,      E._too_late,  E._too_late,   E._too_late,  E._ignore),
    "on_whole_reply": (E._ignore,   E._ignore,     E._whole,      E._too_late,  E._too_late,   E._too_late,  E._ignore),
    "on_headers":     (E._ignore,   E._ignore,     E._interim,    E._trailers,  E._tunnel_end, E._ignore,    E._ignore),
    "on_data":        (E._ignore,   E._ignore,     E._too_early,  E._send_data, E._octets,     E._ignore,    E._ignore),
    "on_writable":    (E._ignore,   E._ignore,     E._go_on_due,  E._go_on,     E._go_on,      E._go_half,   E._ignore),
    "on_reset":       (E._ignore,   E._ignore,     E._reset_due,  E._cut_reset, E._cut_reset,  E._cut_reset, E._ignore),
    "on_lost":        (E._ignore,   E._ignore,     E._lose_due,   E._lose_open, E._lose_open,  E._lose_open, E._ignore),
}
# fmt: on
