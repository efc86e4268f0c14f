"""Writing beside the event loop's transport (native/sockets.pxd): what the socket takes, and never out of turn."""

import asyncio
import contextlib
import random
import socket
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps

import pytest
import uvloop
from tests.support.link_pair import REPLY, REQUEST, Handler, Owner

from zerogate.link.limits import MAX_BATCH
from zerogate.link.link import Link
from zerogate.native import compiled
from zerogate.settings import LinkSettings
from zerogate.transports import NONE

pytestmark = pytest.mark.skipif(not compiled.IS_ON, reason="nothing is written beside a transport")

N_REPLIES = 400
# Larger than what a socket takes by far, in all; each is one message in one piece.
BODY_BYTES = 8 * 1024
# These are written from where they are.
N_LARGE, LARGE_BYTES = 30, 120_000


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


class Ends:
    """A router's link and a worker's over a pair of sockets, and the worker's streams."""

    def __init__(self) -> None:
        self.owner = Owner()
        self.streams = self.owner.streams
        self.router = Link(Owner(), LinkSettings(), is_router=True)
        self.worker = Link(self.owner, LinkSettings(), is_router=False)

    @classmethod
    async def opened(cls) -> "Ends":
        ends = cls()
        loop = asyncio.get_running_loop()
        for link, sock in zip((ends.router, ends.worker), socket.socketpair(), strict=True):
            sock.setblocking(False)
            await loop.create_unix_connection(lambda link=link: link, sock=sock)  # type: ignore[misc]
        await until(lambda: ends.router.is_ready and ends.worker.is_ready)
        return ends

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator["Ends"]:
        ends = await cls.opened()
        try:
            yield ends
        finally:
            ends.router.abort("done")
            await until(lambda: ends.router.is_closed and ends.worker.is_closed)

    async def ask(self, n: int) -> list[Handler]:
        """So many requests are with the worker."""
        handlers = [Handler() for _ in range(n)]
        for handler in handlers:
            self.router.open_stream(REQUEST, True, handler)
        await until(lambda: len(self.streams) == n)
        return handlers


def with_ends(test: Callable[[Ends], Awaitable[None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        async def main() -> None:
            async with Ends.open() as ends:
                await test(ends)

        uvloop.run(main())

    del run.__wrapped__  # pytest would take `ends` for a fixture
    return run


def transport_of(link: Link) -> asyncio.Transport:
    assert link._transport is not None
    return link._transport


def body_of(n: int) -> bytes:
    return (b"%d" % n) * (BODY_BYTES // len(str(n)))


def large_body_of(n: int) -> bytes:
    return random.Random(n).randbytes(LARGE_BYTES)


def heard_body(handler: Handler) -> bytes:
    """However it was cut."""
    return b"".join(event[1] for event in handler.heard if event[0] in ("whole reply", "data"))


@with_ends
async def test_what_a_full_socket_does_not_take_comes_later_and_in_order(ends: Ends) -> None:
    assert NONE not in (ends.router._descriptor, ends.worker._descriptor)
    handlers = await ends.ask(N_REPLIES)
    transport_of(ends.router).pause_reading()
    for n, stream in enumerate(ends.streams):
        ends.worker.send_whole_reply(stream, REPLY, body_of(n))
        await asyncio.sleep(0)
    assert transport_of(ends.worker).get_write_buffer_size()
    transport_of(ends.router).resume_reading()
    await until(lambda: not ends.router.session.streams)
    assert [heard_body(handler) for handler in handlers] == [body_of(n) for n in range(N_REPLIES)]


@with_ends
async def test_of_large_pieces_the_rest_comes_later_and_in_order(ends: Ends) -> None:
    handlers = await ends.ask(N_LARGE)
    transport_of(ends.router).pause_reading()
    for n, stream in enumerate(ends.streams):
        ends.worker.send_whole_reply(stream, REPLY, large_body_of(n))
        if n % 3:
            await asyncio.sleep(0)
    assert transport_of(ends.worker).get_write_buffer_size()
    transport_of(ends.router).resume_reading()
    await until(lambda: not ends.router.session.streams)
    assert [heard_body(handler) for handler in handlers] == [large_body_of(n) for n in range(N_LARGE)]


@with_ends
async def test_more_pieces_than_are_gathered_go_as_well(ends: Ends) -> None:
    handlers = await ends.ask(N_LARGE)
    for n, stream in enumerate(ends.streams):
        ends.worker.send_whole_reply(
            stream, REPLY, large_body_of(n)[:20_000]
        )  # a piece of its own, and all in one turn
    await until(lambda: not ends.router.session.streams)
    assert [heard_body(handler) for handler in handlers] == [large_body_of(n)[:20_000] for n in range(N_LARGE)]


@with_ends
async def test_large_pieces_for_a_peer_that_has_gone_are_the_transport_s_matter(ends: Ends) -> None:
    await ends.ask(1)
    transport_of(ends.router).abort()
    await until(lambda: ends.router.is_closed)
    ends.worker.send_whole_reply(ends.streams[0], REPLY, large_body_of(0))
    ends.worker._flush()
    await until(lambda: ends.worker.is_closed)


@with_ends
async def test_nothing_is_written_to_what_is_about_to_close(ends: Ends) -> None:
    (handler,) = await ends.ask(1)
    transport_of(ends.worker).close()
    ends.worker.send_whole_reply(ends.streams[0], REPLY, b"too late")
    ends.worker._flush()
    await until(lambda: ends.router.is_closed and ends.worker.is_closed)
    assert handler.heard == ["lost"]
    assert ends.worker._descriptor == ends.router._descriptor == NONE


@with_ends
async def test_a_peer_that_has_gone_is_the_transport_s_matter(ends: Ends) -> None:
    await ends.ask(1)
    transport_of(ends.router).abort()
    await until(lambda: ends.router.is_closed)
    ends.worker.send_whole_reply(ends.streams[0], REPLY, b"to nobody")
    ends.worker._flush()
    await until(lambda: ends.worker.is_closed)


def test_nothing_is_written_to_what_a_closed_event_loop_has_closed() -> None:
    """Its transports do not tell, and the descriptor may be another's when an application answers so late."""

    async def leave_open() -> tuple[Ends, int]:
        ends = await Ends.opened()
        await ends.ask(MAX_BATCH + 1)
        return ends, ends.worker._descriptor

    loop = uvloop.new_event_loop()
    ends, descriptor = loop.run_until_complete(leave_open())
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        loop.close()
    with contextlib.ExitStack() as stack:
        pairs: list[socket.socket] = []
        while descriptor not in map(socket.socket.fileno, pairs):
            pairs = [stack.enter_context(sock) for sock in socket.socketpair()]
        for stream in ends.streams:
            with contextlib.suppress(RuntimeError):
                ends.worker.send_whole_reply(stream, REPLY, b"a secret")
        ends.worker.close("too late")
        for sock in pairs:
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(1)
