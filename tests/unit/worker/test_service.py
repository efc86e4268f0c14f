"""The worker as a whole, on real links: what is begun and what is refused, and how it stops."""

import asyncio
import itertools
from typing import Any

import pytest

from tests.support.router_end import routers, until, working
from tests.support.virtual_time import run_virtually
from zerogate.errors import StartError, UsageError
from zerogate.settings import WorkerSettings
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.headers import encode_block
from zerogate.worker.call import Call
from zerogate.worker.host import Host
from zerogate.worker.reply_block import reply_block
from zerogate.worker.service import Worker


class NotingHost(Host):
    """Keeps each call until the test says how it goes on."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.calls: list[Call] = []
        self.answers = asyncio.Event()

    async def start(self) -> None:
        self.notes.append("start")

    async def stop(self) -> None:
        self.notes.append("stop")

    def begin(self, call: Call) -> None:
        self.calls.append(call)
        call.work = asyncio.ensure_future(self.answer(call))

    async def answer(self, call: Call) -> None:
        try:
            await self.answers.wait()
            call.begin_reply(reply_block(200, []))
            call.send_body(b"answered", False)
        finally:
            call.end()


def test_a_life() -> None:
    async def main() -> None:
        host = NotingHost()
        host.answers.set()
        async with routers() as (router,):
            async with working(host, [router]) as worker:
                assert host.notes == ["start"]
                assert (await router.get()).body == b"answered"
                assert not worker.calls
            assert host.notes == ["start", "stop"]

    run_virtually(main())


def test_bad_endpoints_are_told_before_the_application_starts() -> None:
    async def main() -> None:
        host = NotingHost()
        with pytest.raises(UsageError, match="nonsense"):
            await Worker(WorkerSettings(connect=("ipc:///nowhere", "nonsense")), host).start()
        assert host.notes == []

    run_virtually(main())


def test_without_its_application_it_does_not_join() -> None:
    class Failing(NotingHost):
        async def start(self) -> None:
            raise StartError("not today")

    async def main() -> None:
        async with routers() as (router,):
            with pytest.raises(StartError, match="not today"):
                await Worker(WorkerSettings(connect=(router.endpoint,)), Failing()).start()
            await asyncio.sleep(1)
            assert not router.joins

    run_virtually(main())


def test_what_comes_over_is_refused() -> None:
    async def main() -> None:
        host = NotingHost()
        async with routers() as (router,), working(host, [router], concurrency=2):
            taken = [router.ask() for _ in range(2)]
            over = await router.get()
            assert over.reset == RstStatus.REFUSED_STREAM
            host.answers.set()
            for asked in taken:
                assert (await asked.over()).status == "200"
            # And the router hears that there is room again.
            assert router.told == [2, 2]
            assert (await router.get()).status == "200"

    run_virtually(main())


@pytest.mark.parametrize("missing", [b":method", b":path"])
def test_a_request_without_what_all_have_is_the_routers_fault(missing: bytes) -> None:
    class Reading(NotingHost):
        def begin(self, call: Call) -> None:
            assert call.fields[b":method"]
            assert call.fields[b":path"]
            super().begin(call)

    async def main() -> None:
        host = Reading()
        async with routers() as (router,), working(host, [router]):
            asked = router.ask()
            fields = {b":method": b"GET", b":path": b"/"}
            del fields[missing]
            asked.stream = asked.link.open_stream(encode_block(fields), True, asked)
            assert (await asked.over()).status == "400"
            host.answers.set()

    run_virtually(main())


def stopping(
    grace: float, answers_after: float | None, *, n: int = 1, host: NotingHost | None = None
) -> tuple[list[Any], NotingHost, float]:
    """Stop a worker that has requests in flight. Returns them, its host, and how long it took."""

    async def main() -> tuple[list[Any], NotingHost, float]:
        loop = asyncio.get_running_loop()
        noting = host or NotingHost()
        async with routers() as (router,):
            worker = Worker(WorkerSettings(connect=(router.endpoint,), grace=grace), noting)
            await worker.start()
            await router.joined()
            asked: list[Any] = [router.ask() for _ in range(n)]
            await until(lambda: len(noting.calls) == n, "they are begun")
            began_at = loop.time()
            ending = asyncio.ensure_future(worker.stop())
            await until(lambda: router.goaways, "the router hears of it")
            assert not router.link.session.ids_left
            if answers_after is not None:
                loop.call_later(answers_after, noting.answers.set)
            await ending
            return asked, noting, loop.time() - began_at

    return run_virtually(main())


def test_what_is_in_flight_is_finished() -> None:
    (first, second), host, seconds = stopping(30.0, answers_after=10.0, n=2)
    assert (first.body, second.body) == (b"answered", b"answered")
    assert 10 <= seconds < 13
    assert host.notes == ["start", "stop"]


def test_but_not_for_ever() -> None:
    (asked,), host, seconds = stopping(5.0, answers_after=None)
    assert asked.status == "500" or asked.lost is not None
    assert 5 <= seconds < 7
    assert host.notes == ["start", "stop"]


def test_work_that_is_none_is_not_cancelled() -> None:
    class Workless(NotingHost):
        def begin(self, call: Call) -> None:
            self.calls.append(call)
            asyncio.get_running_loop().call_later(6, call.end)

    (asked,), _, _ = stopping(5.0, answers_after=None, host=Workless())
    assert asked.is_over


def test_a_worker_without_routers_stops_at_once() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        worker = Worker(WorkerSettings(connect=("ipc:///nowhere/at-all",)), NotingHost())
        await worker.start()
        await asyncio.sleep(10)
        began_at = loop.time()
        await worker.stop()
        assert loop.time() - began_at < 0.1

    run_virtually(main())


def test_requests_on_two_links_are_each_answered_there() -> None:
    async def main() -> None:
        host = NotingHost()
        host.answers.set()
        async with routers(2) as ends, working(host, ends):
            for router in itertools.chain(ends, ends):
                assert (await router.get()).body == b"answered"

    run_virtually(main())


def test_a_refusal_does_not_shrink_the_only_routers_share() -> None:
    async def main() -> None:
        host = NotingHost()
        async with routers() as (router,), working(host, [router], concurrency=5):
            taken = [router.ask() for _ in range(6)]
            assert (await taken[-1].over()).reset == RstStatus.REFUSED_STREAM
            host.answers.set()
            for asked in taken:
                await asked.over()
            assert router.grant == 5

    run_virtually(main())
