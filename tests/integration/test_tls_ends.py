"""What a connection over TLS leaves behind when it ends: nothing, and without waiting for the collector."""

import asyncio
import gc
import socket
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from tests.support.certificates import Authority
from zerogate.router.service import Router
from zerogate.router.tls import transport
from zerogate.settings import RouterSettings

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.mark.parametrize("loop", LOOPS)
def test_each_is_gone_when_it_is_closed(loop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[object]] = []

    class Noted(transport.TlsTransport):
        def __init__(self, *words: object) -> None:
            super().__init__(*words)  # type: ignore[arg-type]
            made.append(weakref.ref(self))

    monkeypatch.setattr(transport, "TlsTransport", Noted)
    authority = Authority(tmp_path)

    def refused(sock: socket.socket) -> None:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 400")

    def broken(sock: socket.socket) -> None:
        sock.sendall(b"\x16\x03\x01\x00\x05hello")
        assert sock.recv(100)

    def served(sock: socket.socket) -> None:
        with authority.client().wrap_socket(sock, server_hostname="localhost") as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            assert tls.recv(100).startswith(b"HTTP/1.1 503")

    async def main() -> None:
        files = authority.issue("localhost")
        router = Router(
            RouterSettings(
                http=("off",),
                https=("127.0.0.1:0",),
                tls_cert=(files.certificate,),
                tls_key=(files.key,),
                bind=("tcp://127.0.0.1:0",),
                admin="off",
                access_log="off",
                queue_size=0,
            )
        )
        await router.start()
        port = int(router.listeners.addresses.https[0].rpartition(":")[2])

        def visit(what: Callable[[socket.socket], None]) -> None:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
                what(sock)

        gc.collect()
        gc.disable()
        try:
            for what in (refused, broken, served):
                await asyncio.to_thread(visit, what)
                async with asyncio.timeout(30):
                    while any(each() is not None for each in made):
                        await asyncio.sleep(0.01)
        finally:
            gc.enable()
            await router.stop(0.0)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())
    assert len(made) == 3
