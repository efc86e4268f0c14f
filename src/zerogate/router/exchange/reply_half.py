"""The reply's half of an exchange: from the worker to the client, at the client's pace."""

from zerogate.errors import ReplyError
from zerogate.router.affinity import StickyCookie
from zerogate.router.exchange.passage import State
from zerogate.router.exchange.request_half import CONTINUE, RequestHalf
from zerogate.router.faces import TAKING_WINDOW_S
from zerogate.router.request_block import PREFIX_NAME
from zerogate.wire.fields import Fields
from zerogate.wire.http.reply import (
    ReplyBody,
    ReplyHead,
    check_trailers,
    hint_fields,
    interim_status,
    is_event_stream,
    reply_head,
)

SWITCHING_PROTOCOLS = 101
EARLY_HINTS = 103

# What comes before a reply is within no window: more of it than any page needs is dropped.
MAX_HINTS = 16


class ReplyHalf(RequestHalf):
    """What the events of the reply's half do. They raise ReplyError, having sent nothing, for what is no valid HTTP."""

    _owed_bytes = 0
    _n_hints = 0
    # While the client does not keep up: when it is looked at, and what was unsent and taken when it was last.
    _watch_ends = 0.0
    _watched_unsent_bytes = 0
    _watched_taken_bytes = 0

    def _interim(self, fields: Fields, fin: bool) -> None:
        if interim_status(fields) == CONTINUE:
            self._ask_for_body()
        elif self._n_hints < MAX_HINTS:
            self._n_hints += 1
            self._client.send_interim(EARLY_HINTS, hint_fields(fields))

    def _reply(self, fields: Fields, fin: bool) -> None:
        head = self._reply_head(fields)
        if head.status == SWITCHING_PROTOCOLS:
            self._open_tunnel(head, fin)
            return
        body = ReplyBody(head, self.head.method)
        if fin:
            body.end()
        # Where no body crosses, whatever the worker still sends: the reply is complete with its head.
        fin = fin or not body.is_framed
        self.status = head.status
        self._client.send_head(head, fin=fin)
        if fin:
            self._finish()
            return
        self.state = State.OPEN
        if any(name == b"content-type" and is_event_stream(value) for name, value in head.fields):
            self._set_apart(is_tunnel=False)
        self._reply_body = body
        if self._body is not None:
            self._body.forget()
        self._client.expect(self._idle_timeout_s)

    def _whole(self, fields: Fields, data: bytes) -> None:
        head = self._reply_head(fields)
        if head.length != len(data):
            if head.status == SWITCHING_PROTOCOLS:
                self._open_tunnel(head, False)
                self._octets(data, True)
                return
            body = ReplyBody(head, self.head.method)
            body.receive(len(data))
            body.end()
        self.status = head.status
        self._client.send_whole(head, data)
        self._finish()

    def _reply_head(self, fields: Fields) -> ReplyHead:
        head = reply_head(fields)
        return head if self.cookie is None else self._with_cookie(head, self.cookie)

    def _with_cookie(self, head: ReplyHead, cookie: StickyCookie) -> ReplyHead:
        """With what the client is to know: which worker has had it."""
        forwarding = self._forwarding
        scheme, outer_path = forwarding.scheme, b""
        if forwarding.is_trusted:
            scheme = forwarding.told(self.head).scheme
            outer_path = dict(self.head.fields).get(PREFIX_NAME, b"").rstrip(b"/")
        text = cookie.text(outer_path, is_secure=scheme == b"https")
        return ReplyHead(head.status, head.reason, [*head.fields, (b"set-cookie", text)], head.length, head.has_date)

    def _open_tunnel(self, head: ReplyHead, fin: bool) -> None:
        if not self.head.upgrade:
            raise ReplyError("status 101 for a request without an upgrade")
        self.status = SWITCHING_PROTOCOLS
        assert self._body is not None
        self.state = State.TUNNEL
        self._set_apart(is_tunnel=True)
        self._body.forget()
        self._client.open_tunnel(head)
        if fin:
            self._end_tunnel()

    def _send_data(self, data: bytes, fin: bool) -> None:
        body = self._reply_body
        assert body is not None
        body.receive(len(data))
        if fin:
            body.end()
        if data:
            self._client.send_body(data)
        if fin:
            self._client.send_end()
            self._finish_long()
            return
        self._account(data)
        self._expect_more()

    def _octets(self, data: bytes, fin: bool) -> None:
        if data:
            self._client.send_body(data)
        if fin:
            self._end_tunnel()
            return
        self._account(data)
        if self._has_request_ended:
            self._expect_more()

    def _trailers(self, fields: Fields, fin: bool) -> None:
        if fin:
            assert self._reply_body is not None
            trailers = check_trailers(fields)
            self._reply_body.end()
            self._client.send_end(trailers)
            self._finish_long()

    def _tunnel_end(self, fields: Fields, fin: bool) -> None:
        if fin:
            self._end_tunnel()

    def _end_tunnel(self) -> None:
        """The worker has closed its half: the client may still send."""
        self._client.send_end()
        if self._has_request_ended:
            self._finish_long()
        else:
            self.state = State.HALF
            self._client.expect(self._half_idle_s)

    def _account(self, data: bytes) -> None:
        """The worker may go on as soon as the client has taken what it sent."""
        if self._client.is_writable:
            link, stream = self._way()
            link.consumed(stream, len(data))
        else:
            self._owed_bytes += len(data)
            if not self._watch_ends and self._desk.settings.min_body_rate:
                self._watch(self._client.unsent_bytes())

    def _resume(self) -> None:
        if self._owed_bytes:
            owed, self._owed_bytes = self._owed_bytes, 0
            link, stream = self._way()
            link.consumed(stream, owed)

    def _resume_on(self) -> None:
        self._resume()
        self._expect_more()

    # A client that does not keep up. It holds a slot of its worker as a slow upload does, and the same rate is asked of
    # it (`--min-body-rate`): only while there is something that it does not take.

    def _expect_more(self) -> None:
        if self._watch_ends:
            self._client.expect(min(self._idle_timeout_s, self._watch_ends - self._desk.deadlines.now))
        else:
            self._client.expect(self._idle_timeout_s)

    def _watch(self, unsent_bytes: int) -> None:
        """Begin a window."""
        self._watched_unsent_bytes = unsent_bytes
        self._watched_taken_bytes = self._client.bytes_out - unsent_bytes
        self._watch_ends = self._desk.deadlines.now + self._window_s

    def _look(self) -> None:
        """A window has ended."""
        unsent_bytes = self._client.unsent_bytes()
        taken_bytes = self._client.bytes_out - unsent_bytes - self._watched_taken_bytes
        asked_bytes = self._desk.settings.min_body_rate * self._window_s
        # Who has taken all that was there has taken enough: what is unsent now came later.
        if taken_bytes < min(asked_bytes, self._watched_unsent_bytes):
            self._cut()
            return
        if unsent_bytes:
            self._watch(unsent_bytes)
        else:
            self._watch_ends = 0.0
        self._expect_more()

    @property
    def _window_s(self) -> float:
        return min(TAKING_WINDOW_S, self._idle_timeout_s)

    def _too_early(self, *_: object) -> None:
        raise ReplyError("DATA before the reply")

    def _too_late(self, *_: object) -> None:
        raise ReplyError("a second reply")
