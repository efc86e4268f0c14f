import pytest
from tests.http1_events import GET, head_of, with_fields

from zerogate.errors import ReplyError
from zerogate.wire.fields import KnownFields
from zerogate.wire.http1 import ReplyWriter, RequestHead, whole_reply
from zerogate.wire.http1.limits import MAX_CONTENT_LENGTH

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
DATE_FIELD = b"date: " + DATE + b"\r\n"

HTTP_11 = head_of(GET)
HTTP_11_CLOSE = head_of(with_fields(b"Connection: close\r\n"))
HTTP_10 = head_of(b"GET / HTTP/1.0\r\n\r\n")
HTTP_10_KEEP_ALIVE = head_of(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
HEAD = head_of(with_fields(b"", b"HEAD"))
WEBSOCKET = head_of(
    with_fields(
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    )
)


def fields(status: bytes = b"200", **others: bytes) -> dict[bytes, bytes]:
    """What comes off SPDY. Underscores stand for hyphens."""
    named = {name.replace("_", "-").encode(): value for name, value in others.items()}
    return {b":status": status, b":version": b"HTTP/1.1", **named}


def head(
    request: RequestHead, fields: dict[bytes, bytes], *, fin: bool = False, close: bool = False
) -> tuple[bytes, ReplyWriter]:
    writer = ReplyWriter(request)
    return writer.head(fields, fin=fin, date=DATE, close=close), writer


def test_a_small_reply() -> None:
    written, writer = head(HTTP_11, fields(content_type=b"text/plain", content_length=b"5", x_a=b"b"))
    assert written == (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\nx-a: b\r\n" + DATE_FIELD + b"\r\n"
    )
    assert (writer.status, writer.must_close, writer.is_close_delimited) == (200, False, False)
    assert writer.data(b"hel") + writer.data(b"lo") == b"hello"
    assert writer.end() == b""
    assert "content-length" in repr(writer)


@pytest.mark.parametrize(
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
        written, writer = head(HTTP_11, fields(status), fin=True)
        assert written.startswith(line + b"\r\n")
        assert writer.status == int(status[:3])


@pytest.mark.parametrize(
    "status",
    [
        *(b"", b"20", b"2000", b"OK", b"0200", b" 200", b"+20", b"2_0", b"\xb2\xb2\xb2", b"200OK", b"200\x00200"),
        *(b"200 \r\nx: y", b"200 a\nb", b"200 \x7f", b"099", b"600", b"999", b"100", b"102", b"103", b"199"),
    ],
)
def test_invalid_status(status: bytes) -> None:
    with pytest.raises(ReplyError):
        head(HTTP_11, fields(status))


def test_no_status() -> None:
    with pytest.raises(ReplyError):
        head(HTTP_11, {b"content-length": b"0"})


def test_several_values_are_several_fields() -> None:
    written, _ = head(HTTP_11, fields(set_cookie=b"a=1\x00b=2\x00c=3", x=b"y"), fin=True)
    assert b"\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nset-cookie: c=3\r\nx: y\r\n" in written


def test_a_date_of_the_worker_is_kept() -> None:
    written, _ = head(HTTP_11, fields(date=b"then"), fin=True)
    assert written.count(b"date: ") == 1
    assert b"date: then\r\n" in written
    assert b"date" not in ReplyWriter(HTTP_11).head(fields(), fin=True, date=b"", close=False)


def test_hop_by_hop_fields_stay_here() -> None:
    written, writer = head(
        HTTP_11,
        fields(
            connection=b"close, X-Secret\x00x-other, content-length, :status",
            x_secret=b"1",
            x_other=b"2",
            keep_alive=b"5",
            proxy_connection=b"close",
            transfer_encoding=b"chunked",
            te=b"trailers",
            upgrade=b"h2c",
            proxy_authenticate=b"x",
            x_left=b"3",
            content_length=b"0",
        ),
    )
    assert written == b"HTTP/1.1 200 OK\r\nx-left: 3\r\ncontent-length: 0\r\n" + DATE_FIELD + b"\r\n"
    assert not writer.must_close


@pytest.mark.parametrize(
    "value", [b"a\r\nb: c", b"a\rb", b"a\nb", b"\r\n", b"a\x01", b"a\x7f", b"a\x00b\n", b"a\r\n\r\nb", b"a\r", b"\x0b"]
)
@pytest.mark.parametrize("name", ["x_a", "set_cookie", "date"])
def test_control_characters_in_a_value(name: str, value: bytes) -> None:
    with pytest.raises(ReplyError):
        head(HTTP_11, fields(**{name: value}), fin=True)


@pytest.mark.parametrize("name", [b"", b"X-A", b"x a", b"x:", b":x", b":path", b"x\r\ny", b"x\n", b"\xe9", b"x\x00"])
def test_malformed_names(name: bytes) -> None:
    for _ in range(2):
        with pytest.raises(ReplyError):
            head(HTTP_11, {**fields(), name: b"v"}, fin=True)


def test_names_that_nobody_knows_cost_no_memory_and_still_cross() -> None:
    for index in range(3000):
        name = b"x-%d" % index
        assert b"\r\n" + name + b": v\r\n" in head(HTTP_11, {**fields(b"200 %d" % index), name: b"v"}, fin=True)[0]


@pytest.mark.parametrize(
    "length", [b"", b"-1", b"+1", b"1 ", b"0x1", b"1_0", b"1,1", b"1\x001", b"1\x002", b"%d" % (MAX_CONTENT_LENGTH + 1)]
)
@pytest.mark.parametrize("request_head", [HTTP_11, HEAD])
def test_bad_content_length(request_head: RequestHead, length: bytes) -> None:
    with pytest.raises(ReplyError):
        head(request_head, fields(content_length=length))


def test_content_length_of_hugest_size() -> None:
    assert head(HTTP_11, fields(content_length=b"%d" % MAX_CONTENT_LENGTH))[0]
    with pytest.raises(ReplyError):
        head(HTTP_11, fields(content_length=b"9" * 5000))


def test_a_body_longer_than_its_content_length() -> None:
    _, writer = head(HTTP_11, fields(content_length=b"5"))
    writer.data(b"hello")
    with pytest.raises(ReplyError):
        writer.data(b"!")


def test_a_body_shorter_than_its_content_length() -> None:
    _, writer = head(HTTP_11, fields(content_length=b"5"))
    writer.data(b"hell")
    with pytest.raises(ReplyError):
        writer.end()
    with pytest.raises(ReplyError):
        head(HTTP_11, fields(content_length=b"5"), fin=True)


@pytest.mark.parametrize(
    ("request_head", "close", "field", "must_close"),
    [
        (HTTP_11, False, b"", False),
        (HTTP_11, True, b"connection: close\r\n", True),
        (HTTP_11_CLOSE, False, b"connection: close\r\n", True),
        (HTTP_10, False, b"connection: close\r\n", True),
        (HTTP_10_KEEP_ALIVE, False, b"connection: keep-alive\r\n", False),
        (HTTP_10_KEEP_ALIVE, True, b"connection: close\r\n", True),
        (RequestHead(), False, b"connection: close\r\n", True),
    ],
)
def test_who_closes(request_head: RequestHead, close: bool, field: bytes, must_close: bool) -> None:
    written, writer = head(request_head, fields(), fin=True, close=close)
    assert written == b"HTTP/1.1 200 OK\r\n" + DATE_FIELD + b"content-length: 0\r\n" + field + b"\r\n"
    assert (writer.must_close, writer.data(b""), writer.end()) == (must_close, b"", b"")


def test_chunks_for_a_body_of_unknown_length() -> None:
    written, writer = head(HTTP_11, fields())
    assert written == b"HTTP/1.1 200 OK\r\n" + DATE_FIELD + b"transfer-encoding: chunked\r\n\r\n"
    assert writer.data(b"hello") == b"5\r\nhello\r\n"
    assert writer.data(b"") == b""
    assert writer.data(b"x" * 0x1234) == b"1234\r\n" + b"x" * 0x1234 + b"\r\n"
    assert writer.end() == b"0\r\n\r\n"


def test_the_end_of_the_connection_for_http_10() -> None:
    written, writer = head(HTTP_10_KEEP_ALIVE, fields())
    assert written == b"HTTP/1.1 200 OK\r\n" + DATE_FIELD + b"connection: close\r\n\r\n"
    assert (writer.must_close, writer.is_close_delimited) == (True, True)
    assert writer.data(b"hello") == b"hello"
    assert writer.end({b"x-sum": b"1"}) == b""


def test_trailers() -> None:
    _, writer = head(HTTP_11, fields())
    trailers = {
        b"x-sum": b"1\x002",
        b"content-length": b"5",
        b"x-forwarded-for": b"a",
        b"set-cookie": b"a",
        b":x": b"y",
        b"etag": b'"\xe9"',
    }
    assert writer.end(trailers) == b'0\r\nx-sum: 1\r\nx-sum: 2\r\netag: "\xe9"\r\n\r\n'
    assert writer.end({}) == b"0\r\n\r\n"
    for name, value in ((b"x", b"a\r\nb"), (b"x", b"a\x01"), (b"X", b"a"), (b"x y", b"a"), (b"", b"a")):
        with pytest.raises(ReplyError):
            writer.end({name: value})


def test_trailers_need_chunks() -> None:
    _, writer = head(HTTP_11, fields(content_length=b"0"))
    assert writer.end({b"x-sum": b"1"}) == b""


@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("length", [None, b"0", b"5"])
@pytest.mark.parametrize(
    ("request_head", "status"),
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
    request_head: RequestHead, status: bytes, length: bytes | None, fin: bool
) -> None:
    named = {} if length is None else {"content_length": length}
    written, writer = head(request_head, fields(status, **named), fin=fin)
    assert b"transfer-encoding" not in written
    # RFC 9110, 8.6.
    assert (b"content-length: %b\r\n" % (length or b"") in written) is (length is not None and status != b"204")
    assert (writer.must_close, writer.is_close_delimited) == (False, False)
    assert writer.data(b"hello") + writer.data(b"hello") + writer.end({b"x-sum": b"1"}) == b""


@pytest.mark.parametrize("status", [b"200", b"204", b"304", b"404 Gone fishing"])
def test_known_fields_are_framed_for_each_request_anew(status: bytes) -> None:
    plain = fields(status, content_length=b"5", connection=b"x-a", x_a=b"1", set_cookie=b"a\x00b")
    known = KnownFields(plain)
    known.base = known.note = None
    for _ in range(2):
        for request_head in (HTTP_11, HTTP_11_CLOSE, HTTP_10, HTTP_10_KEEP_ALIVE, HEAD):
            for close in (False, True):
                written, writer = head(request_head, known, close=close)
                expected, other = head(request_head, plain, close=close)
                assert (written, writer.data(b"hello")) == (expected, other.data(b"hello"))
                assert (writer.status, writer.must_close) == (other.status, other.must_close)


@pytest.mark.parametrize(
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
def test_a_whole_reply_is_what_a_writer_makes(status: bytes, named: dict[str, bytes]) -> None:
    reply = fields(status, **named)
    for request_head in (HTTP_11, HTTP_11_CLOSE, HTTP_10, HTTP_10_KEEP_ALIVE, HEAD, WEBSOCKET):
        for close in (False, True):
            written, writer = head(request_head, reply, close=close)
            written += writer.data(b"hello") + writer.end()
            whole = whole_reply(request_head, reply, b"hello", date=DATE, close=close)
            assert whole == (writer.status, written, writer.must_close)


def test_a_whole_reply_without_a_body_or_a_date() -> None:
    _, written, _ = whole_reply(HTTP_11, fields(content_length=b"0"), b"", date=b"", close=False)
    assert written == b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize("named", [{"content_length": b"5", "x": b"a\nb"}, {"content_length": b"4"}])
def test_a_whole_reply_that_is_not_valid(named: dict[str, bytes]) -> None:
    with pytest.raises(ReplyError):
        whole_reply(HTTP_11, fields(**named), b"hello", date=DATE, close=False)


def test_known_fields_that_are_not_valid_stay_so() -> None:
    known = KnownFields(fields(x=b"a\nb"))
    known.base = known.note = None
    for _ in range(2):
        with pytest.raises(ReplyError):
            head(HTTP_11, known)


def test_switching_protocols() -> None:
    reply = fields(b"101", upgrade=b"websocket", connection=b"upgrade", sec_websocket_accept=b"x", content_length=b"5")
    written, writer = head(WEBSOCKET, reply)
    assert written == (
        b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: x\r\n"
        + DATE_FIELD
        + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    )
    assert (writer.status, writer.must_close) == (101, True)
    assert writer.data(b"\x81\x00") + writer.end() == b"\x81\x00"


def test_nobody_switches_unasked() -> None:
    for request_head in (HTTP_11, HTTP_10, HEAD, RequestHead()):
        with pytest.raises(ReplyError):
            head(request_head, fields(b"101"))


def test_an_upgrade_that_is_turned_down_ends_the_connection() -> None:
    written, writer = head(WEBSOCKET, fields(b"403", content_length=b"2"))
    assert written.endswith(b"connection: close\r\n\r\n")
    assert writer.must_close
    assert writer.data(b"no") + writer.end() == b"no"
