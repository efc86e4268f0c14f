"""A worker's routers: dialled, joined, left."""

import asyncio
from collections.abc import Awaitable, Callable
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
