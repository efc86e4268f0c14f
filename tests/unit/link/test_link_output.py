"""What a link says: in how many writes, and what becomes of what nobody reads."""

import asyncio

from tests.support.link_pair import REPLY, REQUEST, Handler, Pair
from tests.support.virtual_time import run_virtually
from zerogate.link.limits import MAX_BATCH


def test_what_is_said_in_a_turn_is_one_write() -> None:
    async def main() -> list[int]:
        pair = Pair()
        await pair.settle()
        before = len(pair.router_end.written)
        for _ in range(MAX_BATCH - 1):
            pair.router.open_stream(REQUEST, True, Handler())
        writes = [len(pair.router_end.written) - before]
        await asyncio.sleep(0)
        writes.append(len(pair.router_end.written) - before)
        await pair.settle()
        assert len(pair.worker_owner.streams) == MAX_BATCH - 1
        pair.router.abort("done")
        await pair.settle()
        return writes

    assert run_virtually(main()) == [0, 1]


def test_a_full_batch_does_not_wait_for_the_end_of_the_turn() -> None:
    async def main() -> int:
        pair = Pair()
        await pair.settle()
        before = len(pair.router_end.written)
        for _ in range(MAX_BATCH + 1):
            pair.router.open_stream(REQUEST, True, Handler())
        at_once = len(pair.router_end.written) - before
        pair.router.abort("done")
        await pair.settle()
        return at_once

    assert run_virtually(main()) == 1


def test_a_reset_after_the_end_is_told_to_nobody() -> None:
    async def main() -> tuple[int, int]:
        pair = Pair()
        await pair.settle()
        (stream,) = await pair.ask(Handler())
        pair.router.abort("done")
        await pair.settle()
        before = len(pair.worker_end.written)
        pair.worker.reset(stream, 5)
        pair.worker.goaway()
        await pair.settle()
        return before, len(pair.worker_end.written)

    before, after = run_virtually(main())
    assert after == before


def test_a_whole_reply_is_a_message() -> None:
    async def main() -> tuple[int, list[object]]:
        pair = Pair()
        await pair.settle()
        handler = Handler()
        (stream,) = await pair.ask(handler)
        before = len(pair.worker_end.written)
        pair.worker.send_whole_reply(stream, REPLY, b"hello")
        await pair.settle()
        pair.router.abort("done")
        await pair.settle()
        return len(pair.worker_end.written) - before, handler.heard

    assert run_virtually(main()) == (1, [("whole reply", b"hello")])
