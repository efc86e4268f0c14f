"""A connection: what comes between requests, where it ends, and every limit."""

import pytest
from tests.http1_events import CHUNKED, GET, head_of, octets, read, refusal, replied, with_fields
from tests.support.each import each

from zerogate.wire.http.fields import MAX_CONTENT_LENGTH
from zerogate.wire.http.methods import MAX_METHOD_BYTES
from zerogate.wire.http1 import Connection, HttpLimits, Reading
from zerogate.wire.http1.limits import MAX_CHUNK_LINE_BYTES

# --- between requests


def test_states() -> None:
    connection = Connection(HttpLimits())

    def after(data: bytes) -> Reading:
        connection.receive(data)
        while replied(connection):
            pass
        return connection.reading

    assert connection.reading is Reading.IDLE
    assert after(b"") is Reading.IDLE
    assert after(b"P") is Reading.HEAD
    assert after(b"OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n") is Reading.BODY
    assert "BODY left=2" in repr(connection)
    assert after(b"ab") is Reading.IDLE
    assert after(CHUNKED + b"2\r\n") is Reading.BODY
    assert after(b"ab\r\n0\r\n\r") is Reading.BODY
    assert after(b"\n") is Reading.IDLE
    assert after(GET + GET[:-1]) is Reading.HEAD
    assert after(b"\r") is Reading.FAILED
    assert "bare CR" in repr(connection)


def test_an_empty_line_is_the_beginning_of_a_head() -> None:
    connection = Connection(HttpLimits())
    for octet in octets(b"\r\n"):
        connection.receive(octet)
        assert connection.reading is Reading.HEAD
    connection.receive(GET)
    assert connection.reading is Reading.IDLE


def test_one_empty_line_before_a_request_is_overlooked() -> None:
    raw = b"\r\n" + GET + b"\r\n" + with_fields(b"Content-Length: 1\r\n", b"POST") + b"x\r\n" + GET
    for parts in ([raw], octets(raw)):
        reading = read(parts)
        assert (reading.error, len(reading.complete)) == (None, 3)
        assert reading.heads[0].size_bytes == len(GET)


@each("start", [b"\r\n\r\n", b"\n", b"\r", b"\r\n\n", b"\r\n\r", b"\r\r\n", b" \r\n"])
def test_no_more_than_that(start: bytes) -> None:
    assert refusal(start + GET) == (400, "bad_request")


def test_what_can_never_become_a_request_is_refused_at_once() -> None:
    # A TLS client, a SPDY frame, a bare LF typed by hand: none of them sends the end of a head.
    for start in (
        b"\x16\x03\x01\x02\x00",
        b"\x80\x03\x00\x01",
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/1.1\r\nHost: a\rX",
        b"GET /\x7f",
    ):
        assert refusal(start) == (400, "bad_request")


@each(
    "raw",
    [
        b"G",
        b"\r",
        GET[:-1],
        with_fields(b"Content-Length: 2\r\n") + b"a",
        *(CHUNKED + chunks for chunks in (b"", b"1", b"1\r\n", b"1\r\na", b"1\r\na\r\n", b"0\r\n", b"0\r\nX: y\r\n")),
    ],
)
def test_end_of_input_amid_a_request(raw: bytes) -> None:
    reading = read([raw], eof=True)
    assert reading.error is not None
    assert (reading.error.status, reading.error.code) == (400, "bad_request")
    assert reading.complete == []
    assert reading.connection.reading is Reading.FAILED


@each("raw", [b"", b"\r\n", GET, GET + b"\r\n", CHUNKED + b"0\r\n\r\n", with_fields(b"Connection: close\r\n") + b"x"])
def test_end_of_input_between_requests(raw: bytes) -> None:
    reading = read([raw], eof=True)
    assert reading.error is None
    assert reading.connection.reading is Reading.ENDED
    assert reading.connection.receive(GET) == []


def test_an_error_stays_what_it_is() -> None:
    reading = read([b"GET\r\n\r\n"])
    reading.connection.receive_eof()
    assert reading.connection.error is reading.error


def test_the_requests_before_a_fault_are_served() -> None:
    reading = read([GET * 100 + b"garbage\r\n\r\n" + GET])
    assert len(reading.complete) == 100
    assert reading.error is not None


