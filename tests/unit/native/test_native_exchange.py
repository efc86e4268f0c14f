"""Exchanges that take the usual way, and give way to an Exchange: the same comes of both, whatever happens."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import pytest
from tests.support.bench import Bench
from tests.support.each import each
from tests.support.http1_asker import Http1Ask, Http1Connection
from tests.support.link_peer import LinkPeer, PeerRequest
from tests.support.virtual_time import run_virtually

from zerogate.native import compiled
from zerogate.router.desk import LINGER_S
from zerogate.router.exchange import Exchange, exchange, make_exchange
from zerogate.router.request_block import request_block
from zerogate.router.sockets import HIGH_WATER_BYTES
from zerogate.wire.http.reply import ReplyBody, ReplyHead
from zerogate.wire.http1.writer import head_text
from zerogate.wire.spdy.frames import RstStatus

pytestmark = pytest.mark.skipif(not compiled.IS_ON, reason="there is no usual way")

Step = Callable[[Http1Ask, PeerRequest, LinkPeer], Any]


def say_length(request: PeerRequest, n_bytes: int, body: bytes) -> None:
    """A reply in one piece, of which it is said that it has so many bytes."""
    block = request._block(200, [(b"content-length", b"%d" % n_bytes)])
    request._peer.session.send_whole_reply(request._stream, block, body)
    request._peer.flush()


def whole(ask: Http1Ask, request: PeerRequest, worker: LinkPeer) -> None:
    request.whole(b"hello")


def in_pieces(
    ask: Http1Ask, request: PeerRequest, worker: LinkPeer, *, n_bytes: int, length: int | None, is_taking: bool
) -> None:
    """A reply and most of a body, of which it may be said how long it is."""
    ask._transport.is_taking = is_taking
    request.reply(200, [] if length is None else [(b"content-length", b"%d" % length)])
    for start in range(0, n_bytes, 50_000):
        request.data(b"x" * min(50_000, n_bytes - start))


def begun(ask: Http1Ask, request: PeerRequest, worker: LinkPeer) -> None:
    """A reply that says its length, and half of it."""
    in_pieces(ask, request, worker, n_bytes=100_000, length=200_000, is_taking=True)


def rest(ask: Http1Ask, request: PeerRequest, worker: LinkPeer) -> None:
    request.data(b"y" * 100_000, fin=True)


TIMEOUT_S = 5.0

# What happens once a worker has the request.
PLAYS: dict[str, tuple[Step, ...]] = {
    "a whole reply": (whole,),
    "a length that is wrong": (lambda ask, request, worker: say_length(request, 3, b"ab"),),
    "no content, and a length": (lambda ask, request, worker: request.whole(b"", 204),),
    "no body": (lambda ask, request, worker: request.reply(304, fin=True),),
    "a body where none may be": (lambda ask, request, worker: request.whole(b"x", 304),),
    "an empty reply": (lambda ask, request, worker: request.reply(200, fin=True),),
    "a length and no body": (lambda ask, request, worker: request.reply(200, [(b"content-length", b"9")], fin=True),),
    "a head, and then a body": (
        lambda ask, request, worker: request.reply(200, [(b"content-length", b"5")]),
        lambda ask, request, worker: request.data(b"hello", fin=True),
    ),
    "a body without an end": (
        lambda ask, request, worker: request.reply(200),
        lambda ask, request, worker: request.data(b"hel"),
    ),
    **{
        f"{n_bytes} bytes of {length} in pieces, of a client that {'reads' if is_taking else 'does not read'}": (
            partial(in_pieces, n_bytes=n_bytes, length=length, is_taking=is_taking),
            lambda ask, request, worker: ask._transport.take(),
            lambda ask, request, worker: request.data(b"", fin=True),
        )
        for n_bytes in (150_000, 700_000)
        for length in (n_bytes, n_bytes + 1, n_bytes - 1, None)
        for is_taking in (True, False)
    },
    "a last piece that is the end": (begun, rest),
    "a last piece that is too long": (begun, lambda ask, request, worker: request.data(b"y" * 100_001, fin=True)),
    "a last piece that is too short": (begun, lambda ask, request, worker: request.data(b"y" * 99_999, fin=True)),
    "trailers behind a length": (
        begun,
        lambda ask, request, worker: request.data(b"y" * 100_000),
        lambda ask, request, worker: request.headers([(b"x-sum", b"1")]),
    ),
    "a stream of events that says its length": (
        lambda ask, request, worker: request.reply(
            200, [(b"content-type", b"text/Event-Stream; a=b"), (b"content-length", b"5")]
        ),
        lambda ask, request, worker: request.data(b"hello", fin=True),
    ),
    "a length of nothing, and an end": (
        lambda ask, request, worker: request.reply(200, [(b"content-length", b"0")]),
        lambda ask, request, worker: request.data(b"", fin=True),
    ),
    "a date of its own": (
        lambda ask, request, worker: request.reply(200, [(b"date", b"then"), (b"content-length", b"200000")]),
        lambda ask, request, worker: request.data(b"x" * 100_000),
        rest,
    ),
    "a client that leaves midway": (begun, lambda ask, request, worker: ask.leave()),
    "a client that sends no more midway": (begun, lambda ask, request, worker: ask._transport.say_eof(), rest),
    "a client that asks for more midway": (
        begun,
        lambda ask, request, worker: ask.send(b"GET /next HTTP/1.1\r\nhost: a.example\r\n\r\n"),
        rest,
    ),
    "a client that stops reading midway": (
        begun,
        lambda ask, request, worker: setattr(ask._transport, "is_taking", False),
        rest,
        lambda ask, request, worker: ask._transport.take(),
    ),
    "a failure midway": (begun, lambda ask, request, worker: request.end_with(RstStatus.INTERNAL_ERROR)),
    "a link that is lost midway": (begun, lambda ask, request, worker: worker.die()),
    "a goodbye midway": (begun, lambda ask, request, worker: worker.goaway(), rest),
    "silence midway": (begun,),
    "early hints": (lambda ask, request, worker: request.interim(103, [(b"link", b"</a>")]), whole),
    "no valid status": (lambda ask, request, worker: request.whole(b"hello", 999),),
    "a field between two peers": (lambda ask, request, worker: request.whole(b"a", fields=[(b"connection", b"x")]),),
    "an unasked switch": (lambda ask, request, worker: request.reply(101),),
    "a failure": (lambda ask, request, worker: request.end_with(RstStatus.INTERNAL_ERROR),),
    "a refusal": (lambda ask, request, worker: request.end_with(RstStatus.REFUSED_STREAM),),
    "a lost link": (lambda ask, request, worker: worker.die(),),
    "a goodbye": (lambda ask, request, worker: worker.goaway(), whole),
    "a client that leaves": (lambda ask, request, worker: ask.leave(),),
    "the next request": (
        lambda ask, request, worker: ask.send(b"GET /next HTTP/1.1\r\nhost: a.example\r\n\r\n"),
        whole,
    ),
    "silence": (),
}

FIELDS = [(b"user-agent", b"test"), (b"cookie", b"a=b")]
ASKS: dict[str, dict[str, Any]] = {
    "GET": {"fields": FIELDS},
    "HEAD": {"method": b"HEAD", "fields": FIELDS},
    "POST without a body": {"method": b"POST", "fields": [*FIELDS, (b"content-length", b"0")]},
    "a claim": {"fields": [(b"x-forwarded-for", b"192.0.2.1"), (b"x-request-id", b"theirs")]},
    "an underscore": {"fields": [(b"a_b", b"c")]},
    "HTTP/1.0": {"version": b"HTTP/1.0"},
}


async def come_of(make: Callable[..., Any], ask: dict[str, Any], play: tuple[Step, ...], **options: Any) -> Any:
    """What client, worker, counters and log saw, and how many exchanges were of the usual kind."""
    kinds = []

    def answer(*parts: Any) -> Any:
        exchange = make(*parts)
        kinds.append(type(exchange))
        return exchange

    async with Bench.open(timeout=TIMEOUT_S, **options) as bench:
        bench.desk._answer = partial(answer, bench.dispatcher)
        bench.desk._id_prefix = b"id"
        worker = await bench.worker("w", "*")
        asked = Http1Connection(bench.http1_clients).request(**ask)
        await bench.quiet()
        request = worker.requests[-1]
        for step in play:
            step(asked, request, worker)
        await bench.quiet()
        for later in worker.requests[1:]:
            later.whole(b"the next")
        await bench.wait(TIMEOUT_S + LINGER_S + 2.0)
        octets = re.sub(rb"date: [^\r]*", b"date: now", bytes(asked._transport.octets))
        seen = (octets, asked.is_lost, request.fields, request.reset, len(worker.requests), bench.counters.as_dict())
        entries = [(e.status, e.worker_name, e.error_code, e.retries, e.request_id) for e in bench.notes.entries]
        asked.leave()
        worker.die()
        await bench.quiet()
    return seen, entries, sum(kind is not Exchange for kind in kinds)


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("play", PLAYS)
def test_both_come_to_the_same(ask: str, play: str) -> None:
    async def main() -> None:
        usual = await come_of(make_exchange, ASKS[ask], PLAYS[play])
        with mock.patch.object(exchange, "_send_data", compiled.decline):
            careful = await come_of(Exchange, ASKS[ask], PLAYS[play])
        assert usual[:2] == careful[:2]
        assert careful[2] == 0
        assert (usual[2] > 0) == (ask != "HTTP/1.0")

    run_virtually(main())


@pytest.mark.parametrize("n_bytes", [100, 200_000, 1_000_000])
def test_a_reply_that_says_its_length_needs_no_other_exchange(n_bytes: int) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("an Exchange was made")

    set_parts = compiled.find("exchange", "set_parts")

    async def main() -> None:
        async with Bench.open() as bench:
            worker = await bench.worker("w", "*")
            for _ in range(2):
                ask = bench.ask("http1")
                await bench.quiet()
                request = worker.requests[-1]
                request.reply(200, [(b"content-length", b"%d" % n_bytes)])
                for start in range(0, n_bytes, 64 * 1024):
                    request.data(b"x" * min(64 * 1024, n_bytes - start), fin=start + 64 * 1024 >= n_bytes)
                    await bench.quiet()
                assert (ask.status, len(ask.body), ask.is_complete) == (200, n_bytes, True)

    set_parts(refuse, ReplyBody, request_block)
    try:
        run_virtually(main())
    finally:
        set_parts(Exchange, ReplyBody, request_block)


def test_a_client_that_fails_when_it_is_written_costs_none_that_is_due_behind_it() -> None:
    def fail(octets: bytes) -> None:
        raise ArithmeticError("a bug")

    async def main() -> None:
        async with Bench.open() as bench:
            worker = await bench.worker("w", "*")
            first, second = (Http1Connection(bench.http1_clients).request() for _ in range(2))
            await bench.quiet()
            with (
                mock.patch.object(first._transport, "write", fail),
                mock.patch.object(first._transport, "writelines", fail),
            ):
                for request in worker.requests:
                    request.reply(200, [(b"content-length", b"200000")])
                    request.data(b"x" * 50_000)
                await bench.quiet()
            assert first.is_lost
            assert len(second.body) == 50_000
            second.leave()
            await bench.quiet()

    run_virtually(main())


def test_who_is_due_in_another_event_loop_meanwhile_is_written_there() -> None:
    """Another event loop's thread may have its turn whenever something is called."""

    class Loop:
        """Lets something else happen before it is told the first time."""

        def __init__(self, meanwhile: Callable[[], None]) -> None:
            self._loop = asyncio.get_running_loop()
            self._meanwhile: list[Callable[[], None]] = [meanwhile]
            self.due: list[Callable[[], Any]] = []

        def __getattr__(self, name: str) -> Any:
            return getattr(self._loop, name)

        def call_soon(self, callback: Callable[..., Any], *arguments: Any) -> None:
            while self._meanwhile:
                self._meanwhile.pop()()
            self.due.append(partial(callback, *arguments))

        def turn(self) -> None:
            for callback in self.due:
                callback()

    async def main() -> None:
        async with Bench.open() as bench, Bench.open() as other:
            asks = []
            for each_bench in (bench, other):
                await each_bench.worker("w", "*")
                asks.append(Http1Connection(each_bench.http1_clients).request())
                await each_bench.quiet()
            head = ReplyHead.of(200, [(b"content-length", b"5")])
            head.note = head_text(head)
            one, two = (ask._transport._protocol._exchange for ask in asks)
            loop, other_loop = Loop(lambda: two.on_reply(head, False)), Loop(lambda: None)
            with mock.patch.object(bench.desk, "loop", loop), mock.patch.object(other.desk, "loop", other_loop):
                one.on_reply(head, False)
                loop.turn()
                assert [ask.status for ask in asks] == [200, 0]
                other_loop.turn()
                assert [ask.status for ask in asks] == [200, 200]
            for ask in asks:
                ask.leave()
            await bench.quiet()
            await other.quiet()

    run_virtually(main())


