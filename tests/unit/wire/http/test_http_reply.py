"""What a worker's reply must be, and what of it crosses."""

import pytest
from tests.support.each import each

from zerogate.errors import ReplyError
from zerogate.wire.http.fields import MAX_CONTENT_LENGTH
from zerogate.wire.http.reply import (
    ReplyBody,
    ReplyHead,
    check_trailers,
    hint_fields,
    interim_status,
    is_event_stream,
    reply_head,
)


def fields(status: bytes = b"200", **others: bytes) -> dict[bytes, bytes]:
    """What comes off SPDY. Underscores stand for hyphens."""
    named = {name.replace("_", "-").encode(): value for name, value in others.items()}
    return {b":status": status, b":version": b"HTTP/1.1", **named}


def test_a_small_reply() -> None:
    head = reply_head(fields(content_type=b"text/plain", content_length=b"5", x_a=b"b"))
    assert (head.status, head.reason, head.length, head.body_length, head.has_date) == (200, b"OK", 5, 5, False)
    assert head.fields == [(b"content-type", b"text/plain"), (b"content-length", b"5"), (b"x-a", b"b")]
    assert not head.is_bodiless
    assert head.note is None
    assert "200" in repr(head)


@each(
    ("status", "number", "reason"),
    [
        (b"200", 200, b"OK"),
        (b"200 Fine by me", 200, b"Fine by me"),
        (b"404 \xc3\xa9\t!", 404, b"\xc3\xa9\t!"),
        (b"299", 299, b""),
        (b"299 ", 299, b""),
        (b"599 " + b"x" * 1000, 599, b"x" * 1000),
        (b"101", 101, b"Switching Protocols"),
    ],
)
def test_status(status: bytes, number: int, reason: bytes) -> None:
    for _ in range(2):
        head = reply_head(fields(status))
        assert (head.status, head.reason) == (number, reason)


@each(
    "status",
    [
        *(b"", b"20", b"2000", b"OK", b"0200", b" 200", b"+20", b"2_0", b"\xb2\xb2\xb2", b"200OK", b"200\x00200"),
        *(b"200 \r\nx: y", b"200 a\nb", b"200 \x7f", b"099", b"600", b"999", b"100", b"102", b"103", b"199"),
    ],
)
def test_invalid_status(status: bytes) -> None:
    for _ in range(2):
        with pytest.raises(ReplyError):
            reply_head(fields(status))


def test_no_status() -> None:
    with pytest.raises(ReplyError):
        reply_head({b"content-length": b"0"})


def test_version_and_order_do_not_matter() -> None:
    for _ in range(2):
        assert reply_head({b"x": b"y", b":status": b"204", b"z": b""}).fields == [(b"x", b"y"), (b"z", b"")]
        assert reply_head({b":version": b"HTTP/1.1", b":status": b"204"}).fields == []
        assert reply_head({b":status": b"204", b"x": b"y", b":version": b"HTTP/1.1"}).fields == [(b"x", b"y")]
        assert reply_head({b":status": b"204"}).fields == []


def test_several_values_are_several_fields() -> None:
    head = reply_head(fields(set_cookie=b"a=1\x00b=2\x00c=3", x=b"y"))
    assert head.fields == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"set-cookie", b"c=3"), (b"x", b"y")]


def test_a_date_of_the_worker_is_known() -> None:
    assert reply_head(fields(date=b"then")).has_date


def test_hop_by_hop_fields_stay_here() -> None:
    for _ in range(2):
        head = reply_head(
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
            )
        )
        assert head.fields == [(b"x-left", b"3"), (b"content-length", b"0")]
        # What one reply nominates, is nothing to another.
        assert reply_head(fields(x_secret=b"1")).fields == [(b"x-secret", b"1")]


@each(
    "value", [b"a\r\nb: c", b"a\rb", b"a\nb", b"\r\n", b"a\x01", b"a\x7f", b"a\x00b\n", b"a\r\n\r\nb", b"a\r", b"\x0b"]
)
@each("name", ["x_a", "set_cookie", "date"])
def test_control_characters_in_a_value(name: str, value: bytes) -> None:
    reply_head(fields(**{name: b"good"}))
    for _ in range(2):
        with pytest.raises(ReplyError):
            reply_head(fields(**{name: value}))


@each("name", [b"", b"X-A", b"x a", b"x:", b":x", b":path", b"x\r\ny", b"x\n", b"\xe9", b"x\x00"])
def test_malformed_names(name: bytes) -> None:
    for _ in range(2):
        with pytest.raises(ReplyError):
            reply_head({**fields(), name: b"v"})


def test_names_that_nobody_knows_still_cross() -> None:
    for index in range(3000):
        name = b"x-%d" % index
        assert reply_head({**fields(b"200 %d" % index), name: b"v"}).fields == [(name, b"v")]
    long = b"x" * 1000
    assert reply_head({**fields(), long: b"v"}).fields == [(long, b"v")]


@each(
    "length", [b"", b"-1", b"+1", b"1 ", b"0x1", b"1_0", b"1,1", b"1\x001", b"1\x002", b"%d" % (MAX_CONTENT_LENGTH + 1)]
)
@each("status", [b"200", b"204", b"304", b"101"])
def test_bad_content_length(status: bytes, length: bytes) -> None:
    with pytest.raises(ReplyError):
        reply_head(fields(status, content_length=length))


