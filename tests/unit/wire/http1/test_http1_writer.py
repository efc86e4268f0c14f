"""Replies as they are framed for each kind of client."""

import pytest
from tests.http1_events import GET, with_fields
from tests.support.each import each

from zerogate.errors import ReplyError
from zerogate.wire.http.reply import ReplyHead, check_trailers, reply_head
from zerogate.wire.http1 import Connection, HttpLimits, Reading, Situation, Writing

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
DATE_FIELD = b"date: " + DATE + b"\r\n"

HTTP_11 = GET
HTTP_11_CLOSE = with_fields(b"Connection: close\r\n")
HTTP_10 = b"GET / HTTP/1.0\r\n\r\n"
HTTP_10_KEEP_ALIVE = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
HEAD = with_fields(b"", b"HEAD")
WEBSOCKET = with_fields(
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
NO_REQUEST = b""


def fields(status: bytes = b"200", **others: bytes) -> dict[bytes, bytes]:
    """What comes off SPDY. Underscores stand for hyphens."""
    named = {name.replace("_", "-").encode(): value for name, value in others.items()}
    return {b":status": status, b":version": b"HTTP/1.1", **named}


def asked(request: bytes) -> Connection:
    connection = Connection(HttpLimits())
    connection.receive(request)
    return connection


def head(
    request: bytes, fields: dict[bytes, bytes], *, fin: bool = False, close: bool = False
) -> tuple[bytes, Connection]:
    connection = asked(request)
    return connection.send_head(reply_head(fields), fin=fin, date=DATE, close=close), connection


def test_a_small_reply() -> None:
    written, connection = head(HTTP_11, fields(content_type=b"text/plain", content_length=b"5", x_a=b"b"))
    assert written == (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\nx-a: b\r\n" + DATE_FIELD + b"\r\n"
    )
    assert (connection.writing, connection.must_close) == (Writing.BODY, False)
    assert connection.send_body(b"hel") + connection.send_body(b"lo") == b"hello"
    assert connection.send_end() == b""
    assert (connection.writing, connection.request) == (Writing.IDLE, None)


@each(
    ("status", "line"),
    [
        (b"200", b"HTTP/1.1 200 OK"),
        (b"200 Fine by me", b"HTTP/1.1 200 Fine by me"),
        (b"404 \xc3\xa9\t!", b"HTTP/1.1 404 \xc3\xa9\t!"),
        (b"299", b"HTTP/1.1 299 "),
        (b"299 ", b"HTTP/1.1 299 "),
        (b"599", b"HTTP/1.1 599 "),
        (b"599 " + b"x" * 1000, b"HTTP/1.1 599 " + b"x" * 1000),
    ],
)
def test_status_lines(status: bytes, line: bytes) -> None:
    for _ in range(2):
        written, _ = head(HTTP_11, fields(status), fin=True)
        assert written.startswith(line + b"\r\n")


def test_several_values_are_several_fields() -> None:
    written, _ = head(HTTP_11, fields(set_cookie=b"a=1\x00b=2\x00c=3", x=b"y"), fin=True)
    assert b"\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nset-cookie: c=3\r\nx: y\r\n" in written


def test_a_date_of_the_worker_is_kept() -> None:
    written, _ = head(HTTP_11, fields(date=b"then"), fin=True)
    assert written.count(b"date: ") == 1
    assert b"date: then\r\n" in written
    assert b"date" not in asked(HTTP_11).send_head(reply_head(fields()), fin=True, date=b"", close=False)


@each(
    ("request_octets", "close", "field", "must_close"),
    [
        (HTTP_11, False, b"", False),
        (HTTP_11, True, b"connection: close\r\n", True),
        (HTTP_11_CLOSE, False, b"connection: close\r\n", True),
        (HTTP_10, False, b"connection: close\r\n", True),
        (HTTP_10_KEEP_ALIVE, False, b"connection: keep-alive\r\n", False),
        (HTTP_10_KEEP_ALIVE, True, b"connection: close\r\n", True),
    ],
)
def test_who_closes(request_octets: bytes, close: bool, field: bytes, must_close: bool) -> None:
    written, connection = head(request_octets, fields(), fin=True, close=close)
    assert written == b"HTTP/1.1 200 OK\r\n" + DATE_FIELD + b"content-length: 0\r\n" + field + b"\r\n"
    assert connection.must_close is must_close
    assert connection.writing is (Writing.LAST if must_close else Writing.IDLE)
    assert (connection.send_body(b""), connection.send_end()) == (b"", b"")


def test_who_must_upgrade_is_told_so_in_the_field_that_ends_the_connection() -> None:
    octets, _ = head(HTTP_11, fields(b"426", upgrade=b"websocket"), fin=True, close=True)
    assert b"\r\nconnection: close, upgrade\r\n" in octets
    assert octets.count(b"connection:") == 1


def test_chunks_for_a_body_of_unknown_length() -> None:
    written, connection = head(HTTP_11, fields())
    assert written == b"HTTP/1.1 200 OK\r\n" + DATE_FIELD + b"transfer-encoding: chunked\r\n\r\n"
    assert connection.send_body(b"hello") == b"5\r\nhello\r\n"
    assert connection.send_body(b"") == b""
    assert connection.send_body(b"x" * 0x1234) == b"1234\r\n" + b"x" * 0x1234 + b"\r\n"
    assert connection.send_end() == b"0\r\n\r\n"


def test_the_end_of_the_connection_for_http_10() -> None:
    written, connection = head(HTTP_10_KEEP_ALIVE, fields())
    assert written == b"HTTP/1.1 200 OK\r\n" + DATE_FIELD + b"connection: close\r\n\r\n"
    assert connection.must_close
    assert connection.send_body(b"hello") == b"hello"
    assert connection.send_end([(b"x-sum", b"1")]) == b""
    assert connection.situation is Situation.LINGER


@each(
    ("request_octets", "named", "needs_reset"),
    [
        (HTTP_10, {}, True),
        (HTTP_10, {"content_length": b"5"}, False),
        (HTTP_11, {}, False),
        (HTTP_11, {"content_length": b"5"}, False),
    ],
)
def test_only_a_reset_cuts_what_the_connection_ends(
    request_octets: bytes, named: dict[str, bytes], needs_reset: bool
) -> None:
    _, connection = head(request_octets, fields(**named))
    assert connection.cut() is needs_reset
    assert (connection.writing, connection.situation) == (Writing.CLOSED, Situation.GONE)
    assert not connection.cut()


def test_a_reply_is_cut_before_it_began() -> None:
    connection = asked(HTTP_11)
    assert not connection.cut()
    assert connection.writing is Writing.CLOSED


def test_trailers() -> None:
    _, connection = head(HTTP_11, fields())
    trailers = check_trailers({b"x-sum": b"1\x002", b"etag": b'"\xe9"'})
    assert connection.send_end(trailers) == b'0\r\nx-sum: 1\r\nx-sum: 2\r\netag: "\xe9"\r\n\r\n'
    assert connection.writing is Writing.IDLE


def test_trailers_need_chunks() -> None:
    _, connection = head(HTTP_11, fields(content_length=b"0"))
    assert connection.send_end([(b"x-sum", b"1")]) == b""


@each("fin", [True, False])
@each("length", [None, b"0", b"5"])
@each(
    ("request_octets", "status"),
    [
        (HEAD, b"200"),
        (HEAD, b"404"),
        (HTTP_11, b"204"),
        (HTTP_11, b"304"),
        (HEAD, b"204"),
        (HTTP_10_KEEP_ALIVE, b"304"),
    ],
)
def test_no_body_whatever_the_worker_sends(
    request_octets: bytes, status: bytes, length: bytes | None, fin: bool
) -> None:
    named = {} if length is None else {"content_length": length}
    written, connection = head(request_octets, fields(status, **named), fin=fin)
    assert b"transfer-encoding" not in written
    # RFC 9110, 8.6.
    assert (b"content-length: %b\r\n" % (length or b"") in written) is (length is not None and status != b"204")
    assert connection.send_body(b"hello") + connection.send_end([(b"x-sum", b"1")]) == b""
    assert (connection.must_close, connection.writing) == (False, Writing.IDLE)


REQUESTS = (HTTP_11, HTTP_11_CLOSE, HTTP_10, HTTP_10_KEEP_ALIVE, HEAD, WEBSOCKET)


@each(
    ("status", "named"),
    [
        (b"200", {"content_length": b"5"}),
        (b"404 Gone fishing", {"content_length": b"5", "x_a": b"1"}),
        (b"200", {"content_length": b"5", "date": b"today"}),
        (b"200", {}),
        (b"204", {"content_length": b"5"}),
        (b"304", {"content_length": b"5"}),
    ],
)
@each("date", [DATE, b""])
def test_a_whole_reply_is_the_sum_of_its_parts(status: bytes, named: dict[str, bytes], date: bytes) -> None:
    reply = reply_head(fields(status, **named))
    for request in REQUESTS:
        for close in (False, True):
            parts, whole = asked(request), asked(request)
            expected = parts.send_head(reply, fin=False, date=date, close=close)
            expected += parts.send_body(b"hello") + parts.send_end()
            for note in (None, reply.note):
                reply.note = note
                again = asked(request)
                assert again.send_whole(reply, b"hello", date=date, close=close) == expected
            whole.send_whole(reply, b"hello", date=date, close=close)
            assert repr(whole) == repr(parts)
            assert (whole.must_close, whole.request) == (parts.must_close, None)


def test_a_whole_reply_without_a_body_or_a_date() -> None:
    head = reply_head(fields(content_length=b"0"))
    written = asked(HTTP_11).send_whole(head, b"", date=b"", close=False)
    assert written == b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@each("request_octets", [HTTP_11, HTTP_10, NO_REQUEST])
@each("length", [b"4", b"6", b"0"])
def test_a_whole_reply_of_another_length_than_it_says(request_octets: bytes, length: bytes) -> None:
    connection = asked(request_octets)
    before = repr(connection), connection.must_close
    with pytest.raises(ReplyError):
        connection.send_whole(reply_head(fields(content_length=length)), b"hello", date=DATE, close=True)
    assert (repr(connection), connection.must_close) == before


@each("request_octets", [NO_REQUEST, GET[:-1], b"garbage\r\n\r\n"])
def test_an_error_where_no_request_could_be_read(request_octets: bytes) -> None:
    connection = asked(request_octets)
    with pytest.raises(RuntimeError):
        connection.send_head(reply_head(fields()), fin=True, date=DATE, close=True)
    written = connection.send_whole(reply_head(fields(b"400", content_length=b"2")), b"no", date=DATE, close=False)
    assert written == (
        b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n" + DATE_FIELD + b"connection: close\r\n\r\nno"
    )
    assert connection.situation is Situation.LINGER
    with pytest.raises(RuntimeError):
        connection.send_whole(reply_head(fields(b"400", content_length=b"2")), b"no", date=DATE, close=False)


def test_a_head_may_tell_the_length_of_a_body_that_it_has_not() -> None:
    written = asked(HEAD).send_whole(reply_head(fields(content_length=b"9")), b"", date=b"", close=False)
    assert written == b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"


def test_a_body_announced_and_not_sent() -> None:
    connection = asked(HTTP_11)
    with pytest.raises(ReplyError):
        connection.send_head(reply_head(fields(content_length=b"5")), fin=True, date=DATE, close=False)
    assert connection.writing is Writing.DUE


def test_no_reply_that_is_not_due() -> None:
    connection = asked(HTTP_11)
    connection.send_head(reply_head(fields()), fin=False, date=DATE, close=False)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            connection.send_head(reply_head(fields()), fin=False, date=DATE, close=False)
        with pytest.raises(RuntimeError):
            connection.send_whole(ReplyHead.of(200, [(b"content-length", b"0")]), b"", date=DATE, close=False)
        with pytest.raises(RuntimeError):
            connection.send_tunnel(ReplyHead.of(101, []))
        connection.close()


# --- interim replies


def test_interim_replies() -> None:
    connection = asked(HTTP_11)
    assert connection.send_interim(100, []) == b"HTTP/1.1 100 Continue\r\n\r\n"
    hints = [(b"link", b"</a>; rel=preload"), (b"link", b"</b>")]
    expected = b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\nlink: </b>\r\n\r\n"
    assert connection.send_interim(103, hints) == expected
    assert connection.writing is Writing.DUE


def test_interim_replies_come_before_the_reply() -> None:
    connection = Connection(HttpLimits())
    assert connection.send_interim(100) == b""
    connection.receive(HTTP_11)
    connection.send_head(reply_head(fields()), fin=False, date=DATE, close=False)
    assert connection.send_interim(100) == b""
    connection.send_end()
    assert connection.send_interim(100) == b""


def test_interim_replies_are_not_for_http_10() -> None:
    assert asked(HTTP_10_KEEP_ALIVE).send_interim(100) == b""


# --- tunnels


@pytest.mark.parametrize("date", [DATE, b""])
def test_switching_protocols(date: bytes) -> None:
    reply = fields(b"101", upgrade=b"websocket", connection=b"upgrade", sec_websocket_accept=b"x", content_length=b"5")
    connection = asked(WEBSOCKET)
    written = connection.send_tunnel(reply_head(reply), date=date)
    assert written == (
        b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: x\r\n"
        + (DATE_FIELD if date else b"")
        + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    )
    assert (connection.situation, connection.must_close) == (Situation.TUNNEL, True)
    assert connection.send_body(b"\x81\x00") + connection.send_end() == b"\x81\x00"


@each("request_octets", [HTTP_11, HTTP_10, HEAD])
def test_nobody_switches_unasked(request_octets: bytes) -> None:
    connection = asked(request_octets)
    before = repr(connection)
    switching = reply_head(fields(b"101"))
    with pytest.raises(ReplyError):
        connection.send_tunnel(switching)
    with pytest.raises(ReplyError):
        connection.send_head(switching, fin=False, date=DATE, close=False)
    with pytest.raises(ReplyError):
        connection.send_whole(switching, b"", date=DATE, close=False)
    assert repr(connection) == before


def test_only_101_is_a_tunnel() -> None:
    connection = asked(WEBSOCKET)
    with pytest.raises(ReplyError):
        connection.send_tunnel(reply_head(fields(b"200")))
    with pytest.raises(ReplyError):
        connection.send_head(reply_head(fields(b"101")), fin=False, date=DATE, close=False)
    assert (connection.reading, connection.writing) == (Reading.TUNNEL, Writing.DUE)


def test_an_upgrade_that_is_turned_down_ends_the_connection() -> None:
    written, connection = head(WEBSOCKET, fields(b"403", content_length=b"2"))
    assert written.endswith(b"connection: close\r\n\r\n")
    assert connection.must_close
    assert connection.send_body(b"no") + connection.send_end() == b"no"
    assert connection.situation is Situation.LINGER
