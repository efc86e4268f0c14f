"""Reading and writing together: every pair of states, what may begin when, and what is kept, dropped or passed on."""

import itertools
import sys
import tracemalloc
from collections import deque
from collections.abc import Callable

import pytest
from tests.http1_events import CHUNKED, GET, OK, SWITCHING, with_fields
from tests.support.each import each

from zerogate.errors import ReplyError
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestEnd, RequestHead
from zerogate.wire.http1 import Connection, HttpLimits, Reading, Situation, Writing
from zerogate.wire.http1.situations import SITUATIONS

STREAMED = ReplyHead.of(200, [])
REFUSED = ReplyHead.of(403, [(b"content-length", b"0")])

CLOSING = with_fields(b"Connection: close\r\n")
HTTP_10 = b"GET / HTTP/1.0\r\n\r\n"
POST = with_fields(b"Content-Length: 3\r\n", b"POST")
POST_CLOSING = with_fields(b"Content-Length: 3\r\nConnection: close\r\n", b"POST")
UPGRADE = with_fields(
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)

Move = Callable[[Connection], object]


def octets(data: bytes) -> Move:
    return lambda connection: connection.receive(data)


def eof(connection: Connection) -> object:
    connection.receive_eof()
    return []


def begin(connection: Connection) -> object:
    return connection.send_head(STREAMED, fin=False, date=b"", close=False)


def begin_closing(connection: Connection) -> object:
    return connection.send_head(STREAMED, fin=False, date=b"", close=True)


def reply(connection: Connection) -> object:
    return connection.send_whole(OK, b"", date=b"", close=False)


def reply_closing(connection: Connection) -> object:
    return connection.send_head(REFUSED, fin=True, date=b"", close=True)


def tunnel(connection: Connection) -> object:
    return connection.send_tunnel(SWITCHING)


def end(connection: Connection) -> object:
    return connection.send_end()


MOVES: dict[str, Move] = {
    "CR": octets(b"\r"),
    "CRLF": octets(b"\r\n"),
    "part of a head": octets(b"GET / HT"),
    "GET": octets(GET),
    "two GETs": octets(GET + GET),
    "GET, close": octets(CLOSING),
    "GET, close, and more": octets(CLOSING + GET),
    "HTTP/1.0": octets(HTTP_10),
    "POST": octets(POST),
    "POST, body, GET": octets(POST + b"xyz" + GET),
    "POST, close": octets(POST_CLOSING),
    "chunked": octets(CHUNKED),
    "xyz": octets(b"xyz"),
    "last chunk": octets(b"0\r\n\r\n"),
    "upgrade": octets(UPGRADE),
    "upgrade and more": octets(UPGRADE + b"\x81\x00"),
    "eof": eof,
    "begin": begin,
    "begin, closing": begin_closing,
    "reply": reply,
    "reply, closing": reply_closing,
    "tunnel": tunnel,
    "piece": lambda connection: connection.send_body(b"x"),
    "end": end,
    "interim": lambda connection: connection.send_interim(100),
    "next": lambda connection: connection.next(),
    "hold": lambda connection: connection.hold(),
    "release": lambda connection: connection.release(),
    "cut": lambda connection: connection.cut(),
    "close": lambda connection: connection.close(),
}


def state_of(connection: Connection) -> tuple[object, ...]:
    """All that tells two connections apart, but for how much is kept back, and where in a body or head they are."""
    request = connection.request
    return (
        connection.reading,
        connection.writing,
        connection.must_close,
        connection.is_half_closed,
        connection.has_unread,
        request and (request.upgrade, request.keep_alive, request.minor_version, request.is_chunked),
        None if connection.error is None else connection.error.reason,
        connection._is_held,
        connection._framing,
        connection._reader._line,
        connection._reader._collector is None,
        connection._reader._left,
    )


def made(moves: tuple[str, ...]) -> Connection:
    connection = Connection(HttpLimits())
    for move in moves:
        MOVES[move](connection)
    return connection