def test_no_more_is_kept_of_a_reply_behind_one_that_is_not_taken() -> None:
    """What waits for the end of a turn would be credited beyond what the transport holds already."""

    async def main() -> None:
        async with Bench.open() as bench:
            worker = await bench.worker("w", "*")
            ask = Http1Connection(bench.http1_clients).request(window_bytes=HIGH_WATER_BYTES)
            await bench.quiet()
            worker.requests[0].whole(b"x" * 200_000)
            ask.send(b"GET /next HTTP/1.1\r\nhost: a.example\r\n\r\n")
            await bench.quiet()
            in_pieces(ask, worker.requests[1], worker, n_bytes=900_000, length=900_000, is_taking=False)
            await bench.quiet()
            assert not ask.is_writable
            assert ask._transport.get_write_buffer_size() <= HIGH_WATER_BYTES + bench.settings.stream_window
            ask._transport.is_taking = True
            ask.take()
            await bench.quiet()
            worker.requests[1].data(b"", fin=True)
            await bench.quiet()
            ask.leave()

    run_virtually(main())


@each("n_bytes", [100, 16 * 1024, 64 * 1024])
def test_a_worker_that_compresses_may_answer_at_length(n_bytes: int) -> None:
    """What the careful session makes of its reply has a view for a body."""

    async def main() -> None:
        async with Bench.open() as bench:
            worker = await bench.worker("w", "*", compresses=True)
            ask = bench.ask("http1")
            await bench.quiet()
            worker.requests[0].whole(b"x" * n_bytes)
            await bench.quiet()
            assert (ask.status, len(ask.body)) == (200, n_bytes)

    run_virtually(main())


