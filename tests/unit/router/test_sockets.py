"""What the socket beneath a transport can do, on real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.each import each
from zerogate.router import sockets


@contextlib.asynccontextmanager
async def connected(family: int) -> AsyncIterator[tuple[asyncio.Transport, socket.socket]]:
    """A transport, and the peer's socket."""
    if family == socket.AF_UNIX:
        ours, theirs = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as server:
            theirs = socket.create_connection(server.getsockname())
            ours, _ = server.accept()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    theirs.setblocking(False)
    with theirs:
        yield transport, theirs
        transport.abort()
    await asyncio.sleep(0)


async def read(sock: socket.socket) -> bytes:
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 1 << 20), 10)


def test_a_reset_is_an_error_to_the_peer() -> None:
    async def main() -> None:
        async with connected(socket.AF_INET) as (transport, peer):
            sockets.reset(transport)
            with pytest.raises(ConnectionResetError):
                await read(peer)

    asyncio.run(main())


def test_a_unix_socket_knows_no_reset_and_ends() -> None:
    async def main() -> None:
        async with connected(socket.AF_UNIX) as (transport, peer):
            sockets.reset(transport)
            assert await read(peer) == b""

    asyncio.run(main())


def test_what_the_peer_has_not_taken_is_the_kernel_s_share_too() -> None:
    async def main() -> None:
        async with connected(socket.AF_INET) as (transport, peer):
            assert sockets.unsent_bytes(transport) == 0
            size = 8 << 20
            transport.write(b"x" * size)
            before = sockets.unsent_bytes(transport)
            assert transport.get_write_buffer_size() < before <= size
            while sockets.unsent_bytes(transport):
                assert await read(peer)

    asyncio.run(main())


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_keep_alive(family: int) -> None:
    async def main() -> None:
        async with connected(family) as (transport, _):
            sockets.keep_alive(transport)
            sock: Any = transport.get_extra_info("socket")
            is_on = bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
            assert is_on is (family == socket.AF_INET)
            if is_on and hasattr(socket, "TCP_KEEPIDLE"):
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == sockets.KEEPALIVE_IDLE_S

    asyncio.run(main())


def test_a_transport_without_a_socket() -> None:
    """Another kind of transport, and options that it has not."""

    class Bare(asyncio.Transport):
        is_aborted = False

        def abort(self) -> None:
            self.is_aborted = True

    transport = Bare()
    sockets.keep_alive(transport)
    sockets.reset(transport)
    assert transport.is_aborted


@each(
    ("peer", "local", "expected"),
    [
        (("203.0.113.9", 5), ("192.0.2.1", 80), ("203.0.113.9", 5, b"192.0.2.1:80")),
        (("2001:db8::9", 5, 0, 0), ("::1", 80, 0, 0), ("2001:db8::9", 5, b"[::1]:80")),
        (("::ffff:203.0.113.9", 5, 0, 0), ("::ffff:192.0.2.1", 80, 0, 0), ("203.0.113.9", 5, b"192.0.2.1:80")),
    ],
)
def test_who_is_at_the_ends(peer: Any, local: Any, expected: Any) -> None:
    transport = asyncio.Transport({"peername": peer, "sockname": local})
    assert sockets.ends_of(transport) == sockets.Ends(*expected)
