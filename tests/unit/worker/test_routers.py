"""A worker's routers: dialled, joined, left."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.router_end import RouterEnd, routers, until
from tests.support.virtual_time import run_virtually
from zerogate.settings import WorkerSettings
from zerogate.worker.routers import Routers


def test_joining(tmp_path: Path) -> None:
    settings = WorkerSettings(name="w-1", route=("a.example", "/b"), weight=7, concurrency=12)

    async def test(router: RouterEnd, found: Routers) -> None:
        (fields,) = router.joins
        assert {name: fields[name] for name in (b":method", b"worker", b"route", b"weight")} == {
            b":method": b"JOIN",
            b"worker": b"w-1",
            b"route": b"a.example\0/b",
            b"weight": b"7",
        }
        assert fields[b"software"].startswith(b"zerogate/")
        assert router.grant == 12
        assert not found.are_gone
        assert "joined" in repr(found)

    dialling(settings, test)


def dialling(settings: WorkerSettings, test: Callable[[RouterEnd, Routers], Awaitable[None]], **reply: bytes) -> None:
    """Run a test with one router, whose reply to JOIN may have more fields."""

    async def main() -> None:
        async with routers() as (router,):
            router.reply.update((name.encode(), value) for name, value in reply.items())
            found = Routers(settings, refuse)
            found.dial(router.endpoint)
            await until(lambda: router.joins, "JOIN")
            await asyncio.sleep(0.01)
            try:
                await test(router, found)
            finally:
                found.leave()
                found.close("the test is over")

    run_virtually(main())


def refuse(*arguments: Any) -> None:
    raise AssertionError("no request was sent")


def test_who_waits_for_it_hears_of_each_join() -> None:
    async def main() -> None:
        heard: list[str] = []
        async with routers() as (router,):
            router.reply[b":status"] = b"403"
            found = Routers(WorkerSettings(), refuse, lambda: heard.append("joined"))
            found.dial(router.endpoint)
            await until(lambda: len(router.joins) > 1, "a second try")
            assert heard == []
            router.reply[b":status"] = b"200 OK"
            await until(lambda: heard, "the join")
            router.link.close("gone")
            await until(lambda: len(heard) == 2, "another join")
            found.leave()
            found.close("the test is over")

    run_virtually(main())


def test_an_endpoint_is_dialled_once() -> None:
    async def test(router: RouterEnd, found: Routers) -> None:
        found.dial(router.endpoint)
        await asyncio.sleep(1)
        assert len(router.joins) == 1

    dialling(WorkerSettings(), test)


def test_a_refusal_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def test(router: RouterEnd, found: Routers) -> None:
        await until(lambda: len(router.joins) > 2, "more tries")
        assert "refused this worker: not you" in caplog.text
        router.reply[b":status"] = b"200 OK"
        router.joins.clear()
        await until(lambda: router.joins, "the last one")
        await asyncio.sleep(5)
        assert len(router.links) == 1

    async def main() -> None:
        async with routers() as (router,):
            router.reply |= {b":status": b"403", b"reason": b"not you"}
            found = Routers(WorkerSettings(), refuse)
            found.dial(router.endpoint)
            await test(router, found)
            found.leave()
            found.close("the test is over")

    run_virtually(main())


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({b":status": b"403", b"reason": b"no\x85ERROR forged"}, "refused this worker: no\\x85ERROR forged"),
        ({b"router": b"evil\x9b2J"}, "joined router evil\\x9b2J"),
        ({b"routers": b"tcp://\x85"}, "cannot be dialled: 'tcp://\\x85'"),
    ],
)
def test_a_router_does_not_write_lines_into_the_log(
    reply: dict[bytes, bytes], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with routers() as (router,):
            router.reply |= reply
            found = Routers(WorkerSettings(), refuse)
            found.dial(router.endpoint)
            await until(lambda: said in caplog.text, "it is told")
            found.leave()
            found.close("the test is over")

    with caplog.at_level(logging.INFO, "zerogate.worker"):
        run_virtually(main())
    assert all(record.getMessage().isprintable() for record in caplog.records)


def test_a_refusal_without_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with routers() as (router,):
            router.reply[b":status"] = b"400"
            found = Routers(WorkerSettings(), refuse)
            found.dial(router.endpoint)
            await until(lambda: "it gave no reason" in caplog.text, "it is told")
            found.leave()

    run_virtually(main())


def test_others_that_a_router_names_are_dialled_as_well(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with routers(3) as (first, second, third):
            named = f"{first.endpoint}\0{second.endpoint}\0nonsense\0{third.endpoint}"
            first.reply[b"routers"] = named.encode()
            found = Routers(WorkerSettings(), refuse)
            found.dial(first.endpoint)
            for router in (first, second, third):
                await router.joined()
            assert "router router-0 names an endpoint that cannot be dialled: 'nonsense'" in caplog.text
            assert len(first.joins) == 1
            found.leave()
            found.close("the test is over")

    run_virtually(main())


def test_a_lost_link_is_dialled_again(caplog: pytest.LogCaptureFixture) -> None:
    async def test(router: RouterEnd, found: Routers) -> None:
        router.link.abort("as it was told to")
        await until(lambda: len(router.joins) == 2, "it comes again")
        assert "link to router router-0 ended" in caplog.text

    dialling(WorkerSettings(), test)


def test_a_router_that_leaves_is_dialled_beside_the_old_link() -> None:
    async def test(router: RouterEnd, found: Routers) -> None:
        old = router.link
        for _ in range(2):
            old.goaway()
            old.session.goaway()  # once more: nothing new about it
            await until(lambda: len(router.links) == 2, "a second link")
            await asyncio.sleep(1)
        assert len(router.joins) == 2
        assert "leaving" in repr(found)
        old.close("done")
        await asyncio.sleep(1)
        assert len(router.joins) == 2

    dialling(WorkerSettings(), test)


def test_a_router_that_leaves_in_order_is_no_reason_to_warn(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def test(router: RouterEnd, found: Routers) -> None:
        old = router.link
        old.goaway()
        await until(lambda: len(router.links) == 2, "a second link")
        old.close("done")
        await asyncio.sleep(1)
        assert "link to router router-0 ended: " in caplog.text
        assert [record for record in caplog.records if record.levelname != "INFO"] == []

    dialling(WorkerSettings(), test)


def test_a_router_hears_one_pulse_however_many_links_it_has() -> None:
    async def main() -> None:
        async with routers() as (router,):
            router.reply |= {b"id": b"r", b"accepts": b"id\0pulse"}
            found = Routers(WorkerSettings(), refuse)
            found.dial(router.endpoint)
            await until(lambda: len(router.joins) == 2, "a pulse")
            assert [fields[b":method"] for fields in router.joins] == [b"JOIN", b"PULSE"]
            assert router.joins[0][b"id"] == router.joins[1][b"id"] == found.id.encode()
            first, pulse = router.links
            first.goaway()
            await until(lambda: len(router.joins) == 3, "another link")
            first.close("done")
            await asyncio.sleep(0.2)
            assert [fields[b":method"] for fields in router.joins] == [b"JOIN", b"PULSE", b"JOIN"]
            assert not pulse.is_closed
            found.leave()
            found.close("the test is over")
            await until(lambda: pulse.is_closed, "the end of the pulse")

    asyncio.run(main())


def test_a_join_that_is_reset(caplog: pytest.LogCaptureFixture) -> None:
    class Resetting(RouterEnd):
        n_resets = 0

        def on_stream(self, link: Any, stream: Any, fields: Any, fin: bool) -> None:
            self.n_resets += 1
            if self.n_resets > 1:
                super().on_stream(link, stream, fields, fin)
            else:
                link.reset(stream, 6)

    async def main() -> None:
        async with routers() as (plain,):
            router = Resetting(plain.path.with_name("resetting"))
            await router.open()
            found = Routers(WorkerSettings(), refuse)
            found.dial(router.endpoint)
            await router.joined()
            assert router.n_resets == 2
            found.leave()
            found.close("the test is over")
            await router.close()

    run_virtually(main())


def test_leaving() -> None:
    async def test(router: RouterEnd, found: Routers) -> None:
        assert not found.have_streams
        found.leave()
        await until(lambda: found.are_gone, "the router has closed the link")
        assert router.goaways == 1
        await asyncio.sleep(5)
        assert len(router.joins) == 1

    dialling(WorkerSettings(), test)


def test_silence_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def test(router: RouterEnd, found: Routers) -> None:
        (link,) = found._links
        found._links[link].on_suspect(link, True)
        found._links[link].on_suspect(link, False)
        assert caplog.messages[-2:] == ["router router-0 is silent", "router router-0 has spoken again"]

    dialling(WorkerSettings(), test)


# Capacity


def sharing(n: int, test: Callable[[list[RouterEnd], Routers], Awaitable[None]], **settings: Any) -> None:
    """Run a test with so many routers, of which the worker knows none yet."""

    async def main() -> None:
        async with routers(n) as ends:
            found = Routers(WorkerSettings(concurrency=10, **settings), refuse)
            try:
                await test(ends, found)
            finally:
                found.leave()
                found.close("the test is over")

    run_virtually(main())


async def join(found: Routers, router: RouterEnd) -> None:
    found.dial(router.endpoint)
    await router.joined()


async def is_granted(router: RouterEnd, n: int) -> None:
    await until(lambda: router.grant == n, f"{n} are granted, not {router.grant}")


def test_the_only_router_has_all_of_it_before_it_takes_the_join() -> None:
    async def test(ends: list[RouterEnd], found: Routers) -> None:
        await join(found, ends[0])
        assert ends[0].told == [10]

    sharing(1, test)


def test_a_second_router_that_comes_and_goes() -> None:
    async def test(ends: list[RouterEnd], found: Routers) -> None:
        first, second = ends
        await join(found, first)
        await join(found, second)
        await is_granted(first, 5)
        await is_granted(second, 5)
        await second.close()
        await is_granted(first, 10)
        # For good.
        await asyncio.sleep(5)
        assert first.grant == 10
        await second.open()

    sharing(2, test)


def test_a_router_that_is_replaced() -> None:
    """The old link says GOAWAY, the new one comes, the old one ends: and again."""

    async def test(ends: list[RouterEnd], found: Routers) -> None:
        (router,) = ends
        await join(found, router)
        for _ in range(3):
            old = router.link
            old.goaway()
            await until(lambda: len(router.links) == 2, "a second link")
            old.close("drained")
            await is_granted(router, 10)
            await asyncio.sleep(5)
            assert router.grant == 10

    sharing(1, test)


def test_a_router_that_is_replaced_while_the_new_link_joins() -> None:
    """The old link ends between the new one's connection and its JOIN."""

    class Replaced(RouterEnd):
        old: Any = None

        def on_connected(self, link: Any) -> None:
            super().on_connected(link)
            if self.old is not None:
                self.old.close("drained")
            self.old = link

    async def test(ends: list[RouterEnd], found: Routers) -> None:
        router = Replaced(ends[0].path.with_name("replaced"))
        await router.open()
        await join(found, router)
        for number in range(2, 5):
            router.link.goaway()
            await until(partial(lambda n: len(router.joins) == n, number), "the next link")
            await is_granted(router, 10)
        await router.close()

    sharing(1, test)


