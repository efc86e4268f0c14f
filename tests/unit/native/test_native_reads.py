"""Where reads go: what was read stays as it was read, whatever is read next, and little of it keeps little."""

import asyncio
import contextlib
import random
import socket
import sys
import tracemalloc
from typing import Any
from unittest import mock

import pytest
from tests.support.each import each

from zerogate.native import compiled

pytestmark = pytest.mark.skipif(not compiled.IS_ON, reason="nothing is compiled")

LinkState: Any = compiled.find("link", "LinkState", object)
ROOM_BYTES = 256 * 1024
# From here on nothing is copied.
MIN_KEPT_BYTES = 64 * 1024


class Reader(LinkState):  # type: ignore[misc]
    """A protocol that keeps what it reads."""

    def __init__(self, loop: Any = None) -> None:
        self._loop = loop or mock.Mock()
        self.reads: list[bytes] = []
        self.is_lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing to say."""

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        self.reads.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost.set()

    def read(self, octets: bytes) -> bytes:
        """As an event loop does."""
        with memoryview(self.get_buffer(-1)) as room:
            assert len(room) == ROOM_BYTES
            room[: len(octets)] = octets
            self.buffer_updated(len(octets))
        return self.reads[-1]


@each("n_bytes", [1, 100, MIN_KEPT_BYTES - 1, MIN_KEPT_BYTES, 100_000, ROOM_BYTES - 1, ROOM_BYTES])
def test_what_was_read_stays_as_it_was(n_bytes: int) -> None:
    reader, other = Reader(), Reader()
    first = reader.read(b"a" * n_bytes)
    assert other.read(b"b" * ROOM_BYTES) == b"b" * ROOM_BYTES
    assert reader.read(b"c" * n_bytes) == b"c" * n_bytes
    assert first == b"a" * n_bytes
    assert sys.getsizeof(first) == sys.getsizeof(bytes(n_bytes))


def test_two_that_read_at_once_do_not_write_over_each_other() -> None:
    reader, other = Reader(), Reader()
    reader.read(b"a")
    with memoryview(reader.get_buffer(-1)) as one, memoryview(other.get_buffer(-1)) as two:
        one[:1], two[:1] = b"a", b"b"
        reader.buffer_updated(1)
        other.buffer_updated(1)
    assert (reader.reads[-1], other.reads[-1]) == (b"a", b"b")


def test_a_read_that_brought_nothing_keeps_no_second_room() -> None:
    reader = Reader()
    assert reader.get_buffer(-1) is reader.get_buffer(-1)


def test_links_that_have_read_much_keep_no_room() -> None:
    """An event loop goes on reading behind a room that was full, and tells nobody that there was nothing."""
    uvloop = pytest.importorskip("uvloop")
    n_links = 20

    async def main() -> None:
        loop = asyncio.get_running_loop()
        tracemalloc.start()
        with contextlib.ExitStack() as stack:
            stack.callback(tracemalloc.stop)
            for _ in range(n_links):
                near, far = socket.socketpair()
                stack.enter_context(far)
                far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM_BYTES)
                reader = Reader(loop)
                await loop.create_connection(lambda reader=reader: reader, sock=near)  # type: ignore[misc]
                far.setblocking(False)
                await loop.sock_sendall(far, bytes(ROOM_BYTES))
                while sum(map(len, reader.reads)) < ROOM_BYTES:
                    await asyncio.sleep(0)
                reader.reads.clear()
            await asyncio.sleep(0)
            n_kept_bytes, _ = tracemalloc.get_traced_memory()
            assert n_kept_bytes < n_links * ROOM_BYTES / 2

    uvloop.run(main())


@pytest.mark.parametrize("seed", range(3))
def test_an_event_loop_reads_so(seed: int) -> None:
    uvloop = pytest.importorskip("uvloop")
    dice = random.Random(seed)
    said = [dice.randbytes(dice.choice((1, 1_000, 70_000, 300_000))) for _ in range(60)]

    async def main() -> None:
        near, far = socket.socketpair()
        reader = Reader(asyncio.get_running_loop())
        await asyncio.get_running_loop().create_connection(lambda: reader, sock=near)
        far.setblocking(False)
        with far:
            for octets in said:
                await asyncio.get_running_loop().sock_sendall(far, octets)
        await reader.is_lost.wait()
        assert max(map(len, reader.reads)) >= MIN_KEPT_BYTES
        assert b"".join(reader.reads) == b"".join(said)

    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_a_read_without_a_room_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="without a room"):
        Reader().buffer_updated(5)
