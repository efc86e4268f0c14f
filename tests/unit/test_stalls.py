"""What holds the event loop, and where."""

import asyncio
import math
import time
from typing import Any

import pytest

from tests.support.router_end import until
from zerogate import stalls
from zerogate.stalls import MAX_NAMED, Stalls

STALL_S = 0.2


def nobody(task: object) -> tuple[list[str], list[str]]:
    return [], []


def hold_the_loop(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Until it is told, as nobody knows how busy the machine is."""
    give_up = time.monotonic() + 20
    while text not in caplog.text:
        assert time.monotonic() < give_up, caplog.text
        time.sleep(0.01)


def test_who_holds_it_and_where(caplog: pytest.LogCaptureFixture) -> None:
    found: list[Any] = []

    def requests(task: Any) -> tuple[list[str], list[str]]:
        found.append(task)
        return ["GET /slow (id-1)"], [f"GET /{n} (id)" for n in range(MAX_NAMED + 2)]

    async def main() -> None:
        watch = Stalls(STALL_S, requests)
        watch.start()
        await asyncio.sleep(0.01)
        hold_the_loop(caplog, "Its stack")
        await until(lambda: "goes on" in caplog.text, "that it goes on is told")
        watch.stop()
        assert found == [asyncio.current_task()]

    asyncio.run(main())
    report = caplog.messages[0]
    assert report.startswith("the event loop is held by GET /slow (id-1), for ")
    assert f"; {MAX_NAMED + 2} wait: GET /0 (id), " in report
    assert "and 2 more. Its stack:" in report
    assert "hold_the_loop" in report


@pytest.mark.slow
def test_once_a_minute(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        watch = Stalls(STALL_S, nobody)
        watch.start()
        await asyncio.sleep(0.01)
        hold_the_loop(caplog, "Its stack")
        await until(lambda: "goes on" in caplog.text, "the end of it")
        give_up = time.monotonic() + 20
        while "1 untold" not in repr(watch):
            assert time.monotonic() < give_up
            time.sleep(0.01)  # noqa: ASYNC251 (that is what is to be told)
        monkeypatch.setattr(stalls, "REPORT_EVERY_S", 0.0)
        caplog.clear()
        await asyncio.sleep(STALL_S)
        hold_the_loop(caplog, "Its stack")
        watch.stop()

    asyncio.run(main())
    assert "by no request" in caplog.text
    assert "none waits; 1 more stalls since the last report" in caplog.text


def test_a_loop_that_is_free_is_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        watch = Stalls(20.0, nobody)
        watch.start()
        await asyncio.sleep(0.05)
        watch.stop()

    asyncio.run(main())
    assert not caplog.messages


def test_without_a_limit_nobody_watches() -> None:
    async def main() -> None:
        watch = Stalls(math.inf, nobody)
        watch.start()
        assert watch._thread is None
        watch.stop()

    asyncio.run(main())
