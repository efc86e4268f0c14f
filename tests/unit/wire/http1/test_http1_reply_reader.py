"""Replies of servers, read: what frames them, what crosses, and what is refused."""

import pytest
from httptools import HttpParserCallbackError
from tests.support.each import each

from zerogate.errors import ReplyError
from zerogate.native import compiled
from zerogate.wire.http1 import reply_reader
from zerogate.wire.http1.reply_reader import (
    LIMITS,
    MAX_INTERIM,
    Event,
    Interim,
    Reading,
    ReplyEnd,
    ReplyReader,
    ServerHead,
)

END = ReplyEnd([])
OK = b"HTTP/1.1 200 OK\r\n"


def expecting(method: bytes = b"GET") -> ReplyReader:
    reader = ReplyReader()
    reader.expect(method)
    return reader


def read(data: bytes, method: bytes = b"GET", *, step: int = 0) -> list[Event]:
    """What one reply says, in pieces of `step` octets; bodies are joined."""
    reader = expecting(method)
    events: list[Event] = []
    for at in range(0, len(data), step or len(data)):
        for event in reader.receive(data[at : at + (step or len(data))]):
            if isinstance(event, bytes) and events and isinstance(events[-1], bytes):
                events[-1] += event
            else:
                events.append(event)
    return events


def head(*fields: tuple[bytes, bytes], status: int = 200, has_trailers: bool = False) -> ServerHead:
    return ServerHead(status, [*fields], has_trailers, b"")


LENGTH = (b"content-length", b"5")

