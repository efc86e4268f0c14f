"""Clients that leave while they are not read: on real sockets, as the kernel tells it, with both event loops."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from tests.support.memory_transport import MemoryTransport
from tests.support.router_end import until
from zerogate.router.departures import Departures

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
# Longer than an event loop needs for what must not come.
A_WHILE_S = 0.05

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    def run_in_loop(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(main)

    return run_in_loop


class Client(asyncio.Protocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data

    def on_departure(self, *, is_gone: bool) -> None:
        self.told.append("gone" if is_gone else "end")


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        return server.accept()[0], theirs


class Scene:
    """A client whose transport is paused, and watched; `theirs` is its own end."""

    def __init__(self, client: Client, transport: asyncio.Transport, theirs: socket.socket) -> None:
        self.departures = Departures(asyncio.get_running_loop())
        self.client = client
        self.transport = transport
        self.theirs = theirs
        transport.pause_reading()

    def watch(self) -> bool:
        return self.departures.watch(self.client, self.transport)

    def reset(self) -> None:
        self.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.theirs.close()


@contextlib.asynccontextmanager
async def scene(pair: Callable[[], tuple[socket.socket, socket.socket]] = tcp_pair) -> AsyncIterator[Scene]:
    ours, theirs = pair()
    ours.setblocking(False)
    transport, client = await asyncio.get_running_loop().connect_accepted_socket(Client, ours)
    made = Scene(client, transport, theirs)
    try:
        yield made
    finally:
        made.departures.forget(client)
        assert not len(made.departures)
        made.departures.close()
        transport.abort()
        theirs.close()
        await asyncio.sleep(0)


def test_a_reset_and_an_end_behind_what_is_not_read(run: Run) -> None:
    async def main() -> None:
        async with scene() as s:
            assert not s.watch()
            s.theirs.sendall(b"not read")
            await asyncio.sleep(A_WHILE_S)
            assert s.client.told == []
            s.theirs.shutdown(socket.SHUT_WR)
            await until(lambda: s.client.told == ["end"], "the end of what it sends")
            # It is told once; and to whom is paused again it is said at once.
            await asyncio.sleep(A_WHILE_S)
            assert s.watch()
            s.reset()
            await until(lambda: s.client.told == ["end", "gone"], "the reset")
            assert s.client.received == b""

    run(main())


def test_a_close_is_an_end_until_something_is_sent(run: Run) -> None:
    async def main() -> None:
        async with scene() as s:
            s.watch()
            s.theirs.close()
            await until(lambda: s.client.told == ["end"], "the end")
            s.transport.write(b"are you there?")
            await until(lambda: s.client.told == ["end", "gone"], "the answer")

    run(main())


def test_both_halves_closed_is_no_reset(run: Run) -> None:
    """Of TCP: one half was ours, and there may be more to read."""

    async def main() -> None:
        async with scene() as s:
            s.watch()
            s.transport.write_eof()
            s.theirs.sendall(b"the rest")
            s.theirs.shutdown(socket.SHUT_WR)
            await until(lambda: s.client.told, "the end")
            await asyncio.sleep(A_WHILE_S)
            assert {*s.client.told} == {"end"}
            s.transport.resume_reading()
            await until(lambda: s.client.received == b"the rest", "the rest")

    run(main())


def test_unix_sockets(run: Run) -> None:
    async def main() -> None:
        async with scene(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)) as s:
            s.watch()
            s.theirs.shutdown(socket.SHUT_WR)
            await until(lambda: s.client.told == ["end"], "the end")
            s.theirs.close()
            await until(lambda: s.client.told == ["end", "gone"], "the close")

    run(main())


def test_who_is_forgotten_is_told_nothing_and_its_descriptor_may_be_another_s() -> None:
    async def main() -> None:
        async with scene() as s:
            s.watch()
            s.departures.forget(s.client)
            s.departures.forget(s.client)
            s.theirs.shutdown(socket.SHUT_WR)
            await asyncio.sleep(A_WHILE_S)
            assert s.client.told == []
            # Told of, and forgotten in the same turn.
            assert not s.watch()
            await until(lambda: s.client.told == ["end"], "the end, which had been before")

    asyncio.run(main())


def test_who_has_no_socket_is_not_watched() -> None:
    async def main() -> None:
        departures = Departures(asyncio.get_running_loop())
        client = Client()
        assert not departures.watch(client, MemoryTransport(client))
        assert not len(departures)
        departures.forget(client)
        departures.close()

    asyncio.run(main())


def test_it_leaves_no_descriptor() -> None:
    async def main() -> None:
        before = len(os.listdir("/proc/self/fd"))
        async with scene() as s:
            s.watch()
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(main())