def walk() -> dict[tuple[object, ...], tuple[str, ...]]:
    """Every state that moves lead to, and the shortest way there."""
    start = Connection(HttpLimits())
    found: dict[tuple[object, ...], tuple[str, ...]] = {state_of(start): ()}
    waiting: deque[tuple[str, ...]] = deque([()])
    while waiting:
        way = waiting.popleft()
        for move in MOVES:
            connection = made(way)
            before = state_of(connection)
            writing = connection.writing
            try:
                result = MOVES[move](connection)
            except (ReplyError, RuntimeError):
                assert state_of(connection) == before
                continue
            after = state_of(connection)
            check(connection)
            if isinstance(result, list):
                check_events(result, writing)
            if after not in found:
                found[after] = (*way, move)
                waiting.append((*way, move))
    return found


def check(connection: Connection) -> None:
    """What holds in every state."""
    assert connection.situation in Situation
    assert (connection.error is None) or connection.reading in (Reading.FAILED, Reading.ENDED) or connection.must_close
    assert not connection.has_unread or connection.writing < Writing.LAST or connection.reading is Reading.TUNNEL
    if connection.reading in (Reading.ENDED, Reading.FAILED) or connection.writing in (Writing.LAST, Writing.CLOSED):
        assert connection.must_close
    is_in_progress = connection.request is not None
    assert is_in_progress or connection.writing not in (Writing.DUE, Writing.BODY, Writing.TUNNEL)
    assert not is_in_progress or connection.writing not in (Writing.IDLE, Writing.CLOSED)


def check_events(events: list[RequestHead | bytes | RequestEnd], writing: Writing) -> None:
    heads = [event for event in events if isinstance(event, RequestHead)]
    assert len(heads) <= 1
    assert not heads or (writing is Writing.IDLE and events[0] is heads[0])
    assert b"" not in events


def test_every_pair_of_states_and_no_other() -> None:
    reached = {state[:2] for state in walk()}
    possible = {
        (reading, writing)
        for reading, writing in itertools.product(Reading, Writing)
        if SITUATIONS[reading][writing] is not None
    }
    assert reached == possible
    assert len(SITUATIONS) == len(Reading)
    assert {len(row) for row in SITUATIONS} == {len(Writing)}


