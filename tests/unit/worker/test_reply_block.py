"""The blocks of replies: what an application may say, and that it is said as it was."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.each import each
from zerogate.wire.spdy.headers import MAX_BLOCK_BYTES, decode_block, merge_fields
from zerogate.worker.errors import ApplicationError
from zerogate.worker.reply_block import (
    _MAX_NAME_BYTES,
    _MAX_NAMES,
    _starts,
    early_hints_block,
    encode_reply,
    is_event_stream_block,
    reply_block,
    switching_block,
    trailers_block,
)

OWN = {b":status": b"200", b":version": b"HTTP/1.1"}


def test_a_reply() -> None:
    headers = [(b"Content-Type", b"text/plain"), (b"content-length", b"2"), (b"x-empty", b"")]
    expected = {b"content-type": b"text/plain", b"content-length": b"2", b"x-empty": b""}
    assert decode_block(reply_block(200, headers)) == {**OWN, **expected}


@each("status", [200, 204, 299, 404, 500, 599])
def test_statuses(status: int) -> None:
    assert decode_block(reply_block(status, []))[b":status"] == b"%d" % status


@each("status", [0, 99, 100, 101, 199, 600, 1000, -200, "200", None, b"200"])
def test_what_is_no_status(status: Any) -> None:
    with pytest.raises(ApplicationError, match="status"):
        reply_block(status, [])


def test_repeated_names_are_joined() -> None:
    headers = [(b"Set-Cookie", b"a=1"), (b"x", b"y"), (b"set-cookie", b"b=2"), (b"SET-COOKIE", b"")]
    assert decode_block(reply_block(200, headers)) == {**OWN, b"set-cookie": b"a=1\0b=2", b"x": b"y"}


def test_space_around_values_is_no_part_of_them() -> None:
    assert decode_block(reply_block(200, [(b"x", b" \ta\tb \t")]))[b"x"] == b"a\tb"


@each("make", [lambda headers: reply_block(200, headers), trailers_block])
@each(
    "header",
    [(b"", b"v"), (b"a b", b"v"), (b":status", b"204"), (b"a:", b"v"), (b"\xe9", b"v"), (b"a\0", b"v"), (b"a\n", b"v")]
    + [(b"a", b"b\r\nc: d"), (b"a", b"\0"), (b"a", b"b\0c"), (b"a", b"\x7f"), (b"a", b"\x1f"), (b"a", b"b\n")]
    + [("a", b"b"), (b"a", "b"), (b"a", None), (None, b"b"), (1, 2), (b"a", bytearray(b"b"))],
)
def test_what_http_does_not_allow(make: Any, header: Any) -> None:
    with pytest.raises(ApplicationError, match="header"):
        make([header])


@pytest.mark.parametrize("make", [lambda headers: reply_block(200, headers), trailers_block], ids=["head", "trailers"])
def test_what_no_router_would_take(make: Any) -> None:
    room = MAX_BLOCK_BYTES - len(make([(b"x", b"")]))
    assert len(make([(b"x", b"v" * room)])) == MAX_BLOCK_BYTES
    with pytest.raises(ApplicationError, match="65537 bytes of headers, over the limit of 65536"):
        make([(b"x", b"v" * (room + 1))])


def test_headers_may_be_lists_and_any_iterable() -> None:
    headers: Any = [[b"a", b"1"], [b"b", b"2"]]
    expected = {**OWN, b"a": b"1", b"b": b"2"}
    assert decode_block(reply_block(200, headers)) == expected
    assert decode_block(reply_block(200, iter([(b"a", b"1"), (b"b", b"2")]))) == expected


def test_what_looks_like_a_known_name_is_no_name() -> None:
    encode_reply(200, [(b"x-known", b"1")])
    headers: Any = [(memoryview(b"x-known"), b"1")]
    with pytest.raises(ApplicationError, match="header"):
        encode_reply(200, headers)


@each("size", [1023, 1024, 2000])
def test_values_of_any_length(size: int) -> None:
    for _ in range(2):  # Once its name is new, and once it is known.
        assert decode_block(encode_reply(200, [(b"x-Long", b"v" * size)]))[b"x-long"] == b"v" * size


def test_as_many_headers_as_names_are_remembered() -> None:
    headers = [(b"x-%d" % number, b"v") for number in range(_MAX_NAMES)]
    _starts.clear()
    for _ in range(2):
        assert decode_block(encode_reply(200, headers)) == {**OWN, **dict(headers)}


def test_names_are_remembered_within_bounds() -> None:
    for number in range(3 * _MAX_NAMES):
        encode_reply(200, [(b"X-%d" % number, b"v")])
        assert len(_starts) <= _MAX_NAMES
    assert b"X-%d" % (3 * _MAX_NAMES - 1) in _starts
    encode_reply(200, [(b"x" * (_MAX_NAME_BYTES + 1), b"v")])
    assert max(map(len, _starts)) <= _MAX_NAME_BYTES
    with pytest.raises(ApplicationError, match="header"):
        encode_reply(200, [(b"x-1 ", b"v")])
    assert b"x-1 " not in _starts


def test_a_list_that_is_changed_afterwards_is_another_reply() -> None:
    headers = [(b"a", b"1")]
    reply_block(200, headers)
    headers.append((b"b", b"2"))
    assert b"b" in decode_block(reply_block(200, headers))


def test_obs_text_crosses() -> None:
    assert decode_block(reply_block(200, [(b"x", b"caf\xe9")]))[b"x"] == b"caf\xe9"


def test_more_replies_than_are_kept() -> None:
    for _ in range(2):
        for number in range(600):
            headers = [(b"etag", b"%d" % number), (b"x", b"v" * (number * 4))]
            assert decode_block(reply_block(200, headers))[b"etag"] == b"%d" % number


def test_early_hints() -> None:
    own = {b":status": b"103", b":version": b"HTTP/1.1"}
    assert decode_block(early_hints_block([b"</a>; rel=preload", b"</b>"])) == own | {
        b"link": b"</a>; rel=preload\x00</b>"
    }
    assert decode_block(early_hints_block([])) == own
    with pytest.raises(ApplicationError):
        early_hints_block([b"a\r\nb"])


def test_trailers() -> None:
    assert decode_block(trailers_block([(b"X-Sum", b"1"), (b"x-sum", b"2")])) == {b"x-sum": b"1\x002"}
    assert decode_block(trailers_block([])) == {}


names = st.text("abcXYZ019-_.~!#$%&'*+^`|", min_size=1, max_size=8).map(str.encode)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=12)


@given(st.lists(st.tuples(names, values.map(lambda value: value.encode("latin-1"))), max_size=8))
def test_whatever_is_allowed(headers: list[tuple[bytes, bytes]]) -> None:
    expected = merge_fields((name.lower(), value.strip(b" \t")) for name, value in headers)
    assert decode_block(reply_block(200, headers)) == {**OWN, **expected}


@each(
    ("headers", "is_one"),
    [
        ([(b"content-type", b"text/event-stream")], True),
        ([(b"a", b"b"), (b"Content-Type", b"Text/Event-Stream; charset=utf-8"), (b"c", b"d")], True),
        ([(b"content-type", b"text/event-streams")], False),
        ([(b"x-content-type", b"text/event-stream")], False),
        ([(b"vary", b"text/event-stream")], False),
        ([], False),
    ],
)
def test_a_stream_of_events_is_known_by_its_block(headers: list[tuple[bytes, bytes]], is_one: bool) -> None:
    assert is_event_stream_block(reply_block(200, headers)) is is_one


def test_a_101() -> None:
    fields = decode_block(switching_block([(b"X-A", b"1"), (b"x-a", b"2")]))
    assert fields == {b":status": b"101", b":version": b"HTTP/1.1", b"x-a": b"1\x002"}
    with pytest.raises(ApplicationError):
        switching_block([(b"a", b"\n")])
