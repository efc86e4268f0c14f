"""A client that speaks HTTP/1: what has a socket and a clock. In octets, with an answer that the test gives."""

import asyncio

import pytest

from tests.support.virtual_time import run_virtually
from tests.support.visit import GET, OK, PIECES, Visit, visit
from zerogate.router.clients.probe import PROBES_S
from zerogate.router.desk import HALF_CLOSED_S, LINGER_S
from zerogate.router.faces import BODY_CREDIT_BYTES
from zerogate.wire.http.errors import BAD_REQUEST, QUEUE_FULL, HttpError
from zerogate.wire.http.reply import ReplyHead

POST = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
# A wheel of deadlines tells no later than this.
SLACK_S = 0.5


# One after the other


@visit()
async def test_requests_go_one_after_the_other(v: Visit) -> None:
    v.transport.say(GET * 3)
    for n_begun in (1, 2, 3):
        await asyncio.sleep(0)
        assert [exchange.told for exchange in v.exchanges] == [["begin"]] * n_begun
        # What is behind it is not read on meanwhile.
        assert v.transport.is_reading() is (n_begun == 3)
        v.reply()
        assert v.said() == [b"HTTP/1.1 200 OK", b"ok"]
    assert v.transport.is_reading()


@visit(is_quick=True)
async def test_answered_at_once_one_after_the_other(v: Visit) -> None:
    v.transport.say(GET * 20 + POST + b"5\r\nabcde\r\n0\r\n\r\n" + GET)
    await asyncio.sleep(0)
    assert v.transport.octets.count(b"HTTP/1.1 503 Service Unavailable") == 22


@visit()
async def test_a_head_waits_for_its_body_s_first_piece(v: Visit) -> None:
    v.transport.say(GET)
    v.client.send_head(PIECES, fin=False)
    assert not v.transport.octets
    v.client.send_body(b"abc")
    assert v.said() == [b"HTTP/1.1 200 OK", b"3", b"abc"]
    v.client.send_end()
    v.client.end()
    assert v.said() == [b"0"]
    v.transport.say(GET)
    v.client.send_head(PIECES, fin=False)
    await asyncio.sleep(0)
    assert v.said() == [b"HTTP/1.1 200 OK"]
    v.client.send_end()
    v.client.end()
    assert v.said() == [b"0"]


@visit()
async def test_a_client_that_does_not_read_begins_nothing_new(v: Visit) -> None:
    v.transport.is_taking = False
    v.transport.say(GET)
    v.client.send_head(PIECES, fin=False)
    v.client.send_body(b"x" * 300_000)
    assert not v.client.is_writable
    v.transport.take()
    assert v.exchange.told == ["begin", "resume"]
    v.client.send_body(b"x" * 300_000)
    v.client.send_end()
    v.client.end()
    v.transport.say(GET)
    assert len(v.exchanges) == 1
    v.transport.take()
    assert len(v.exchanges) == 2
    assert v.client.is_writable


# Bodies and their credit


@visit()
async def test_it_reads_on_as_credit_allows(v: Visit) -> None:
    v.transport.say(POST)
    size = BODY_CREDIT_BYTES // 2
    chunk = b"%x\r\n%b\r\n" % (size, b"x" * size)
    v.transport.say(chunk)
    assert v.transport.is_reading()
    v.transport.say(chunk)
    assert not v.transport.is_reading()
    v.transport.say(chunk)
    assert v.exchange.told == ["begin", f"body {size}", f"body {size}"]
    v.client.credit_body(size)
    await asyncio.sleep(0)
    assert v.exchange.told[3:] == [f"body {size}"]
    assert not v.transport.is_reading()
    v.client.credit_body(2 * size)
    v.transport.say(b"0\r\n\r\n")
    await asyncio.sleep(0)
    assert v.exchange.told[4:] == ["end"]


@visit()
async def test_the_rest_of_a_body_is_dropped_after_its_reply(v: Visit) -> None:
    v.transport.say(POST)
    v.transport.say(b"3\r\nabc\r\n")
    v.reply()
    v.transport.say(b"3\r\ndef\r\n0\r\n\r\n" + GET)
    assert v.exchanges[0].told == ["begin", "body 3"]
    assert len(v.exchanges) == 2
    v.reply()
    v.transport.say(POST)
    v.reply()
    assert abs(await v.lost_after() - LINGER_S) <= SLACK_S


