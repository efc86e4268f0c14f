"""`start_response`, `write` and what is returned, by PEP 3333."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.each import each
from zerogate.wire.spdy.headers import decode_block
from zerogate.worker.errors import ApplicationError, ClientDisconnected
from zerogate.worker.wsgi_reply import WsgiReply

Headers = list[tuple[str, str]]


class Sink:
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heads: list[dict[bytes, bytes]] = []
        self.pieces: list[tuple[bytes, bool]] = []
        self.is_over = False

    def begin_reply(self, block: bytes, data: bytes, more: bool) -> None:
        self.heads.append(decode_block(block))
        self.send_body(data, more)

    def send_body(self, data: bytes, more: bool) -> None:
        if self.is_over:
            raise ClientDisconnected("the client has left")
        assert not self.is_complete, "something after the end"
        self.pieces.append((data, more))

    @property
    def is_complete(self) -> bool:
        return bool(self.pieces) and not self.pieces[-1][1]

    @property
    def body(self) -> bytes:
        return b"".join(data for data, _ in self.pieces)


def replied(
    result: Iterable[Any], headers: Headers | None = None, status: str = "200 OK", *, is_head: bool = False
) -> Sink:
    sink = Sink()
    reply = WsgiReply(sink, is_head=is_head)
    reply.start_response(status, headers or [])
    reply.send(result)
    assert reply.is_complete
    return sink


def length(n: int) -> Headers:
    return [("Content-Length", str(n))]


def test_a_list_is_a_whole() -> None:
    sink = replied([b"one", b"", b"two"], [("X-One", "é")])
    assert sink.heads == [{b":status": b"200", b":version": b"HTTP/1.1", b"x-one": b"\xe9", b"content-length": b"6"}]
    assert sink.pieces == [(b"onetwo", False)]
    assert replied((b"a",)).pieces == [(b"a", False)]
    assert replied([]).heads[0][b"content-length"] == b"0"
    assert replied([b"abc"], length(3)).heads[0][b"content-length"] == b"3"


def test_pieces_go_as_they_come() -> None:
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)
    reply.start_response("200 OK", [])

    def result() -> Iterator[bytes]:
        assert sink.pieces == []
        yield b""
        assert sink.heads == []  # an empty piece is no reason to send the head
        yield b"one"
        assert sink.pieces == [(b"one", True)]
        yield b"two"
        assert sink.pieces[1:] == [(b"two", True)]

    reply.send(result())
    assert sink.pieces[2:] == [(b"", False)]
    assert b"content-length" not in sink.heads[0]


def test_the_last_octet_of_the_length_is_the_end() -> None:
    """Whoever says the length need not wait for the application to come to its end."""
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)
    reply.start_response("200 OK", length(6))

    def result() -> Iterator[bytes]:
        yield b"one"
        assert not sink.is_complete
        yield b"two"
        assert sink.is_complete

    reply.send(result())
    assert sink.pieces == [(b"one", True), (b"two", False)]


def test_no_pieces_have_a_length_too() -> None:
    assert replied(iter([])).heads[0][b"content-length"] == b"0"
    assert replied(iter([b""]), length(0)).pieces == [(b"", False)]


@each("result", [[b"abcd"], iter([b"abcd"]), iter([b"ab", b"cd"]), [b"ab", b"cd"]])
def test_longer_than_said(result: Iterable[bytes]) -> None:
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)
    reply.start_response("200 OK", length(3))
    with pytest.raises(ApplicationError, match="longer than its Content-Length, by 1 bytes"):
        reply.send(result)
    assert not sink.is_complete


def test_longer_than_said_and_told_late() -> None:
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)
    reply.start_response("200 OK", length(3))
    with pytest.raises(ApplicationError, match="goes on after its Content-Length: what is more was dropped"):
        reply.send(iter([b"abc", b"d"]))
    assert sink.pieces == [(b"abc", False)]


@each("result", [[b"ab"], iter([b"ab"]), [], iter([])])
def test_shorter_than_said(result: Iterable[bytes]) -> None:
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)
    reply.start_response("200 OK", length(3))
    with pytest.raises(ApplicationError, match=r"shorter than its Content-Length, by [13] bytes"):
        reply.send(result)
    assert not sink.is_complete


@each(("status", "is_head"), [("200 OK", True), ("204 No Content", False), ("304 Not Modified", False)])
@each("headers", [[], length(700)])
def test_where_no_body_follows_none_is_sent_and_none_is_asked_for(status: str, is_head: bool, headers: Headers) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x"

    for result in (endless(), [b"xx"], [], iter([])):
        sink = replied(result, headers, status, is_head=is_head)
        assert sink.pieces == [(b"", False)]
        assert (b"content-length" in sink.heads[0]) == bool(headers)


def test_nothing_is_asked_for_when_nobody_is_there() -> None:
    sink = Sink()
    sink.is_over = True
    reply = WsgiReply(sink, is_head=False)
    reply.start_response("200 OK", [])
    asked = []

    def result() -> Iterator[bytes]:
        for number in range(9):
            asked.append(number)
            yield b""

    with pytest.raises(ClientDisconnected):
        reply.send(result())
    assert asked == [0]


def test_write() -> None:
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)
    write = reply.start_response("200 OK", [])
    write(b"")
    assert sink.heads == []
    write(b"one")
    write(cast(Any, bytearray(b"two")))
    reply.send(cast(Any, iter([memoryview(b"three")])))
    assert sink.pieces == [(b"one", True), (b"two", True), (b"three", True), (b"", False)]


def test_write_is_counted_too() -> None:
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)
    write = reply.start_response("200 OK", length(5))
    write(b"one")
    with pytest.raises(ApplicationError, match="by 2 bytes"):
        reply.send([b"four"])
    write(b"45")
    reply.send([])
    assert sink.pieces == [(b"one", True), (b"45", False)]


def test_writing_to_a_head_request() -> None:
    sink = Sink()
    reply = WsgiReply(sink, is_head=True)
    write = reply.start_response("200 OK", length(6))
    write(b"one")
    write(b"two")
    reply.send([])
    assert sink.pieces == [(b"", False)]


def exc_info() -> Any:
    try:
        raise KeyError("first")
    except KeyError:
        return sys.exc_info()


def test_another_head_instead() -> None:
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)
    reply.start_response("200 OK", length(7))
    reply.start_response("500 Oh", [("X-Two", "2")], exc_info())
    reply.send([b"no"])
    assert (sink.heads[0][b":status"], sink.heads[0][b"content-length"]) == (b"500", b"2")


def test_no_other_head_when_one_has_gone() -> None:
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)
    write = reply.start_response("200 OK", [])
    write(b"x")
    with pytest.raises(KeyError, match="first") as caught:
        reply.start_response("500 Oh", [], exc_info())
    assert [frame.name for frame in caught.traceback][-1] == "exc_info"
    # Without a word of what went wrong it is an error as well.
    with pytest.raises(ApplicationError, match="called twice"):
        reply.start_response("200 OK", [])


def test_the_first_head_may_come_with_an_error() -> None:
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)
    reply.start_response("500 Oh", [], exc_info())
    reply.start_response("503 Oh", [], (None, None, None))
    reply.send([])
    assert sink.heads[0][b":status"] == b"503"


@each(
    ("status", "headers"),
    [
        (200, []),
        (b"200 OK", []),
        ("OK", []),
        ("20 OK", []),
        ("2000", []),
        ("\u0662\u0660\u0660 OK", []),
        ("200 OK", [("a", 1)]),
        ("200 OK", [(b"a", b"1")]),
        ("200 OK", [("a",)]),
        ("200 OK", [("a", "\u20ac")]),
        ("200 OK", None),
        ("200 OK", [("content-length", "x")]),
        ("200 OK", [("content-length", "-1")]),
        ("200 OK", [("content-length", "1"), ("Content-Length", "1")]),
        ("200 OK", [("content-length", "9" * 19)]),
    ],
)
def test_heads_that_are_none_are_told_to_who_says_them(status: Any, headers: Any) -> None:
    with pytest.raises(ApplicationError):
        WsgiReply(Sink(), is_head=False).start_response(status, headers)


@each("headers", [[("a b", "1")], [("a", "1\r\nb: 2")], [("", "1")]])
def test_heads_that_would_be_another_are_not_sent(headers: Headers) -> None:
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)
    reply.start_response("200 OK", headers)
    with pytest.raises(ApplicationError):
        reply.send([b"x"])
    assert sink.heads == []


@each("status", ["100 Continue", "103 Early Hints", "600 Far"])
def test_no_reply_has_such_a_status(status: str) -> None:
    reply = WsgiReply(Sink(), is_head=False)
    reply.start_response(status, [])
    with pytest.raises(ApplicationError, match="is not one of 200 to 599"):
        reply.send([])


@each("result", [["text"], iter(["text"]), [7], "text"])
def test_a_body_is_bytes(result: Any) -> None:
    reply = WsgiReply(Sink(), is_head=False)
    reply.start_response("200 OK", [])
    with pytest.raises(ApplicationError, match="a body is bytes, not "):
        reply.send(result)


@each("result", [[], [b"x"], iter([b"x"]), iter([])])
def test_a_body_without_a_head(result: Iterable[bytes]) -> None:
    with pytest.raises(ApplicationError, match="before start_response was called"):
        WsgiReply(Sink(), is_head=False).send(result)


def test_a_head_that_comes_with_the_first_piece() -> None:
    """A generator is not begun before it is asked for its first."""
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)

    def application() -> Iterator[bytes]:
        reply.start_response("200 OK", [])
        yield b"x"

    reply.send(application())
    assert sink.body == b"x"


@given(
    pieces=st.lists(st.binary(max_size=5), max_size=6),
    said=st.none() | st.integers(0, 20),
    is_list=st.booleans(),
    n_written=st.integers(0, 3),
)
def test_a_reply_is_whole_or_an_error(pieces: list[bytes], said: int | None, is_list: bool, n_written: int) -> None:
    sink = Sink()
    reply = WsgiReply(sink, is_head=False)
    write = reply.start_response("200 OK", [] if said is None else length(said))
    written, rest = pieces[:n_written], pieces[n_written:]
    whole = b"".join(pieces)
    try:
        for piece in written:
            write(piece)
        reply.send(rest if is_list else iter(rest))
    except ApplicationError:
        assert said is not None
        assert said != len(whole)
        assert not sink.is_complete or sink.body == whole[:said]
    else:
        assert said is None or said == len(whole)
        assert sink.body == whole
        assert sink.is_complete
