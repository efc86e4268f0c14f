"""An exchange between a client and a worker, from end to end: over a real link, and for both kinds of clients."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.bench import KINDS, Ask, Bench
from tests.support.each import each
from tests.support.http1_asker import Http1Ask
from tests.support.link_peer import LinkPeer, PeerRequest
from tests.support.memory_client import MemoryConnection, MemoryStream
from tests.support.virtual_time import run_virtually
from zerogate.router.exchange.reply_half import MAX_HINTS
from zerogate.router.faces import BODY_CREDIT_BYTES
from zerogate.wire.http.errors import BAD_REQUEST, HttpError
from zerogate.wire.spdy.frames import RstStatus

KIB = 1024
# Between when something is due and when the wheel of deadlines tells of it.
SLACK_S = 1.5

Scenario = Callable[[Bench, str], Awaitable[None]]
Test = Callable[[str], None]


def bench(**options: Any) -> Callable[[Scenario], Test]:
    """Runs a scenario on a bench with these settings, in virtual time, for each kind of client."""

    def decorate(scenario: Scenario) -> Test:
        @pytest.mark.parametrize("kind", KINDS)
        def test(kind: str) -> None:
            async def main() -> None:
                async with Bench.open(**options) as made:
                    await scenario(made, kind)

            run_virtually(asyncio.wait_for(main(), 10_000))

        test.__doc__ = scenario.__doc__
        return test

    return decorate


async def begin(
    b: Bench, kind: str, method: bytes = b"GET", *, window: int = 256 * KIB, **options: Any
) -> tuple[LinkPeer, Ask, PeerRequest]:
    """A worker, and a request that it has."""
    worker = await b.worker("w", window_bytes=window)
    ask = b.ask(kind, method, **options)
    await b.until(lambda: worker.requests)  # at once, or after a lull if there is a body that does not come yet
    return worker, ask, worker.requests[-1]


def said(ask: Ask, status: int, body: bytes) -> bool:
    return (ask.status, ask.body, ask.is_complete, ask.is_cut) == (status, body, True, False)


def failed(ask: Ask, status: int, code: str) -> bool:
    return (ask.status, ask.error, ask.is_complete, ask.is_cut) == (status, code, True, False)


def is_lost(ask: Ask) -> bool:
    return isinstance(ask, Http1Ask) and ask.is_lost


# Replies


@bench()
async def test_a_whole_reply(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind, target=b"/a?b")
    assert (request.path, request.is_complete) == (b"/a?b", True)
    request.whole(b"hello", fields=[(b"x-a", b"1")])
    await b.quiet()
    assert said(ask, 200, b"hello")
    assert ask.fields[b"x-a"] == b"1"
    assert b.notes.lines == [("203.0.113.9", 200, "w")]
    assert request.reset is None


@bench()
async def test_a_streamed_reply(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind)
    request.reply(201)
    await b.quiet()
    assert (ask.status, ask.is_complete) == (201, False)
    for number in range(5):
        request.data(b"%d" % number)
        await b.quiet()
        assert ask.body == b"01234"[: number + 1]
    request.data(b"!", fin=True)
    await b.quiet()
    assert said(ask, 201, b"01234!")


@bench()
async def test_a_reply_that_ends_with_an_empty_piece_or_its_head(b: Bench, kind: str) -> None:
    worker, ask, request = await begin(b, kind)
    request.reply(200, [(b"content-length", b"2")])
    request.data(b"ab")
    await b.quiet()
    request.data(b"", fin=True)
    await b.quiet()
    assert said(ask, 200, b"ab")
    ask = b.ask(kind)
    await b.quiet()
    worker.requests[-1].reply(404, fin=True)
    await b.quiet()
    assert said(ask, 404, b"")


@bench()
async def test_trailers_both_ways(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind, b"POST", has_body=True)
    ask.send(b"up")
    ask.finish([(b"x-sum", b"1"), (b"x-more", b"2")])
    await b.quiet()
    assert (request.body, request.trailers, request.is_complete) == (b"up", {b"x-sum": b"1", b"x-more": b"2"}, True)
    request.reply()
    request.data(b"down")
    request.headers([(b"x-a", b"1"), (b"content-length", b"7"), (b"x-b", b"2")])
    await b.quiet()
    assert said(ask, 200, b"down")
    assert ask.trailers == [(b"x-a", b"1"), (b"x-b", b"2")]


@bench()
async def test_headers_that_end_nothing_are_not_trailers(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind)
    request.reply()
    request.headers([(b"x-a", b"1")], fin=False)
    request.data(b"x", fin=True)
    await b.quiet()
    assert said(ask, 200, b"x")
    assert not ask.trailers


@each("kind", KINDS)
@each(("method", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304)])
@each("how", ["whole", "in pieces", "head alone"])
def test_no_body_crosses_where_none_may(kind: str, method: bytes, status: int, how: str) -> None:
    """Nor is its length looked at; and of one that comes in pieces the worker hears that nobody wants it."""

    async def scenario(b: Bench) -> None:
        _, ask, request = await begin(b, kind, method)
        if how == "whole":
            request.whole(b"dropped", status, [])
        else:
            request.reply(status, [(b"content-length", b"7")], fin=how == "head alone")
        await b.quiet()
        assert said(ask, status, b"")
        assert request.reset == (RstStatus.CANCEL if how == "in pieces" else None)
        assert (ask.fields.get(b"content-length") == b"7") is (status != 204)

    async def main() -> None:
        async with Bench.open() as made:
            await scenario(made)

    run_virtually(main())


@bench()
async def test_a_worker_that_is_mounted_below_a_prefix(b: Bench, kind: str) -> None:
    """It hears the rest of the path, and what was taken off it; one that is not hears all of it."""
    mounted, plain = await b.worker("m", "/app"), await b.worker("p", "/other")
    (worker,) = (worker for worker in b.links.workers.values() if worker and worker.name == "m")
    worker.strips_prefix = True
    asks = [b.ask(kind, target=target) for target in (b"/app/a?b", b"/other/a")]
    await b.quiet()
    (first,), (second,) = mounted.requests, plain.requests
    assert (first.path, first.fields[b"x-forwarded-prefix"]) == (b"/a?b", b"/app")
    assert (second.path, b"x-forwarded-prefix" in second.fields) == (b"/other/a", False)
    for request in (first, second):
        request.whole(b"ok")
    await b.quiet()
    assert all(said(ask, 200, b"ok") for ask in asks)


# Bodies


@bench()
async def test_a_body_of_known_length(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind, b"PUT", length=5)
    assert not request.is_complete
    ask.send(b"ab")
    await b.quiet()
    assert request.body == b"ab"
    ask.send(b"cde")
    ask.finish()
    await b.quiet()
    assert (request.body, request.is_complete, request.fields[b"content-length"]) == (b"abcde", True, b"5")
    request.whole(b"ok")
    await b.quiet()
    assert said(ask, 200, b"ok")


@bench()
async def test_a_large_body_of_unknown_length(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind, b"POST", has_body=True)
    for _ in range(40):
        ask.send(b"x" * 10_000)
        await b.quiet()
    ask.finish()
    await b.quiet()
    assert (len(request.body), request.is_complete, request.trailers) == (400_000, True, {})
    request.whole(b"")
    await b.quiet()
    assert said(ask, 200, b"")


@bench()
async def test_a_body_that_was_there_before_the_worker(b: Bench, kind: str) -> None:
    ask = b.ask(kind, b"POST", has_body=True)
    ask.send(b"one")
    ask.send(b"two")
    ask.finish([(b"x-t", b"1")])
    empty = b.ask(kind, b"POST", has_body=True)
    empty.finish()
    await b.quiet()
    assert [b.dispatcher.lobby.n_bytes > 0, len(b.dispatcher.lobby)] == [True, 2]
    worker = await b.worker("w")
    request, other = worker.requests
    assert (request.body, request.trailers, request.is_complete) == (b"onetwo", {b"x-t": b"1"}, True)
    assert (other.body, other.is_complete) == (b"", True)
    request.whole(b"1")
    other.whole(b"2")
    await b.quiet()
    assert said(ask, 200, b"1")
    assert said(empty, 200, b"2")


@bench()
async def test_a_slow_worker_slows_its_client_down(b: Bench, kind: str) -> None:
    worker, ask, request = await begin(b, kind, b"POST", window=64 * KIB, has_body=True)
    worker.reads = False
    size = 0
    for _ in range(100):
        ask.send(b"x" * 4 * KIB)
        size += 4 * KIB
        await b.quiet()
    # As much as its window is with the worker; and of what is here no more than the client has without credit.
    assert len(request.body) == 64 * KIB
    (exchange,) = (stream.handler for stream in worker.link.session.streams.values() if stream.handler)
    assert worker.link.session.streams[1].pending_bytes <= BODY_CREDIT_BYTES + 4 * KIB
    assert exchange._body is not None
    for _ in range(100):
        request.read()
        await b.quiet()
    ask.finish()
    await b.quiet()
    for _ in range(10):
        request.read()
        await b.quiet()
    assert (len(request.body), request.is_complete) == (size, True)
    request.whole(b"")
    await b.quiet()
    assert said(ask, 200, b"")
    if isinstance(ask, MemoryStream):
        assert ask.most_uncredited_bytes == BODY_CREDIT_BYTES


@bench()
async def test_a_body_that_waits_with_its_request_is_bounded(b: Bench, kind: str) -> None:
    ask = b.ask(kind, b"POST", has_body=True)
    for _ in range(100):
        ask.send(b"x" * 4 * KIB)
        await b.quiet()
    assert BODY_CREDIT_BYTES <= b.dispatcher.lobby.n_bytes <= BODY_CREDIT_BYTES + 5 * KIB
    ask.finish()
    worker = await b.worker("w")
    await b.quiet()
    (request,) = worker.requests
    assert (len(request.body), request.is_complete) == (400 * KIB, True)
    request.whole(b"")
    await b.quiet()
    assert said(ask, 200, b"")


@bench()
async def test_a_slow_client_slows_its_worker_down(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind, window_bytes=32 * KIB)
    request.reply()
    for _ in range(200):
        request.data(b"x" * 4 * KIB)
        await b.quiet()
    # The stream's window was used up, and nothing was given back once the client took no more.
    assert not ask.is_writable
    assert len(ask.body) <= 256 * KIB + 128 * KIB
    assert request.unsent_bytes >= 400 * KIB
    request.data(b"", fin=True)
    for _ in range(100):
        ask.take()
        await b.quiet()
    assert said(ask, 200, b"x" * 800 * KIB)


# Interim replies


@bench()
async def test_the_worker_asks_for_the_body(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind, b"POST", length=3, expects_continue=True)
    assert ask.interims == []
    request.interim(100)
    request.interim(100)
    await b.quiet()
    assert ask.interims == [100]
    ask.send(b"abc")
    ask.finish()
    await b.wait(2.0)
    assert (request.body, ask.interims) == (b"abc", [100])
    request.whole(b"ok")
    await b.quiet()
    assert said(ask, 200, b"ok")


@bench()
async def test_a_worker_that_says_nothing_wants_the_body(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind, b"POST", length=3, expects_continue=True)
    await b.wait(0.9)
    assert ask.interims == []
    await b.wait(0.2)
    assert ask.interims == [100]
    ask.send(b"abc")
    ask.finish()
    await b.quiet()
    request.whole(b"ok")
    await b.quiet()
    assert said(ask, 200, b"ok")


@bench()
async def test_nobody_is_asked_for_what_has_come_or_is_not_held_back(b: Bench, kind: str) -> None:
    worker, eager, request = await begin(b, kind, b"POST", length=3, expects_continue=True)
    eager.send(b"a")
    await b.quiet()
    request.interim(100)
    plain = b.ask(kind, b"GET")
    await b.quiet()
    worker.requests[-1].interim(100)
    await b.wait(2.0)
    assert eager.interims == plain.interims == []
    for one in worker.requests:
        one.whole(b"")
    await b.quiet()
    assert said(plain, 200, b"")


@bench()
async def test_early_hints_are_passed_on_as_far_as_anybody_needs_them(b: Bench, kind: str) -> None:
    worker, ask, request = await begin(b, kind)
    request.interim(103, [(b"link", b"</a>"), (b"link", b"</b>"), (b"content-length", b"7"), (b"connection", b"x")])
    await b.quiet()
    assert ask.interims == [103]
    for _ in range(2 * MAX_HINTS):
        request.interim(103)
    await b.quiet()
    assert ask.interims == [103] * MAX_HINTS
    request.whole(b"ok")
    await b.quiet()
    assert said(ask, 200, b"ok")
    # And what is none is no reply either.
    ask = b.ask(kind)
    await b.quiet()
    worker.requests[-1].interim(103, [(b"link", b"a\r\nb")])
    await b.quiet()
    assert failed(ask, 502, "worker_failed")


@bench()
async def test_a_body_that_is_refused_is_not_asked_for(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind, b"POST", length=3, expects_continue=True)
    request.whole(b"no", 417)
    await b.wait(2.0)
    assert ask.interims == []
    assert (ask.status, ask.body) == (417, b"no")
    assert request.reset == RstStatus.CANCEL


@bench()
async def test_a_reply_while_the_body_still_comes(b: Bench, kind: str) -> None:
    """It is over with the reply: the rest of the body is no use, and the worker is told."""
    _, ask, request = await begin(b, kind, b"POST", has_body=True)
    ask.send(b"some")
    await b.quiet()
    request.reply(413)
    request.data(b"too ")
    await b.quiet()
    ask.send(b"more")
    await b.quiet()
    assert request.body == b"somemore"
    request.data(b"much", fin=True)
    await b.quiet()
    assert said(ask, 413, b"too much")
    assert request.reset == RstStatus.CANCEL
    ask.send(b"and more")
    ask.finish()
    await b.quiet()
    assert request.body == b"somemore"


# Workers that are lost, or have no room


@each("kind", KINDS)
@each("method", [b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"])
def test_what_is_safe_to_repeat_is_sent_elsewhere(kind: str, method: bytes) -> None:
    async def main() -> None:
        async with Bench.open() as b:
            first, second = await b.worker("a"), await b.worker("b")
            ask = b.ask(kind, method, has_body=method == b"PUT")
            if method == b"PUT":
                ask.send(b"x" * 1000)
            await b.until(lambda: first.requests)
            first.die()
            await b.quiet()
            (request,) = second.requests
            if method == b"PUT":
                assert request.body == b"x" * 1000
                ask.finish()
                await b.quiet()
            assert request.is_complete
            request.whole(b"")
            await b.quiet()
            assert said(ask, 200, b"")
            assert (b.counters.retries, b.counters.lost) == (1, 1)
            assert b.notes.lines == [("203.0.113.9", 200, "b")]

    run_virtually(main())


@bench()
async def test_what_is_not_safe_to_repeat_is_not(b: Bench, kind: str) -> None:
    first, second = await b.worker("a"), await b.worker("b")
    ask = b.ask(kind, b"POST", length=1)
    ask.send(b"x")
    ask.finish()
    await b.quiet()
    first.die()
    await b.quiet()
    assert failed(ask, 502, "worker_lost")
    assert not second.requests


@bench(retry_bytes=1000)
async def test_nor_is_a_body_that_is_not_kept(b: Bench, kind: str) -> None:
    first, second = await b.worker("a"), await b.worker("b")
    ask = b.ask(kind, b"PUT", has_body=True)
    ask.send(b"x" * 1000)
    ask.send(b"x")
    await b.until(lambda: first.requests)
    first.die()
    await b.quiet()
    assert failed(ask, 502, "worker_lost")
    assert not second.requests


@bench(retry_bytes=1000)
async def test_nor_is_one_that_was_too_large_before_it_went(b: Bench, kind: str) -> None:
    ask = b.ask(kind, b"PUT", has_body=True)
    ask.send(b"x" * 1001)
    first = await b.worker("a")
    await b.worker("b")
    await b.until(lambda: first.requests)
    assert len(first.requests[0].body) == 1001
    first.die()
    await b.quiet()
    assert failed(ask, 502, "worker_lost")


@bench(retries=2)
async def test_after_so_many_losses_it_is_given_up(b: Bench, kind: str) -> None:
    workers = [await b.worker(name) for name in "abcd"]
    ask = b.ask(kind)
    await b.quiet()
    for number, worker in enumerate(workers[:3]):
        assert len(worker.requests) == 1, number
        worker.die()
        await b.quiet()
    assert failed(ask, 502, "worker_lost")
    assert (b.counters.retries, workers[3].requests) == (2, [])


@bench(retries=0)
async def test_a_refusal_is_no_loss(b: Bench, kind: str) -> None:
    """It has cost nothing: also what is not safe to repeat goes on, and as often as it must."""
    workers = [await b.worker(name) for name in "abc"]
    ask = b.ask(kind, b"POST", length=2)
    ask.send(b"xy")
    ask.finish()
    await b.quiet()
    for worker in workers[:2]:
        worker.requests[0].end_with(RstStatus.REFUSED_STREAM)
        await b.quiet()
    (request,) = workers[2].requests
    assert (request.body, request.is_complete) == (b"xy", True)
    request.whole(b"ok")
    await b.quiet()
    assert said(ask, 200, b"ok")
    assert (b.counters.refused, b.counters.retries) == (2, 2)


@bench()
async def test_a_refusal_by_the_only_worker_waits_until_it_has_room(b: Bench, kind: str) -> None:
    worker, ask, request = await begin(b, kind)
    younger = b.ask(kind, target=b"/younger")
    await b.quiet()
    worker.take(0)
    worker.requests[1].whole(b"")
    request.end_with(RstStatus.REFUSED_STREAM)
    await b.wait(5.0)
    assert len(worker.requests) == 2
    worker.take(1)
    await b.quiet()
    worker.requests[-1].whole(b"at last")
    await b.quiet()
    assert said(ask, 200, b"at last")
    assert said(younger, 200, b"")


@bench()
async def test_a_goaway_that_refuses_is_a_refusal(b: Bench, kind: str) -> None:
    """GOAWAY names the last request that was taken: those above it may go elsewhere."""
    first = await b.worker("a")
    second = await b.worker("b")
    ask = b.ask(kind, b"POST", length=0)
    first.goaway()
    await b.quiet()
    answered = [request for worker in (first, second) for request in worker.requests]
    answered[-1].whole(b"ok")
    await b.quiet()
    assert said(ask, 200, b"ok")


@bench()
async def test_a_worker_that_fails_before_the_reply(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind)
    request.end_with(RstStatus.INTERNAL_ERROR)
    await b.quiet()
    assert failed(ask, 502, "worker_failed")


@bench()
async def test_a_worker_that_fails_amid_the_reply(b: Bench, kind: str) -> None:
    worker, reset, request = await begin(b, kind)
    request.reply()
    request.data(b"half")
    lost = b.ask(kind)
    await b.quiet()
    worker.requests[1].reply(200, [(b"content-length", b"10")])
    request.end_with(RstStatus.INTERNAL_ERROR)
    await b.quiet()
    worker.die()
    await b.quiet()
    assert reset.is_cut
    assert reset.body == b"half"
    assert lost.is_cut
    assert b.counters.cut == 2
    assert [line[1] for line in b.notes.lines] == [200, 200]


@bench(max_failures=1, rest=5.0)
async def test_who_fails_is_passed_over_unless_it_is_the_last(b: Bench, kind: str) -> None:
    first = await b.worker("a")
    second = await b.worker("b")
    asks = [b.ask(kind)]
    await b.quiet()
    first.requests[0].end_with(RstStatus.INTERNAL_ERROR)
    await b.quiet()
    for n_served in range(1, 4):
        asks.append(b.ask(kind))
        await b.quiet()
        assert len(second.requests) == n_served
        second.requests[-1].end_with(RstStatus.INTERNAL_ERROR)
        await b.quiet()
    assert {ask.status for ask in asks} == {502}


# Bad replies


@each("kind", KINDS)
@each(
    ("status", "fields"),
    [
        (199, []),
        (600, []),
        (200, [(b"content-length", b"x")]),
        (101, []),
    ],
)
def test_a_reply_that_is_not_http(kind: str, status: int, fields: list[tuple[bytes, bytes]]) -> None:
    async def main() -> None:
        async with Bench.open() as b:
            _, ask, request = await begin(b, kind)
            request.reply(status, fields)
            await b.quiet()
            assert failed(ask, 502, "worker_failed")
            assert request.reset == RstStatus.PROTOCOL_ERROR
            assert b.counters.bad_replies == 1

    run_virtually(main())


@bench()
async def test_an_interim_reply_that_is_none(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind)
    request.interim(200)
    await b.quiet()
    assert failed(ask, 502, "worker_failed")


@bench()
async def test_a_whole_reply_of_another_length(b: Bench, kind: str) -> None:
    for body, length in ((b"abc", b"2"), (b"abc", b"4"), (b"", b"1")):
        worker = await b.worker("w")
        ask = b.ask(kind)
        await b.quiet()
        request = worker.requests[-1]
        request.reply(200, [(b"content-length", length)], fin=not body)
        if body:
            request.data(body, fin=True)
        await b.quiet()
        assert ask.is_cut or failed(ask, 502, "worker_failed")
        worker.die()
        await b.quiet()
    assert b.counters.bad_replies == 3


@bench()
async def test_a_reply_whose_pieces_are_too_long_or_too_short(b: Bench, kind: str) -> None:
    for pieces, fin in (([b"ab", b"c"], False), ([b"a"], True)):
        worker = await b.worker("w")
        ask = b.ask(kind)
        await b.quiet()
        request = worker.requests[-1]
        request.reply(200, [(b"content-length", b"2")])
        await b.quiet()
        for piece in pieces:
            request.data(piece)
            await b.quiet()
        if fin:
            request.headers([(b"x-a", b"1")])
            await b.quiet()
        # Of what was too much an HTTP/1 client sees no more than the end of the connection.
        assert ask.is_cut or (kind, ask.body, is_lost(ask)) == ("http1", b"ab", True)
        worker.die()
        await b.quiet()
    assert b.counters.bad_replies == 2
    assert b.counters.cut == 2


# Time


@bench(queue_timeout=8.0)
async def test_no_worker_has_room_in_time(b: Bench, kind: str) -> None:
    worker = await b.worker("w", capacity=0)
    ask = b.ask(kind, b"POST", has_body=True)
    ask.send(b"x")
    ask.finish()
    took = await b.until(lambda: ask.is_complete)
    assert 8.0 <= took <= 8.0 + SLACK_S
    assert failed(ask, 503, "queue_timeout")
    assert not worker.requests
    assert b.counters.lost == 0


@bench(timeout=8.0, max_failures=1)
async def test_no_reply_in_time(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind)
    took = await b.until(lambda: ask.is_complete)
    assert 8.0 <= took <= 8.0 + SLACK_S
    assert failed(ask, 504, "timeout")
    assert request.reset == RstStatus.CANCEL


@bench(timeout=20.0, body_timeout=8.0, min_body_rate=0)
async def test_the_body_stalls(b: Bench, kind: str) -> None:
    """The client's fault, and the worker hears of no more than that it is over."""
    _, ask, request = await begin(b, kind, b"POST", has_body=True)
    for _ in range(3):
        await b.wait(7.0)
        ask.send(b"x")
    took = await b.until(lambda: ask.is_complete)
    assert 8.0 <= took <= 8.0 + SLACK_S
    assert failed(ask, 408, "timeout")
    assert request.reset == RstStatus.CANCEL
    assert [worker.failures for worker in b.links.workers.values() if worker] == [0]