@pytest.mark.parametrize("play", ["a failure", "a refusal", "a lost link"])
def test_a_stream_that_is_gone_refers_to_no_exchange(play: str) -> None:
    """A session remembers its last stream, a lost link all of its own: those must not keep exchange and client."""

    async def main() -> None:
        async with Bench.open(timeout=5.0, retries=0) as bench:
            worker = await bench.worker("w", "*")
            ask = Http1Connection(bench.http1_clients).request()
            await bench.quiet()
            (stream,) = worker.link.session.streams.values()
            assert stream.handler is not None
            for step in PLAYS[play]:
                step(ask, worker.requests[0], worker)
            await bench.quiet()
            assert stream.handler is None
            ask.leave()
            worker.die()
            await bench.wait(20)

    run_virtually(main())


def test_whoever_finds_no_room_waits_as_others_do() -> None:
    async def main() -> None:
        async with Bench.open() as bench:
            worker = await bench.worker("w", "*", capacity=1)
            first, second = (bench.ask("http1") for _ in range(2))
            await bench.quiet()
            assert len(worker.requests) == 1
            worker.requests[0].whole(b"first")
            await bench.quiet()
            worker.requests[1].whole(b"second")
            await bench.quiet()
            assert (first.body, second.body) == (b"first", b"second")

    run_virtually(main())