# Octets, method, and what they say.
GOOD: list[tuple[bytes, bytes, list[Event]]] = [
    (OK + b"Content-Length: 5\r\n\r\nhello", b"GET", [head(LENGTH), b"hello", END]),
    (OK + b"Content-Length: 5\r\n\r\n", b"HEAD", [head(LENGTH), END]),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"HEAD", [head(), END]),
    (OK + b"content-length: 0\r\n\r\n", b"GET", [head((b"content-length", b"0")), END]),
    (b"HTTP/1.1 204\r\nA: b \r\n\r\n", b"DELETE", [head((b"a", b"b"), status=204), END]),
    (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", b"GET", [head(LENGTH, status=304), END]),
    (OK + b"transfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"GET", [head(), b"hello", END]),
    (
        OK + b"trailer: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n",
        b"GET",
        [head((b"trailer", b"x"), has_trailers=True), b"hello", ReplyEnd([(b"x", b"y")])],
    ),
    (OK + b"connection: close, x\r\nx: 1\r\ny: 2\r\n\r\nhel", b"GET", [head((b"y", b"2")), b"hel"]),
    (
        OK + b"connection: content-length\r\ncontent-length: 5\r\n\r\nhello",
        b"GET",
        [head(LENGTH), b"hello", END],
    ),
    (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: </a>\r\n\r\n" + OK + b"content-length: 0\r\n\r\n",
        b"GET",
        [Interim(100, []), Interim(103, [(b"link", b"</a>")]), head((b"content-length", b"0")), END],
    ),
    (
        b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nx: y\r\n\r\n\x81\x00",
        b"GET",
        [ServerHead(101, [(b"x", b"y")], False, b"websocket"), b"\x81\x00"],
    ),
    (OK + b"set-cookie: a\r\nset-cookie: b\r\ncontent-length: 0\r\n\r\n", b"GET", [
        head((b"set-cookie", b"a"), (b"set-cookie", b"b"), (b"content-length", b"0")), END,
    ]),
]  # fmt: skip

BAD = [
    (b"SSH-2.0-x\r\n", "not HTTP"),
    (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "not HTTP"),
    (b"HTTP/2.0 200 OK\r\n\r\n", "not HTTP"),
    (b"HTTP/1.2 200 OK\r\n\r\n", "status line"),
    (b"HTTP/1.1 2000 OK\r\n\r\n", "status line"),
    (b"HTTP/1.1 600 OK\r\n\r\n", "status line"),
    (OK + b"a: b\n\r\n\r\n", "bare"),
    (OK + b"a: b\r\n\r\n"[:-3] + b"\x00\r\n\r\n", "bare"),
    (OK + b" a: b\r\n\r\n", "malformed field"),
    (OK + b"a: b\r\n c\r\n\r\n", "malformed field"),
    (OK + b"a : b\r\n\r\n", "malformed field"),
    (OK + b"no colon\r\n\r\n", "malformed field"),
    (OK + b"content-length: 5\r\ncontent-length: 5\r\n\r\n", "Content-Length"),
    (OK + b"content-length: +5\r\n\r\n", "Content-Length"),
    (OK + b"content-length: 99999999999999999999\r\n\r\n", "Content-Length"),
    (OK + b"content-length: 9223372036854775808\r\n\r\n", "Content-Length"),
    (OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", "Transfer-Encoding"),
    (OK + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n", "Content-Length"),
    (OK + b"transfer-encoding: gzip, chunked\r\n\r\n", "coding"),
    (OK + b"transfer-encoding: identity\r\n\r\n", "coding"),
    (OK + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n", "coding"),
    (b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "HTTP/1.0"),
    (OK + b"transfer-encoding: chunked\r\n\r\nx\r\n", "chunk size"),
    (OK + b"transfer-encoding: chunked\r\n\r\n1\r\nab\r\n", "longer"),
    (OK + b"a: b\r\n" * (LIMITS.max_fields + 1) + b"\r\n", "too many fields"),
    (OK + b"a: " + b"b" * LIMITS.max_head_bytes, "too large"),
    (b"HTTP/1.1 102 Processing\r\n\r\n" * (MAX_INTERIM + 1), "interim"),
]


@each(("data", "method", "events"), GOOD)
@each("step", [0, 1, 2, 3, 7])
def test_what_a_reply_says(data: bytes, method: bytes, events: list[Event], step: int) -> None:
    assert read(data, method, step=step) == events


@each(("data", "reason"), BAD)
@each("step", [0, 1, 1000])
def test_what_is_refused(data: bytes, reason: str, step: int) -> None:
    if step == 1 and len(data) > 10_000:
        step = 100
    with pytest.raises(ReplyError, match=reason):
        read(data, step=step)


@each(
    ("data", "keeps", "keep_s"),
    [
        (OK + b"content-length: 0\r\n\r\n", True, None),
        (OK + b"content-length: 0\r\nkeep-alive: timeout=5, max=9\r\n\r\n", True, 5),
        (OK + b"content-length: 0\r\nconnection: Close\r\n\r\n", False, None),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", False, None),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n", True, None),
        (OK + b"content-length: 0\r\n\r\nx", False, None),
        (OK + b"content-length: 1\r\n\r\nxHTTP/1.1 200", False, None),
        (b"HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", False, None),
        (OK + b"\r\n", False, None),
    ],
)
def test_whether_the_connection_may_be_used_again(data: bytes, keeps: bool, keep_s: int | None) -> None:
    reader = expecting()
    reader.receive(data)
    assert (reader.may_be_kept, reader.keep_s) == (keeps, keep_s)


def test_one_reply_after_the_other() -> None:
    reader = expecting(b"HEAD")
    assert not reader.has_begun
    assert reader.receive(OK + b"content-length: 5\r\n\r\n") == [head(LENGTH), END]
    assert reader.has_begun
    assert reader.state is Reading.DONE
    reader.expect(b"GET")
    assert not reader.has_begun
    assert reader.receive(OK + b"content-length: 5\r\n\r\nhello")[1:] == [b"hello", END]
    assert repr(reader) == "<ReplyReader DONE>"


def test_the_end_of_the_connection() -> None:
    reader = expecting()
    with pytest.raises(ReplyError, match="before the reply"):
        reader.end()
    reader = expecting()
    reader.receive(b"HT")
    with pytest.raises(ReplyError, match="incomplete"):
        reader.end()
    for framing in (b"content-length: 5\r\n\r\nhell", b"transfer-encoding: chunked\r\n\r\n5\r\nhell"):
        reader = expecting()
        reader.receive(OK + framing)
        with pytest.raises(ReplyError, match="incomplete"):
            reader.end()
    reader = expecting()
    reader.receive(OK + b"\r\nhello")
    assert reader.end() == [END]
    assert reader.state is Reading.DONE
    assert reader.end() == []
    reader = expecting()
    reader.receive(b"HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n")
    assert reader.end() == []


def test_a_bug_of_ours_is_no_fault_of_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(sink: object, name: bytes, value: bytes) -> None:
        raise ArithmeticError

    monkeypatch.setattr(reply_reader, "_read_natively", compiled.decline)
    monkeypatch.setattr(reply_reader._Sink, "on_header", fail)
    with pytest.raises(HttpParserCallbackError):
        read(OK + b"a: b\r\n\r\n")


def test_framing_does_not_lean_on_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")]
    monkeypatch.setattr(reply_reader, "_read_natively", compiled.decline)
    monkeypatch.setattr(reply_reader, "_parse_fields", lambda block: fields)
    with pytest.raises(ReplyError, match="both Content-Length and Transfer-Encoding"):
        read(OK + b"\r\n")
