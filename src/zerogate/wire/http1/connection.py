"""One client's connection: what has been read of its requests, and written of its replies.

What the states are, and what two of them mean together, is in `situations`.

Requests go one after the other. While one is in progress, what the client sends behind it is kept as it came, or is
dropped if the connection ends with this reply: nothing is parsed before its turn, so a client that sends requests ahead
costs the octets of one read of the transport, and no more if that is not read while `has_unread`.

A connection ends with the current reply (`must_close`) if the client asked for that or sends no more, if whoever
replies wants it, if the body is ended by that alone, and after any fault. Then Writing goes to LAST, not to IDLE.

A fault in a body whose reply is complete is told to nobody: another reply would be nobody's.
"""

from collections.abc import Sequence

from zerogate.errors import ReplyError
from zerogate.native.compiled import find, slots
from zerogate.wire.http.errors import HttpError
from zerogate.wire.http.reply import SWITCHING_PROTOCOLS, ReplyHead
from zerogate.wire.http.request import RequestHead
from zerogate.wire.http1.heads import native_reader
from zerogate.wire.http1.limits import HttpLimits
from zerogate.wire.http1.reader import Event, RequestReader
from zerogate.wire.http1.situations import SITUATIONS, Reading, Situation, Writing
from zerogate.wire.http1.state import ConnectionState
from zerogate.wire.http1.writer import (
    Framing,
    frame_head,
    head_text,
    interim_head,
    last_chunk,
    tunnel_head,
)

_IDLE, _DUE, _BODY, _TUNNEL, _LAST, _CLOSED = Writing
_READING_IDLE = Reading.IDLE
_READING_BODY = Reading.BODY
_READING_TUNNEL = Reading.TUNNEL
_READING_ENDED = Reading.ENDED
_READING_FAILED = Reading.FAILED

_NOTHING, _LENGTH, _CHUNKED, _UNTIL_CLOSE = Framing.NOTHING, Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE


