"""An attached server as a worker: in the pool while it is well, and out of it while it is not."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.http1_server import Script, Server, Visit, answer
from tests.support.router_end import RouterEnd, routers, until
from tests.support.virtual_time import run_virtually
from zerogate.errors import StartError, UsageError
from zerogate.settings import AttachSettings
from zerogate.worker.attach import server_process, service
from zerogate.worker.attach.service import Attached


class Scene:
    def __init__(self, server: Server, router: RouterEnd, attached: Attached) -> None:
        self.server = server
        self.router = router
        self.attached = attached


@contextlib.asynccontextmanager
async def attached(*scripts: Script, is_up: bool = True, **options: Any) -> AsyncIterator[Scene]:
    with tempfile.TemporaryDirectory(prefix="zerogate-") as folder:
        server = Server(Path(folder) / "server", *scripts or (answer,))
        async with routers() as (router,):
            settings = AttachSettings(connect=(router.endpoint,), name="attached", grace=5.0, **options)
            service = Attached(settings, server.target.text)
            if is_up:
                await server.open()
            await service.start()
            try:
                yield Scene(server, router, service)
            finally:
                try:
                    await service.stop()
                finally:
                    await server.close()


def test_it_joins_when_the_server_is_up_and_leaves_while_it_is_down() -> None:
    async def main() -> None:
        async with attached(is_up=False) as scene:
            await asyncio.sleep(30)
            assert not scene.router.n_connections
            for n_times in (1, 2):
                await scene.server.open()
                await scene.router.joined()
                assert (await scene.router.get("/")).body == b"ok"
                await scene.server.close()
                # Not at the next check, but at the first request that finds it down.
                asked = scene.router.ask("/")
                await until(lambda n=n_times: scene.router.goaways == n, "it leaves", 1.0)  # type: ignore[misc]
                assert (await asked.over()).reset is not None
                await until(lambda: not scene.router.links, "it has left")

    run_virtually(main())


def test_a_server_that_is_not_up_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with attached(is_up=False) as scene:
            await asyncio.sleep(30)
            await scene.server.open()
            await scene.router.joined()

    run_virtually(main())
    (told,) = [each.getMessage() for each in caplog.records if "not up" in each.getMessage()]
    assert told.endswith(" is not up yet (nobody listens there): waiting")


def test_a_server_that_is_up_is_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with attached() as scene:
            await scene.router.joined()

    run_virtually(main())
    assert "not up" not in caplog.text


def test_what_is_in_flight_goes_on() -> None:
    is_well = True
    may_reply = asyncio.Event()

    async def script(visit: Visit) -> None:
        head = await visit.head()
        if "/up" in head:
            visit.reply(b"", status="200 OK" if is_well else "503 Service Unavailable")
        else:
            await may_reply.wait()
            visit.reply(b"at last")

    async def main() -> None:
        nonlocal is_well
        async with attached(script, health="/up", health_interval=1.0, health_failures=2) as scene:
            await scene.router.joined()
            asked = scene.router.ask("/")
            is_well = False
            await until(lambda: scene.router.goaways == 1, "it leaves")
            is_well = True
            await until(lambda: len(scene.router.joins) == 2, "it is back")
            may_reply.set()
            assert (await asked.over()).body == b"at last"
            assert (await scene.router.get("/")).body == b"at last"

    run_virtually(main())


def test_one_check_that_fails_is_not_enough() -> None:
    n_checks = 0

    async def script(visit: Visit) -> None:
        nonlocal n_checks
        await visit.head()
        n_checks += 1
        visit.reply(b"", status="503 Service Unavailable" if n_checks % 3 == 0 else "204 No Content")

    async def main() -> None:
        async with attached(script, health="/up", health_interval=1.0) as scene:
            await scene.router.joined()
            await until(lambda: n_checks > 20, "many checks", 60.0)
            assert not scene.router.goaways

    run_virtually(main())


def test_a_watch_that_fails_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody would look any more, and nobody would know."""

    async def fail(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(service, "check", fail)

    async def main() -> None:
        with pytest.raises(RuntimeError, match="a bug"):
            async with attached() as scene:
                await scene.attached.has_ended.wait()

    run_virtually(main())


def test_wrong_usage() -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="write http"):
            Attached(AttachSettings(), "ftp://x")
        with pytest.raises(StartError, match="no such command"):
            Attached(AttachSettings(), "unix:/x", ("no-such-thing",))
        with pytest.raises(UsageError):
            Attached(AttachSettings(connect=("nonsense",)), "unix:/x")

    asyncio.run(main())
    for path in ("up", "/a b", "/a\n"):
        with pytest.raises(UsageError, match="--health"):
            AttachSettings(health=path)


def test_a_server_of_our_own_that_does_not_stay_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_process, "MAX_FAILURES", 1)

    async def main() -> None:
        async with routers() as (router,):
            settings = AttachSettings(connect=(router.endpoint,))
            service = Attached(settings, "unix:/nowhere", ("sh", "-c", "exit 1"))
            await service.start()
            await service.has_ended.wait()
            with pytest.raises(StartError, match="at once, the last time with exit code 1"):
                await service.stop()

    asyncio.run(main())


def test_a_server_of_our_own_is_stopped_with_us(tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def main() -> None:
        async with routers() as (router,):
            settings = AttachSettings(connect=(router.endpoint,))
            script = f"trap 'echo stopped >> {log}; exit' TERM; echo started > {log}; while :; do sleep 0.01; done"
            service = Attached(settings, "unix:/nowhere", ("sh", "-c", script))
            await service.start()
            await until(log.exists, "it has started")
            await service.stop()

    asyncio.run(main())
    assert log.read_text() == "started\nstopped\n"


def test_stopping_before_it_has_begun() -> None:
    async def main() -> None:
        await Attached(AttachSettings(), "unix:/nowhere").stop()

    asyncio.run(main())
