"""Trouble that comes often is told once, and then counted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from tests.support.virtual_time import run_virtually
from zerogate.link.sparse_log import SUM_UP_EVERY_S, SparseLog

logger = logging.getLogger("zerogate.test")


def telling(
    test: Callable[[SparseLog], Awaitable[None]], caplog: pytest.LogCaptureFixture, burst: int = 1
) -> list[str]:
    async def main() -> None:
        await test(SparseLog(logger, "troubles", burst=burst))

    run_virtually(main())
    return [record.getMessage() for record in caplog.records]


def test_ten_thousand_are_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    async def test(log: SparseLog) -> None:
        for number in range(10_000):
            log.warning("trouble %d", number)
        await asyncio.sleep(SUM_UP_EVERY_S + 1)

    assert telling(test, caplog) == ["trouble 0", "9999 more troubles; the last: trouble 9999"]


def test_while_it_goes_on_it_is_counted_and_then_told_again(caplog: pytest.LogCaptureFixture) -> None:
    async def test(log: SparseLog) -> None:
        for _ in range(30):
            log.warning("trouble")
            await asyncio.sleep(1)
        await asyncio.sleep(2 * SUM_UP_EVERY_S)
        log.warning("new trouble")

    told = telling(test, caplog)
    assert told[0] == "trouble"
    assert told[-1] == "new trouble"
    assert sum(int(line.split()[0]) for line in told[1:-1]) == 29
    assert len(told) <= 6


def test_the_first_of_a_burst_are_told(caplog: pytest.LogCaptureFixture) -> None:
    async def test(log: SparseLog) -> None:
        for number in range(5):
            log.warning("trouble %d", number)
        log.close()

    assert telling(test, caplog, burst=3) == [
        "trouble 0",
        "trouble 1",
        "trouble 2",
        "2 more troubles; the last: trouble 4",
    ]


def test_what_is_not_there_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async def test(log: SparseLog) -> None:
        log.close()
        log.warning("trouble")
        log.close()

    assert telling(test, caplog) == ["trouble"]
