"""A worker's routers: dialled, left, and granted what the worker takes."""

import asyncio
from functools import partial
from typing import Any

import pytest

from tests.support.dialling import dialling, knowing_none, refuse
from tests.support.router_end import RouterEnd, routers, until
from tests.support.virtual_time import run_virtually
from zerogate.settings import WorkerSettings
from zerogate.worker.routers import Routers


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

    dialling(test)


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


def test_leaving() -> None:
    async def test(router: RouterEnd, found: Routers) -> None:
        assert not found.have_streams
        found.leave()
        await until(lambda: found.are_gone, "the router has closed the link")
        assert router.goaways == 1
        await asyncio.sleep(5)
        assert len(router.joins) == 1

    dialling(test)


# Capacity


async def join(found: Routers, router: RouterEnd) -> None:
    found.dial(router.endpoint)
    await router.joined()


async def is_granted(router: RouterEnd, n: int) -> None:
    await until(lambda: router.grant == n, f"{n} are granted, not {router.grant}")


def test_the_only_router_has_all_of_it_before_it_takes_the_join() -> None:
    async def test(ends: list[RouterEnd], found: Routers) -> None:
        await join(found, ends[0])
        assert ends[0].told == [10]

    knowing_none(1, test, concurrency=10)


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

    knowing_none(2, test, concurrency=10)


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

    knowing_none(1, test, concurrency=10)


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

    knowing_none(1, test, concurrency=10)


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

    knowing_none(1, test, concurrency=10)


def test_a_router_that_comes_back() -> None:
    async def test(ends: list[RouterEnd], found: Routers) -> None:
        (router,) = ends
        await join(found, router)
        for _ in range(3):
            await router.close()
            await router.open()
            await router.joined()
            await is_granted(router, 10)

    knowing_none(1, test, concurrency=10)


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

    knowing_none(4, test, concurrency=10)


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

    knowing_none(1, test, concurrency=10, handshake_timeout=60.0)


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
