"""Whichever comes first."""

import asyncio

from tests.support.virtual_time import run_virtually
from zerogate.waiting import first_of


def test_the_first_of_several() -> None:
    async def main() -> None:
        one, two = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        loop.call_later(3.0, two.set)
        assert await first_of(one, two, seconds=60.0)
        assert loop.time() - began_at == 3.0
        assert await first_of(one, two)
        assert not await first_of(one, seconds=2.0)
        assert loop.time() - began_at == 5.0
        assert not await first_of(one, seconds=0.0)
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    run_virtually(main())