@each(
    ("moves", "reading", "writing", "situation"),
    [
        ((), Reading.IDLE, Writing.IDLE, Situation.REQUEST),
        (("CR",), Reading.HEAD, Writing.IDLE, Situation.HEAD),
        (("CRLF",), Reading.HEAD, Writing.IDLE, Situation.HEAD),
        (("part of a head",), Reading.HEAD, Writing.IDLE, Situation.HEAD),
        (("part of a head", "reply"), Reading.HEAD, Writing.LAST, Situation.LINGER),
        (("GET",), Reading.IDLE, Writing.DUE, Situation.REPLY),
        (("GET", "begin"), Reading.IDLE, Writing.BODY, Situation.REPLY),
        (("GET", "begin", "end"), Reading.IDLE, Writing.IDLE, Situation.REQUEST),
        (("GET", "begin, closing", "end"), Reading.IDLE, Writing.LAST, Situation.LINGER),
        (("GET", "begin", "cut"), Reading.IDLE, Writing.CLOSED, Situation.GONE),
        (("GET, close", "reply"), Reading.IDLE, Writing.LAST, Situation.LINGER),
        (("HTTP/1.0", "reply"), Reading.IDLE, Writing.LAST, Situation.LINGER),
        (("GET", "eof"), Reading.ENDED, Writing.DUE, Situation.REPLY),
        (("GET", "eof", "begin"), Reading.ENDED, Writing.BODY, Situation.REPLY),
        (("GET", "eof", "reply"), Reading.ENDED, Writing.LAST, Situation.CLOSE),
        (("GET", "reply", "eof"), Reading.ENDED, Writing.IDLE, Situation.CLOSE),
        (("GET, close", "reply", "eof"), Reading.ENDED, Writing.LAST, Situation.CLOSE),
        (("eof",), Reading.ENDED, Writing.IDLE, Situation.CLOSE),
        (("CRLF", "eof"), Reading.ENDED, Writing.IDLE, Situation.CLOSE),
        (("CR", "eof"), Reading.FAILED, Writing.IDLE, Situation.TELL),
        (("part of a head", "eof"), Reading.FAILED, Writing.IDLE, Situation.TELL),
        (("part of a head", "eof", "reply"), Reading.ENDED, Writing.LAST, Situation.CLOSE),
        (("CRLF", "CRLF"), Reading.FAILED, Writing.IDLE, Situation.TELL),
        (("CRLF", "CRLF", "reply"), Reading.FAILED, Writing.LAST, Situation.LINGER),
        (("POST",), Reading.BODY, Writing.DUE, Situation.REPLY),
        (("POST", "begin"), Reading.BODY, Writing.BODY, Situation.REPLY),
        (("POST", "reply"), Reading.BODY, Writing.IDLE, Situation.REST),
        (("POST", "reply", "xyz"), Reading.IDLE, Writing.IDLE, Situation.REQUEST),
        (("POST", "reply", "xyz", "GET"), Reading.IDLE, Writing.DUE, Situation.REPLY),
        (("POST, close", "reply"), Reading.BODY, Writing.LAST, Situation.LINGER),
        (("POST", "eof"), Reading.FAILED, Writing.DUE, Situation.TELL),
        (("POST", "begin", "eof"), Reading.FAILED, Writing.BODY, Situation.CUT),
        (("POST", "reply", "eof"), Reading.ENDED, Writing.LAST, Situation.CLOSE),
        (("chunked", "CRLF"), Reading.FAILED, Writing.DUE, Situation.TELL),
        (("chunked", "begin", "CRLF"), Reading.FAILED, Writing.BODY, Situation.CUT),
        (("chunked", "begin", "CRLF", "cut"), Reading.FAILED, Writing.CLOSED, Situation.GONE),
        (("chunked", "reply", "CRLF"), Reading.FAILED, Writing.LAST, Situation.LINGER),
        (("upgrade",), Reading.TUNNEL, Writing.DUE, Situation.REPLY),
        (("upgrade", "tunnel"), Reading.TUNNEL, Writing.TUNNEL, Situation.TUNNEL),
        (("upgrade", "tunnel", "end"), Reading.TUNNEL, Writing.LAST, Situation.TUNNEL),
        (("upgrade", "tunnel", "end", "eof"), Reading.ENDED, Writing.LAST, Situation.CLOSE),
        (("upgrade", "tunnel", "eof"), Reading.ENDED, Writing.TUNNEL, Situation.TUNNEL),
        (("upgrade", "tunnel", "eof", "end"), Reading.ENDED, Writing.LAST, Situation.CLOSE),
        (("upgrade", "tunnel", "close"), Reading.IDLE, Writing.LAST, Situation.LINGER),
        (("upgrade", "tunnel", "cut"), Reading.TUNNEL, Writing.CLOSED, Situation.GONE),
        (("upgrade", "eof", "tunnel"), Reading.ENDED, Writing.TUNNEL, Situation.TUNNEL),
        (("upgrade", "begin"), Reading.IDLE, Writing.BODY, Situation.REPLY),
        (("upgrade", "reply"), Reading.IDLE, Writing.LAST, Situation.LINGER),
        (("upgrade and more", "eof", "begin"), Reading.ENDED, Writing.BODY, Situation.REPLY),
        (("upgrade and more", "eof"), Reading.TUNNEL, Writing.DUE, Situation.REPLY),
        (("close",), Reading.IDLE, Writing.LAST, Situation.LINGER),
        (("eof", "close"), Reading.ENDED, Writing.LAST, Situation.CLOSE),
        (("GET", "begin", "cut", "close"), Reading.IDLE, Writing.CLOSED, Situation.GONE),
    ],
)
def test_where_moves_lead(moves: tuple[str, ...], reading: Reading, writing: Writing, situation: Situation) -> None:
    connection = made(moves)
    assert (connection.reading, connection.writing, connection.situation) == (reading, writing, situation)
    assert connection.is_idle is (situation is Situation.REQUEST)


