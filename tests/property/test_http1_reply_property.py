"""Replies of servers, however they are cut, and whatever they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerogate.errors import ReplyError
from zerogate.wire.http1.reply_reader import Event, Reading, ReplyEnd, ReplyReader, ServerHead

METHODS = st.sampled_from([b"GET", b"HEAD", b"POST"])
BODIES = st.binary(max_size=40)
# What heads are made of, good and bad.
LINES = st.lists(
    st.sampled_from(
        [
            b"content-length: 3",
            b"Content-Length: 0",
            b"content-length: x",
            b"transfer-encoding: chunked",
            b"transfer-encoding: gzip",
            b"connection: close",
            b"connection: upgrade",
            b"upgrade: websocket",
            b"a: b",
            b" folded",
            b"a : b",
            b"bare\nlf: 1",
        ]
    ),
    max_size=4,
)
STATUS_LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.0 200", b"HTTP/1.1 103 Hints", b"HTTP/1.1 101 S", b"HTTP/1.1 204 ", b"ICY 200 OK"]
)
TAILS = st.sampled_from(
    [b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"3;x=y\r\nabc\r\n0\r\nt: u\r\n\r\n", b"zz\r\n", b"3\r\nabcd"]
)


@st.composite
def replies(draw: st.DrawFn) -> bytes:
    heads = draw(st.lists(st.tuples(STATUS_LINES, LINES), min_size=1, max_size=2))
    return b"".join(b"\r\n".join([line, *fields, b"", b""]) for line, fields in heads) + draw(TAILS)


def read(pieces: list[bytes], method: bytes) -> tuple[list[Event], str, Reading, bool]:
    """What they say, joined; the error, if any; and what the reader thinks at the end."""
    reader = ReplyReader()
    reader.expect(method)
    events: list[Event] = []
    error = ""
    try:
        for piece in pieces:
            for event in reader.receive(piece):
                if isinstance(event, bytes) and events and isinstance(events[-1], bytes):
                    events[-1] += event
                else:
                    events.append(event)
    except ReplyError as failed:
        error = failed.reason
    return events, error, reader.state, reader.may_be_kept


@given(replies() | st.binary(max_size=60), METHODS, st.data())
def test_any_cut_says_the_same(octets: bytes, method: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(octets) - 1)), max_size=6)))
    pieces = [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True) if a < b]
    whole, cut = read([octets] if octets else [], method), read(pieces, method)
    assert cut[1] == whole[1]
    if not whole[1]:
        assert cut == whole


@given(BODIES, st.lists(st.integers(1, 9), max_size=5))
def test_a_body_in_chunks_is_what_was_sent(body: bytes, sizes: list[int]) -> None:
    octets, rest = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", body
    for size in [*sizes, len(body)]:
        piece, rest = rest[:size], rest[size:]
        octets += b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
    events, error, state, may_be_kept = read([octets + b"0\r\n\r\n"], b"GET")
    assert (error, state, may_be_kept) == ("", Reading.DONE, True)
    assert isinstance(events[0], ServerHead)
    assert b"".join(event for event in events if isinstance(event, bytes)) == body
    assert events[-1] == ReplyEnd([])


@pytest.mark.parametrize("behind", [b"x", b"HTTP/1.1 200 OK\r\n\r\n"])
@given(BODIES)
def test_what_follows_a_reply_is_nobodys(behind: bytes, body: bytes) -> None:
    octets = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    events, error, _, may_be_kept = read([octets + behind], b"GET")
    assert not error
    assert not may_be_kept
    assert b"".join(event for event in events if isinstance(event, bytes)) == body
