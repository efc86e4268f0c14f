"""What a Connection makes of some input, in a form that two of them can be compared by.

Every request gets its reply as soon as it is complete, so that the next one is read.
"""

from collections.abc import Iterable
from typing import NamedTuple

from zerogate.wire.http.errors import HttpError
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import PlainRequestHead, RequestEnd, RequestHead
from zerogate.wire.http1 import Connection, HttpLimits, Reading, Situation, Writing

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

OK = ReplyHead.of(200, [(b"content-length", b"0")])
SWITCHING = ReplyHead.of(101, [])


class Read(NamedTuple):
    """events: heads, bodies (adjacent pieces joined) and ends, in order."""

    events: list[RequestHead | bytes | RequestEnd]
    error: HttpError | None
    connection: Connection

    @property
    def heads(self) -> list[RequestHead]:
        return [event for event in self.events if isinstance(event, RequestHead)]

    @property
    def head(self) -> RequestHead:
        (head,) = self.heads
        return head

    @property
    def body(self) -> bytes:
        return b"".join(event for event in self.events if isinstance(event, bytes))

    @property
    def trailers(self) -> list[tuple[bytes, bytes]]:
        (end,) = (event for event in self.events if isinstance(event, RequestEnd))
        return end.trailers

    @property
    def complete(self) -> list[RequestHead]:
        """The requests that are whole: those that an application may believe."""
        complete, pending = [], None
        for event in self.events:
            if isinstance(event, RequestHead):
                pending = event
                if not event.has_body:
                    complete.append(event)
            elif isinstance(event, RequestEnd):
                assert pending is not None
                complete.append(pending)
        return complete

    @property
    def is_idle(self) -> bool:
        return self.connection.situation is Situation.REQUEST

    @property
    def outcome(self) -> tuple[object, ...]:
        """All that must not depend on how the input was cut."""
        error = self.error and (self.error.status, self.error.code, self.error.reason)
        return [head_values(event) if isinstance(event, RequestHead) else event for event in self.events], error


def head_values(head: RequestHead) -> dict[str, object]:
    values = {name: getattr(head, name) for name in PlainRequestHead.__slots__}
    return values | {"fields": tuple(head.fields)}


def replied(connection: Connection) -> list[RequestHead | bytes | RequestEnd]:
    """The reply to the request in progress, if it is complete; and what comes up then."""
    if connection.writing is not Writing.DUE:
        return []
    if connection.reading is Reading.TUNNEL:
        connection.send_tunnel(SWITCHING)
        return connection.next()
    if connection.reading is Reading.BODY or connection.situation is Situation.TELL:
        return []
    connection.send_whole(OK, b"", date=b"", close=False)
    return connection.next()


def read(
    parts: Iterable[bytes],
    limits: HttpLimits | None = None,
    *,
    eof: bool = False,
) -> Read:
    connection = Connection(limits or HttpLimits())
    events: list[RequestHead | bytes | RequestEnd] = []
    for part in parts:
        new = connection.receive(part)
        while new:
            assert sum(isinstance(event, RequestHead) for event in new) <= 1
            for event in new:
                assert event != b""
                if isinstance(event, bytes) and events and isinstance(events[-1], bytes):
                    events[-1] += event
                else:
                    events.append(event)
            new = replied(connection)
    if eof:
        connection.receive_eof()
    return Read(events, connection.error, connection)


# What is longer is not taken octet by octet in its midst.
MAX_OCTETS = 1000


def octets(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


def fragments(raw: bytes) -> list[bytes]:
    """Octet by octet; what is long, where it begins and where it ends."""
    if len(raw) <= MAX_OCTETS:
        return octets(raw)
    end = MAX_OCTETS // 2
    return [*octets(raw[:end]), raw[end:-end], *octets(raw[-end:])]


def cuts(raw: bytes) -> Iterable[int]:
    """Where to cut it in two: everywhere; what is long, where it begins and where it ends."""
    if len(raw) <= 300:
        return range(len(raw))
    return [*range(16), *range(len(raw) - 16, len(raw))]


def with_fields(fields: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    """A head with the given field lines behind a good Host."""
    return method + b" / " + version + b"\r\nHost: a\r\n" + fields + b"\r\n"


def head_of(raw: bytes) -> RequestHead:
    """The head of the one request in `raw`, which is faultless."""
    reading = read([raw])
    assert reading.error is None
    return reading.head


def refusal(raw: bytes, limits: HttpLimits | None = None) -> tuple[int, str]:
    """Status and code of the error that `raw` ends in, the same however it is cut. Nothing reached an application."""
    reading = read([raw], limits)
    assert reading.error is not None
    assert reading.complete == []
    assert reading.outcome == read(fragments(raw), limits).outcome
    for place in cuts(raw):
        assert reading.outcome == read([raw[:place], raw[place:]], limits).outcome
    assert reading.connection.receive(with_fields(b"")) == []
    return reading.error.status, reading.error.code