@each(
    ("status", "length", "body_length", "crosses"),
    [
        (b"200", 5, 5, True),
        (b"304", 5, None, True),
        (b"204", None, None, False),
        (b"101", None, None, False),
    ],
)
def test_content_length(status: bytes, length: int | None, body_length: int | None, crosses: bool) -> None:
    head = reply_head(fields(status, content_length=b"5"))
    assert (head.length, head.body_length) == (length, body_length)
    assert ((b"content-length", b"5") in head.fields) is crosses
    assert head.is_bodiless is (status != b"200")


def test_content_length_of_hugest_size() -> None:
    assert reply_head(fields(content_length=b"%d" % MAX_CONTENT_LENGTH)).length == MAX_CONTENT_LENGTH


def test_a_head_that_is_made_already_stays_as_it_is() -> None:
    head = reply_head(fields())
    assert reply_head(head) is head


def test_a_reply_of_the_routers_own() -> None:
    head = ReplyHead.of(404, [(b"content-length", b"3"), (b"date", b"today")])
    assert (head.status, head.reason, head.length, head.body_length, head.has_date) == (404, b"Not Found", 3, 3, True)
    assert (ReplyHead.of(599, []).reason, ReplyHead.of(599, []).length) == (b"", None)


# --- bodies


def body(method: bytes = b"GET", status: bytes = b"200", **others: bytes) -> ReplyBody:
    return ReplyBody(reply_head(fields(status, **others)), method)


def test_a_body_of_the_length_it_said() -> None:
    account = body(content_length=b"5")
    assert account.is_framed
    account.receive(3)
    assert "left=2" in repr(account)
    account.receive(2)
    account.receive(0)
    account.end()


def test_a_body_longer_than_its_content_length() -> None:
    account = body(content_length=b"5")
    account.receive(5)
    with pytest.raises(ReplyError):
        account.receive(1)
    account.end()


def test_a_body_shorter_than_its_content_length() -> None:
    account = body(content_length=b"5")
    account.receive(4)
    with pytest.raises(ReplyError, match="1 bytes shorter"):
        account.end()


def test_a_body_of_any_length() -> None:
    account = body()
    assert account.is_framed
    assert "any length" in repr(account)
    account.receive(2**70)
    account.end()


@each(("method", "status"), [(b"HEAD", b"200"), (b"GET", b"204"), (b"GET", b"304"), (b"GET", b"101")])
@each("named", [{}, {"content_length": b"5"}])
def test_no_body_whatever_the_worker_sends(method: bytes, status: bytes, named: dict[str, bytes]) -> None:
    account = body(method, status, **named)
    assert not account.is_framed
    account.receive(9)
    account.end()


# --- trailers and interim replies


def test_trailers() -> None:
    trailers = {
        b"x-sum": b"1\x002",
        b"content-length": b"5",
        b"x-forwarded-for": b"a",
        b"set-cookie": b"a",
        b":x": b"y",
        b"etag": b'"\xe9"',
    }
    assert check_trailers(trailers) == [(b"x-sum", b"1"), (b"x-sum", b"2"), (b"etag", b'"\xe9"')]
    assert check_trailers({}) == []


@each(("name", "value"), [(b"x", b"a\r\nb"), (b"x", b"a\x01"), (b"X", b"a"), (b"x y", b"a"), (b"", b"a")])
def test_malformed_trailers(name: bytes, value: bytes) -> None:
    with pytest.raises(ReplyError):
        check_trailers({name: value})


@each(("text", "status"), [(b"100", 100), (b"100 Continue", 100), (b"103 Early Hints", 103)])
def test_interim_replies(text: bytes, status: int) -> None:
    assert interim_status({b":status": text}) == status


@each("text", [b"101", b"102", b"104", b"200", b"1000", b"10", b"", b"100\r\n", b"100 \x00"])
def test_what_is_no_interim_reply(text: bytes) -> None:
    with pytest.raises(ReplyError):
        interim_status({b":status": text})


def test_trailers_before_the_reply_are_no_interim_reply() -> None:
    with pytest.raises(ReplyError):
        interim_status({b"x-sum": b"1"})


def test_what_crosses_of_early_hints() -> None:
    fields = {
        b":status": b"103",
        b":version": b"HTTP/1.1",
        b"link": b"</a>\x00</b>",
        b"content-length": b"7",
        b"connection": b"x-hop",
        b"x-hop": b"1",
    }
    assert hint_fields(fields) == [(b"link", b"</a>"), (b"link", b"</b>")]
    for name, value in ((b"link", b"a\r\nb"), (b"a b", b"1")):
        with pytest.raises(ReplyError):
            hint_fields({b":status": b"103", name: value})


@each(
    ("content_type", "is_one"),
    [
        (b"text/event-stream", True),
        (b" Text/Event-Stream ; charset=utf-8", True),
        (b"text/event-stream2", False),
        (b"", False),
        (b"application/x;text/event-stream", False),
    ],
)
def test_a_stream_of_events_is_known_by_its_type(content_type: bytes, is_one: bool) -> None:
    assert is_event_stream(content_type) is is_one
