"""The worker as a whole, on real links: what is begun and what is refused, and how it stops."""

import asyncio
import itertools
from typing import Any

import pytest

from tests.support.router_end import RouterEnd, routers, until, working
from tests.support.virtual_time import run_virtually
from zerogate.errors import StartError, UsageError
from zerogate.settings import WorkerSettings
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.headers import encode_block
from zerogate.worker.call import Call
from zerogate.worker.host import Host
from zerogate.worker.reply_block import reply_block
from zerogate.worker.service import CLOSE_TIMEOUT_S, Worker
from zerogate.worker.tunnel import UpgradeCall


class NotingHost(Host):
    """Keeps each call until the test says how it goes on."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.calls: list[Call] = []
        self.answers = asyncio.Event()
        self.ends = asyncio.Event()
        self.ends.set()
        self.running = self.peak = 0

    async def start(self) -> None:
        self.notes.append("start")

    async def stop(self) -> None:
        self.notes.append("stop")

    def begin(self, call: Call) -> None:
        self.calls.append(call)
        call.work = asyncio.ensure_future(self.answer(call))

    async def answer(self, call: Call) -> None:
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await self.answers.wait()
            if not call.is_gone:
                call.begin_reply(reply_block(200, []))
                call.send_body(b"answered", False)
            await self.ends.wait()
        finally:
            self.running -= 1
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


def test_an_application_that_has_started_is_shut_down_if_its_worker_does_not_start() -> None:
    async def main() -> None:
        host = NotingHost()
        n_tasks = len(asyncio.all_tasks())
        with pytest.raises(StartError, match="before its first request"):
            await Worker(WorkerSettings(max_memory=1), host).start()
        assert host.notes == ["start", "stop"]
        assert len(asyncio.all_tasks()) == n_tasks

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


def test_an_upgrade_that_the_application_does_not_speak(caplog: pytest.LogCaptureFixture) -> None:
    """A plain 501 and one line, however often somebody asks; the slot is free again."""

    class Upgrading(NotingHost):
        upgrades = frozenset({b"chat"})

        def upgrade(self, call: UpgradeCall) -> None:
            self.begin(call)

    async def main() -> None:
        host = Upgrading()
        host.answers.set()
        async with routers() as (router,), working(host, [router], concurrency=2) as worker:
            for path in ("/chat?key=1", "/2", "/3"):
                asked = router.ask(path, (b"upgrade", b"WebSocket"), body=None)
                assert (await asked.over()).status == "501"
                assert asked.fields[b"content-length"] == b"%d" % len(asked.body)
            assert (host.calls, worker.calls) == ([], set())
            assert (await router.ask("/", (b"upgrade", b"Chat"), body=None).over()).status == "200"

    caplog.set_level("WARNING", logger="zerogate.worker")
    run_virtually(main())
    assert [record.getMessage() for record in caplog.records] == [
        "GET /chat asks for WebSocket, which the application does not speak",
        "2 more requests for it; the last: GET /3 asks for WebSocket, which the application does not speak",
    ]


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
    assert asked.status == "500"
    assert 5 <= seconds < 6
    assert host.notes == ["start", "stop"]


class Streaming(NotingHost):
    """Each reply is a stream of events without an end, but that of /page, which takes its time."""

    async def answer(self, call: Call) -> None:
        is_page = call.fields[b":path"] == b"/page"
        try:
            if is_page:
                await self.answers.wait()
            kind = b"text/plain" if is_page else b"text/event-stream"
            call.begin_reply(reply_block(200, [(b"content-type", kind)]))
            call.send_body(b"data: 1\n\n", not is_page)
            if not is_page:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            call.break_off()
        finally:
            call.end()


@pytest.mark.parametrize("reload", [False, True])
def test_where_it_is_reloaded_event_streams_have_less_time(reload: bool) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        host = Streaming()
        async with routers() as (router,):
            settings = WorkerSettings(connect=(router.endpoint,), grace=8.0, reload=reload, reload_grace=2.0)
            worker = Worker(settings, host)
            await worker.start()
            await router.joined()
            stream, page = router.ask(), router.ask("/page")
            await until(lambda: stream.body and len(host.calls) == 2, "both are begun")
            began_at = loop.time()
            loop.call_later(5.0, host.answers.set)
            ending = asyncio.ensure_future(worker.stop())
            await stream.over()
            assert loop.time() - began_at == pytest.approx(2.0 if reload else 8.0, abs=0.5)
            await ending
            # A page that takes longer is finished all the same.
            assert page.body == b"data: 1\n\n"

    run_virtually(main())


def test_one_that_is_worn_says_so_and_goes_on() -> None:
    async def main() -> None:
        host = NotingHost()
        host.answers.set()
        said: list[str] = []
        async with routers() as (router,):
            settings = WorkerSettings(connect=(router.endpoint,), max_requests=2)
            worker = Worker(
                settings,
                host,
                on_worn=said.append,
                on_joined=lambda: said.append("joined"),
                on_parted=lambda: said.append("parted"),
            )
            await worker.start()
            await router.joined()
            for _ in range(4):
                assert (await router.get()).body == b"answered"
            await worker.stop()
        assert said == ["joined", "it has taken 2 requests (--max-requests)", "parted"]

    run_virtually(main())


def test_what_was_sent_before_a_router_has_heard_of_it_is_served() -> None:
    """However much of it has been sent: of an upload a router keeps only the beginning, to send it again."""

    class Reading(NotingHost):
        async def answer(self, call: Call) -> None:
            n_bytes = len(await call.read_body() or b"")
            while not call.has_body_ended:
                n_bytes += len(await call.read_body() or b"")
            call.begin_reply(reply_block(200, []))
            call.send_body(b"%d" % n_bytes, False)
            call.end()

    async def main() -> None:
        async with routers() as (router,), working(Reading(), [router]) as worker:
            ending = asyncio.ensure_future(worker.stop())
            await asyncio.sleep(0)
            assert not router.goaways
            upload = router.ask(method="POST", body=b"x" * 100_000)
            assert (await upload.over()).body == b"100000"
            await ending

    run_virtually(main())


def test_a_router_that_does_not_close_is_left() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with routers() as (router,):
            router.closes_drained = False
            worker = Worker(WorkerSettings(connect=(router.endpoint,), grace=30.0), NotingHost())
            await worker.start()
            await router.joined()
            began_at = loop.time()
            await worker.stop()
            assert loop.time() - began_at == pytest.approx(CLOSE_TIMEOUT_S, abs=0.5)

    run_virtually(main())


class Endless(NotingHost):
    """Does not come to an end, unless it is made to."""

    async def stop(self) -> None:
        self.notes.append("stop")
        try:
            await asyncio.Event().wait()
        finally:
            self.notes.append("cancelled")


@pytest.mark.parametrize(("answers_after", "seconds"), [(4.0, 20.0), (None, 20.0)])
def test_a_shutdown_has_what_is_left_of_the_grace_and_a_little_more(
    answers_after: float | None, seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    _, host, took = stopping(seconds, answers_after, host=Endless())
    assert took == pytest.approx(seconds + 5.0, abs=0.5 if answers_after else 2)
    assert host.notes == ["start", "stop", "cancelled"]
    assert "the application did not shut down within" in caplog.text


def test_a_shutdown_that_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(NotingHost):
        async def stop(self) -> None:
            raise TimeoutError("a time-out of its own")

    stopping(1.0, 0.1, host=Failing())
    assert caplog.messages[-1] == "the application's shutdown failed"
    assert "a time-out of its own" in caplog.text


def test_who_is_cancelled_can_still_be_told(caplog: pytest.LogCaptureFixture) -> None:
    """The links are closed when the work has ended, or has had the time to."""

    class Slow(NotingHost):
        async def answer(self, call: Call) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0.1)
                call.break_off()
            finally:
                self.notes.append("ended")
                call.end()

    (asked,), host, _ = stopping(1.0, None, host=Slow())
    assert asked.status == "500"
    assert host.notes == ["start", "ended", "stop"]


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


# A slot is the work's


async def is_refused(router: RouterEnd) -> bool:
    return (await router.get()).reset == RstStatus.REFUSED_STREAM


def test_a_slot_is_free_when_the_work_has_ended_not_when_the_reply_has() -> None:
    async def main() -> None:
        host = NotingHost()
        host.answers.set()
        host.ends.clear()
        async with routers() as (router,), working(host, [router], concurrency=1):
            assert (await router.get()).body == b"answered"
            assert host.running == 1
            assert await is_refused(router)
            host.ends.set()
            await until(lambda: router.told == [1, 1], "the router hears of room")
            assert (await router.get()).body == b"answered"
            assert host.peak == 1

    run_virtually(main())


def test_a_slot_is_not_free_when_the_client_has_left() -> None:
    async def main() -> None:
        host = NotingHost()
        async with routers() as (router,), working(host, [router], concurrency=4):
            for _ in range(300):
                router.ask().cancel()
                asked = router.ask()
                await asyncio.sleep(0.001)
                if not asked.is_over:
                    asked.cancel()
            assert host.running == 4
            assert await is_refused(router)
            # They are cancelled in time, and then there is room again.
            await until(lambda: not host.running, "the work has ended")
            host.answers.set()
            taken = [router.ask() for _ in range(4)]
            for asked in taken:
                assert (await asked.over()).body == b"answered"
            assert host.peak == 4

    run_virtually(main())


@pytest.mark.parametrize("n", [1, 2])
def test_a_slot_is_not_free_when_the_link_is_lost(n: int) -> None:
    """The work that a lost router has left behind counts, on whatever link the next request comes."""

    async def main() -> None:
        host = NotingHost()
        async with routers(n) as ends, working(host, ends, concurrency=3) as worker:
            first, last = ends[0], ends[-1]
            asked = [first.ask() for _ in range(3)]
            await until(lambda: host.running >= 2, "they are begun")
            host.ends.clear()
            running = host.running
            n_joins = len(first.joins)
            first.link.abort("as it was told to")
            await until(lambda: len(first.joins) > n_joins, "it comes again")
            assert all(each.is_over for each in asked)
            assert host.running == running
            taken = [last.ask() for _ in range(4)]
            await until(lambda: sum(each.is_over for each in taken) == 1 + running, "what is over is refused")
            host.answers.set()
            host.ends.set()
            for each in taken:
                await each.over()
            assert host.peak == 3
            await until(lambda: sum(router.grant for router in ends) == 3, "all of it is granted again")
            assert not worker.calls

    run_virtually(main())