# --- one request at a time


def test_what_is_sent_ahead_waits_unparsed() -> None:
    connection = Connection(HttpLimits())
    (first,) = connection.receive(GET + POST + b"xyz" + GET + b"garb")
    assert connection.request is first
    assert connection.has_unread
    assert connection.receive(b"age\r\n\r\n") == []
    assert connection.next() == []
    reply(connection)
    post, *body = connection.next()
    assert isinstance(post, RequestHead)
    assert (post.method, body) == (b"POST", [b"xyz", RequestEnd([])])
    reply(connection)
    (second,) = connection.next()
    assert isinstance(second, RequestHead)
    assert second is connection.request is not first
    assert connection.error is None
    assert connection.has_unread
    reply(connection)
    assert connection.next() == []
    assert connection.situation is Situation.TELL
    assert not connection.has_unread


def test_nothing_is_read_behind_the_last_reply() -> None:
    connection = Connection(HttpLimits())
    connection.receive(GET + GET)
    begin_closing(connection)
    connection.send_end()
    assert not connection.has_unread
    assert connection.next() == connection.receive(GET) == []


def test_what_cannot_be_a_request_any_more_is_not_kept() -> None:
    connection = Connection(HttpLimits())
    connection.receive(CLOSING + GET)
    connection.receive(GET)
    assert not connection.has_unread


def test_the_rest_of_a_body_is_dropped_and_the_next_request_read() -> None:
    connection = Connection(HttpLimits())
    assert len(connection.receive(POST + b"a")) == 2
    reply(connection)
    assert connection.situation is Situation.REST
    assert connection.receive(b"b") == []
    (head,) = connection.receive(b"c" + GET)
    assert head is connection.request


def test_a_held_connection_begins_nothing() -> None:
    connection = Connection(HttpLimits())
    connection.hold()
    assert connection.receive(GET) == connection.next() == []
    assert connection.has_unread
    assert connection.situation is Situation.REQUEST
    connection.release()
    assert len(connection.next()) == 1
    assert not connection.has_unread


def test_a_held_connection_goes_on_with_what_it_has_begun() -> None:
    connection = Connection(HttpLimits())
    connection.receive(POST)
    connection.hold()
    assert connection.receive(b"a") == [b"a"]
    reply(connection)
    assert connection.receive(b"bc" + GET) == []
    assert connection.situation is Situation.REQUEST
    connection.release()
    assert len(connection.next()) == 1


def test_a_head_begun_waits_while_held() -> None:
    connection = Connection(HttpLimits())
    connection.receive(GET[:9])
    connection.hold()
    assert connection.receive(GET[9:]) == []
    assert connection.situation is Situation.HEAD
    connection.release()
    assert len(connection.next()) == 1


# --- a client that sends no more


def test_every_request_before_the_end_of_input_gets_its_reply() -> None:
    connection = Connection(HttpLimits())
    connection.receive(GET + GET)
    connection.receive_eof()
    assert connection.is_half_closed
    assert not connection.must_close
    assert b"connection: close" not in connection.send_whole(OK, b"", date=b"", close=False)
    assert len(connection.next()) == 1
    assert connection.must_close
    assert b"connection: close" in connection.send_whole(OK, b"", date=b"", close=False)
    assert connection.situation is Situation.CLOSE


