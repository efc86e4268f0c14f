"""Workers on their links: how they join, change, fall silent, drain and are lost. Over real links, without sockets."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.bench import Bench
from tests.support.memory_transport import MemoryTransport
from tests.support.virtual_time import run_virtually
from zerogate.link.marks import mark_of
from zerogate.router.links import MAX_REFUSALS
from zerogate.router.workers import DEFAULT_CAPACITY, Worker
from zerogate.wire.spdy.frames import RstStatus


def on_a_bench(**options: Any) -> Callable[[Callable[[Bench], Awaitable[None]]], Callable[[], None]]:
    def decorate(scenario: Callable[[Bench], Awaitable[None]]) -> Callable[[], None]:
        def test() -> None:
            async def main() -> None:
                async with Bench.open(**options) as bench:
                    await scenario(bench)

            run_virtually(main())

        return test

    return decorate


def workers(bench: Bench) -> list[Worker]:
    return [worker for worker in bench.links.workers.values() if worker is not None]


@on_a_bench(advertise=("tcp://other:1", "tcp://third:1"))
async def test_a_worker_joins_and_is_answered(bench: Bench) -> None:
    peer = await bench.worker("w", "/a", "b.example", capacity=7)
    (worker,) = workers(bench)
    assert (worker.name, worker.software, worker.capacity, worker.weight) == ("w", "test/1", 7, 100)
    assert [str(pool.route) for pool in worker.pools] == ["/a", "b.example"]
    reply = peer.join_replies[0]
    assert (reply[b":status"], reply[b"router"]) == (b"200 OK", b"bench")
    assert reply[b"routers"] == b"tcp://other:1\0tcp://third:1"
    assert (bench.counters.links, bench.counters.joined) == (1, 1)


@on_a_bench()
async def test_a_worker_that_leaves_before_it_has_joined_is_no_failure(bench: Bench) -> None:
    """It has a link already, as it has read in the greeting."""
    peer = bench.peer()
    await bench.quiet()
    assert peer.router_mark == mark_of(bench.links.id)
    peer.goaway()
    await bench.quiet()
    assert not bench.links.workers
    assert not bench.links.refusals
    assert bench.counters.links_failed == 0


@on_a_bench()
async def test_one_that_does_not_say_how_much_it_takes(bench: Bench) -> None:
    await bench.worker("w", capacity=None)
    assert workers(bench)[0].capacity == DEFAULT_CAPACITY


@on_a_bench()
async def test_it_joins_again_with_other_routes_and_another_weight(bench: Bench) -> None:
    peer = await bench.worker("w", "/a")
    (before,) = workers(bench)
    peer.join("new", "/b", weight=300)
    await bench.quiet()
    (worker,) = workers(bench)
    assert worker is before
    assert (worker.name, worker.weight, [str(pool.route) for pool in worker.pools]) == ("new", 300, ["/b"])
    assert bench.counters.joined == 1


@on_a_bench()
async def test_what_is_no_join_is_explained_and_may_be_tried_again(bench: Bench) -> None:
    peer = bench.peer()
    await bench.quiet()
    peer.say_join({b":method": b"GET", b":path": b"/", b":version": b"HTTP/1.1", b":host": b"", b":scheme": b"zmq"})
    peer.join("two words")
    await bench.quiet()
    assert [reply[b":status"] for reply in peer.join_replies] == [b"405", b"400"]
    assert b"two words" in peer.join_replies[1][b"reason"]
    assert [refusal["peer"] for refusal in bench.links.refusals] == ["198.51.100.7:40000"] * 2
    assert not workers(bench)
    peer.join("w")
    await bench.quiet()
    assert [worker.name for worker in workers(bench)] == ["w"]
    assert bench.counters.links_failed == 2


@on_a_bench()
async def test_so_many_refusals_are_kept(bench: Bench) -> None:
    peer = bench.peer()
    await bench.quiet()
    for number in range(MAX_REFUSALS + 3):
        peer.join(f"bad name {number}")
    await bench.quiet()
    assert len(bench.links.refusals) == MAX_REFUSALS
    assert f"bad name {MAX_REFUSALS + 2}" in bench.links.refusals[-1]["reason"]


@on_a_bench(handshake_timeout=5.0)
async def test_who_does_not_join_in_time(bench: Bench) -> None:
    silent, joined = bench.peer(), await bench.worker("w")
    await bench.wait(4.9)
    assert not silent.transport.is_lost
    await bench.wait(0.2)
    assert silent.transport.is_lost
    await bench.wait(30.0)
    assert not joined.transport.is_lost
    assert [refusal["reason"] for refusal in bench.links.refusals] == ["no JOIN in time"]


@on_a_bench(max_links=1)
async def test_links_are_bounded(bench: Bench) -> None:
    await bench.worker("w")
    transport: Any = MemoryTransport(bench.links.make_link())
    assert transport.is_closing()
    assert len(bench.links.workers) == 1


@on_a_bench(max_links=2)
async def test_who_has_not_joined_makes_room_for_the_next(bench: Bench) -> None:
    """However many come and say nothing, a worker gets in."""
    await bench.worker("w")
    silent = [bench.peer() for _ in range(5)]
    await bench.quiet()
    assert [peer.link.is_closed for peer in silent] == [True] * 4 + [False]
    await bench.worker("late")
    assert silent[-1].link.is_closed
    assert len(workers(bench)) == 2


@on_a_bench()
async def test_capacity_changes_and_those_who_wait_go(bench: Bench) -> None:
    peer = await bench.worker("w", capacity=0)
    asks = [bench.ask("memory") for _ in range(3)]
    await bench.quiet()
    assert not peer.requests
    peer.take(2)
    await bench.quiet()
    assert len(peer.requests) == 2
    assert workers(bench)[0].capacity == 2
    for ask in asks:
        ask.leave()


@on_a_bench()
async def test_a_capacity_that_changes_nothing_wakes_nobody(bench: Bench) -> None:
    """It may be said ten thousand times a second, by who serves a hundred routes: others must not pay for it."""
    peer = await bench.worker("w", capacity=7)
    woken: list[Worker] = []
    resume = bench.dispatcher.resume
    bench.dispatcher.resume = lambda worker: woken.append(worker) or resume(worker)  # type: ignore
    for n in (7, 7, 8, 6):
        peer.take(n)
    await bench.quiet()
    assert (woken, workers(bench)[0].capacity) == ([], 6)
    peer.take(0)
    await bench.quiet()
    ask = bench.ask("memory")
    await bench.quiet()
    assert not peer.requests
    peer.take(1)
    await bench.quiet()
    assert len(woken) == 2
    peer.requests[0].end_with(RstStatus.REFUSED_STREAM)
    await bench.quiet()
    peer.take(1)
    await bench.quiet()
    assert len(peer.requests) == 2, "it has refused, and takes more again"
    ask.leave()


@on_a_bench(suspect_after=3.0, lost_after=15.0)
async def test_a_silent_worker_is_suspect_then_lost(bench: Bench) -> None:
    first, second = await bench.worker("a"), await bench.worker("b")
    silent = workers(bench)[0]
    bench.peers.remove(first)  # nobody reads what it is asked
    await bench.wait(4.5)
    assert silent.state == "suspect"
    asks = [bench.ask("memory") for _ in range(3)]
    await bench.quiet()
    assert len(second.requests) == 3
    bench.peers.append(first)
    await bench.wait(1.0)
    assert silent.state == "up"
    bench.peers.remove(first)
    await bench.wait(17.0)
    assert [worker.name for worker in workers(bench)] == ["b"]
    assert bench.counters.lost == 1
    for ask in asks:
        ask.leave()


@on_a_bench()
async def test_a_worker_drains(bench: Bench) -> None:
    peer, other = await bench.worker("w", capacity=5), await bench.worker("x")
    ask = bench.ask("memory")
    await bench.quiet()
    (request,) = peer.requests
    peer.goaway()
    peer.goaway()
    await bench.quiet()
    assert (bench.counters.drained, workers(bench)[0].state) == (1, "draining")
    # What is below the id of its GOAWAY it still answers; nothing new comes.
    new = bench.ask("memory")
    await bench.quiet()
    assert len(other.requests) == 1
    request.whole(b"bye")
    await bench.quiet()
    assert ask.body == b"bye"
    assert peer.transport.is_lost
    assert bench.counters.lost == 0
    new.leave()


@on_a_bench()
async def test_who_drains_with_nothing_to_do_is_let_go(bench: Bench) -> None:
    peer, never = await bench.worker("w"), bench.peer()
    await bench.quiet()
    for one in (peer, never):
        one.goaway()
    await bench.quiet()
    assert peer.transport.is_lost
    assert never.transport.is_lost
    assert not bench.links.workers


@on_a_bench()
async def test_a_stop_sends_all_away_and_loses_nobody(bench: Bench) -> None:
    peers = [await bench.worker("w"), bench.peer()]
    await bench.quiet()
    bench.links.stop()
    await bench.quiet()
    assert [len(peer.goaways) for peer in peers] == [1, 1]
    bench.links.close()
    await bench.quiet()
    assert not bench.links.workers
    assert (bench.counters.lost, bench.counters.links_failed) == (0, 0)


@pytest.mark.parametrize("is_busy", [False, True])
def test_a_lost_worker_is_counted(is_busy: bool) -> None:
    async def main() -> None:
        async with Bench.open() as bench:
            peer = await bench.worker("w")
            ask = bench.ask("memory", b"POST", length=0) if is_busy else None
            await bench.quiet()
            peer.die()
            await bench.quiet()
            assert bench.counters.lost == 1
            assert not bench.dispatcher.workers
            assert ask is None or ask.status == 502

    run_virtually(main())


@on_a_bench(timeout=60.0, idle_timeout=50.0, max_timeout=100.0)
async def test_a_worker_has_its_own_time_outs_where_it_says_so(bench: Bench) -> None:
    peer = bench.peer()
    await bench.quiet()
    cases: tuple[tuple[dict[str, Any], tuple[float, float, int | None]], ...] = (
        ({}, (60.0, 50.0, None)),
        ({"timeout_s": 5.0, "idle_timeout_s": math.inf, "max_body_bytes": 7}, (5.0, math.inf, 7)),
        ({"timeout_s": math.inf}, (100.0, 50.0, None)),
        ({"timeout_s": 90.0, "idle_timeout_s": 0.5}, (90.0, 0.5, None)),
    )
    for more, has in cases:
        peer.join("w", **more)
        await bench.quiet()
        (worker,) = workers(bench)
        assert (worker.timeout_s, worker.idle_timeout_s, worker.max_body_bytes) == has
    accepts = peer.join_replies[-1][b"accepts"].split(b"\0")
    assert {b"timeout", b"idle-timeout", b"max-body"} <= {*accepts}


@on_a_bench(timeout=5.0, max_timeout=1.0)
async def test_the_most_is_for_those_who_ask(bench: Bench) -> None:
    await bench.worker("w")
    assert workers(bench)[0].timeout_s == 5.0