def test_a_second_router_that_takes_over() -> None:
    """The first dies while the second has not answered yet."""

    class Slow(RouterEnd):
        held: Any = None

        def on_stream(self, *arguments: Any) -> None:
            self.held = arguments

    async def test(ends: list[RouterEnd], found: Routers) -> None:
        first = ends[0]
        await join(found, first)
        slow = Slow(first.path.with_name("slow"))
        await slow.open()
        found.dial(slow.endpoint)
        await until(lambda: slow.held, "JOIN")
        await first.close()
        RouterEnd.on_stream(slow, *slow.held)
        await is_granted(slow, 10)
        await first.open()
        await slow.close()

    sharing(1, test)


def test_a_router_that_comes_back() -> None:
    async def test(ends: list[RouterEnd], found: Routers) -> None:
        (router,) = ends
        await join(found, router)
        for _ in range(3):
            await router.close()
            await router.open()
            await router.joined()
            await is_granted(router, 10)

    sharing(1, test)


def test_routers_that_come_at_the_same_time() -> None:
    """Together they never have more than there is."""

    async def test(ends: list[RouterEnd], found: Routers) -> None:
        for router in ends:
            found.dial(router.endpoint)
        for router in ends:
            await router.joined()
        await asyncio.sleep(0.01)
        assert sum(router.grant for router in ends) == 10
        for router in ends[1:]:
            await router.close()
            await until(lambda: sum(end.grant for end in ends) == 10, "all of it is granted")
        assert ends[0].grant == 10
        for router in ends[1:]:
            await router.open()

    sharing(4, test)


