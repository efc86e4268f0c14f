"""A bug in what hears of an event costs that event's stream; one in the link costs the link. Nobody else suffers."""

import asyncio
from collections.abc import Callable

import pytest

from tests.support.each import each
from tests.support.link_pair import REPLY, REQUEST, Handler, Owner, Pair
from tests.support.virtual_time import run_virtually
from tests.zmtp_peer import GREETING
from zerogate.link.link import Link
from zerogate.settings import LinkSettings
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.streams import Stream


def send_reply(worker: Link, stream: Stream) -> None:
    worker.send_reply(stream, REPLY, False)


def send_whole(worker: Link, stream: Stream) -> None:
    worker.send_whole_reply(stream, REPLY, b"body")


def send_headers(worker: Link, stream: Stream) -> None:
    worker.send_headers(stream, REPLY, False)


def send_data(worker: Link, stream: Stream) -> None:
    worker.send_reply(stream, REPLY, False)
    worker.send_data(stream, b"piece", False)


def send_reset(worker: Link, stream: Stream) -> None:
    worker.reset(stream, RstStatus.CANCEL)


EVENTS: dict[str, Callable[[Link, Stream], None]] = {
    "reply": send_reply,
    "whole reply": send_whole,
    "headers": send_headers,
    "data": send_data,
    "reset": send_reset,
}


@pytest.mark.parametrize("name", EVENTS)
def test_a_handler_that_raises_costs_its_stream_alone(name: str, caplog: pytest.LogCaptureFixture) -> None:
    first, bad, last = Handler("first"), Handler("bad", fails=name), Handler("last")

    async def main() -> None:
        pair = Pair()
        await pair.settle()
        streams = await pair.ask(first, bad, last)
        reset = Handler()
        streams[1].handler = reset
        for stream in streams:
            EVENTS[name](pair.worker, stream)
        await pair.settle()
        assert bad.heard[-1] == "failed"
        assert "failed" not in first.heard + last.heard
        assert first.heard == last.heard
        assert first.heard
        assert not pair.router.is_closed
        if name not in ("reset", "whole reply"):
            assert reset.heard == [("reset", RstStatus.INTERNAL_ERROR)]
            assert len(pair.router.session.streams) == 2
        # And the link serves on.
        after = Handler()
        (stream,) = await pair.ask(after)
        send_whole(pair.worker, stream)
        await pair.settle()
        assert after.heard == [("whole reply", b"body")]

    run_virtually(main())
    told = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.getMessage() for record in told if "<Handler bad>" in record.getMessage()] != []
    assert len(told) == 1
    assert told[0].exc_info is not None


def test_a_handler_that_cannot_even_end(caplog: pytest.LogCaptureFixture) -> None:
    class Worse(Handler):
        def on_failed(self) -> None:
            raise ArithmeticError("worse")

    other = Handler()

    async def main() -> None:
        pair = Pair()
        await pair.settle()
        for stream in await pair.ask(Worse("worse", fails="reply"), other):
            send_reply(pair.worker, stream)
        await pair.settle()
        assert other.heard == ["reply"]
        assert len(pair.router.session.streams) == 1

    run_virtually(main())
    assert "could not be ended" in caplog.text


def test_a_handler_that_raises_when_data_has_gone() -> None:
    bad, other = Handler("bad", fails="writable"), Handler()

    async def main() -> None:
        pair = Pair()
        await pair.settle()
        streams = [pair.router.open_stream(REQUEST, False, handler) for handler in (bad, other)]
        for stream in streams:
            pair.router.send_data(stream, bytes(300_000), False)
        await pair.settle()
        for stream in pair.worker_owner.streams:
            pair.worker.consumed(stream, 256 * 1024)
        await pair.settle()
        assert bad.heard == ["writable", "failed"]
        assert other.heard == ["writable"]
        assert list(pair.router.session.streams.values()) == [streams[1]]

    run_virtually(main())


def test_all_hear_that_the_link_is_lost() -> None:
    handlers = [Handler("first"), Handler("bad", fails="lost"), Handler("last")]

    async def main() -> None:
        pair = Pair(router=Owner("closed"))
        await pair.settle()
        await pair.ask(*handlers)
        pair.worker.abort("gone")
        await pair.settle()

    run_virtually(main())
    assert [handler.heard for handler in handlers] == [["lost"], ["lost", "failed"], ["lost"]]


def goes_away(pair: Pair) -> None:
    pair.worker.goaway()


def says_settings(pair: Pair) -> None:
    pair.worker.set_max_concurrent(7)


def opens_a_stream(pair: Pair) -> None:
    pair.worker.open_stream(REQUEST, True, Handler())


OWNER_EVENTS: dict[str, Callable[[Pair], None]] = {
    "goaway": goes_away,
    "settings": says_settings,
    "stream": opens_a_stream,
}


