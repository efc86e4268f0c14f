"""A worker's routers, with real links to routers that do what the test says, on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.router_end import RouterEnd, routers, until
from tests.support.virtual_time import run_virtually
from zerogate.settings import WorkerSettings
from zerogate.worker.routers import Routers


def refuse(*arguments: Any) -> None:
    raise AssertionError("no request was sent")


def knowing_none(
    n: int,
    test: Callable[[list[RouterEnd], Routers], Awaitable[None]],
    on_joined: Callable[[], None] = lambda: None,
    **settings: Any,
) -> None:
    """Run a test with so many routers, of which the worker knows none yet."""

    async def main() -> None:
        async with routers(n) as ends:
            found = Routers(WorkerSettings(**settings), refuse, on_joined)
            try:
                await test(ends, found)
            finally:
                found.leave()
                found.close("the test is over")

    run_virtually(main())


def dialling(
    test: Callable[[RouterEnd, Routers], Awaitable[None]], reply: dict[bytes, bytes] | None = None, **settings: Any
) -> None:
    """Run a test with one router, which has heard JOIN. Its reply may have more fields, or others."""

    async def dial(ends: list[RouterEnd], found: Routers) -> None:
        (router,) = ends
        router.reply |= reply or {}
        found.dial(router.endpoint)
        await until(lambda: router.joins, "JOIN")
        await asyncio.sleep(0.01)
        await test(router, found)

    knowing_none(1, dial, **settings)
