"""Writing to a transport: what asyncio's own make of many pieces."""

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from zerogate.transports import NONE, descriptor_of, write_pieces

LARGE = bytes(64 * 1024)


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """In asyncio's own event loop."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        async def main() -> None:
            await test(**fixtures)

        asyncio.run(main())

    return run


class Protocol(asyncio.Protocol):
    is_paused = False

    def pause_writing(self) -> None:
        self.is_paused = True


async def read_all(sock: socket.socket) -> bytes:
    """To the end. Closes it."""
    sock.setblocking(False)
    data = b""
    with sock:
        while piece := await asyncio.get_running_loop().sock_recv(sock, 1 << 20):
            data += piece
    return data


async def connected() -> tuple[asyncio.Transport, Protocol, socket.socket]:
    near, far = socket.socketpair()
    transport, protocol = await asyncio.get_running_loop().create_connection(Protocol, sock=near)
    return transport, protocol, far


@in_loop
async def test_what_ends_with_nothing_is_written_and_ends() -> None:
    transport, _, far = await connected()
    write_pieces(transport, [LARGE, b""])
    transport.close()
    assert await read_all(far) == LARGE


@in_loop
async def test_who_writes_too_much_is_paused() -> None:
    transport, protocol, far = await connected()
    with far:
        while transport.get_write_buffer_size() < 1 << 20:
            write_pieces(transport, [LARGE, LARGE])
        assert protocol.is_paused
        transport.abort()


@in_loop
async def test_writing_to_an_aborted_transport_costs_no_other_connection() -> None:
    failed: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
    transport, _, far = await connected()
    number = transport.get_extra_info("socket").fileno()
    transport.abort()
    write_pieces(transport, [LARGE, LARGE])
    far.close()
    await asyncio.sleep(0)
    again, _, other = await connected()
    assert again.get_extra_info("socket").fileno() == number
    again.write(b"hello")
    again.close()
    assert await read_all(other) == b"hello"
    assert not failed


@in_loop
async def test_asyncio_is_not_relied_on_to_gather(monkeypatch: pytest.MonkeyPatch) -> None:
    transport, _, far = await connected()
    monkeypatch.setattr(type(transport), "writelines", None)
    write_pieces(transport, [b"one", LARGE, b"two"])
    transport.close()
    assert await read_all(far) == b"one" + LARGE + b"two"


def test_what_may_be_written_to_beside_its_transport() -> None:
    async def descriptors(make: Callable[[socket.socket], Awaitable[asyncio.Transport]]) -> tuple[int, int]:
        near, far = socket.socketpair()
        with far:
            number = near.fileno()
            transport = await make(near)
            made = descriptor_of(transport)
            transport.abort()
            return made, number

    async def plain(sock: socket.socket) -> asyncio.Transport:
        return (await asyncio.get_running_loop().create_connection(Protocol, sock=sock))[0]

    async def main() -> tuple[int, int]:
        return await descriptors(plain)

    made, number = uvloop.run(main())
    assert made == number
    assert asyncio.run(main())[0] == NONE


def test_what_stands_before_another_is_written_to_by_itself() -> None:
    class Between(asyncio.Transport):
        """As a TLS layer has the socket of the transport below it."""

        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return socket.socket()

    assert descriptor_of(Between()) == NONE