@visit()
async def test_a_broken_body_is_the_exchange_s_matter(v: Visit) -> None:
    v.transport.say(POST + b"nonsense\r\n")
    assert v.exchange.told == ["begin", "reject 400"]
    assert v.said()[0] == b"HTTP/1.1 400 Bad Request"
    assert v.transport.is_eof_written
    # It may still read that for a while, whatever it sends.
    v.transport.say(b"x" * 1000)
    assert abs(await v.lost_after() - LINGER_S) <= SLACK_S
    assert not v.desk.clients


# Who is refused


@visit()
async def test_what_is_no_request(v: Visit) -> None:
    v.transport.say(b"NONSENSE\r\n\r\n")
    assert v.said()[0] == b"HTTP/1.1 400 Bad Request"
    assert not v.exchanges
    assert v.desk.counters.errors == {"bad_request": 1}
    assert abs(await v.lost_after() - LINGER_S) <= SLACK_S


@visit(max_clients=1)
async def test_one_too_many(v: Visit) -> None:
    v.connect_again()
    assert v.said()[0] == b"HTTP/1.1 503 Service Unavailable"
    v.transport.say(GET)
    assert not v.exchanges
    assert abs(await v.lost_after() - LINGER_S) <= SLACK_S


@visit()
async def test_an_error_closes_if_nobody_knows_what_comes_next(v: Visit) -> None:
    v.transport.say(GET)
    v.client.send_error(HttpError(QUEUE_FULL), b"id")
    v.client.end()
    assert b"connection: close" not in v.transport.drain()
    v.transport.say(GET)
    v.client.send_error(HttpError(BAD_REQUEST), b"id")
    v.client.end()
    assert b"connection: close" in v.transport.octets
    assert v.transport.is_eof_written


# Time


@visit(head_timeout=8.0, keepalive_timeout=20.0)
async def test_the_head_s_time_runs_from_its_first_byte(v: Visit) -> None:
    await asyncio.sleep(15)
    v.transport.say(GET[:5])
    await asyncio.sleep(7)
    v.transport.say(GET[5:10])
    assert not v.transport.octets
    await asyncio.sleep(1 + SLACK_S)
    assert v.said()[0] == b"HTTP/1.1 408 Request Timeout"
    assert await v.lost_after() <= LINGER_S + SLACK_S
    assert v.desk.counters.errors == {"timeout": 1}


@visit(keepalive_timeout=20.0)
async def test_between_requests_it_may_be_silent_for_so_long(v: Visit) -> None:
    await asyncio.sleep(19)
    v.transport.say(GET)
    await asyncio.sleep(100)
    v.reply()
    assert abs(await v.lost_after() - 20) <= SLACK_S


@visit()
async def test_an_exchange_has_the_time_it_asks_for(v: Visit) -> None:
    v.transport.say(GET)
    v.client.expect(30)
    v.client.expect(8)
    await asyncio.sleep(8 + SLACK_S)
    assert v.exchange.told == ["begin", "expire"]
    await asyncio.sleep(100)
    assert v.exchange.told == ["begin", "expire"]
    v.reply()


@visit(idle_timeout=10.0)
async def test_the_last_reply_may_be_taken_slowly(v: Visit) -> None:
    v.transport.is_taking = False
    v.transport.say(GET.replace(b"host", b"connection: close\r\nhost"))
    v.client.send_whole(ReplyHead.of(200, [(b"content-length", b"50000")]), b"x" * 50_000)
    v.client.end()
    for _ in range(5):
        await asyncio.sleep(9)
        v.transport.take(5000)
        assert not v.transport.is_lost
    assert await v.lost_after() <= 20 + 2 * SLACK_S


@visit()
async def test_a_tunnel_has_no_time(v: Visit) -> None:
    v.transport.say(UPGRADE + b"early")
    assert v.exchange.told == ["begin"]
    v.client.open_tunnel(ReplyHead.of(101, []))
    assert v.exchange.told == ["begin", "body 5"]
    await asyncio.sleep(1000)
    v.transport.say(b"late")
    v.client.send_body(b"octets")
    assert v.exchange.told == ["begin", "body 5", "body 4"]
    assert v.transport.octets.endswith(b"\r\n\r\noctets")
    v.client.send_end()
    assert v.transport.is_eof_written
    v.transport.say_eof()
    assert v.exchange.told[3:] == ["end"]


