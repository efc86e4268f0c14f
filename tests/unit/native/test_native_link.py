"""Messages by shorter ways: two links say and hear what the careful Python would, whatever happens on them."""

import asyncio
from itertools import cycle
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.link_pair import REPLY, Handler, Owner, Pair
from tests.support.virtual_time import run_virtually

from zerogate.link.limits import MAX_BATCH
from zerogate.link.link import Link
from zerogate.native import compiled
from zerogate.settings import LinkSettings
from zerogate.wire.spdy.frames import RstStatus

pytestmark = pytest.mark.skipif(not compiled.IS_ON, reason="there is no usual way")

SIZES = (0, 1, 200, 255, 8_192, 8_193, 16_383, 16_384, 40_000, 70_000, 131_072, 131_073, 300_000, 1_000_000)
FAILS = ("", "", "", "", "whole reply", "reply", "data")


class CarefulLink(Link):
    """Asks no fast path."""

    def data_received(self, data: bytes) -> None:
        try:
            self._receive(data)
        except Exception as error:
            self._break_off(error)

    def _flush_batch(self) -> None:
        self._n_batched = 0
        if self.is_ready and self.session.output:
            self._write(self._zmtp.encode_pieces(self.session.take_output()))


Step = tuple[int, int, int]


async def play(kind: type[Link], steps: list[Step], fails: str, cuts: list[int]) -> list[Any]:
    """What was heard and said at both ends."""
    pair = Pair(Owner(fails), Owner(fails), kind=kind)
    await pair.settle()
    if cuts:
        pair.router_end.sizes, pair.worker_end.sizes = cycle(cuts), cycle(cuts)
    handlers: list[Handler] = []
    for what, which, how in steps:
        if what <= 1:
            wanted = [
                Handler(str(len(handlers)), FAILS[which % len(FAILS)]) for _ in range(MAX_BATCH + 1 if how == 9 else 1)
            ]
            handlers += wanted
            for handler in wanted:
                pair.router.open_stream(REPLY, True, handler)
        elif pair.worker_owner.streams:
            stream = pair.worker_owner.streams[which % len(pair.worker_owner.streams)]
            size = SIZES[how % len(SIZES)]
            if stream.is_gone or pair.worker.is_closed:
                continue
            if what <= 4 and stream.local == 0:
                pair.worker.send_whole_reply(stream, REPLY, b"x" * size)
            elif what == 5 and stream.local == 0:
                pair.worker.send_reply(stream, REPLY, bool(how % 2))
            elif what == 6 and stream.local == 1:
                pair.worker.send_data(stream, b"y" * size, bool(how % 2))
            elif what == 10 and stream.local == 1:
                pair.worker.send_headers(stream, REPLY, bool(how % 2))
            elif what == 11:
                for ours in pair.router.session.streams.values():
                    pair.router.consumed(ours, size)
            elif what == 7:
                pair.worker.reset(stream, RstStatus.CANCEL)
            elif what == 8:
                pair.worker.ping(1.0)
            elif what == 9 and not how:
                pair.router_end.receive(b"\0\5hello")  # what is no SPDY
        if how % 3 == 0:
            await asyncio.sleep(0)
    await pair.settle()
    seen: list[Any] = [handler.heard for handler in handlers]
    seen += [pair.router_owner.heard, pair.worker_owner.heard]
    seen += [b"".join(end.written) for end in (pair.router_end, pair.worker_end)]
    seen += [(link.bytes_in, link.bytes_out, link.is_closed, repr(link)) for link in (pair.router, pair.worker)]
    pair.router.abort("done")
    await pair.settle()
    return seen


steps = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 20), st.integers(0, 19)), max_size=30)
# How what arrives is cut; nothing: as it was written.
cuts = st.lists(st.sampled_from((2, 9, 100, 1_000, 16_384, 20_000, 131_089, 256_000)), max_size=5)


@given(steps, st.sampled_from(("", "", "", "stream")), cuts)
def test_both_say_and_hear_the_same(played: list[Step], fails: str, cut: list[int]) -> None:
    assert run_virtually(play(Link, played, fails, cut)) == run_virtually(play(CarefulLink, played, fails, cut))


# So that a reply of 40 kB is credited at once: what a router says when it has read it.
SMALL = LinkSettings(session_window=64 * 1024)


async def with_reply_under_way(kind: type[Link] = Link) -> tuple[Pair, bytes]:
    """A pair, and what its router has still to read."""
    pair = Pair(settings=SMALL, kind=kind)
    await pair.settle()
    (stream,) = await pair.ask(Handler())
    pair.worker_end.is_cut = True
    pair.worker.send_whole_reply(stream, REPLY, b"x" * 40_000)
    await pair.settle()
    return pair, pair.worker_end.written[-1]


async def end(*pairs: Pair) -> None:
    for pair in pairs:
        pair.router.abort("done")
        await pair.settle()


def test_all_links_that_are_due_in_a_turn_are_written() -> None:
    async def main() -> None:
        made = [await with_reply_under_way() for _ in range(3)]
        before = [len(pair.router_end.written) for pair, _ in made]
        for pair, octets in made:
            pair.router_end.receive(octets)
        assert [len(pair.router_end.written) for pair, _ in made] == before
        await asyncio.sleep(0)
        assert [len(pair.router_end.written) for pair, _ in made] == [n + 1 for n in before]
        await end(*(pair for pair, _ in made))

    run_virtually(main())


def test_what_was_due_in_an_event_loop_that_was_closed_is_in_nobody_s_way() -> None:
    async def main() -> bool:
        pair, octets = await with_reply_under_way()
        before = len(pair.router_end.written)
        pair.router_end.receive(octets)
        await asyncio.sleep(0)
        is_written = len(pair.router_end.written) > before
        await end(pair)
        return is_written

    first, other = asyncio.new_event_loop(), asyncio.new_event_loop()
    pair, octets = first.run_until_complete(with_reply_under_way())
    pair.router_end.receive(octets)
    # Beside it, and when it is gone.
    assert other.run_until_complete(main())
    first.close()
    assert other.run_until_complete(main())
    other.close()


def test_a_link_that_fails_when_it_is_written_costs_none_that_is_due_behind_it() -> None:
    class Failing(Link):
        fails = False

        def _flush(self) -> None:
            if self.fails:
                raise ArithmeticError("a bug")
            super()._flush()

    async def main() -> None:
        (broken, one), (other, two) = await with_reply_under_way(Failing), await with_reply_under_way()
        cast(Failing, broken.router).fails = True
        broken.router.pause_writing()
        before = len(other.router_end.written)
        broken.router_end.receive(one)
        other.router_end.receive(two)
        await asyncio.sleep(0)
        assert len(other.router_end.written) == before + 1
        await broken.settle()
        assert broken.router_owner.heard[-1] == ("closed", "an internal error")
        await end(other)

    run_virtually(main())