@bench(timeout=9.0, body_timeout=5.0)
async def test_the_reply_s_time_runs_from_the_body_s_end(b: Bench, kind: str) -> None:
    _, ask, _ = await begin(b, kind, b"POST", has_body=True)
    ask.send(b"x")
    await b.wait(4.0)
    ask.finish()
    took = await b.until(lambda: ask.is_complete)
    assert 9.0 <= took <= 9.0 + SLACK_S
    assert failed(ask, 504, "timeout")
    assert [worker.failures for worker in b.links.workers.values() if worker] == [1]


@bench(timeout=5.0, body_timeout=5.0)
async def test_a_worker_that_reads_slowly_is_waited_for_and_one_that_stops_is_not(b: Bench, kind: str) -> None:
    worker, ask, request = await begin(b, kind, b"POST", window=64 * KIB, length=128 * KIB)
    worker.reads = False
    ask.send(b"x" * 128 * KIB)
    await b.quiet()
    for _ in range(6):
        await b.wait(4.0)
        # Less than half a window gives no credit: so whole windows, a few seconds apart.
        request._peer.session.consumed(request._stream, 33 * KIB // 4)
        request._peer.flush()
        await b.quiet()
    assert not ask.status or failed(ask, 504, "timeout")
    await b.until(lambda: ask.is_complete)
    assert failed(ask, 504, "timeout")


@bench(idle_timeout=8.0)
async def test_a_worker_that_falls_silent_amid_its_reply(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind)
    request.reply()
    for _ in range(3):
        await b.wait(7.0)
        request.data(b"x")
    took = await b.until(lambda: ask.is_cut)
    assert 7.9 <= took <= 8.0 + SLACK_S
    assert ask.body == b"xxx"
    assert request.reset == RstStatus.CANCEL
    assert [worker.failures for worker in b.links.workers.values() if worker] == [0]


@bench(idle_timeout=8.0, min_body_rate=0)
async def test_a_client_that_takes_slowly_is_waited_for_and_one_that_stops_is_not(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind, window_bytes=16 * KIB)
    request.reply()
    request.data(b"x" * 200 * KIB)
    for _ in range(5):
        await b.wait(7.5)
        ask.take_slowly(KIB)
    assert not ask.is_cut
    assert not ask.is_writable
    took = await b.until(lambda: request.reset is not None)
    assert took <= 16.0 + 2 * SLACK_S
    # Nobody blames the worker for it.
    assert [worker.failures for worker in b.links.workers.values() if worker] == [0]
    ask.take()
    await b.quiet()
    assert ask.is_cut


# Tunnels


@bench(timeout=5.0, idle_timeout=5.0, body_timeout=5.0)
async def test_a_tunnel(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind, upgrade=b"websocket", fields=[])
    assert (request.fields[b"upgrade"], request.is_complete) == (b"websocket", False)
    request.reply(101)
    await b.quiet()
    assert ask.status == 101
    ask.send(b"ping")
    await b.quiet()
    assert request.body == b"ping"
    request.data(b"pong")
    await b.wait(100.0)  # no time-outs run
    ask.send(b"2")
    await b.quiet()
    request.data(b"3")
    await b.quiet()
    assert (request.body, ask.body) == (b"ping2", b"pong3")
    request.data(b"bye", fin=True)
    await b.quiet()
    assert (ask.body, ask.has_tunnel_ended) == (b"pong3bye", True)
    for _ in range(5):
        ask.send(b"still")
        await b.wait(4.0)
    assert not b.notes.lines
    ask.finish()
    await b.quiet()
    assert (request.body, request.is_complete, request.reset) == (b"ping2" + 5 * b"still", True, None)
    assert b.notes.lines == [("203.0.113.9", 101, "w")]


async def begin_tunnel(b: Bench, kind: str) -> tuple[Ask, PeerRequest]:
    _, ask, request = await begin(b, kind, upgrade=b"websocket")
    request.reply(101)
    await b.quiet()
    return ask, request


async def assert_cut_in_time(b: Bench, request: PeerRequest) -> None:
    await b.wait(4.0)
    assert not b.notes.lines
    await b.wait(2.0)
    assert b.notes.lines == [("203.0.113.9", 101, "w")]
    assert request.reset is not None


@bench(idle_timeout=5.0)
async def test_a_tunnel_that_its_worker_has_ended_and_whose_client_is_silent(b: Bench, kind: str) -> None:
    _, request = await begin_tunnel(b, kind)
    request.data(b"bye", fin=True)
    await b.quiet()
    await assert_cut_in_time(b, request)


@bench(idle_timeout=5.0)
async def test_a_tunnel_that_its_client_has_ended_and_whose_worker_is_silent(b: Bench, kind: str) -> None:
    ask, request = await begin_tunnel(b, kind)
    ask.finish()
    for _ in range(3):
        await b.wait(4.0)
        request.data(b"more")
        await b.quiet()
    assert ask.body == 3 * b"more"
    await assert_cut_in_time(b, request)


@bench()
async def test_a_tunnel_whose_client_ends_first(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind, upgrade=b"websocket")
    request.reply(101)
    await b.quiet()
    ask.finish()
    await b.quiet()
    assert (request.is_complete, b.notes.lines) == (True, [])
    request.data(b"still here")
    request.headers([(b"x-a", b"1")], fin=False)
    await b.quiet()
    assert ask.body == b"still here"
    request.headers([(b"x-a", b"1")])
    await b.quiet()
    assert ask.is_complete
    assert request.reset is None


@bench()
async def test_a_tunnel_whose_worker_says_all_at_once(b: Bench, kind: str) -> None:
    worker, ask, request = await begin(b, kind, upgrade=b"websocket")
    other = b.ask(kind, upgrade=b"websocket")
    await b.quiet()
    worker.session.send_whole_reply(request._stream, request._block(101, []), b"hello")
    worker.requests[1].reply(101, fin=True)
    await b.quiet()
    assert (ask.status, ask.body, ask.has_tunnel_ended) == (101, b"hello", True)
    assert (other.status, other.body, other.has_tunnel_ended) == (101, b"", True)
    ask.finish()
    other.finish()
    await b.quiet()
    assert ask.is_complete
    assert other.is_complete


@bench()
async def test_a_tunnel_whose_client_has_ended_before_it_begins(b: Bench, kind: str) -> None:
    """Whether or not it has said something before."""
    for words in (b"", b"hello"):
        worker, ask, request = await begin(b, kind, upgrade=b"websocket")
        if words:
            ask.send(words)
        ask.finish()
        await b.quiet()
        request.reply(101)
        await b.quiet()
        assert (request.body, request.is_complete) == (words, True)
        request.data(b"bye", fin=True)
        await b.quiet()
        assert (ask.body, ask.is_complete, request.reset) == (b"bye", True, None)
        worker.die()
        await b.quiet()


@bench()
async def test_a_tunnel_s_credit(b: Bench, kind: str) -> None:
    worker, ask, request = await begin(b, kind, upgrade=b"websocket", window=64 * KIB, window_bytes=16 * KIB)
    worker.reads = False
    request.reply(101)
    await b.quiet()
    for _ in range(60):
        ask.send(b"x" * 8 * KIB)
        request.data(b"y" * 8 * KIB)
        await b.quiet()
    assert len(request.body) == 64 * KIB
    assert len(ask.body) <= 300 * KIB
    assert not ask.is_writable
    for _ in range(60):
        request.read()
        ask.take()
        await b.quiet()
    assert (len(request.body), len(ask.body)) == (480 * KIB, 480 * KIB)
    ask.leave()
    await b.quiet()
    assert request.reset == RstStatus.CANCEL


@bench()
async def test_a_tunnel_that_is_refused(b: Bench, kind: str) -> None:
    _, ask, request = await begin(b, kind, upgrade=b"websocket")
    request.whole(b"no", 403)
    await b.quiet()
    assert said(ask, 403, b"no")


@bench()
async def test_tunnels_that_are_cut(b: Bench, kind: str) -> None:
    worker, reset, request = await begin(b, kind, upgrade=b"websocket")
    lost, half = (b.ask(kind, upgrade=b"websocket") for _ in range(2))
    await b.quiet()
    for one in worker.requests:
        one.reply(101)
    await b.quiet()
    request.end_with(RstStatus.INTERNAL_ERROR)
    worker.requests[2].data(b"", fin=True)
    await b.quiet()
    assert not half.is_complete
    worker.die()
    await b.quiet()
    assert reset.is_cut
    assert lost.is_cut
    assert (half.is_cut, half.has_tunnel_ended) == (kind == "memory", True)


@bench(timeout=8.0)
async def test_a_tunnel_that_nobody_answers_is_the_worker_s_fault(b: Bench, kind: str) -> None:
    """The client has nothing more to say before the 101."""
    _, ask, _ = await begin(b, kind, upgrade=b"websocket")
    await b.until(lambda: ask.is_complete)
    assert failed(ask, 504, "timeout")
    assert [worker.failures for worker in b.links.workers.values() if worker] == [1]


# Clients that leave, and are wrong


@bench()
async def test_a_client_that_leaves(b: Bench, kind: str) -> None:
    waiting = b.ask(kind)
    await b.quiet()
    waiting.leave()
    await b.quiet()
    assert not len(b.dispatcher.lobby)
    worker, due, request = await begin(b, kind)
    streaming = b.ask(kind)
    await b.quiet()
    worker.requests[1].reply()
    await b.quiet()
    due.leave()
    streaming.leave()
    await b.quiet()
    assert [one.reset for one in worker.requests] == [RstStatus.CANCEL, RstStatus.CANCEL]
    assert b.counters.aborted == 3
    assert [line[1] for line in b.notes.lines] == [0, 0, 200]
    # What was under way when it left goes nowhere.
    request.whole(b"too late")
    await b.quiet()
    assert [worker.failures for worker in b.links.workers.values() if worker] == [0]


@bench()
async def test_a_body_against_the_rules(b: Bench, kind: str) -> None:
    def break_rules(ask: Ask) -> None:
        if isinstance(ask, MemoryStream):
            ask.reject(HttpError(BAD_REQUEST))
        else:
            ask._transport.say(b"nonsense\r\n")

    waiting = b.ask(kind, b"POST", has_body=True)
    await b.quiet()
    break_rules(waiting)
    await b.quiet()
    assert failed(waiting, 400, "bad_request")
    worker, due, request = await begin(b, kind, b"POST", has_body=True)
    break_rules(due)
    await b.quiet()
    assert failed(due, 400, "bad_request")
    assert request.reset == RstStatus.CANCEL
    late = b.ask(kind, b"POST", has_body=True)
    await b.until(lambda: len(worker.requests) == 2)
    worker.requests[-1].reply()
    await b.quiet()
    break_rules(late)
    await b.quiet()
    assert late.is_cut
    assert worker.requests[-1].reset == RstStatus.CANCEL
    assert b.counters.aborted == 3


# The router stops


@bench()
async def test_shut_down_in_each_state(b: Bench, kind: str) -> None:
    worker = await b.worker("w", capacity=4)
    due = b.ask(kind, b"POST", has_body=True)
    await b.until(lambda: worker.requests)
    streaming = b.ask(kind)
    tunnel, half = (b.ask(kind, upgrade=b"websocket") for _ in range(2))
    waiting = b.ask(kind)
    await b.quiet()
    worker.requests[1].reply()
    worker.requests[2].reply(101)
    worker.requests[3].reply(101, fin=True)
    await b.quiet()
    b.desk.shut_down()
    await b.quiet()
    assert failed(waiting, 503, "shutting_down")
    assert failed(due, 503, "shutting_down")
    assert streaming.is_cut
    assert tunnel.is_cut
    assert half.status == 101
    # Who waited may have got the slot of one that was shut down before it.
    assert {request.reset for request in worker.requests} == {RstStatus.CANCEL}
    assert len(b.notes.lines) == 5


# Many at once, over one connection


def on_one_connection(scenario: Callable[[Bench, MemoryConnection], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with Bench.open(**options) as b:
            await scenario(b, MemoryConnection(b.desk))

    run_virtually(asyncio.wait_for(main(), 10_000))


def test_ten_at_once_answered_backwards() -> None:
    async def scenario(b: Bench, connection: MemoryConnection) -> None:
        worker = await b.worker("w")
        streams = [connection.request(b"POST", b"/%d" % number, has_body=True) for number in range(10)]
        for stream in streams:
            stream.send(b"%b " % stream.head.target)
        await b.until(lambda: len(worker.requests) == 10)
        for stream in reversed(streams):
            stream.send(b"end")
            stream.finish()
        await b.quiet()
        assert sorted(request.body for request in worker.requests) == [b"/%d end" % number for number in range(10)]
        for request in reversed(worker.requests):
            request.reply()
            request.data(request.body)
        await b.quiet()
        assert len(connection.streams) == 10
        for request in worker.requests:
            request.data(b"!", fin=True)
        await b.quiet()
        assert [stream.body for stream in streams] == [b"/%d end!" % number for number in range(10)]
        assert all(stream.is_over for stream in streams)
        assert not connection.streams

    on_one_connection(scenario)


def test_streams_are_reset_and_others_go_on() -> None:
    async def scenario(b: Bench, connection: MemoryConnection) -> None:
        worker = await b.worker("w")
        left, cut, kept = (connection.request(target=b"/%d" % number) for number in range(3))
        await b.quiet()
        for request in worker.requests:
            request.reply()
        await b.quiet()
        left.leave()
        worker.requests[1].end_with(RstStatus.INTERNAL_ERROR)
        await b.quiet()
        assert (worker.requests[0].reset, cut.is_cut) == (RstStatus.CANCEL, True)
        assert connection.streams == [kept]
        worker.requests[2].data(b"fine", fin=True)
        await b.quiet()
        assert said(kept, 200, b"fine")

    on_one_connection(scenario)


def test_one_that_is_slow_slows_no_other_down() -> None:
    async def scenario(b: Bench, connection: MemoryConnection) -> None:
        worker = await b.worker("w", window_bytes=64 * KIB)
        worker.reads = False
        slow = connection.request(b"POST", has_body=True, window_bytes=KIB)
        quick = connection.request(b"POST", has_body=True)
        slow.send(b"x" * 300 * KIB)
        quick.send(b"y" * 300 * KIB)
        await b.quiet()
        first, second = worker.requests
        for _ in range(20):
            second.read()
            await b.quiet()
        quick.finish()
        await b.quiet()
        assert (len(second.body), second.is_complete) == (300 * KIB, True)
        assert slow.kept_back_bytes == 300 * KIB - 2 * 64 * KIB
        for request in (first, second):
            request.reply()
            request.data(b"z" * 600 * KIB, fin=True)
        await b.quiet()
        assert said(quick, 200, b"z" * 600 * KIB)
        assert len(slow.body) <= 300 * KIB
        slow.leave()

    on_one_connection(scenario)


def test_each_stream_has_its_own_time() -> None:
    async def scenario(b: Bench, connection: MemoryConnection) -> None:
        await b.worker("w")
        early = connection.request()
        await b.wait(4.0)
        late = connection.request()
        assert 4.0 - SLACK_S <= await b.until(lambda: early.is_over) <= 4.0 + SLACK_S
        assert not late.is_over
        assert 4.0 - SLACK_S <= await b.until(lambda: late.is_over) <= 4.0 + SLACK_S
        assert failed(early, 504, "timeout")
        assert failed(late, 504, "timeout")

    on_one_connection(scenario, timeout=8.0)


def test_a_connection_that_is_gone_leaves_no_stream() -> None:
    async def scenario(b: Bench, connection: MemoryConnection) -> None:
        worker = await b.worker("w", capacity=2)
        streams = [connection.request() for _ in range(5)]
        await b.quiet()
        connection.close_if_idle()
        assert connection in b.desk.clients
        connection.abort()
        await b.quiet()
        assert [request.reset for request in worker.requests[:2]] == [RstStatus.CANCEL] * 2
        assert all(stream.is_over for stream in streams)
        assert b.counters.aborted == 5
        assert not b.desk.clients

    on_one_connection(scenario)
