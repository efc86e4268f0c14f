"""What of heads is taken natively, and what is declined: the limits first. That it is the same, tests/fuzz says."""

from typing import Any

import pytest
from tests.support.each import each

from zerogate.native import compiled
from zerogate.wire.http.reply import PlainReplyHead, ReplyHead
from zerogate.wire.http.request import PlainRequestHead, RequestHead
from zerogate.wire.http1.heads import native_reader
from zerogate.wire.http1.limits import HttpLimits
from zerogate.wire.spdy.headers import encode_block

pytestmark = pytest.mark.skipif(not compiled.IS_ON, reason="nothing is compiled")

FIRST = b"GET /a?b HTTP/1.1\r\n"
HEAD = FIRST + b"Host: a.b:80\r\n\r\n"
MAX_NAME_BYTES = 64
MAX_LINES = 64


def with_lines(lines: bytes, first: bytes = FIRST) -> bytes:
    return first + b"Host: a\r\n" + lines + b"\r\n"


def is_taken(octets: bytes, **limits: Any) -> bool:
    return native_reader(HttpLimits(**limits))(octets) is not None


@each("method", [b"GET", b"POST", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"])
def test_usual_methods(method: bytes) -> None:
    head = native_reader(HttpLimits())(HEAD.replace(b"GET", method))
    assert head is not None
    assert (head.method, head.target, head.path, head.host) == (method, b"/a?b", b"/a", b"a.b:80")


@each(
    "lines",
    [
        b"Connection: close\r\n",
        b"connection:KEEP-ALIVE\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: 5\r\n",
        b"X:\r\n",
        b"X: \t a\tb \xff \t\r\n",
        b"x_y: 1\r\nProxy: 1\r\nX-Forwarded-For: 1\r\nx-forwarded-: 1\r\n",
        b"n" * MAX_NAME_BYTES + b": 1\r\n",
        b"!#$%&'*+-.^_`|~09azAZ: 1\r\n",
        b"".join(b"x-%d: 1\r\n" % number for number in range(MAX_LINES - 1)),
    ],
)
def test_what_is_taken(lines: bytes) -> None:
    assert is_taken(with_lines(lines))


@each(
    "lines",
    [
        b"Host: b\r\n",
        b"x: 1\r\nX: 2\r\n",
        b"Connection: x-a\r\n",
        b"Connection: close, TE\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Upgrade: websocket\r\n",
        b"TE: trailers\r\n",
        b"Keep-Alive: 5\r\n",
        b"Proxy-Connection: close\r\n",
        b"Content-Length: 05\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: " + b"1" * 19 + b"\r\n",
        b"x : 1\r\n",
        b": 1\r\n",
        b"x\r\n",
        b"x: 1\n",
        b"x: 1\r",
        b"x: \r1\r\n",
        b"x: 1\r\n 2\r\n",
        b"x: \x01\r\n",
        b"x: \x7f\r\n",
        b"x: \x00\r\n",
        b"\xc3\xa9: 1\r\n",
        b"n" * (MAX_NAME_BYTES + 1) + b": 1\r\n",
        b"".join(b"x-%d: 1\r\n" % number for number in range(MAX_LINES)),
        b"\r\nx: 1\r\n",
    ],
)
def test_what_is_declined(lines: bytes) -> None:
    assert not is_taken(with_lines(lines))


@each(
    "octets",
    [
        b"",
        b"\r\n\r\n",
        HEAD[:-1],
        HEAD[:-2],
        HEAD + b"x",
        HEAD + HEAD,
        b"\r\n" + HEAD,
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"),
        HEAD.replace(b"GET", b"get"),
        HEAD.replace(b"GET", b"TRACE"),
        HEAD.replace(b"/a", b"a"),
        HEAD.replace(b"/a", b"http://a/a"),
        HEAD.replace(b"/a", b"/a#"),
        HEAD.replace(b"/a", b"/\x7f"),
        HEAD.replace(b"/a", b"/\xff"),
        HEAD.replace(b"/a", b"/a b"),
        HEAD.replace(b"a.b:80", b""),
        HEAD.replace(b"a.b:80", b"a.b:65536"),
        HEAD.replace(b"a.b:80", b"a.b:000080"),
        HEAD.replace(b"a.b:80", b"a,b"),
        HEAD.replace(b"a.b:80", b"[::1]"),
        HEAD.replace(b"a.b:80", b"a" * 261),
        FIRST + b"\r\n" + b" " * 20 + b"\r\n\r\n",
        FIRST + b"x: 1\r\n\r\n",
    ],
)
def test_other_heads_are_declined(octets: bytes) -> None:
    assert not is_taken(octets)


def test_each_limit_is_kept_to_the_octet() -> None:
    assert is_taken(HEAD, max_head_bytes=len(HEAD))
    assert not is_taken(HEAD, max_head_bytes=len(HEAD) - 1)
    assert is_taken(HEAD, max_target_bytes=len(b"/a?b"))
    assert not is_taken(HEAD, max_target_bytes=len(b"/a?b") - 1)
    three = with_lines(b"x: 1\r\nConnection: close\r\n")
    assert is_taken(three, max_fields=3)
    assert not is_taken(three, max_fields=2)
    body = with_lines(b"Content-Length: 10\r\n")
    assert is_taken(body, max_body_bytes=10)
    assert not is_taken(body, max_body_bytes=9)


def test_names_come_back_when_others_have_taken_their_places() -> None:
    read = native_reader(HttpLimits())
    head = read(with_lines(b"X-Own: 1\r\nAccept: 2\r\n"))
    assert head is not None
    for number in range(3000):
        assert read(with_lines(b"x-%d: 1\r\n" % number)) is not None
    assert head.fields == [(b"x-own", b"1"), (b"accept", b"2")]


@pytest.mark.parametrize("kind", [RequestHead, PlainRequestHead])
def test_a_requests_head_is_the_same_by_either_class(kind: type[PlainRequestHead]) -> None:
    empty = kind()
    assert (empty.method, empty.target, empty.host, empty.fields, empty.note) == (b"", b"", b"", [], None)
    assert (empty.minor_version, empty.keep_alive, empty.has_body, empty.content_length) == (1, False, False, None)
    head = kind(b"PUT", b"/a?b", b"/a", b"h", 0, [(b"x", b"y")], 9, True, 5, False, True, b"websocket")
    assert (head.path, head.size_bytes, head.has_body, head.expects_continue) == (b"/a", 9, True, True)
    assert kind(is_chunked=True).has_body
    assert repr(head) == "<RequestHead b'PUT' b'/a?b' host=b'h' HTTP/1.0>"
    head.fields = []
    assert head.fields == []


@pytest.mark.parametrize("kind", [ReplyHead, PlainReplyHead])
def test_a_replys_head_is_the_same_by_either_class(kind: type[PlainReplyHead]) -> None:
    own = kind.of(404, [(b"content-length", b"3"), (b"date", b"now")])
    assert (own.status, own.reason, own.length, own.body_length, own.has_date) == (404, b"Not Found", 3, 3, True)
    assert kind.of(200, []).length is None
    bodiless = kind(304, b"", [(b"x", b"y")], 5, False)
    assert (bodiless.is_bodiless, bodiless.length, bodiless.body_length, bodiless.note) == (True, 5, None, None)
    assert repr(bodiless) == "<ReplyHead 304 length=5>"
    assert bodiless.fields == [(b"x", b"y")]


def test_fields_of_one_that_was_read_can_be_set() -> None:
    head = native_reader(HttpLimits())(HEAD)
    assert head is not None
    head.fields = [(b"x", b"y")]
    assert head.fields == [(b"x", b"y")]
    assert compiled.find("blocks", "has_claims")(head) is None


def test_many_values_of_a_reply_are_lines_of_their_own() -> None:
    head = compiled.find("heads", "read_reply")(
        encode_block({b":status": b"200", b":version": b"HTTP/1.1", b"x": b"a\0bb\0c", b"y": b""})
    )
    assert head.note == b"HTTP/1.1 200 OK\r\nx: a\r\nx: bb\r\nx: c\r\ny: "
    assert head.fields == [(b"x", b"a"), (b"x", b"bb"), (b"x", b"c"), (b"y", b"")]