def test_a_worker_that_wants_its_prefix_off_gets_it_so() -> None:
    async def main() -> None:
        async with Bench.open() as bench:
            peer = bench.peer()
            await bench.quiet()
            peer.join("w", "/mount", strips_prefix=True)
            await bench.quiet()
            ask = bench.ask("http1", target=b"/mount/a")
            await bench.quiet()
            assert peer.requests[0].path == b"/a"
            peer.requests[0].whole(b"hello")
            await bench.quiet()
            assert ask.body == b"hello"

    run_virtually(main())


def test_a_bug_before_a_worker_has_the_request_costs_no_slot() -> None:
    """It is tried again with care, and that knows what to do when it fails, too."""

    def buggy(*args: object) -> bytes:
        raise ArithmeticError("a bug")

    set_parts = compiled.find("exchange", "set_parts")

    async def main() -> None:
        async with Bench.open() as bench:
            worker = await bench.worker("w", "*", capacity=1)
            ask = bench.ask("http1", fields=[(b"x-forwarded-for", b"192.0.2.1")])
            await bench.quiet()
            worker.requests[0].whole(b"hello")
            await bench.quiet()
            assert ask.body == b"hello"

    set_parts(Exchange, ReplyBody, buggy)
    try:
        run_virtually(main())
    finally:
        set_parts(Exchange, ReplyBody, request_block)