class Connection(ConnectionState):
    """One connection, sans-I/O.

    writing, request: where the reply is, and the request in progress, if any
    must_close: the connection ends with the current reply
    is_half_closed: the client will send nothing more
    """

    __slots__ = slots(
        ConnectionState,
        "_at",
        "_framing",
        "_is_held",
        "_read_natively",
        "_reader",
        "_unread",
        "is_half_closed",
        "must_close",
        "request",
        "writing",
    )

    def __init__(self, limits: HttpLimits) -> None:
        self._reader = RequestReader(limits)
        self._read_natively = native_reader(limits)
        self._framing = _NOTHING
        self._is_held = False
        self._unread = b""  # what is kept back, from `_at` on; empty if nothing is
        self._at = 0
        self.writing = _IDLE
        self.request: RequestHead | None = None
        self.must_close = False
        self.is_half_closed = False

    def __repr__(self) -> str:
        held = ", held" if self._is_held else ""
        unread = f", unread={len(self._unread) - self._at}" if self._unread else ""
        return f"<Connection {self._reader!r} {self.writing.name}{held}{unread}>"

    @property
    def reading(self) -> Reading:
        """How far the client's octets have been read."""
        return self._reader.state

    @property
    def situation(self) -> Situation:
        """What reading and writing mean together."""
        situation = SITUATIONS[self._reader.state][self.writing]
        assert situation is not None
        return situation

    @property
    def is_idle(self) -> bool:
        """The situation is REQUEST, as it is after most replies: asked without the table."""
        return self.writing is _IDLE and self._reader.state is _READING_IDLE

    @property
    def error(self) -> HttpError | None:
        """How the client broke the rules."""
        return self._reader.error

    @property
    def has_unread(self) -> bool:
        """Octets are kept back: the transport should not be read."""
        return bool(self._unread)

    # Requests

    def receive(self, data: bytes) -> list[Event]:
        """What the next octets mean: of the request in progress, or of one new request. Never raises.

        What is behind that is kept back for `next`.
        """
        events: list[Event] = []
        position = 0
        if self._unread:
            data = self._unread[self._at :] + data
            self._unread = b""
            self._at = 0
        elif data and self.writing is _IDLE and self._reader.state is _READING_IDLE and not self._is_held:
            position = self._read_head(data, 0, events)  # Mostly that is all that has come.
        if position < len(data):
            self._take(data, position, events)
        return events

    def next(self) -> list[Event]:
        """The same of what was kept back. For when a reply is complete, and after `release` and `send_tunnel`."""
        events: list[Event] = []
        if self._unread:
            data, self._unread = self._unread, b""
            position, self._at = self._at, 0
            self._take(data, position, events)
            if self.is_half_closed and not self._unread:
                self._end_input()
        return events

    def hold(self) -> None:
        """Begin no request until `release`: the client does not read its replies."""
        self._is_held = True

    def release(self) -> None:
        """Requests may begin again. What was kept back comes with `next`."""
        self._is_held = False

    def receive_eof(self) -> None:
        """The client will send nothing more. It may still read."""
        self.is_half_closed = True
        if not self._unread:
            self._end_input()

    def _take(self, data: bytes, position: int, events: list[Event]) -> None:
        """Read, pass on, keep back or drop what has come, up to what has to wait."""
        reader = self._reader
        size = len(data)
        while position < size:
            writing, reading = self.writing, reader.state
            if writing is _IDLE and reading < _READING_BODY:
                if not self._is_held:
                    position = self._read_head(data, position, events)
                    continue
            elif reading is _READING_BODY and writing < _LAST:
                position = self._read_body(data, position, events)
                continue
            elif reading is _READING_TUNNEL and writing is not _CLOSED:
                if writing is not _DUE:
                    events.append(data[position:])
                    return
            elif self.must_close:
                return
            self._unread = data
            self._at = position
            return

    def _read_head(self, data: bytes, position: int, events: list[Event]) -> int:
        """A head, and what comes of its body."""
        reader = self._reader
        position = reader.read(data, position, events)
        if events:
            head = events[0]
            assert type(head) is RequestHead
            self.request = head
            self.writing = _DUE
            self.must_close = not head.keep_alive
        if reader.error is not None:
            self.must_close = True
        return position

    def _read_body(self, data: bytes, position: int, events: list[Event]) -> int:
        reader = self._reader
        if self.writing is not _IDLE:
            position = reader.read(data, position, events)
            if reader.state is _READING_FAILED:
                self.must_close = True
            return position
        # The rest of a body whose reply is complete.
        position = reader.read(data, position, [])
        if reader.state is _READING_FAILED:
            self.close()
        return position

    def _end_input(self) -> None:
        reader = self._reader
        is_told = self.writing > _TUNNEL or (self.writing is _IDLE and reader.state is _READING_BODY)
        self.must_close = True
        reader.end()
        if is_told:
            self.close()

    # Replies

    def send_interim(self, status: int, fields: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
        """An interim reply; empty for HTTP/1.0, which knows none, and where it would come too late."""
        if self.writing is not _DUE or self.request is None or not self.request.minor_version:
            return b""
        return interim_head(status, fields)

    def send_head(self, head: ReplyHead, *, fin: bool, date: bytes, close: bool) -> bytes:
        """The reply's head. With `fin` no body follows, and the reply is complete.

        date: for the Date field, if the worker sent none (RFC 9110, 6.6.1); empty for no such field.
        close: the connection ends after this reply, whatever the client asked for.
        Raises ReplyError, having changed nothing, for what cannot be sent to this client.
        """
        if self.writing is not _DUE:
            raise RuntimeError(f"no reply is due: {self!r}")
        return self._begin_reply(head, fin=fin, date=date, close=close)

    def _begin_reply(self, head: ReplyHead, *, fin: bool, date: bytes, close: bool) -> bytes:
        request = self.request
        method, minor_version = (b"", 1) if request is None else (request.method, request.minor_version)
        close = close or self.must_close or request is None
        framing, octets = frame_head(head, method, minor_version, fin=fin, date=date, close=close)
        self.must_close = close or framing is _UNTIL_CLOSE
        if self._reader.state is _READING_TUNNEL:
            self._refuse_tunnel()
        self.writing = _BODY
        self._framing = framing
        if fin:
            self._finish()
        return octets

    def send_whole(self, head: ReplyHead, body: bytes, *, date: bytes, close: bool) -> bytes:
        """A reply whose body is all there: as `send_head`, `send_body` and `send_end`, and raises as `send_head` does.

        Also for a body that is not as long as Content-Length says. Where no request could be read, this is as for a GET
        of HTTP/1.1, and the last reply.
        """
        request = self.request
        # Most replies leave nothing to decide: their Content-Length is true, and the connection goes on.
        if (
            request is not None
            and head.body_length == len(body)
            and not close
            and not self.must_close
            and self.writing is _DUE
            and request.minor_version
            and request.method != b"HEAD"
        ):
            self.writing = _IDLE
            self.request = None
            text = head.note
            if type(text) is not bytes:
                text = head_text(head)
            if head.has_date or not date:
                return b"%b\r\n\r\n%b" % (text, body)
            return b"%b\r\ndate: %b\r\n\r\n%b" % (text, date, body)
        if head.body_length not in (None, len(body)) and (request is None or request.method != b"HEAD"):
            raise ReplyError(f"the body is of {len(body)} bytes, its Content-Length is {head.body_length}")
        if self.writing > _DUE:
            raise RuntimeError(f"no reply is due: {self!r}")
        octets = self._begin_reply(head, fin=False, date=date, close=close)
        return octets + self.send_body(body) + self.send_end()

    def send_tunnel(self, head: ReplyHead, *, date: bytes = b"") -> bytes:
        """The 101. From here on octets pass as they are: those that were kept back come with `next`.

        Raises ReplyError, having changed nothing, if the client did not ask for it.
        """
        if self.writing is not _DUE:
            raise RuntimeError(f"no reply is due: {self!r}")
        request = self.request
        if head.status != SWITCHING_PROTOCOLS or request is None or not request.upgrade:
            raise ReplyError("status 101 for a request without an upgrade")
        self.writing = _TUNNEL
        self._framing = Framing.TUNNEL
        return tunnel_head(head, request.upgrade, date)

    def send_body(self, data: bytes) -> bytes:
        """A piece of the body, framed; empty where no body may be."""
        framing = self._framing
        if framing is _CHUNKED:
            # A chunk without octets would end the body.
            return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        return b"" if framing is _NOTHING else data

    def send_end(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
        """The end of the reply; of a tunnel, of our half of it. Nothing for a reply that is complete.

        Trailers cross only in chunks, elsewhere they are dropped (RFC 9112, 7.1.2).
        """
        octets = last_chunk(trailers) if self._framing is _CHUNKED else b""
        if self.writing is _BODY:
            self._finish()
        elif self.writing is _TUNNEL:
            self.writing = _LAST
        return octets

    def cut(self) -> bool:
        """The reply cannot be completed. True if only a reset can say so: its end is the connection's."""
        is_close_delimited = self._framing is _UNTIL_CLOSE
        self._leave(_CLOSED)
        return is_close_delimited

    def close(self) -> None:
        """Nothing more will be said: as after a last reply, unless one was cut."""
        if self.writing is _CLOSED:
            return
        self._leave(_LAST)
        if self.is_half_closed:
            self._reader.state = _READING_ENDED
        elif self._reader.state is _READING_TUNNEL:
            self._refuse_tunnel()

    def _finish(self) -> None:
        """The reply is complete."""
        if self.must_close:
            self.close()
        else:
            self.writing = _IDLE
            self.request = None
            self._framing = _NOTHING

    def _leave(self, writing: Writing) -> None:
        self.writing = writing
        self.request = None
        self.must_close = True
        self._framing = _NOTHING
        self._unread = b""
        self._at = 0

    def _refuse_tunnel(self) -> None:
        """There will be no tunnel: what the client has sent into it is nobody's."""
        self._reader.state = _READING_ENDED if self.is_half_closed else _READING_IDLE
        self._unread = b""
        self._at = 0


# What comes alone, what is sent whole, and what says its length may not come by here (native/http1.pyx).
find("http1", "set_members")(_IDLE, _DUE, _BODY, _READING_IDLE, _NOTHING, _LENGTH)
