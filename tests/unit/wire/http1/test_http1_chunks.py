"""Bodies: framing, chunks, trailers, Expect; and upgrades, after which there is no framing."""

import pytest
from tests.http1_events import CHUNKED, GET, head_of, octets, read, refusal, with_fields
from tests.support.each import each

from zerogate.wire.http.fields import MAX_CONTENT_LENGTH
from zerogate.wire.http.request import RequestEnd, RequestHead
from zerogate.wire.http1 import Connection, HttpLimits, Reading
from zerogate.wire.http1.chunks import ChunkedReader
from zerogate.wire.http1.heads import HeadParser

WEBSOCKET = (
    b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


# --- framing


@each(
    "fields",
    [
        *(
            b"Content-Length: %b\r\n" % value
            for value in (b"", b"-0", b"+5", b"0x5", b"5a", b"5 5", b"0_5", b"5,5", b"5, 6", b"5;")
        ),
        *(b"Content-Length: %d\r\n" % value for value in (MAX_CONTENT_LENGTH + 1, 2**64, 10**1000)),
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length:\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        *(
            b"Transfer-Encoding: %b\r\n" % value
            for value in (b"", b"identity", b"gzip", b"chunked, gzip", b"chunked, chunked", b"xchunked", b"chunked;q=1")
        ),
        *(
            b"Transfer-Encoding: %b\r\n" % value
            for value in (b",chunked", b"chunked,", b"a chunked", b"identity, chunked")
        ),
    ],
)
def test_framing_is_never_guessed(fields: bytes) -> None:
    assert refusal(with_fields(fields, b"POST") + b"hello") == (400, "bad_request")
    assert refusal(with_fields(fields) + b"hello") == (400, "bad_request")


def test_unknown_transfer_coding() -> None:
    assert refusal(with_fields(b"Transfer-Encoding: gzip, chunked\r\n", b"POST")) == (501, "bad_request")


@pytest.mark.parametrize(
    "fields", [b"", b"Connection: keep-alive\r\n", b"Connection: keep-alive\r\nContent-Length: 5\r\n"]
)
def test_no_transfer_coding_in_http_10(fields: bytes) -> None:
    raw = with_fields(b"Transfer-Encoding: chunked\r\n" + fields, b"POST", b"HTTP/1.0") + b"0\r\n\r\n"
    assert refusal(raw) == (400, "bad_request")


@pytest.mark.parametrize("version", [b"HTTP/1.0\r\n", b"HTTP/1.1\r\nHost: a\r\n"])
def test_a_body_of_known_length(version: bytes) -> None:
    raw = b"GET / " + version + b"connection: keep-alive\r\ncontent-length:\t005 \r\n\r\nhello" + GET
    for parts in ([raw], octets(raw)):
        reading = read(parts)
        first, body, end, second = reading.events
        assert isinstance(first, RequestHead)
        assert isinstance(second, RequestHead)
        assert (first.content_length, first.has_body, first.fields) == (5, True, [(b"content-length", b"5")])
        assert (body, end) == (b"hello", RequestEnd([]))


def test_no_length_is_no_body() -> None:
    assert [head.method for head in read([with_fields(b"", b"POST") + GET]).complete] == [b"POST", b"GET"]
    assert [head.method for head in read([with_fields(b"Content-Length: 0\r\n", b"PUT") + GET]).complete] == [
        b"PUT",
        b"GET",
    ]


def test_a_chunked_body() -> None:
    raw = CHUNKED + b'5\r\nhello\r\nA;a=b;c ; d = "e\\"\xe9"\r\n, world 10\r\n000\r\nX-Sum: 1 \r\nx-sum:2\r\n\r\n' + GET
    for parts in ([raw], octets(raw)):
        reading = read(parts)
        assert (reading.error, reading.body) == (None, b"hello, world 10")
        assert reading.trailers == [(b"x-sum", b"1"), (b"x-sum", b"2")]
        assert len(reading.complete) == 2


def test_a_reader_says_where_it_is() -> None:
    limits = HttpLimits()
    reader = ChunkedReader(limits, HeadParser(limits))
    pieces: list[bytes] = []
    assert reader.receive(b"5\r\nhe", 0, pieces) == 5
    assert (pieces, repr(reader)) == ([b"he"], "<ChunkedReader data body_bytes=5>")


def test_chunks_that_come_together_are_one_piece() -> None:
    events = Connection(HttpLimits()).receive(CHUNKED + b"1\r\na\r\n" * 3 + b"2\r\nb")
    assert events[1:] == [b"aaab"]


@each(
    "chunks",
    [
        *(
            b"g\r\n",
            b"\r\nhello\r\n",
            b"-5\r\n",
            b"+5\r\n",
            b"0x5\r\n",
            b"0_5\r\n",
            b" 5\r\n",
            b"5 \r\n",
            b"5these\r\n",
            b"5 x\r\n",
        ),
        *(b"10000000000000005\r\n", b"ffffffffffffffff\r\n", b"8000000000000000\r\n", b"0" * 17 + b"\r\n", b"\xb2\r\n"),
        *(
            b"5\nhello\r\n",
            b"5\n",
            b"5\r\r\n",
            b"5\rhello",
            b"5;a\nb\r\n",
            b"5;a\x00\r\n",
            b"5;\r\n",
            b'5;a="\r\n',
            b"5;a=b c\r\n",
        ),
        *(
            b"5\r\nhelloXX0\r\n\r\n",
            b"5\r\nhello\r\r\n0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhello\r0\r\n\r\n",
            b"5\r\nhello\rX",
            b"5\r\nhello6",
        ),
        *(
            b"0\r\nX\r\n\r\n",
            b"0\r\nX : y\r\n\r\n",
            b"0\r\nX: \x00",
            b"0\r\n X: y\r\n\r\n",
            b"0\r\nX: y\n",
            b"0\r\n\rX",
            b"0\r\n\n",
        ),
        *(b"0\r\nX: y\r\n z\r\n\r\n", b"0\r\n: y\r\n\r\n", b"0\r\nX: y\rZ\r\n\r\n"),
    ],
)
def test_bad_chunks(chunks: bytes) -> None:
    assert refusal(CHUNKED + chunks) == (400, "bad_request")
    # What came before the fault has been handed on, and is not taken for a whole body.
    reading = read([CHUNKED + b"2\r\nhi\r\n" + chunks])
    assert reading.body.startswith(b"hi")
    assert reading.complete == []


def test_forbidden_trailers_are_dropped() -> None:
    one = (
        b"0\r\nX-A: 1\r\nHost: evil\r\nContent-Length: 5\r\nAuthorization: x\r\nX-Forwarded-For: 1.1.1.1\r\n"
        b"Cookie: a\r\nConnection: close\r\n\r\n"
    )
    other = b"0\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    reading = read([CHUNKED + one + GET + CHUNKED + other + GET])
    assert (reading.error, len(reading.complete)) == (None, 4)
    assert [event.trailers for event in reading.events if isinstance(event, RequestEnd)] == [[(b"x-a", b"1")], []]
    assert reading.heads[0].fields == []


# --- Expect


@each(
    ("raw", "expects"),
    [
        (with_fields(b"Expect: 100-Continue\r\nContent-Length: 5\r\n", b"POST"), True),
        (with_fields(b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", b"POST"), True),
        (with_fields(b"Expect: 100-continue\r\nContent-Length: 0\r\n", b"POST"), False),
        (with_fields(b"Expect: 100-continue\r\n"), False),
        (with_fields(b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"POST", b"HTTP/1.0"), False),
    ],
)
def test_expect_continue(raw: bytes, expects: bool) -> None:
    assert head_of(raw).expects_continue is expects


@pytest.mark.parametrize(
    "value", [b"200-ok", b"y 100-continue", b"100-continue, x", b"", b"100-continue\r\nExpect: 100-continue"]
)
def test_unknown_expectation(value: bytes) -> None:
    assert refusal(with_fields(b"Content-Length: 5\r\nExpect: " + value + b"\r\n", b"POST")) == (417, "bad_request")


# --- upgrades


def test_a_websocket_handshake_and_what_follows() -> None:
    raw = with_fields(WEBSOCKET) + b"\x81\x00" + GET
    for parts in ([raw], octets(raw)):
        reading = read(parts)
        assert reading.error is None
        assert (reading.head.upgrade, reading.head.has_body, reading.head.keep_alive) == (b"websocket", False, False)
        names = [name for name, _ in reading.head.fields]
        assert names == [b"sec-websocket-key", b"sec-websocket-version"]
        assert reading.body == b"\x81\x00" + GET
        assert reading.connection.reading is Reading.TUNNEL
        reading.connection.receive_eof()
        assert reading.connection.error is None


@each(
    ("raw", "status"),
    [
        (with_fields(WEBSOCKET, b"POST"), 400),
        (with_fields(WEBSOCKET + b"Content-Length: 5\r\n") + b"hello", 400),
        (with_fields(WEBSOCKET + b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", 400),
        (with_fields(WEBSOCKET.replace(b"13", b"12")), 426),
        (with_fields(WEBSOCKET.replace(b"13", b"13, 8")), 426),
        (with_fields(WEBSOCKET.replace(b"Sec-WebSocket-Version: 13\r\n", b"")), 426),
        (with_fields(WEBSOCKET + b"Sec-WebSocket-Version: 13\r\n"), 426),
        (with_fields(WEBSOCKET.replace(b"Key: d", b"Key: =")), 400),
        (with_fields(WEBSOCKET.replace(b"Key: d", b"Key: ")), 400),
        (with_fields(WEBSOCKET.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZWFi")), 400),
        (with_fields(WEBSOCKET.replace(b"Sec-WebSocket-Key", b"X-Key")), 400),
        (with_fields(WEBSOCKET + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400),
        (with_fields(WEBSOCKET + b"Connection: Sec-WebSocket-Key\r\n"), 400),
    ],
)
def test_bad_websocket_handshakes(raw: bytes, status: int) -> None:
    assert refusal(raw) == (status, "bad_request")


@each(
    "raw",
    [
        with_fields(b"Connection: Upgrade\r\nUpgrade: foo\r\n"),
        with_fields(
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
        ),
        with_fields(b"Connection: Upgrade\r\n"),
        with_fields(b"Connection: Upgrade\r\nUpgrade:\r\n"),
        with_fields(b"Proxy-Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        with_fields(WEBSOCKET.replace(b"Connection: keep-alive, Upgrade\r\n", b"")),
        with_fields(WEBSOCKET, version=b"HTTP/1.0"),
        with_fields(b"Connection: Upgrade\r\nUpgrade: foo\r\nContent-Length: 5\r\n", b"POST") + b"hello",
    ],
)
def test_every_other_upgrade_is_ignored(raw: bytes) -> None:
    for parts in ([raw + GET], octets(raw + GET)):
        reading = read(parts)
        assert (reading.error, len(reading.complete)) == (None, 2)
        assert reading.heads[0].upgrade == b""
        assert not any(name in (b"upgrade", b"http2-settings") for name, _ in reading.heads[0].fields)
