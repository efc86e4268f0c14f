"""A worker's link to one router: joined, refused, left, lost."""

import asyncio
import logging
import math
from typing import Any

import pytest

from tests.support.dialling import dialling, refuse
from tests.support.router_end import RouterEnd, routers, until
from tests.support.virtual_time import run_virtually
from zerogate.settings import WorkerSettings
from zerogate.worker.routers import Routers


def test_joining() -> None:
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

    dialling(test, name="w-1", route=("a.example", "/b"), weight=7, concurrency=12)


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


@pytest.mark.parametrize("accepts", [b"", b"id\0timeout", b"timeout\0idle-timeout"])
def test_what_a_router_does_not_know_is_said(accepts: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def test(router: RouterEnd, found: Routers) -> None:
        await until(lambda: "joined router" in caplog.text, "it has joined")
        (join,) = router.joins
        assert (join[b"timeout"], join[b"idle-timeout"]) == (b"off", b"5")
        assert b"max-body" not in join

    caplog.set_level("INFO", logger="zerogate.worker")
    dialling(test, {b"accepts": accepts}, timeout=math.inf, idle_timeout=5.0)
    assert ("does not know timeout" in caplog.text) is (b"timeout" not in accepts)
    assert ("idle-timeout: its own counts" in caplog.text) is (b"idle-timeout" not in accepts)


def test_a_lost_link_is_dialled_again(caplog: pytest.LogCaptureFixture) -> None:
    async def test(router: RouterEnd, found: Routers) -> None:
        router.link.abort("as it was told to")
        await until(lambda: len(router.joins) == 2, "it comes again")
        assert "link to router router-0 ended" in caplog.text

    dialling(test)


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

    dialling(test)


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

    dialling(test)


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


def test_silence_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def test(router: RouterEnd, found: Routers) -> None:
        (link,) = found._links
        found._links[link].on_suspect(link, True)
        found._links[link].on_suspect(link, False)
        assert caplog.messages[-2:] == ["router router-0 is silent", "router router-0 has spoken again"]

    dialling(test)
