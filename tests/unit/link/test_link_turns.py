"""Large bodies and small replies on one link: nobody waits for more than a batch of somebody else's."""

import pytest

from tests.support.link_pair import REPLY, Handler, Pair
from tests.support.virtual_time import run_virtually
from zerogate.link.limits import HIGH_WATER_BYTES
from zerogate.settings import LinkSettings
from zerogate.wire.spdy.frames import MAX_DATA_BYTES
from zerogate.wire.spdy.headers import encode_block

MIB = 1024 * 1024
WIDE = LinkSettings(stream_window=64 * MIB, session_window=64 * MIB)


def bodies_before(n_large: int, *, is_held: bool) -> list[int]:
    """How much of each of `n_large` bodies comes before a small reply that is begun after they were."""
    taken: list[int] = []

    class Large(Handler):
        n_bytes = 0

        def on_data(self, data: bytes, fin: bool) -> None:
            self.n_bytes += len(data)

    class Small(Handler):
        def on_whole_reply(self, fields: object, data: bytes) -> None:
            taken.extend(each.n_bytes for each in large)

        def on_reply(self, fields: object, fin: bool) -> None: ...

        def on_data(self, data: bytes, fin: bool) -> None:
            self.on_whole_reply({}, data)

    large = [Large() for _ in range(n_large)]

    async def main() -> None:
        pair = Pair(settings=WIDE)
        await pair.settle()
        *streams, last = await pair.ask(*large, Small())
        if is_held:
            pair.worker.pause_writing()
        for stream in streams:
            pair.worker.send_reply(stream, REPLY, False)
            pair.worker.send_data(stream, bytes(8 * MIB), True)
        pair.worker.send_whole_reply(last, REPLY, b"small")
        if is_held:
            pair.worker.resume_writing()
        for _ in range(20):
            await pair.settle()
        assert [each.n_bytes for each in large] == [8 * MIB] * n_large

    run_virtually(main())
    return taken


def test_a_small_reply_waits_for_one_batch_at_most() -> None:
    """And for the frame that comes before it in turn. A batch may end with a frame that goes past its size."""
    for is_held in (False, True):
        assert 0 < sum(bodies_before(1, is_held=is_held)) <= HIGH_WATER_BYTES + 2 * MAX_DATA_BYTES


def test_among_many_large_ones_it_has_its_turn() -> None:
    """One frame of each, and then it is next."""
    for is_held in (False, True):
        taken = bodies_before(12, is_held=is_held)
        assert sum(taken) <= HIGH_WATER_BYTES + (12 + 1) * MAX_DATA_BYTES
        # Who began first had its first batch alone; after that all have their turns.
        assert max(taken[1:]) <= 2 * MAX_DATA_BYTES


# As large as a block may be, of more streams than a message has room for.
LARGE_BLOCK = encode_block({b":status": b"200", b":version": b"HTTP/1.1", b"x": b"y" * 65_000})
N_LARGE = 300


@pytest.mark.parametrize("how", ["replies", "beginnings", "trailers", "trailers that had to wait"])
def test_large_heads_of_one_turn_are_no_message_that_is_refused(how: str) -> None:
    async def main() -> None:
        pair = Pair()
        await pair.settle()
        handlers = [Handler() for _ in range(N_LARGE)]
        streams = await pair.ask(*handlers)
        if how.startswith("trailers"):
            for stream in streams:
                pair.worker.send_reply(stream, REPLY, False)
            await pair.settle()
        if how.endswith("wait"):
            pair.worker.pause_writing()
            for stream in streams:
                pair.worker.send_data(stream, b"x", False)
        for stream in streams:
            if how.startswith("trailers"):
                pair.worker.send_headers(stream, LARGE_BLOCK, True)
            else:
                pair.worker.send_reply(stream, LARGE_BLOCK, how == "replies")
        if how.endswith("wait"):
            pair.worker.resume_writing()
        for _ in range(20):
            await pair.settle()
        assert not pair.router.is_closed
        assert all(("headers" if how.startswith("trailers") else "reply") in handler.heard for handler in handlers)

    run_virtually(main())
