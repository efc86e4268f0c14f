"""What a RequestReader makes of some input, in a form that two readings can be compared by."""

from collections.abc import Iterable
from typing import NamedTuple

from zerogate.errors import HttpError
from zerogate.wire.http1 import HttpLimits, KnownHeads, RequestEnd, RequestHead, RequestReader

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Reading(NamedTuple):
    """events: heads, bodies (adjacent pieces joined) and ends, in order."""

    events: list[RequestHead | bytes | RequestEnd]
    error: HttpError | None
    reader: RequestReader

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
    def outcome(self) -> tuple[object, ...]:
        """All that must not depend on how the input was cut."""
        error = self.error and (self.error.status, self.error.code, self.error.reason)
        return [head_values(event) if isinstance(event, RequestHead) else event for event in self.events], error


def head_values(head: RequestHead) -> dict[str, object]:
    values = {name: getattr(head, name) for name in RequestHead.__slots__}
    return values | {"fields": tuple(head.fields)}


def read(
    parts: Iterable[bytes],
    limits: HttpLimits | None = None,
    *,
    eof: bool = False,
    known: KnownHeads | None = None,
) -> Reading:
    reader = RequestReader(limits or HttpLimits(), known)
    events: list[RequestHead | bytes | RequestEnd] = []
    for part in parts:
        for event in reader.receive(part):
            assert event != b""
            if isinstance(event, bytes) and events and isinstance(events[-1], bytes):
                events[-1] += event
            else:
                events.append(event)
    if eof:
        reader.eof()
    return Reading(events, reader.error, reader)


def octets(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


def states_of(reader: RequestReader) -> tuple[bool, bool, bool]:
    return reader.is_idle, reader.in_head, reader.in_body


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
    assert reading.outcome == read(octets(raw), limits).outcome
    for place in range(min(len(raw), 300)):
        assert reading.outcome == read([raw[:place], raw[place:]], limits).outcome
    assert reading.reader.receive(with_fields(b"")) == []
    return reading.error.status, reading.error.code
