"""The router as a whole: it starts, and it stops without losing anything. On real sockets, a client and a link each."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.link_peer import LinkPeer, quiet
from tests.support.processes import wait_for
from tests.support.router_end import until
from zerogate.errors import StartError, UsageError
from zerogate.router.service import Router
from zerogate.settings import RouterSettings


@contextlib.asynccontextmanager
async def routing(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[Router, LinkPeer]]:
    """A router with a worker that is in memory."""
    path = tmp_path / "link"
    defaults = {"http": ("127.0.0.1:0",), "bind": (f"ipc://{path}",), "admin": "127.0.0.1:0", "access_log": "off"}
    router = Router(RouterSettings(**{**defaults, "name": "r", "grace": 5.0, **options}))
    await router.start()
    link: Any = router.links.make_link()
    peer = LinkPeer(link)
    await quiet([peer])
    peer.join("w")
    await quiet([peer])
    try:
        yield router, peer
    finally:
        await router.stop()


def port_of(addresses: list[str]) -> int:
    return int(addresses[0].rpartition(":")[2])


async def get(port: int, target: str = "/") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
    return reader, writer


async def asked(peer: LinkPeer) -> None:
    await until(lambda: peer.pump() or peer.requests, "a request")


def test_a_request_goes_through_and_the_admin_port_tells(tmp_path: Path) -> None:
    async def main() -> None:
        async with routing(tmp_path, access_log=str(tmp_path / "log")) as (router, peer):
            reader, writer = await get(port_of(router.listeners.addresses.http))
            await asked(peer)
            peer.requests[0].whole(b"hello")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert await reader.readexactly(5) == b"hello"
            writer.close()
            reader, writer = await get(port_of(router.listeners.addresses.admin), "/status")
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            status = json.loads(await asyncio.wait_for(reader.readuntil(b"\n}\n"), 10))
            now = json.loads(json.dumps(router.status()))
            assert {**status, "uptime_s": now["uptime_s"]} == now
            assert (status["router"], status["workers"][0]["name"], status["counters"]["requests"]) == ("r", "w", 1)
            writer.close()
            (tmp_path / "log").rename(tmp_path / "old")
            router.reopen_log()
            wait_for(lambda: '"GET /" 200' in (tmp_path / "old").read_text(), "the line in the old file")
            assert (tmp_path / "log").exists()

    asyncio.run(main())


def test_it_says_how_it_is(tmp_path: Path) -> None:
    async def main() -> None:
        async with routing(tmp_path) as (router, peer):
            (where,) = router.listeners.addresses.http
            assert router.conditions() == [("router", "r", True, f"listens at {where}, 1 worker")]
            peer.die()
            await until(lambda: not router.links.workers, "the worker is gone")
            assert router.conditions() == [("router", "r", True, f"listens at {where}, 0 workers")]

    asyncio.run(main())


def test_a_stop_finishes_what_is_in_flight(tmp_path: Path) -> None:
    async def main() -> None:
        async with routing(tmp_path) as (router, peer):
            port = port_of(router.listeners.addresses.http)
            reader, writer = await get(port)
            await asked(peer)
            stopping = asyncio.create_task(router.stop())
            await until(lambda: (peer.pump(), peer.goaways)[1], "the worker is sent away")
            assert router.status()["is_stopping"]
            with pytest.raises(OSError, match="onnect"):
                await get(port)
            assert not stopping.done()
            peer.requests[0].whole(b"last")
            reply = await asyncio.wait_for(reader.read(), 10)
            assert b"connection: close\r\n" in reply
            assert reply.endswith(b"\r\n\r\nlast")
            writer.close()
            await asyncio.wait_for(stopping, 10)
            assert not router.links.workers

    asyncio.run(main())


def test_what_is_not_done_within_the_grace_is_told_so(tmp_path: Path) -> None:
    async def main() -> None:
        async with routing(tmp_path, grace=0.1) as (router, peer):
            reader, writer = await get(port_of(router.listeners.addresses.http))
            await asked(peer)
            stopping = asyncio.create_task(router.stop())
            reply = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            assert reply.startswith(b"HTTP/1.1 503 ")
            assert b"zerogate-error: shutting_down\r\n" in reply
            await asyncio.wait_for(stopping, 10)

    asyncio.run(main())


def test_a_router_that_cannot_start_leaves_nothing_open(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            path = tmp_path / "link"
            admin = f"127.0.0.1:{taken.getsockname()[1]}"
            router = Router(
                RouterSettings(http=("127.0.0.1:0",), bind=(f"ipc://{path}",), admin=admin, access_log="off")
            )
            with pytest.raises(StartError, match=r"^--admin 127\.0\.0\.1:\d+: "):
                await router.start()
            assert not router.addresses.http
            assert not path.exists()

    asyncio.run(main())


def test_there_must_be_somewhere_to_redirect_to(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match=r"^--redirect-https needs --https"):
            async with routing(tmp_path, redirect_https=True):
                pass

    asyncio.run(main())