# --- limits: what just fits is accepted, one more is not


def test_limit_head_bytes() -> None:
    limits = HttpLimits(max_head_bytes=200)
    fits = with_fields(b"X: " + b"y" * (200 - len(with_fields(b"X: \r\n"))) + b"\r\n")
    assert len(fits) == 200
    for parts in ([fits], octets(fits), [b"\r\n" + fits], [GET + fits + GET]):
        assert read(parts, limits).error is None
    assert refusal(fits.replace(b"X: ", b"X: y"), limits) == (431, "too_large")
    assert refusal(fits[:-4] + b"y" * 10000, limits) == (431, "too_large")
    # A fault within the limit is told before the size, one beyond it is not reached.
    assert refusal(fits[:-5] + b"\x00" + b"y" * 100, limits) == (400, "bad_request")
    assert refusal(fits[:-4] + b"yyyy\x00", limits) == (431, "too_large")


@pytest.mark.slow
def test_limit_head_bytes_octet_by_octet_at_full_size() -> None:
    fits = with_fields(b"X: " + b"y" * (65536 - len(with_fields(b"X: \r\n"))) + b"\r\n")
    assert read(octets(fits)).head.size_bytes == HttpLimits().max_head_bytes == 65536
    assert refusal(fits.replace(b"X: ", b"X: y")) == (431, "too_large")


def test_limit_fields() -> None:
    assert HttpLimits().max_fields == 100
    assert len(head_of(with_fields(b"x:\r\n" * 99)).fields) == 99
    assert refusal(with_fields(b"x:\r\n" * 100)) == (431, "too_large")
    assert refusal(with_fields(b"te:\r\n" * 100)) == (431, "too_large")
    limits = HttpLimits(max_fields=2)
    assert read([with_fields(b"x: %b\r\n" % (b"y" * 50))], limits).error is None
    assert refusal(with_fields(b"x:\r\n" * 2), limits) == (431, "too_large")


@pytest.mark.parametrize("form", [b"/%b", b"http://a/%b", b"/?%b"])
def test_limit_target_bytes(form: bytes) -> None:
    assert HttpLimits().max_target_bytes == 16384
    target = form % (b"a" * (16384 - len(form) + 2))
    assert read([b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target]).error is None
    assert refusal(b"GET %ba HTTP/1.1\r\nHost: a\r\n\r\n" % target) == (414, "too_large")
    assert refusal(b"GET %b" % target + b"a" * 65536) == (414, "too_large")
    limits = HttpLimits(max_target_bytes=5)
    assert read([b"GET /2345 HTTP/1.1\r\nHost: a\r\n\r\n"], limits).error is None
    assert refusal(b"GET /23456 HTTP/1.1\r\nHost: a\r\n\r\n", limits) == (414, "too_large")


def test_limit_method_bytes() -> None:
    assert head_of(with_fields(b"", b"M" * MAX_METHOD_BYTES)).method == b"M" * MAX_METHOD_BYTES
    assert refusal(with_fields(b"", b"M" * (MAX_METHOD_BYTES + 1))) == (501, "bad_request")


def test_limit_trailer_bytes() -> None:
    limits = HttpLimits(max_trailer_bytes=50)
    fits = b"X: " + b"y" * 43 + b"\r\n\r\n"
    assert len(fits) == 50
    for parts in ([CHUNKED + b"0\r\n" + fits + GET], octets(CHUNKED + b"0\r\n" + fits + GET)):
        reading = read(parts, limits)
        assert (reading.error, len(reading.complete)) == (None, 2)
    assert refusal(CHUNKED + b"0\r\n" + fits.replace(b"y", b"yy", 1), limits) == (431, "too_large")
    assert refusal(CHUNKED + b"0\r\nX: " + b"y" * 100000) == (431, "too_large")


def test_limit_trailer_fields() -> None:
    assert len(read([CHUNKED + b"0\r\n" + b"x:\r\n" * 100 + b"\r\n"]).trailers) == 100
    assert refusal(CHUNKED + b"0\r\n" + b"x:\r\n" * 101 + b"\r\n") == (431, "too_large")