# The client ends, or has gone


@visit()
async def test_an_idle_client_that_ends(v: Visit) -> None:
    v.transport.say_eof()
    await asyncio.sleep(0)
    assert v.transport.is_lost
    assert not v.desk.clients


@visit()
async def test_an_end_amid_a_head(v: Visit) -> None:
    v.transport.say(GET[:10])
    v.transport.say_eof()
    assert v.said()[0] == b"HTTP/1.1 400 Bad Request"
    assert await v.lost_after() <= LINGER_S + SLACK_S


@visit()
async def test_a_half_closed_client_gets_its_reply_and_is_asked_whether_it_is_there(v: Visit) -> None:
    v.transport.say(GET)
    v.transport.say_eof()
    await asyncio.sleep(sum(PROBES_S) + 100)
    assert v.said() == [b"HTTP/1.1 100 Continue"] * (len(PROBES_S) + 1)
    v.client.send_head(OK, fin=False)
    v.client.send_body(b"ok")
    v.client.send_end()
    v.client.end()
    assert b"connection: close" in v.transport.octets
    await asyncio.sleep(0)
    assert v.transport.is_lost


@visit()
async def test_silence_amid_a_half_closed_client_s_reply_is_its_end(v: Visit) -> None:
    v.transport.say(GET)
    v.client.send_head(PIECES, fin=False)
    v.client.send_body(b"a")
    v.transport.say_eof()
    v.client.expect(1000)
    await asyncio.sleep(HALF_CLOSED_S + SLACK_S)
    assert v.exchange.told == ["begin", "expire"]
    v.client.send_end()
    v.client.end()


@visit()
async def test_a_client_that_is_gone(v: Visit) -> None:
    v.transport.say(GET)
    v.transport.lose(ConnectionResetError())
    await asyncio.sleep(0)
    assert v.exchange.told == ["begin", "abandon"]
    assert not v.desk.clients


# Replies that are cut


@pytest.mark.parametrize(("version", "is_reset"), [(b"1.1", False), (b"1.0", True)])
def test_a_cut_shows(version: bytes, is_reset: bool) -> None:
    """By the missing last chunk; where the end of the connection is the end of the body, by a reset."""

    async def main() -> None:
        v = Visit()
        v.transport.say(GET.replace(b"1.1", version))
        v.client.send_head(PIECES, fin=False)
        v.client.cut()
        v.client.end()
        await asyncio.sleep(0)
        assert v.said() == [b"HTTP/1.1 200 OK"]
        assert v.transport.is_lost
        assert v.transport.sock.is_set_to_reset is is_reset
        v.desk.close()

    run_virtually(main())


# The router stops


@visit()
async def test_an_idle_connection_closes_and_a_busy_one_does_not(v: Visit) -> None:
    v.transport.say(GET)
    v.client.close_if_idle()
    assert not v.transport.is_closing()
    v.client.shut_down()
    assert v.exchange.told == ["begin", "shut_down"]
    v.desk.is_stopping = True
    v.reply()
    assert b"connection: close" in v.transport.octets
    other = Visit()
    other.client.shut_down()
    other.client.shut_down()
    await asyncio.sleep(0)
    assert other.transport.is_lost
    other.desk.close()


@visit()
async def test_an_abort_ends_at_once(v: Visit) -> None:
    v.transport.say(GET)
    v.client.abort()
    await asyncio.sleep(0)
    assert v.exchange.told == ["begin", "abandon"]


@visit(peername="")
async def test_a_unix_socket_s_client_has_no_address(v: Visit) -> None:
    assert v.client.address == "unix"
    assert repr(v.client).startswith("<Http1Client unix <Connection ")
    v.transport.say(GET)
    assert "Answered" in repr(v.client)


@visit(peername=None)
async def test_who_has_left_before_its_turn_is_not_taken_for_a_unix_socket_s_client(v: Visit) -> None:
    """What it has sent is not read: it would be believed whatever it says of itself."""
    v.transport.say(GET)
    await asyncio.sleep(0)
    assert v.exchanges == []
    assert v.transport.is_lost
    assert not v.desk.clients
