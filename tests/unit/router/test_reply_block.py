"""What a worker's SYN_REPLY is read as."""

import pytest

from tests.support.each import each
from zerogate.errors import SpdyError
from zerogate.router.reply_block import read_in_python, read_reply_block, read_usual
from zerogate.wire.http.reply import reply_head
from zerogate.wire.http1.writer import head_text
from zerogate.wire.spdy.headers import HeaderFieldError, decode_in_python, encode_block

OWN = {b":status": b"200 Fine", b":version": b"HTTP/1.1"}
USUAL = {**OWN, b"content-length": b"2", b"set-cookie": b"a=1\0b=2", b"date": b"today"}
FIELDS = [(b"content-length", b"2"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"date", b"today")]


def test_a_usual_reply() -> None:
    head = reply_head(read_reply_block(encode_block(USUAL)))
    assert (head.status, head.reason, head.length, head.body_length, head.has_date) == (200, b"Fine", 2, 2, True)
    assert head.fields == FIELDS
    assert head_text(head) == b"HTTP/1.1 200 Fine\r\n" + b"\r\n".join(b": ".join(pair) for pair in FIELDS)


def test_where_nothing_is_compiled_a_usual_reply_has_known_names() -> None:
    fields = {b":status": b"200", b":version": b"HTTP/1.1", b"content-length": b"2", b"date": b"today"}
    raw = encode_block(fields)
    reply_head(decode_in_python(encode_block({**fields, b"date": b"a\0b"})))  # From now on the names are known.
    made = read_usual(raw)
    assert made is not None
    assert (made.status, made.reason, made.length, made.has_date) == (200, b"OK", 2, True)
    assert made.fields == [(b"content-length", b"2"), (b"date", b"today")]
    endless = read_usual(encode_block({b":status": b"200", b":version": b"HTTP/1.1", b"date": b"today"}))
    assert endless is not None
    assert (endless.length, endless.fields) == (None, [(b"date", b"today")])
    twice = read_usual(encode_block({**fields, b"date": b"a\0b"}))
    assert twice is not None
    assert twice.fields == [(b"content-length", b"2"), (b"date", b"a"), (b"date", b"b")]
    for more in ({b":status": b"200 OK"}, {b":path": b"/"}, {b"content-length": b"x"}):
        assert read_usual(encode_block({**fields, **more})) is None
    assert read_usual(encode_block({**fields, b":status": b"204"})) is None
    assert read_usual(raw + raw[4:]) is None
    assert read_in_python(encode_block({**fields, b"x-new": b"1"})) == {**fields, b"x-new": b"1"}


@each(
    "more",
    [
        {b"connection": b"x-a", b"x-a": b"1"},
        {b"transfer-encoding": b"chunked"},
        {b":version": b"HTTP\x001.1"},
        {b"content-length": b"x"},
        {b":status": b"101"},
        {b":status": b"99"},
        {b":status": b"204", b"content-length": b"2"},
        {b"y" * 65: b"1"},
        {b"x-%d" % number: b"1" for number in range(70)},
    ],
)
def test_what_is_rare_or_wrong_is_read_carefully(more: dict[bytes, bytes]) -> None:
    fields = {**OWN, **more}
    assert read_reply_block(encode_block(fields)) == fields


def test_what_is_no_block_is_none() -> None:
    with pytest.raises(SpdyError):
        read_reply_block(b"\0\0\0\1")
    with pytest.raises(HeaderFieldError):
        read_reply_block(encode_block({**OWN, b"x": b"\n"}))
