"""HTTP/1 for all inputs: cuts do not matter, garbage is an error, and what is valid comes out as it went in."""

from typing import Any

import httptools
from hypothesis import example, given
from hypothesis import strategies as st
from tests.http1_events import CHUNKED, GET, octets, read, with_fields
from tests.http1_strategies import MEANINGFUL, Sent, bodies, cuts, names, requests, values

from zerogate.errors import ReplyError
from zerogate.wire.http.errors import HttpError
from zerogate.wire.http.fields import is_forbidden_trailer
from zerogate.wire.http.reply import check_trailers, reply_head
from zerogate.wire.http.request import RequestEnd, RequestHead
from zerogate.wire.http1 import Connection, HttpLimits, Reading

# Small, so that generated input meets them.
LIMITS = HttpLimits(
    max_head_bytes=300,
    max_fields=8,
    max_target_bytes=40,
    max_trailer_bytes=60,
    max_chunk_extension_bytes=20,
    max_body_bytes=100,
)


@given(data=st.data(), sent=st.lists(requests(), max_size=4))
def test_what_was_sent_comes_out(data: st.DataObject, sent: list[Sent]) -> None:
    raw = b"".join(request.raw for request in sent)
    events = read(data.draw(cuts(raw))).events
    assert read([raw]).error is None
    for request in sent:
        head = events.pop(0)
        assert isinstance(head, RequestHead)
        assert (head.method, head.target, head.fields) == (request.method, request.target, request.fields)
        assert (head.host, head.has_body, head.keep_alive) == (b"a", request.has_body, True)
        if request.body:
            assert events.pop(0) == request.body
        if request.has_body:
            assert events.pop(0) == RequestEnd(request.trailers)
    assert events == []


# Pieces that are nearly requests, and much of what breaks them.
fragments = st.sampled_from(
    [
        *(GET, CHUNKED, b"GET ", b"OPTIONS * ", b"POST / HTTP/1.1\r\n", b"/ ", b"http://b/ ", b"/" * 30),
        *(b"HTTP/1.1\r\n", b"HTTP/1.0\r\n", b"\r\n", b"\r", b"\n", b" ", b"\t", b":", b"\x00", b"\x7f", b"\xff"),
        *(b"Host: a\r\n", b"X: y\r\n", b"x:\r\n" * 7, b"X: " + b"y" * 99, b"Expect: 100-continue\r\n"),
        *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"hello"),
        *(b"Connection: close\r\n", b"Connection: upgrade, te\r\n", b"Proxy-Connection: close\r\n"),
        *(b"Upgrade: websocket\r\n", b"Sec-WebSocket-Version: 13\r\n"),
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        *(b"5\r\nhello\r\n", b"5;a=b\r\nhello\r\n", b"0\r\n", b"0\r\n\r\n", b"50\r\n" + b"x" * 80 + b"\r\n", b"0"),
    ]
)
breakers = st.one_of(
    st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"\x00"]), st.binary(max_size=2)
)
input_near_requests = st.lists(fragments, max_size=25).map(b"".join)