def test_a_router_that_has_not_joined_has_no_share() -> None:
    """A connection on which nobody speaks ZMTP takes nothing away."""

    async def test(ends: list[RouterEnd], found: Routers) -> None:
        (router,) = ends
        await join(found, router)
        mute = router.path.with_name("mute")
        server = await asyncio.get_running_loop().create_unix_server(asyncio.Protocol, str(mute))
        found.dial(f"ipc://{mute}")
        await asyncio.sleep(1)
        assert router.told == [10]
        server.close()

    sharing(1, test, handshake_timeout=60.0)


@pytest.mark.parametrize("accepts", [b"", b"id\0timeout", b"timeout\0idle-timeout"])
def test_what_a_router_does_not_know_is_said(accepts: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def test(router: RouterEnd, found: Routers) -> None:
        await until(lambda: "joined router" in caplog.text, "it has joined")
        (join,) = router.joins
        assert (join[b"timeout"], join[b"idle-timeout"]) == (b"off", b"5")
        assert b"max-body" not in join

    caplog.set_level("INFO", logger="zerogate.worker")
    dialling(WorkerSettings(timeout=math.inf, idle_timeout=5.0), test, accepts=accepts)
    assert ("does not know timeout" in caplog.text) is (b"timeout" not in accepts)
    assert ("idle-timeout: its own counts" in caplog.text) is (b"idle-timeout" not in accepts)


def test_what_is_apart_is_told_and_not_each_time() -> None:
    """A router allows so many SETTINGS, and each tunnel that opens and ends would be two."""

    async def main() -> None:
        async with routers() as (router,):
            found = Routers(WorkerSettings(concurrency=2, max_tunnels=500), refuse)
            found.dial(router.endpoint)
            await router.joined()
            (link,) = found._links
            for _ in range(400):
                assert found.capacity.take_slot(link)
                assert found.set_apart(link)
            await until(lambda: router.grant == 402, "all of them are told")
            for _ in range(399):
                found.free_apart(link)
            await until(lambda: router.grant == 3, "and that they have ended")
            assert len(router.told) <= 4
            # A link may be gone before its router would have been told.
            found.free_apart(link)
            found.leave()
            found.close("the test is over")
            await until(lambda: not found._links, "it is gone")
            await asyncio.sleep(1)

    run_virtually(main())


def test_who_was_refused_is_called_up_for_a_slot_that_is_set_apart() -> None:
    async def main() -> None:
        async with routers(2) as ends:
            found = Routers(WorkerSettings(concurrency=1, max_tunnels=1), refuse)
            for router in ends:
                found.dial(router.endpoint)
                await router.joined()
            one, other = found._links
            assert found.capacity.take_slot(one)
            assert not found.capacity.take_slot(other)
            n_told = len(ends[1].told)
            assert found.set_apart(one)
            assert not found.set_apart(one)
            await until(lambda: len(ends[1].told) > n_told, "it is called")
            found.leave()
            found.close("the test is over")

    run_virtually(main())
