"""Links that come to another process than they wish."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.each import each
from tests.support.router_end import until
from zerogate.link.marks import mark_of, new_id
from zerogate.router import sorting
from zerogate.router.rendezvous import readable
from zerogate.router.seat import Seat
from zerogate.router.sorting import MAX_WAITS, Sorter
from zerogate.wire.zmtp.frames import greeting

ONE, TWO = IDS = (new_id(), new_id())


class Pair:
    """Two processes, and what each was handed on."""

    def __init__(self, timeout_s: float) -> None:
        self.boxes = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in IDS]
        self.handed: list[tuple[str, str, socket.socket]] = []
        self.sorters = [
            Sorter(Seat(each, IDS), self.boxes[number][0].dup(), [box.dup() for _, box in self.boxes], timeout_s)
            for number, each in enumerate(IDS)
        ]
        for name, sorter in zip(("one", "two"), self.sorters, strict=True):
            sorter.open(lambda key, sock, name=name: self.handed.append((name, key, sock)))  # type: ignore[misc]

    async def sort(self, *data: bytes, ends: bool = False) -> tuple[bool, socket.socket]:
        """What the first process makes of a connection that says this, and its other end."""
        ours, theirs = socket.socketpair()
        asking = asyncio.create_task(self.sorters[0].is_ours(ours, "tcp x"))
        for piece in data:
            theirs.send(piece)
            await asyncio.sleep(0.02)
        if ends:
            theirs.close()
        is_ours = await asking
        if is_ours:
            ours.close()
        else:
            assert ours.fileno() < 0
        return is_ours, theirs

    def close(self) -> None:
        for sorter in self.sorters:
            sorter.close()
        for box in self.boxes:
            for end in box:
                end.close()
        for _, _, sock in self.handed:
            sock.close()


@asynccontextmanager
async def pair(timeout_s: float = 5.0) -> AsyncIterator[Pair]:
    found = Pair(timeout_s)
    try:
        yield found
    finally:
        found.close()


def wishing(router_id: str) -> bytes:
    return greeting(b"NULL", is_server=False, mark=mark_of(router_id))


@pytest.mark.parametrize("cuts", [(64,), (10, 54), (1, 63), (5, 4, 55)])
def test_who_wishes_another_is_handed_on_unread(cuts: tuple[int, ...]) -> None:
    async def main() -> None:
        async with pair() as found:
            data, pieces = wishing(TWO), []
            for cut in cuts:
                pieces.append(data[:cut])
                data = data[cut:]
            is_ours, theirs = await found.sort(*pieces)
            assert not is_ours
            await until(lambda: found.handed, "it is handed on")
            ((name, key, sock),) = found.handed
            assert (name, key) == ("two", "tcp x")
            assert sock.recv(100) == wishing(TWO)
            sock.send(b"hello")
            assert theirs.recv(10) == b"hello"
            theirs.close()

    asyncio.run(main())


@each("said", [wishing(ONE), wishing(new_id()), wishing(""), b"GET / HTTP/1.1\r\n", b"\x16"])
def test_all_others_are_ours(said: bytes) -> None:
    async def main() -> None:
        async with pair() as found:
            is_ours, theirs = await found.sort(said)
            theirs.close()
            assert is_ours
            assert not found.handed

    asyncio.run(main())


@pytest.mark.parametrize("said", [(), (b"\xff",)])
@pytest.mark.parametrize("ends", [True, False])
def test_who_says_nothing_or_too_little_is_ours_in_the_end(said: tuple[bytes, ...], ends: bool) -> None:
    async def main() -> None:
        async with pair(timeout_s=0.1) as found:
            is_ours, theirs = await found.sort(*said, ends=ends)
            theirs.close()
            assert is_ours

    asyncio.run(main())


def test_a_process_that_stops_waits_for_nobody() -> None:
    async def main() -> None:
        async with pair(timeout_s=1000.0) as found:
            asking = asyncio.create_task(found.sort())
            await asyncio.sleep(0.01)
            found.sorters[0].close()
            async with asyncio.timeout(5):
                is_ours, theirs = await asking
            assert is_ours
            theirs.close()
            is_ours, theirs = await found.sort()
            assert is_ours
            theirs.close()

    asyncio.run(main())


def test_an_inbox_that_is_full_costs_a_dial() -> None:
    async def main() -> None:
        async with pair() as found:
            asyncio.get_running_loop().remove_reader(found.sorters[1]._inbox)
            for _, box in found.boxes:
                box.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            ends = []
            for _ in range(1000):
                is_ours, theirs = await found.sort(wishing(TWO))
                assert not is_ours
                theirs.setblocking(False)
                ends.append(theirs)
                if not_open(theirs):
                    break
            else:
                pytest.fail("it was never full")
            for end in ends:
                end.close()

    asyncio.run(main())


def not_open(sock: socket.socket) -> bool:
    """Whether the other end has closed."""
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_nobody_is_left_who_could_send_any() -> None:
    async def main() -> None:
        async with pair() as found:
            found.sorters[1].close()
            found.boxes[0][1].close()
            await asyncio.sleep(0.05)
            assert not found.handed

    asyncio.run(main())


def test_who_takes_longest_makes_room_for_others() -> None:
    """Nobody bounds those whom we wait for but ourselves."""

    async def main() -> None:
        async with pair(timeout_s=1000.0) as found:
            pairs = [socket.socketpair() for _ in range(MAX_WAITS + 3)]
            asking = [asyncio.create_task(found.sorters[0].is_ours(ours, "tcp x")) for ours, _ in pairs]
            await until(lambda: sum(task.done() for task in asking) == 3, "three are ours")
            assert [task.done() for task in asking[:4]] == [True, True, True, False]
            found.sorters[0].close()
            assert all(await asyncio.gather(*asking))
            for ours, theirs in pairs:
                ours.close()
                theirs.close()

    asyncio.run(main())


@pytest.mark.slow
def test_an_octet_does_not_keep_us_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was peeked at is still there: who says no more must not cost more than who says nothing."""
    looks: list[socket.socket] = []

    async def look(sock: socket.socket) -> None:
        looks.append(sock)
        await readable(sock)

    monkeypatch.setattr(sorting, "readable", look)

    async def main() -> None:
        async with pair(timeout_s=1.0) as found:
            is_ours, theirs = await found.sort(b"\xff")
            theirs.close()
            assert is_ours

    asyncio.run(main())
    assert 1 < len(looks) < 10