@pytest.mark.parametrize("name", OWNER_EVENTS)
def test_an_owner_that_raises_does_not_end_the_link(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        pair = Pair(router=Owner(name))
        await pair.settle()
        handler = Handler()
        (stream,) = await pair.ask(handler)
        OWNER_EVENTS[name](pair)
        send_reply(pair.worker, stream)
        await pair.settle()
        assert handler.heard == ["reply"]
        assert name in pair.router_owner.heard
        assert not pair.router.is_closed

    run_virtually(main())
    assert "failed" in caplog.text


def test_the_handler_of_a_stream_whose_owner_raised_is_ended() -> None:
    handler = Handler()

    class Half(Owner):
        def on_stream(self, link: Link, stream: Stream, fields: object, fin: bool) -> None:
            stream.handler = handler
            raise ArithmeticError

    async def main() -> None:
        asking = Handler()
        pair = Pair(worker=Half())
        await pair.settle()
        await pair.ask(asking)
        assert handler.heard == ["failed"]
        assert asking.heard == [("reset", RstStatus.INTERNAL_ERROR)]

    run_virtually(main())


def test_an_owner_that_raises_when_the_link_is_suspect() -> None:
    async def main() -> None:
        pair = Pair(router=Owner("suspect", "not suspect"))
        await pair.settle()
        pair.worker_end.is_cut = True
        while "suspect" not in pair.router_owner.heard:
            await asyncio.sleep(0.5)
        pair.worker_end.is_cut = False
        while "not suspect" not in pair.router_owner.heard:
            await asyncio.sleep(0.5)
        assert not pair.router.is_closed
        assert not pair.router.is_suspect

    run_virtually(main())


def test_what_cannot_be_encoded_ends_its_link_and_tells_everybody() -> None:
    handlers = [Handler(), Handler()]

    async def main() -> None:
        pair = Pair()
        await pair.settle()
        await pair.ask(*handlers)
        pair.router.session.output.append(None)  # type: ignore[arg-type]
        third = Handler()
        pair.router.open_stream(REQUEST, True, third)
        await pair.settle()
        assert pair.router.is_closed
        assert pair.router_owner.heard[-1] == ("closed", "an internal error")
        assert [handler.heard for handler in (*handlers, third)] == [["lost"]] * 3

    run_virtually(main())


def test_garbage_while_something_waits_to_be_written() -> None:
    """What the peer did wrong is the reason, and not that nothing more can be written."""
    handler = Handler()

    async def main() -> None:
        pair = Pair()
        await pair.settle()
        await pair.ask(Handler())
        pair.router.open_stream(REQUEST, True, handler)
        assert pair.router.session.output
        pair.router.data_received(b"\xff\xff\xff")
        pair.router.set_max_concurrent(5)
        await pair.settle()
        assert pair.router_owner.heard[-1] == ("closed", "a frame with reserved flags: 0xff")
        assert handler.heard == ["lost"]

    run_virtually(main())


@each(
    ("octets", "reason"),
    [
        (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", "the peer speaks HTTP, not ZMTP: one of us has the wrong port"),
        (b"\x16\x03\x01\x02\x00\x01", "the peer speaks TLS, not ZMTP: one of us has the wrong port"),
        (b"XYZ", "the peer does not speak ZMTP 3: its first octet is 0x58, not 0xff"),
        (GREETING[:20] + b"GET / HTTP/1.1\r\n" * 4, "the peer's security mechanism is"),
    ],
)
def test_who_has_come_to_the_wrong_port(octets: bytes, reason: str) -> None:
    async def main() -> None:
        pair = Pair()
        fresh = Pair()
        for half in (fresh.router_end, fresh.worker_end):
            half.is_cut = True
        fresh.router.data_received(octets)
        await pair.settle()
        name, told = fresh.router_owner.heard[-1]
        assert name == "closed"
        assert told.startswith(reason)
        assert fresh.router.has_failed

    run_virtually(main())


def test_two_routers_that_take_turns_at_a_worker_of_one_are_no_flood() -> None:
    """Each turn is told of, and takes a round trip: 0.2 ms on a machine that has nothing else to do."""

    async def main() -> None:
        pair = Pair(settings=LinkSettings())
        await pair.settle()
        for _ in range(4):
            for _ in range(5_000):
                pair.worker.set_max_concurrent(1)
            await pair.settle()
            await asyncio.sleep(1.0)
        assert not pair.router.is_closed

    run_virtually(main())


def test_a_flood_of_settings_ends_the_link() -> None:
    async def main() -> None:
        pair = Pair(settings=LinkSettings())
        await pair.settle()
        for number in range(9_000):
            pair.worker.set_max_concurrent(number)
        await pair.settle()
        assert not pair.router.is_closed
        for number in range(3_000):
            pair.worker.set_max_concurrent(number)
        await pair.settle()
        assert pair.router_owner.heard[-1] == ("closed", "a flood of SETTINGS")
        assert pair.worker.session.peer_is_going_away

    run_virtually(main())
