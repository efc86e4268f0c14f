"""Links at the router: pulses, floods, and what is said of them."""

import pytest

from tests.support.bench import Bench
from tests.support.link_peer import LinkPeer
from tests.support.virtual_time import run_virtually
from zerogate.link.link import Link
from zerogate.router.links import ACCEPTS, JOINS_BURST
from zerogate.wire.http.join import Join, pulse_fields
from zerogate.wire.http.routes import parse_route


async def joined(bench: Bench, name: str, process_id: str) -> LinkPeer:
    peer = bench.peer()
    await bench.quiet()
    peer.say_join(Join(name, [parse_route("*")], id=process_id).fields())
    await bench.quiet()
    return peer


async def pulse(bench: Bench, process_id: str) -> LinkPeer:
    peer = bench.peer()
    await bench.quiet()
    peer.say_join(pulse_fields(process_id))
    await bench.quiet()
    return peer


def status_of(peer: LinkPeer) -> bytes:
    return peer.join_replies[-1][b":status"][:3]


def test_what_a_worker_is_told() -> None:
    async def main() -> None:
        async with Bench.open() as bench:
            peer = await joined(bench, "w", "p")
            reply = peer.join_replies[-1]
            assert reply[b"id"] == bench.links.id.encode()
            assert reply[b"accepts"].split(b"\0") == [name.encode() for name in ACCEPTS]

    run_virtually(main())


def test_a_pulse_is_no_link_and_ends_with_its_worker() -> None:
    async def main() -> None:
        async with Bench.open() as bench:
            worker = await joined(bench, "w", "p")
            beat = await pulse(bench, "p")
            assert status_of(beat) == b"200"
            assert beat.join_replies[-1][b"id"] == bench.links.id.encode()
            assert len(bench.links.workers) == 1
            assert worker.link.liveness.pulse is beat.link.liveness
            # Who joins later has it as well.
            other = await joined(bench, "w", "p")
            assert other.link.liveness.pulse is beat.link.liveness
            worker.die()
            await bench.quiet()
            assert not beat.link.is_closed
            other.die()
            await bench.quiet()
            assert beat.link.is_closed
            assert bench.links.are_gone

    run_virtually(main())


def test_a_second_pulse_replaces_the_first() -> None:
    async def main() -> None:
        async with Bench.open() as bench:
            worker = await joined(bench, "w", "p")
            first, second = await pulse(bench, "p"), await pulse(bench, "p")
            assert first.link.is_closed
            assert not second.link.is_closed
            assert worker.link.liveness.pulse is second.link.liveness

    run_virtually(main())


def test_who_may_not_have_a_pulse() -> None:
    async def main() -> None:
        async with Bench.open() as bench:
            assert status_of(await pulse(bench, "nobody")) == b"404"
            worker = await joined(bench, "w", "p")
            worker.say_join(pulse_fields("p"))
            await bench.quiet()
            assert status_of(worker) == b"400"
            beat = await pulse(bench, "p")
            beat.say_join(Join("w", [parse_route("*")]).fields())
            await bench.quiet()
            assert status_of(beat) == b"400"
            assert len(bench.links.refusals) == 3

    run_virtually(main())


def test_a_full_router_takes_the_pulses_of_its_workers_and_nobody_else() -> None:
    async def main() -> None:
        async with Bench.open(max_links=2) as bench:
            await joined(bench, "a", "a")
            await joined(bench, "b", "b")
            stranger = await joined(bench, "c", "c")
            assert (status_of(stranger), stranger.join_replies[-1][b"reason"]) == (
                b"503",
                b"there are 2 workers already (--max-links)",
            )
            stranger.die()
            await bench.quiet()
            for process_id in ("a", "b"):
                assert status_of(await pulse(bench, process_id)) == b"200"
            assert not isinstance(bench.links.make_link(), Link)
            assert len(bench.links.workers) == 2

    run_virtually(main())


def test_a_flood_of_joins_ends_the_link(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Bench.open() as bench:
            peer = await joined(bench, "w", "p")
            for _ in range(JOINS_BURST - 1):
                peer.say_join(Join("w", [parse_route("/x")]).fields())
            await bench.quiet()
            assert not peer.link.is_closed
            await bench.wait(2)
            for _ in range(2):
                peer.say_join(Join("w", [parse_route("/x")]).fields())
            await bench.quiet()
            assert not peer.link.is_closed
            peer.say_join(Join("w", [parse_route("/x")]).fields())
            await bench.quiet()
            assert peer.link.is_closed
            assert bench.counters.lost == bench.counters.links_failed == 1
            assert bench.links.refusals[-1]["reason"] == "a flood of JOINs"

    run_virtually(main())
    assert "worker w lost: a flood of JOINs" in caplog.text


def test_a_worker_of_many_routes_is_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def main() -> None:
        async with Bench.open() as bench:
            await bench.worker("w", *(f"/{number}" for number in range(100)))

    run_virtually(main())
    assert "serves /0, /1, /2, /3, /4, /5, /6, /7, /8, /9 and 90 more" in caplog.text
