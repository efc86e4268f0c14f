"""WebSocket from a client to an ASGI application and back, through real processes."""

import asyncio
from collections.abc import Iterator

import pytest
import websockets
from websockets.sync.client import connect

from tests.support.processes import Process, Site, make_site, wait_for
from tests.support.raw_http import HttpConnection

APP = "tests.e2e.websocket_apps:echo"
KEY = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = b"sec-websocket-version: 13\r\n"
HANDSHAKE = b"host: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with make_site() as made:
        made.router("--settle", "0s")
        made.worker(APP, "echo", "--ws-deflate")
        yield made


def url(site: Site, path: str = "/") -> str:
    return f"ws://127.0.0.1:{site.http_port}{path}"


def worker_of(site: Site) -> Process:
    return next(process for process in site.processes if "worker" in process.arguments)


# The handshake, as octets


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + HANDSHAKE + KEY + VERSION, 101),
        (b"POST / HTTP/1.1\r\ncontent-length: 0\r\n" + HANDSHAKE + KEY + VERSION, 400),
        (b"GET / HTTP/1.1\r\ncontent-length: 1\r\n" + HANDSHAKE + KEY + VERSION, 400),
        (b"GET / HTTP/1.1\r\n" + HANDSHAKE + VERSION, 400),
        (b"GET / HTTP/1.1\r\n" + HANDSHAKE + KEY + KEY + VERSION, 400),
        (b"GET / HTTP/1.1\r\n" + HANDSHAKE + b"sec-websocket-key: AAAA\r\n" + VERSION, 400),
        (b"GET / HTTP/1.1\r\n" + HANDSHAKE + KEY, 426),
        (b"GET / HTTP/1.1\r\n" + HANDSHAKE + KEY + b"sec-websocket-version: 8\r\n", 426),
        (b"GET / HTTP/1.1\r\n" + HANDSHAKE + KEY + VERSION + b"sec-websocket-extensions: ;;=\r\n", 400),
        # A request without the option, or in HTTP/1.0, asks for no upgrade: it is a request (RFC 9110, 7.8).
        (b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n" + KEY + VERSION, 200),
        (b"GET / HTTP/1.0\r\n" + HANDSHAKE + KEY + VERSION, 200),
        (b"GET /deny HTTP/1.1\r\n" + HANDSHAKE + KEY + VERSION, 403),
    ],
)
def test_only_a_good_handshake_is_one(site: Site, octets: bytes, status: int) -> None:
    with HttpConnection(site.http_port) as client:
        client.send(octets + b"\r\n")
        head = client.read_head()
        assert head.status == status
        fields = dict(head.fields)
        if status == 101:
            assert fields["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
            assert fields["upgrade"] == "websocket"
            assert fields["connection"].lower() == "upgrade"
        if status == 426:
            assert (fields["sec-websocket-version"], fields["upgrade"]) == ("13", "websocket")


# Clients


def test_websockets_client(site: Site) -> None:
    with connect(url(site), subprotocols=[websockets.Subprotocol("chat")], max_size=None) as client:
        assert client.subprotocol == "chat"
        for message in ("hé", b"\0\1", "x" * 3_000_000):
            client.send(message)
            assert client.recv() == message
        assert client.ping().wait(30)
        client.close(4001, "done")
    assert client.close_code == 4001
    worker_of(site).wait_output("left with 4001")


def test_close_codes(site: Site) -> None:
    with connect(url(site, "/close/4999")) as client, pytest.raises(websockets.ConnectionClosed):
        client.recv()
    assert (client.close_code, client.close_reason) == (4999, "as asked")
    with connect(url(site)) as client:
        client.send("raise")
        with pytest.raises(websockets.ConnectionClosed):
            client.recv()
    assert client.close_code == 1011
    with pytest.raises(websockets.InvalidStatus, match="403"):
        connect(url(site, "/deny")).__enter__()


def test_the_application_hears_1006_of_a_client_that_is_cut(site: Site) -> None:
    before = worker_of(site).output().count("left with 1006")
    with connect(url(site)) as client:
        client.socket.shutdown(2)
        wait_for(lambda: worker_of(site).output().count("left with 1006") > before, "the application hears")


# The Autobahn cases. Groups 9 (speed), 12 and 13 (compression) take long: bench/autobahn.py.


def test_autobahn(site: Site) -> None:
    kosoku = pytest.importorskip("kosoku")
    groups = (1, 2, 3, 4, 5, 6, 7, 10)

    async def run() -> list[object]:
        return list(await kosoku.run_fuzzingclient(url(site), [f"{group}.*" for group in groups], concurrency=2))

    # Raises if one of them fails, and says which.
    results = asyncio.run(run())
    assert len(results) == 247