@st.composite
def mutated_requests(draw: st.DrawFn) -> bytes:
    raw = bytearray(b"".join(request.raw for request in draw(st.lists(requests(), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(raw)))
        raw[place : place + draw(st.integers(0, 2))] = draw(breakers)
    return bytes(raw)


@given(
    raw=st.one_of(st.binary(max_size=80), input_near_requests, mutated_requests()), data=st.data(), eof=st.booleans()
)
@example(raw=GET + b"\r\n\r", data=None, eof=True)
@example(raw=with_fields(b"X: " + b"y" * 300), data=None, eof=False)
def test_cuts_do_not_matter_and_faults_are_errors(raw: bytes, data: Any, eof: bool) -> None:
    """The parts of the input are judged the same, and never by an exception."""
    for limits in (LIMITS, HttpLimits()):
        whole = read([raw], limits, eof=eof)
        assert whole.error is None or type(whole.error) is HttpError
        assert read(octets(raw), limits, eof=eof).outcome == whole.outcome
        if data is not None:
            assert read(data.draw(cuts(raw)), limits, eof=eof).outcome == whole.outcome
        if whole.error is not None:
            assert whole.connection.receive(GET) == []
            assert whole.connection.reading is Reading.FAILED


@given(raw=st.one_of(input_near_requests, mutated_requests()))
def test_a_prefix_tells_nothing_that_the_rest_takes_back(raw: bytes) -> None:
    """What was handed on stays true: more input only adds to it."""
    before: list[Any] = []
    for end in range(len(raw) + 1):
        events = read([raw[:end]], LIMITS).outcome[0]
        assert isinstance(events, list)
        unfinished = before and isinstance(before[-1], bytes)
        kept = before[:-1] if unfinished else before
        assert events[: len(kept)] == kept
        assert not unfinished or events[len(kept)].startswith(before[-1])
        before = events


# --- replies


class Received:
    """What a client's own parser makes of a reply."""

    def __init__(self, written: bytes) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.trailers: list[tuple[bytes, bytes]] = []
        self.is_complete = False
        self._has_head = False
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(written)
        self.status = parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        (self.trailers if self._has_head else self.fields).append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self._has_head = True

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.is_complete = True


reply_fields = st.dictionaries(
    names.map(bytes.lower).filter(lambda name: name not in MEANINGFUL and name != b"date"),
    st.lists(values, min_size=1, max_size=3),
    max_size=8,
)
final_statuses = st.integers(200, 599)
request_heads = st.sampled_from(
    [
        (method, version, connection)
        for method in (b"GET", b"HEAD", b"POST")
        for version in (b"HTTP/1.1", b"HTTP/1.0")
        for connection in (b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n")
    ]
)


@given(
    request=request_heads,
    status=final_statuses,
    fields=reply_fields,
    pieces=st.lists(bodies, max_size=4),
    has_length=st.booleans(),
    fin=st.booleans(),
    close=st.booleans(),
    trailers=st.dictionaries(names.map(bytes.lower), values, max_size=3),
)
def test_replies_are_read_back_as_they_were_written(
    request: tuple[bytes, bytes, bytes],
    status: int,
    fields: dict[bytes, list[bytes]],
    pieces: list[bytes],
    has_length: bool,
    fin: bool,
    close: bool,
    trailers: dict[bytes, bytes],
) -> None:
    method, version, connection = request
    writer = Connection(HttpLimits())
    (head,) = writer.receive(with_fields(connection, method, version))
    assert isinstance(head, RequestHead)
    body = b"".join(pieces)
    sent = {b":status": b"%d" % status, b":version": b"HTTP/1.1"}
    sent |= {name: b"\0".join(several) for name, several in fields.items()}
    if has_length:
        sent[b"content-length"] = b"%d" % len(body)
    fin = fin and not body
    written_head = writer.send_head(reply_head(sent), fin=fin, date=b"today", close=close)
    framed = b"" if fin else b"".join(map(writer.send_body, pieces)) + writer.send_end(check_trailers(trailers))

    is_bodiless = method == b"HEAD" or status in (204, 304)
    if is_bodiless:
        assert framed == b""
    assert writer.must_close or head.keep_alive
    assert written_head.count(b"\r\n\r\n") == 1
    # llhttp is not told that this answers a HEAD: the body then is the one it would have had.
    if method == b"HEAD" and b"content-length" in sent and status not in (204, 304):
        framed = body
    received = Received(written_head + framed)
    assert received.status == status
    plain = [(name, value) for name, several in fields.items() for value in several]
    ours = {b"content-length", b"transfer-encoding", b"connection"}
    assert [field for field in received.fields if field[0] not in ours] == [*plain, (b"date", b"today")]
    named = dict(received.fields)
    assert not (b"content-length" in named and b"transfer-encoding" in named)
    assert (named.get(b"connection") == b"close") is writer.must_close
    assert b"transfer-encoding" not in named or version == b"HTTP/1.1"
    if not is_bodiless:
        assert received.body == body
        assert received.is_complete or (version == b"HTTP/1.0" and not has_length)
        wanted = [field for field in trailers.items() if not is_forbidden_trailer(field[0])]
        assert received.trailers == (wanted if b"transfer-encoding" in named else [])


@given(
    sent=st.dictionaries(
        st.one_of(names.map(bytes.lower), st.sampled_from([b":status", b"content-length", b"connection", b"", b"X"])),
        st.one_of(
            values, st.binary(max_size=10), st.sampled_from([b"200", b"101", b"5", b"5\x006", b"close", b"a\0b"])
        ),
        max_size=4,
    ),
    status=st.one_of(st.just(b"200"), st.binary(max_size=5)),
    request=request_heads,
)
def test_no_reply_says_more_than_its_fields(
    sent: dict[bytes, bytes], status: bytes, request: tuple[bytes, bytes, bytes]
) -> None:
    """Whatever a worker sends: an error, or a head with the lines that the fields make and not one more."""
    method, version, connection = request
    writer = Connection(HttpLimits())
    writer.receive(with_fields(connection, method, version))
    sent = {b":status": status, **sent}
    try:
        written = writer.send_head(reply_head(sent), fin=False, date=b"today", close=False)
    except ReplyError:
        return
    lines = written.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert lines[0].startswith(b"HTTP/1.1 %b" % sent[b":status"][:3])
    assert not any((octet < 0x20 and octet != 0x09) or octet == 0x7F for line in lines for octet in line)
    made = {(name, value) for name, several in sent.items() for value in several.split(b"\0")}
    made |= {(b"date", b"today"), (b"transfer-encoding", b"chunked"), (b"connection", b"close")}
    made |= {(b"connection", b"keep-alive")}
    for line in lines[1:]:
        name, _, value = line.partition(b": ")
        assert (name, value) in made
