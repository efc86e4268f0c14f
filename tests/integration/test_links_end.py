"""What a link leaves behind when it ends: nothing, and without waiting for the collector."""

import asyncio
import gc
import socket
import weakref

import pytest

from tests.support.raw_worker import RawWorker
from zerogate.router.service import Router
from zerogate.settings import RouterSettings


def test_a_link_that_has_served_is_gone_when_it_is_closed() -> None:
    asyncio.run(_begin_and_end())


@pytest.mark.parametrize(
    "octets",
    [
        b"\x80\x02\x00\x01\x00\x00\x00\x0a" + bytes(10),
        b"\x80\x03\x00\x01\x00\x00\x00\x12" + b"\x00\x00\x00\x04" + bytes(6) + b"no zlib!",
    ],
    ids=["another version", "no block"],
)
def test_a_link_that_has_broken_the_rules_is_gone_as_well(octets: bytes) -> None:
    asyncio.run(_begin_and_end(octets))


async def _begin_and_end(octets: bytes = b"") -> None:
    router = Router(RouterSettings(http=("127.0.0.1:0",), bind=("tcp://127.0.0.1:0",), admin="off", access_log="off"))
    await router.start()
    addresses = router.listeners.addresses
    http_port, link_port = (int(where.rpartition(":")[2]) for where in (addresses.http[0], addresses.bind[0]))

    def find_link() -> "weakref.ref[object]":
        return weakref.ref(next(iter(router.links.workers)))

    def serve_once() -> "weakref.ref[object]":
        with (
            RawWorker(f"tcp://127.0.0.1:{link_port}") as worker,
            socket.create_connection(("127.0.0.1", http_port)) as client,
        ):
            client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            link = find_link()
            worker.reply(worker.next_request().stream, body=b"served")
            client.settimeout(30)
            assert client.recv(65536).endswith(b"served")
            return link

    def break_the_rules() -> "weakref.ref[object]":
        with RawWorker(f"tcp://127.0.0.1:{link_port}") as worker:
            link = find_link()
            worker.send_message(octets)
            worker.wait_end()
            return link

    gc.disable()
    try:
        link = await asyncio.to_thread(break_the_rules if octets else serve_once)
        async with asyncio.timeout(30):
            while router.links.workers:
                await asyncio.sleep(0.01)
            # The event loop may still be about to call what ended it.
            while link() is not None:
                await asyncio.sleep(0.01)
    finally:
        gc.enable()
        await router.stop()