def test_limit_chunk_extension_bytes() -> None:
    limits = HttpLimits(max_chunk_extension_bytes=20)
    fits = CHUNKED + b"1;3456789\r\na\r\n1;34567890ab\r\nb\r\n"
    assert read([fits + b"0\r\n\r\n"], limits).body == b"ab"
    assert refusal(fits + b"0;z\r\n\r\n", limits) == (413, "too_large")
    assert read([CHUNKED + b"1;e\r\na\r\n" * 8192 + b"0\r\n\r\n"]).error is None
    error = read([CHUNKED + b"1;e\r\na\r\n" * 8193]).error
    assert error is not None
    assert (error.status, error.code) == (413, "too_large")


@pytest.mark.slow
def test_limit_chunk_extension_bytes_however_it_is_cut() -> None:
    assert refusal(CHUNKED + b"1;e\r\na\r\n" * 8193) == (413, "too_large")


def test_limit_chunk_line_bytes() -> None:
    fits = CHUNKED + b"1;" + b"e" * (MAX_CHUNK_LINE_BYTES - 2)
    for parts in ([fits + b"\r\na\r\n0\r\n\r\n"], octets(fits + b"\r\na\r\n0\r\n\r\n")):
        assert read(parts).body == b"a"
    assert refusal(fits + b"e\r\na\r\n0\r\n\r\n") == (400, "bad_request")
    assert refusal(fits + b"ee") == (400, "bad_request")


def test_limit_body_bytes() -> None:
    limits = HttpLimits(max_body_bytes=5)
    assert read([with_fields(b"Content-Length: 5\r\n") + b"hello"], limits).error is None
    assert read([with_fields(b"Content-Length: 6\r\n") + b"hello."], limits).events == []
    assert refusal(with_fields(b"Content-Length: 6\r\n"), limits) == (413, "too_large")
    assert read([CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"], limits).body == b"abcde"
    # Told by the size line: the octets need not come.
    assert refusal(CHUNKED + b"3\r\nabc\r\n3\r\n", limits) == (413, "too_large")
    assert read([CHUNKED + b"3\r\nabc\r\n3\r\nde"], limits).body == b"abc"


def test_limit_content_length() -> None:
    assert head_of(with_fields(b"Content-Length: %d\r\n" % MAX_CONTENT_LENGTH)).content_length == MAX_CONTENT_LENGTH
    assert head_of(with_fields(b"Content-Length: %b5\r\n" % (b"0" * 1000))).content_length == 5
    assert read([CHUNKED + b"7fffffffffffffff\r\n"]).error is None
    assert refusal(CHUNKED + b"1\r\na\r\n7fffffffffffffff\r\n") == (400, "bad_request")


# --- what is no HTTP


CLIENT_HELLO = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03"


@each(
    ("start", "status", "reason"),
    [
        (CLIENT_HELLO, 400, "this is TLS: the port speaks plain HTTP"),
        (CLIENT_HELLO[:1], 400, "this is TLS: the port speaks plain HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", 400, "this is SSH: the port speaks plain HTTP"),
        (b"SSH-", 400, "this is SSH: the port speaks plain HTTP"),
        (b"SSH-\x00", 400, "this is SSH: the port speaks plain HTTP"),
        (with_fields(b"", b"SSH-X"), 400, "this is SSH: the port speaks plain HTTP"),
        (b"\x80\x03\x00\x01", 400, "this is not HTTP"),
        (b"\xff\x00\x00\x00", 400, "this is not HTTP"),
        (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", 400, "this is not HTTP"),
        (b" GET", 400, "this is not HTTP"),
        (b"\n", 400, "this is not HTTP"),
        (b"[", 400, "this is not HTTP"),
        (b"get", 501, "unknown method"),
        (b"*1\r\n$4\r\nPING\r\n", 501, "unknown method"),
    ],
)
def test_what_is_no_http_is_refused_at_once(start: bytes, status: int, reason: str) -> None:
    for before in (b"", b"\r\n"):
        assert refusal(before + start)[0] == status
        error = read([before + start]).error
        assert error is not None
        assert error.reason == reason


@each("method", [b"S", b"SS", b"SSH", b"SSHX", b"SEARCH"])
def test_methods_that_look_like_it(method: bytes) -> None:
    assert read([with_fields(b"", method)]).head.method == method
    assert read(octets(with_fields(b"", method))).head.method == method
