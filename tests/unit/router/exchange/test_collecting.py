"""Before a worker is asked for: what is taken of a body first, what ends that, and what it costs."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.bench import KINDS, Bench
from tests.support.http1_asker import Http1Connection
from tests.support.memory_client import MemoryConnection
from tests.support.virtual_time import run_virtually
from zerogate.router.exchange.collecting import KNOWN_LULL_S, LULL_S, MAX_LULL_S, MAX_LULLS
from zerogate.router.exchange.pace import GRACE_S
from zerogate.router.faces import BODY_CREDIT_BYTES

KIB = 1024
# Between when something is due and when the wheel of deadlines tells of it.
SLACK_S = 1.5

Scenario = Callable[[Bench, str], Awaitable[None]]


def bench(**options: Any) -> Callable[[Scenario], Callable[[str], None]]:
    """Runs a scenario on a bench with these settings, in virtual time, for each kind of client."""

    def decorate(scenario: Scenario) -> Callable[[str], None]:
        @pytest.mark.parametrize("kind", KINDS)
        def test(kind: str) -> None:
            async def main() -> None:
                async with Bench.open(**options) as made:
                    await scenario(made, kind)
                    assert (len(made.dispatcher.anteroom), made.dispatcher.anteroom.n_bytes) == (0, 0)

            run_virtually(asyncio.wait_for(main(), 10_000))

        test.__doc__ = scenario.__doc__
        return test

    return decorate


# What it waits for


@pytest.mark.parametrize(
    "framing", [b"content-length: 4\r\n\r\nbody", b"transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"]
)
def test_a_body_that_comes_with_its_head_waits_for_nothing(framing: bytes) -> None:
    async def main() -> None:
        async with Bench.open() as b:
            worker = await b.worker("w")
            connection = Http1Connection(b.http1_clients)
            connection.transport.say(b"POST / HTTP/1.1\r\nhost: a\r\n" + framing)
            assert not b.dispatcher.anteroom
            await b.quiet()
            assert (worker.requests[0].body, worker.requests[0].is_complete) == (b"body", True)
            worker.requests[0].whole(b"ok")

    run_virtually(main())


@bench()
async def test_a_small_body_is_taken_before_a_slot_is(b: Bench, kind: str) -> None:
    worker = await b.worker("w")
    ask = b.ask(kind, b"POST", length=6)
    for _ in range(3):
        await b.wait(0.9 * LULL_S)
        assert not worker.requests
        assert [w.in_flight for w in b.links.workers.values() if w] == [0]
        ask.send(b"ab")
    ask.finish()
    await b.quiet()
    assert (worker.requests[0].body, worker.requests[0].is_complete) == (b"ababab", True)
    worker.requests[0].whole(b"ok")
    await b.quiet()
    assert (ask.status, ask.body) == (200, b"ok")


@bench()
async def test_of_a_large_body_the_beginning_is_taken(b: Bench, kind: str) -> None:
    worker = await b.worker("w")
    ask = b.ask(kind, b"POST", length=BODY_CREDIT_BYTES + 1)
    for _ in range(3):
        ask.send(bytes(BODY_CREDIT_BYTES // 4))
        await b.wait(LULL_S / 2)
    assert not worker.requests
    ask.send(bytes(BODY_CREDIT_BYTES // 4))
    await b.quiet()
    (request,) = worker.requests
    assert (len(request.body), request.is_complete) == (BODY_CREDIT_BYTES, False)
    ask.send(b"!")
    ask.finish()
    await b.quiet()
    assert (len(request.body), request.is_complete) == (BODY_CREDIT_BYTES + 1, True)
    request.whole(b"ok")


@bench()
async def test_a_client_that_says_nothing_is_served_after_a_lull(b: Bench, kind: str) -> None:
    """It may want to hear something first, and so do both in turn."""
    worker = await b.worker("w")
    ask = b.ask(kind, b"POST", has_body=True)
    await b.wait(0.9 * LULL_S)
    assert not worker.requests
    await b.wait(0.2 * LULL_S)
    (request,) = worker.requests
    request.reply()
    for number in range(3):
        ask.send(b"%d" % number)
        await b.quiet()
        request.data(request.body[-1:])
        await b.quiet()
    assert ask.body == b"012"
    ask.finish()
    request.data(b"", fin=True)


@bench()
async def test_so_is_one_that_has_only_said_how_much_will_come(b: Bench, kind: str) -> None:
    worker = await b.worker("w")
    ask = b.ask(kind, b"POST", length=3)
    await b.wait(1.1 * LULL_S)
    (request,) = worker.requests
    assert request.body == b""
    request.whole(b"no", 403)
    await b.quiet()
    assert (ask.status, ask.body) == (403, b"no")


@bench(min_body_rate=0)
async def test_who_has_said_how_much_will_come_may_take_its_time(b: Bench, kind: str) -> None:
    """As on a slow line, where packets come seldom."""
    worker = await b.worker("w", capacity=1)
    slow = b.ask(kind, b"POST", length=22)
    for _ in range(10):
        slow.send(b"ab")
        await b.wait(0.9 * KNOWN_LULL_S)
        assert not worker.requests
    await b.wait(2.1 * KNOWN_LULL_S)
    (request,) = worker.requests
    assert (len(request.body), request.is_complete) == (20, False)
    slow.send(b"ab")
    slow.finish()
    await b.quiet()
    assert (len(request.body), request.is_complete) == (22, True)
    request.whole(b"")


@bench()
async def test_a_client_that_waits_to_be_asked_for_its_body_is_served_at_once(b: Bench, kind: str) -> None:
    worker = await b.worker("w")
    ask = b.ask(kind, b"POST", length=2, expects_continue=True)
    await b.quiet()
    worker.requests[0].interim(100)
    await b.quiet()
    assert ask.interims == [100]
    ask.send(b"ok")
    ask.finish()
    await b.quiet()
    assert worker.requests[0].body == b"ok"
    worker.requests[0].whole(b"")


@bench(min_body_rate=0)
async def test_a_stream_without_lulls_is_passed_on_before_long(b: Bench, kind: str) -> None:
    """Of unknown length: somebody may be listening. Where the length is known, nobody does."""
    worker = await b.worker("w")
    stream, upload = b.ask(kind, b"POST", has_body=True), b.ask(kind, b"POST", b"/upload", length=1000)
    for _ in range(3 * MAX_LULLS):
        stream.send(b"x")
        upload.send(b"x")
        await b.wait(LULL_S / 2)
    assert [request.path for request in worker.requests] == [b"/"]
    stream.finish()
    worker.requests[0].whole(b"")
    await b.quiet()
    upload.leave()
    await b.quiet()


# Room


@bench()
async def test_a_lull_takes_only_room_to_spare(b: Bench, kind: str) -> None:
    worker = await b.worker("w", capacity=4)
    slow = [b.ask(kind, b"POST", has_body=True) for _ in range(5)]
    await b.wait(2 * LULL_S)
    assert len(worker.requests) == 3
    assert len(b.dispatcher.anteroom) == 2
    # Whoever is ready has the rest.
    ready = b.ask(kind, b"POST", b"/ready", length=1)
    ready.send(b"x")
    ready.finish()
    await b.quiet()
    assert worker.requests[3].path == b"/ready"
    for request in worker.requests[:2]:
        request.whole(b"")
    await b.wait(2 * MAX_LULL_S)
    assert len(worker.requests) == 5
    for request in worker.requests[2:]:
        request.whole(b"")
    await b.wait(2 * MAX_LULL_S)
    worker.requests[-1].whole(b"")
    await b.quiet()
    assert [ask.status for ask in (*slow, ready)] == [200] * 6


@bench()
async def test_a_worker_of_one_slot_serves_it_when_it_is_idle(b: Bench, kind: str) -> None:
    worker = await b.worker("w", capacity=1)
    b.ask(kind)
    b.ask(kind, b"POST", has_body=True)
    await b.wait(3 * MAX_LULL_S)
    assert len(worker.requests) == 1
    worker.requests[0].whole(b"")
    await b.wait(2 * MAX_LULL_S)
    worker.requests[1].whole(b"")
    await b.quiet()


@bench(settle=0.0)
async def test_a_route_that_nobody_serves_is_told_after_a_lull(b: Bench, kind: str) -> None:
    await b.worker("w", "/other")
    ask = b.ask(kind, b"POST", has_body=True)
    await b.wait(2 * LULL_S)
    assert (ask.status, ask.error) == (404, "no_route")


# Pace


@bench()
async def test_who_is_too_slow_before_a_worker_has_it(b: Bench, kind: str) -> None:
    await b.worker("w", capacity=0)
    ask = b.ask(kind, b"POST", length=1000)

    def trickle() -> bool:
        if not ask.is_complete:
            ask.send(b"x")
        return ask.is_complete

    took = await b.until(trickle)
    assert GRACE_S <= took <= GRACE_S + SLACK_S
    assert (ask.status, ask.error) == (408, "timeout")


@bench(max_failures=1)
async def test_who_is_too_slow_when_a_worker_has_it_and_nobody_is_blamed(b: Bench, kind: str) -> None:
    worker = await b.worker("a")
    await b.worker("b")
    ask = b.ask(kind, b"POST", length=10_000)
    await b.until(lambda: worker.requests)

    def trickle() -> bool:
        if not ask.is_complete:
            ask.send(b"x")
        return ask.is_complete

    took = await b.until(trickle)
    assert GRACE_S <= took <= GRACE_S + SLACK_S
    assert (ask.status, ask.error) == (408, "timeout")
    assert worker.requests[0].reset is not None
    assert [(w.failures, w.state) for w in b.links.workers.values() if w] == [(0, "up")] * 2


@bench()
async def test_who_keeps_to_the_rate_has_all_the_time(b: Bench, kind: str) -> None:
    worker = await b.worker("w")
    ask = b.ask(kind, b"POST", length=60_000)
    for _ in range(100):
        await b.wait(1.1)
        ask.send(bytes(600))
    ask.finish()
    await b.quiet()
    assert worker.requests[0].is_complete
    worker.requests[0].whole(b"ok")
    await b.quiet()
    assert ask.status == 200


@bench(body_timeout=math.inf, min_body_rate=0, timeout=math.inf, queue_timeout=math.inf, idle_timeout=math.inf)
async def test_no_time_out_at_all(b: Bench, kind: str) -> None:
    """`0` on the command line: nothing of it fails, and nobody is given up."""
    worker = await b.worker("w")
    ask = b.ask(kind, b"POST", length=2)
    for _ in range(2):
        await b.wait(100.0)
        ask.send(b"x")
    ask.finish()
    await b.wait(100.0)
    worker.requests[0].reply()
    await b.wait(100.0)
    worker.requests[0].data(b"ok", fin=True)
    await b.quiet()
    assert (ask.status, ask.body) == (200, b"ok")


@bench()
async def test_a_slow_worker_is_not_its_client_s_fault(b: Bench, kind: str) -> None:
    worker = await b.worker("w", window_bytes=16 * KIB)
    worker.reads = False
    ask = b.ask(kind, b"POST", length=100 * KIB)
    ask.send(bytes(100 * KIB))
    ask.finish()
    await b.quiet()
    (request,) = worker.requests
    for _ in range(8):
        await b.wait(1.2 * GRACE_S)
        request.read()
        await b.quiet()
    assert request.is_complete
    request.whole(b"ok")
    await b.quiet()
    assert ask.status == 200


# What it costs


def test_many_slow_bodies_are_bounded_in_bytes() -> None:
    """However many clients send, and whatever the time-outs: then they wait as all do, and more are refused."""

    async def main() -> None:
        async with Bench.open(queue_bytes=1024 * KIB) as b:
            await b.worker("w", capacity=0)
            connection = MemoryConnection(b.desk)
            streams = [connection.request(b"POST", length=100_000) for _ in range(1000)]
            for _ in range(3):
                for stream in streams:
                    if not stream.is_over:
                        stream.send(bytes(10 * KIB))
                (pool,) = b.dispatcher.routes.values()
                assert b.dispatcher.anteroom.n_bytes <= 1024 * KIB + 10 * KIB
                assert pool.queue.n_bytes <= 1024 * KIB + 10 * KIB
            kept = sum(stream.exchange.size_bytes for stream in streams if not stream.is_over)  # type: ignore[attr-defined]
            assert kept <= 2 * (1024 * KIB + 10 * KIB)
            assert b.counters.errors["queue_full"] == sum(stream.is_over for stream in streams)
            connection.abort()
            assert not b.dispatcher.anteroom.n_bytes

    run_virtually(main())


@bench(queue_bytes=100_000)
async def test_a_body_that_grows_while_it_waits_is_held(b: Bench, kind: str) -> None:
    """The client is not read any more; when a worker has room, it goes on as if nothing had been."""
    first = await b.worker("w", capacity=3)
    growing, other = (b.ask(kind, b"PUT", length=120_000) for _ in range(2))
    await b.until(lambda: len(first.requests) == 2)
    for ask in (growing, other):
        ask.send(bytes(30_000))
    await b.quiet()
    first.die()
    await b.quiet()
    (pool,) = b.dispatcher.routes.values()
    assert len(pool.queue) == 2
    for _ in range(4):
        growing.send(bytes(10_000))
    for _ in range(4):
        other.send(bytes(10_000))
    await b.quiet()
    assert b.counters.held
    assert pool.queue.n_bytes <= 100_000 + 2 * 10_000
    second = await b.worker("w2", capacity=2)
    await b.quiet()
    for ask in (growing, other):
        ask.send(bytes(50_000))
        ask.finish()
    await b.quiet()
    assert [(len(request.body), request.is_complete) for request in second.requests] == [(120_000, True)] * 2
    for request in second.requests:
        request.whole(b"")


@bench()
async def test_who_leaves_meanwhile_leaves_nothing(b: Bench, kind: str) -> None:
    await b.worker("w", capacity=0)
    ask = b.ask(kind, b"POST", length=10)
    ask.send(b"x")
    await b.wait(2 * LULL_S)
    assert b.dispatcher.anteroom.n_bytes
    ask.leave()
    await b.quiet()
    assert b.counters.aborted == 1


@bench()
async def test_the_router_stops_meanwhile(b: Bench, kind: str) -> None:
    await b.worker("w", capacity=0)
    ask = b.ask(kind, b"POST", length=10)
    b.desk.shut_down()
    assert (ask.status, ask.error) == (503, "shutting_down")
