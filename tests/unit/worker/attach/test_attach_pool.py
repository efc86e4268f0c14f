"""Connections to an attached server: which are kept, for how long, and who gets them."""

import asyncio
from pathlib import Path

import pytest

from tests.support.http1_server import Server, answer, serving
from tests.support.router_end import until
from tests.support.virtual_time import run_virtually
from zerogate.worker.attach.connection import ServerConnection
from zerogate.worker.attach.pool import SURELY_OPEN_S, Pool


async def give(pool: Pool, n: int = 1, keep_s: int | None = None) -> list[ServerConnection]:
    """So many new connections, given back in this order."""
    made = [await pool.connect() for _ in range(n)]
    for connection in made:
        pool.give_back(connection, keep_s)
    return made


def test_the_last_one_first_and_the_rest_not_for_ever(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, answer) as server:
            pool = Pool(server.target, 4.0)
            assert pool.keeps
            one, two, three = await give(pool, 3)
            assert (one.is_fresh, repr(one)) == (False, "<ServerConnection idle>")
            assert pool.take(may_repeat=True) is three
            await asyncio.sleep(3)
            pool.give_back(three, None)
            await asyncio.sleep(2)
            assert (one.is_gone, two.is_gone, three.is_gone) == (True, True, False)
            assert repr(pool).endswith("1 idle>")
            await asyncio.sleep(3)
            assert three.is_gone
            await until(lambda: not server.n_open, "all are closed")
            assert pool.take(may_repeat=True) is None

    run_virtually(main())


def test_who_may_not_be_sent_again_gets_none_that_may_be_closed(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, answer) as server:
            pool = Pool(server.target, 4.0)
            (one,) = await give(pool)
            await asyncio.sleep(SURELY_OPEN_S)
            assert pool.take(may_repeat=False) is None
            assert pool.take(may_repeat=True) is one
            pool.give_back(one, None)
            assert pool.take(may_repeat=False) is one
            pool.close()
            pool.give_back(one, None)
            assert one.is_gone

    run_virtually(main())


@pytest.mark.parametrize(
    ("idle_s", "keep_s", "lasts_s"), [(4.0, 3, 2.0), (1.0, 60, 1.0), (4.0, 1, 0.0), (0.0, None, 0.0)]
)
def test_how_long(tmp_path: Path, idle_s: float, keep_s: int | None, lasts_s: float) -> None:
    async def main() -> None:
        async with serving(tmp_path, answer) as server:
            pool = Pool(server.target, idle_s)
            (one,) = await give(pool, keep_s=keep_s)
            if lasts_s:
                await asyncio.sleep(lasts_s - 0.01)
                assert not one.is_gone
                await asyncio.sleep(0.01)
                # Whether or not it has been looked at.
                assert pool.take(may_repeat=True) is None
            assert one.is_gone

    run_virtually(main())


def test_one_that_the_server_closes_or_speaks_on_is_not_kept(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, answer) as server:
            pool = Pool(server.target, 4.0)
            one, two, _ = await give(pool, 3)
            await until(lambda: len(server.visits) == 3, "they have come")
            server.visits[1].close()
            server.visits[0].say(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
            await until(lambda: one.is_gone and two.is_gone, "both are noticed")
            assert pool.take(may_repeat=True) is not None
            assert pool.take(may_repeat=True) is None

    run_virtually(main())


def test_a_server_that_is_down(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, answer) as server:
            pool = Pool(server.target, 4.0)
            (one,) = await give(pool)
            pool.forget()
            assert one.is_gone
            await server.close()
            with pytest.raises(OSError, match=r"."):
                await pool.connect()
            pool.close()

    run_virtually(main())


def test_who_is_cancelled_just_when_there_is_a_connection_leaves_none_behind(tmp_path: Path) -> None:
    async def main() -> None:
        server = Server(tmp_path / "server", answer)
        await server.open()
        pool = Pool(server.target, 4.0)
        for n_turns in range(8):
            task = asyncio.ensure_future(pool.connect())
            for _ in range(n_turns):
                await asyncio.sleep(0)
            if task.done():
                task.result().abort()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(1)
        await until(lambda: not server.n_open, "nothing is open")
        await server.close()

    run_virtually(main())
