"""When a worker asks to be replaced: how often, and why."""

import asyncio
import logging
import os
import resource
import sys
from typing import Any

import pytest

from tests.support.virtual_time import run_virtually
from zerogate.errors import StartError, UsageError
from zerogate.settings import RenewalSettings
from zerogate.settings.kinds import MIB
from zerogate.worker import limits as module
from zerogate.worker.limits import ASK_AGAIN_S, LOOK_EVERY_S, Limits


def serve_nobody(*_: Any) -> None:
    """A request is taken."""


def taking(settings: RenewalSettings, n: int) -> list[str]:
    """What is asked when so many requests are taken."""
    asked: list[str] = []

    async def main() -> None:
        limits = Limits(settings, asked.append)
        limits.start()
        served: list[tuple[Any, ...]] = []
        serve: Any = limits.counted(lambda *request: served.append(request))
        for number in range(n):
            serve(number, 0, 0, 0)
        assert [request[0] for request in served] == list(range(n))
        limits.stop()

    run_virtually(main())
    return asked


def test_so_many_requests() -> None:
    settings = RenewalSettings(max_requests=7)
    assert taking(settings, 6) == []
    assert taking(settings, 7) == taking(settings, 100) == ["it has taken 7 requests (--max-requests)"]


def test_without_a_limit_nothing_is_counted() -> None:
    async def main() -> None:
        assert Limits(RenewalSettings(max_requests_jitter=5), pytest.fail).counted(serve_nobody) is serve_nobody

    run_virtually(main())


def test_a_jitter_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.randint", lambda low, high: (low, high) == (0, 10) and 4)
    settings = RenewalSettings(max_requests=7, max_requests_jitter=10)
    assert taking(settings, 10) == []
    assert len(taking(settings, 11)) == 1
    assert RenewalSettings().max_requests == sys.maxsize


def test_it_asks_again_until_it_is_stopped() -> None:
    asked: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        limits = Limits(RenewalSettings(max_requests=1), lambda reason: asked.append(loop.time() - began_at))
        serve: Any = limits.counted(serve_nobody)
        began_at = loop.time()
        for _ in range(3):
            serve(0, 0, 0, 0)
        await asyncio.sleep(2.5 * ASK_AGAIN_S)
        limits.stop()
        await asyncio.sleep(10 * ASK_AGAIN_S)

    run_virtually(main())
    assert asked == pytest.approx([0.0, ASK_AGAIN_S, 2 * ASK_AGAIN_S])


def growing(monkeypatch: pytest.MonkeyPatch, *sizes: int, seconds: float = 20.0) -> list[tuple[float, str]]:
    """What is asked, and when, by a process that has so many MiB at each look, with a limit of 100."""
    asked: list[tuple[float, str]] = []
    found = [size * MIB for size in sizes]
    monkeypatch.setattr(module, "resident_bytes", lambda statm_fd: found.pop(0) if len(found) > 1 else found[0])

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        settings = RenewalSettings(max_memory=100 * MIB)
        limits = Limits(settings, lambda reason: asked.append((loop.time() - began_at, reason)))
        limits.start()
        await asyncio.sleep(seconds)
        limits.stop()
        await asyncio.sleep(100.0)

    run_virtually(main())
    return asked


def test_so_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert growing(monkeypatch, 50, 50, 100) == []
    # It has shrunk since: but what it asks for is a new process.
    found = growing(monkeypatch, 50, 50, 60, 101, 90)
    assert found == [(pytest.approx(2 * LOOK_EVERY_S), "it has 101M of memory (--max-memory 100M)")]


def test_too_much_memory_to_begin_with(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StartError, match=r"^--max-memory 100M: it has 130M before its first request$"):
        growing(monkeypatch, 130)


def test_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_nothing() -> int:
        raise FileNotFoundError(2, "No such file or directory")

    async def main() -> None:
        Limits(RenewalSettings(max_memory=MIB), pytest.fail).start()

    monkeypatch.setattr(module, "open_statm", open_nothing)
    with pytest.raises(UsageError, match=r"^--max-memory needs /proc/self/statm: No such file or directory$"):
        run_virtually(main())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc")
def test_memory_is_looked_at_though_no_descriptor_is_left(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []

    async def main() -> None:
        settings = RenewalSettings(max_memory=1 << 40)
        limits = Limits(settings, asked.append)
        limits.start()
        object.__setattr__(settings, "max_memory", MIB)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                os.open("/proc/self/statm", os.O_RDONLY)
            await asyncio.sleep(2.5 * LOOK_EVERY_S)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            limits.stop()

    n_fds = len(os.listdir("/proc/self/fd"))
    with caplog.at_level(logging.ERROR):
        run_virtually(main())
    assert len(asked) == 1
    assert not caplog.messages
    assert len(os.listdir("/proc/self/fd")) <= n_fds
