"""The host of an attached server: what it takes, and what it says of failures."""

import logging

import pytest

from tests.support.http1_server import Visit
from tests.support.virtual_time import run_virtually
from tests.unit.worker.attach.attaching import attached


async def close_at_once(visit: Visit) -> None:
    await visit.head()


def test_failures_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with attached(close_at_once) as scene:
            assert b"websocket" in scene.host.upgrades
            assert b"h2c" not in scene.host.upgrades
            for number in range(5):
                await scene.router.get(f"/{number}")

    caplog.set_level(logging.WARNING, "zerogate.worker")
    run_virtually(main())
    lines = [record.getMessage() for record in caplog.records if "failed" in record.getMessage()]
    assert lines == [
        "GET /0 failed at the server: the connection ended before the reply",
        "4 more requests that failed; the last: GET /4 failed at the server: the connection ended before the reply",
    ]


def test_a_request_that_cannot_be_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with attached(close_at_once) as scene:
            asked = await scene.router.get("/a b")
            assert asked.status == "500"
            assert not scene.server.visits

    run_virtually(main())