def test_what_is_left_at_the_end_of_input_is_incomplete() -> None:
    connection = Connection(HttpLimits())
    connection.receive(GET + GET[:-1])
    connection.receive_eof()
    assert connection.error is None
    reply(connection)
    assert connection.next() == []
    assert connection.situation is Situation.TELL
    assert b"connection: close" in connection.send_whole(REFUSED, b"", date=b"", close=False)
    assert connection.situation is Situation.CLOSE


def test_faults_end_the_connection() -> None:
    connection = Connection(HttpLimits())
    connection.receive(CHUNKED + b"x\r\n")
    assert connection.request is not None
    assert b"connection: close" in connection.send_whole(OK, b"", date=b"", close=False)
    assert connection.situation is Situation.LINGER


# --- tunnels


def test_nothing_passes_before_101() -> None:
    connection = Connection(HttpLimits())
    assert len(connection.receive(UPGRADE + b"\x81")) == 1
    assert connection.receive(b"\x00") == connection.next() == []
    assert connection.has_unread
    tunnel(connection)
    assert connection.next() == [b"\x81\x00"]
    assert not connection.has_unread
    assert connection.receive(b"more") == [b"more"]
    assert connection.send_body(b"back") == b"back"


@each("answer", [begin, reply, reply_closing])
def test_nothing_passes_after_a_refusal(answer: Move) -> None:
    connection = Connection(HttpLimits())
    connection.receive(UPGRADE + b"\x81\x00" + GET)
    answer(connection)
    assert not connection.has_unread
    assert connection.receive(b"\x81\x00") == connection.next() == []
    connection.send_end()
    assert connection.situation is Situation.LINGER
    assert connection.receive(GET) == connection.next() == []


def test_a_client_may_go_on_when_our_half_is_closed() -> None:
    connection = Connection(HttpLimits())
    connection.receive(UPGRADE)
    tunnel(connection)
    connection.send_end()
    assert connection.receive(b"more") == [b"more"]


def test_what_came_before_the_end_of_input_passes() -> None:
    connection = Connection(HttpLimits())
    connection.receive(UPGRADE + b"last words")
    connection.receive_eof()
    tunnel(connection)
    assert connection.reading is Reading.TUNNEL
    assert connection.next() == [b"last words"]
    assert connection.situation is Situation.TUNNEL
    assert connection.reading is Reading.ENDED


@pytest.mark.parametrize("leave", [lambda connection: connection.cut(), lambda connection: connection.close()])
def test_nothing_passes_when_it_is_over(leave: Move) -> None:
    connection = Connection(HttpLimits())
    connection.receive(UPGRADE)
    tunnel(connection)
    leave(connection)
    assert connection.receive(b"more") == []


# --- memory


TRANSPORT_READ_BYTES = 256 * 1024


def test_what_is_sent_ahead_costs_its_octets() -> None:
    """A slow request, and behind it as many tiny ones as one read of the transport brings, on many connections."""
    n_connections = 50
    ahead = [b"%b" % (GET * (TRANSPORT_READ_BYTES // len(GET))) for _ in range(n_connections)]
    tracemalloc.start()
    try:
        connections = []
        for data in ahead:
            connection = Connection(HttpLimits())
            connection.receive(GET)
            assert connection.receive(data) == []
            connections.append(connection)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert all(connection.has_unread for connection in connections)
    # The octets themselves are the transport's; none is copied, and nothing is made of them.
    assert peak < n_connections * 8 * 1024
    assert kept <= peak


def test_taking_turns_copies_nothing() -> None:
    """Requests are taken from what was kept one by one: each time to copy the rest would cost time by the square."""
    connection = Connection(HttpLimits())
    data = GET * (TRANSPORT_READ_BYTES // len(GET))
    connection.receive(GET)
    connection.receive(data)
    count = sys.getrefcount(data)
    for _ in range(3):
        reply(connection)
        assert len(connection.next()) == 1
        assert sys.getrefcount(data) == count
    assert "unread=" in repr(connection)
