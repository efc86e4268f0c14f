"""A seat, and whoever is in it: asked, answering, gone, or hanging."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable

import pytest

from tests.support.router_end import until
from zerogate.router.member import Member
from zerogate.router.seat import Seat


def sitting(test: Callable[[Member, socket.socket], Awaitable[None]]) -> None:
    async def main() -> None:
        member = Member(Seat("a", ("a", "b")))
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        greeted: list[Member] = []
        hearing = asyncio.create_task(member.hear(ours, greeted.append))
        theirs.send(b'{"hello": 7}\n')
        await until(lambda: greeted, "it is here")
        assert member.is_here
        assert repr(member) == "<Member 1 here>"
        await test(member, theirs)
        theirs.close()
        await hearing
        assert repr(member) == "<Member 1 away>"
        member.close()

    asyncio.run(main())


async def order(theirs: socket.socket) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    found: dict[str, object] = json.loads(await loop.sock_recv(theirs, 1000))
    return found


def test_it_is_asked_and_answers() -> None:
    async def test(member: Member, theirs: socket.socket) -> None:
        asking = asyncio.create_task(member.ask("sum", 1, [2]))
        assert await order(theirs) == {"n": 1, "do": "sum", "with": [1, [2]]}
        theirs.send(b'{"n": 99, "found": "nobody asked"}\n{"n": 1, "found": {"x": 3}}\n')
        assert await asking == {"x": 3}

    sitting(test)


@pytest.mark.parametrize("last", [b"", b"nonsense\n", b"{}\n[]\n"])
def test_it_goes_without_an_answer(last: bytes) -> None:
    async def test(member: Member, theirs: socket.socket) -> None:
        asking = asyncio.create_task(member.ask("sum", seconds=float("inf")))
        await order(theirs)
        theirs.send(last or b"\n"[:0])
        theirs.shutdown(socket.SHUT_WR)
        assert await asking is None
        assert await member.ask("sum") is None

    sitting(test)


def test_it_hangs(caplog: pytest.LogCaptureFixture) -> None:
    async def test(member: Member, theirs: socket.socket) -> None:
        assert await member.ask("sum", seconds=0.01) is None
        assert "process 1 of this router does not answer" in caplog.text

    sitting(test)
