"""What a client that speaks HTTP/1 is sent: when it is written, and how it is counted."""

import asyncio
from typing import Any

from tests.support.visit import GET, OK, PIECES, Visit, visit
from zerogate.router.sockets import HIGH_WATER_BYTES
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.pieces import VIEW_BYTES


@visit()
async def test_large_pieces_of_a_turn_are_written_at_its_end(v: Visit) -> None:
    v.transport.say(GET)
    v.client.send_head(ReplyHead.of(200, [(b"content-length", b"1000000")]), fin=False)
    for letter in (b"a", b"b"):
        v.client.send_body(letter * VIEW_BYTES)
        assert not v.transport.octets
        assert not v.client.bytes_out
    await asyncio.sleep(0)
    octets = v.transport.drain()
    assert octets.endswith(b"\r\n\r\n" + b"a" * VIEW_BYTES + b"b" * VIEW_BYTES)
    assert v.client.bytes_out == len(octets)
    # A small one mostly is the last of them.
    v.client.send_body(b"c" * VIEW_BYTES)
    v.client.send_body(b"d")
    assert v.transport.drain() == b"c" * VIEW_BYTES + b"d"
    v.client.send_body(b"e" * VIEW_BYTES)
    v.client.cut()
    assert v.transport.drain() == b"e" * VIEW_BYTES


@visit()
async def test_no_more_waits_for_the_end_of_a_turn_than_a_client_may_have_unwritten(v: Visit) -> None:
    v.transport.say(GET)
    v.client.send_head(ReplyHead.of(200, [(b"content-length", b"10000000")]), fin=False)
    for _ in range(HIGH_WATER_BYTES // VIEW_BYTES + 1):
        v.client.send_body(b"a" * VIEW_BYTES)
    assert len(v.transport.drain()) >= HIGH_WATER_BYTES
    await asyncio.sleep(0)
    assert v.transport.drain() == b"a" * VIEW_BYTES
    # Of one that does not take what there is nothing is kept back from the transport, which counts it.
    v.transport.is_taking = False
    v.client.send_body(b"b")
    for n in (1, 2):
        v.client.send_body(b"c" * VIEW_BYTES)
        assert len(v.transport.octets) == 1 + n * VIEW_BYTES


@visit()
async def test_octets_are_counted_for_each_exchange(v: Visit) -> None:
    v.transport.say(GET)
    for _ in range(2):
        v.client.send_head(PIECES, fin=False)
        v.client.send_body(b"abc")
        v.client.send_end([(b"x-t", b"1")])
        assert v.client.bytes_out == len(v.transport.drain())
        v.client.end()
        v.transport.say(GET)
    v.client.send_whole(OK, b"ok")
    assert v.client.bytes_out == len(v.transport.octets)


@visit()
async def test_who_is_gone_at_the_end_of_a_turn_is_written_nothing(v: Visit) -> None:
    broken: list[Any] = []
    v.loop.set_exception_handler(lambda loop, context: broken.append(context))
    v.transport.say(GET)
    v.transport.lose(ConnectionResetError())
    v.client.send_head(PIECES, fin=False)
    v.client.send_body(b"a" * VIEW_BYTES)
    await asyncio.sleep(0)
    assert v.transport.is_lost
    assert not broken
    assert not v.transport.octets
    assert not v.client.bytes_out
