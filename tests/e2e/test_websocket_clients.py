"""What people have: clients, a browser, and frameworks with a WebSocket each, through a router and a worker."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.support.processes import Site, make_site, wait_for
from tests.support.sites import ROOT

FRAMEWORKS = "tests.e2e.frameworks"


@pytest.fixture(scope="module")
def echo() -> Iterator[Site]:
    with make_site() as made:
        made.router("--settle", "0s")
        made.worker("tests.e2e.websocket_apps:echo", "echo", "--ws-deflate", cwd=ROOT)
        yield made


# Clients


async def with_aiohttp(url: str) -> None:
    import aiohttp

    async with aiohttp.ClientSession() as session, session.ws_connect(url, protocols=["chat"], compress=15) as socket:
        assert socket.protocol == "chat"
        await socket.send_str("hé")
        assert await socket.receive_str() == "hé"
        await socket.send_bytes(bytes(300_000))
        assert await socket.receive_bytes() == bytes(300_000)
        assert await socket.close(code=4001)
        assert socket.close_code == 4001


async def with_httpx_ws(url: str) -> None:
    import httpx_ws

    socket: Any
    async with httpx_ws.aconnect_ws(url.replace("ws:", "http:"), subprotocols=["chat"]) as socket:
        assert socket.subprotocol == "chat"
        await socket.send_text("hé")
        assert await socket.receive_text() == "hé"
        await socket.send_bytes(bytes(300_000))
        assert await socket.receive_bytes() == bytes(300_000)
        await socket.ping()


async def with_websockets(url: str) -> None:
    from websockets.asyncio.client import connect

    async with connect(url, max_size=None) as socket:
        for message in ("hé", bytes(3_000_000)):
            await socket.send(message)
            assert await socket.recv() == message
        await (await socket.ping())


CLIENTS: dict[str, Callable[[str], Awaitable[None]]] = {
    "aiohttp": with_aiohttp,
    "httpx_ws": with_httpx_ws,
    "websockets": with_websockets,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("name", CLIENTS)
def test_clients(echo: Site, name: str) -> None:
    pytest.importorskip(name)

    async def main() -> None:
        await CLIENTS[name](f"ws://127.0.0.1:{echo.http_port}/")

    asyncio.run(main())


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(echo: Site) -> None:
    """Its WebSocket if it has one (7.86), else the handshake by hand: it stays until it is told to go."""
    handshake = ("connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13")
    fields = [word for field in handshake for word in ("-H", field)]
    command = ["curl", "-siN", "-m", "5", *fields, "-H", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="]
    done = subprocess.run(
        [*command, "--http1.1", f"http://127.0.0.1:{echo.http_port}/close/4000"],
        capture_output=True,
        timeout=20,
        check=False,
    )
    head, _, frames = done.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert frames == b"\x88\x0a\x0f\xa0as asked"


# A browser


def chromium() -> str:
    found = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("chromium is not installed")
    return found


@contextlib.contextmanager
def browsing(url: str, profile: Path, *options: str) -> Iterator[None]:
    """A browser that shows a page, until the end of the block."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    flags += [f"--user-data-dir={profile}", "--remote-debugging-port=0", *options]
    command = [chromium(), *flags, url]
    # A session of its own: it is many processes.
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as it:
        try:
            yield
        finally:
            os.killpg(it.pid, signal.SIGKILL)


FOUND = {
    "websocket": {"protocol": "chat", "got": ["h\u00e9", [0, 1, 255]], "code": 4000, "reason": "bye"},
    "events": ["0", "1", "2"],
    "uploads": [0, 1000, 3000000],
    "scheme": "http:",
}


def test_a_browser_with_a_websocket_events_and_uploads(site: Site, tmp_path: Path) -> None:
    chromium()
    site.router("--settle", "0s")
    site.worker(f"{FRAMEWORKS}.with_browser:app", "page", "--ws-deflate", cwd=ROOT)
    with browsing(f"http://127.0.0.1:{site.http_port}/", tmp_path):
        found = wait_for(lambda: json.loads(site.get("/found")[2]), "the page's findings", 60)
    assert found == [FOUND]


# Frameworks


@pytest.mark.parametrize("name", ["starlette", "fastapi", "quart", "litestar", "channels"])
def test_frameworks(site: Site, name: str) -> None:
    pytest.importorskip(name)
    site.router("--settle", "0s")
    worker = site.worker(f"{FRAMEWORKS}.with_websockets:{name}", name, "--interface", "asgi3", cwd=ROOT)
    with connect(f"ws://127.0.0.1:{site.http_port}/ws?name=you", subprotocols=[Subprotocol("chat")]) as client:
        assert client.subprotocol == "chat"
        assert client.recv() == "hello you"
        client.send("once more")
        assert client.recv() == "once more"
        client.send("bye")
        with pytest.raises(ConnectionClosed):
            client.recv()
    assert (client.close_code, client.close_reason) == (4000, "bye")
    # One that leaves without a word, and one whose worker does: neither is an error to anybody.
    with connect(f"ws://127.0.0.1:{site.http_port}/ws?name=you", subprotocols=[Subprotocol("chat")]) as client:
        client.recv()
        client.socket.shutdown(2)
    with connect(f"ws://127.0.0.1:{site.http_port}/ws?name=you", subprotocols=[Subprotocol("chat")]) as client:
        client.recv()
        assert worker.terminate() == 0
        with pytest.raises(ConnectionClosed):
            client.recv()
    assert client.close_code == 1012
    assert "Traceback" not in worker.output()


@pytest.mark.filterwarnings("ignore")
def test_mcp(site: Site) -> None:
    """The SDK's server over streamable HTTP, and its own client through us."""
    mcp = pytest.importorskip("mcp.client", reason="mcp 2 is not installed")
    site.router("--settle", "0s")
    worker = site.worker(f"{FRAMEWORKS}.with_mcp:app", "mcp", cwd=ROOT)
    progress: list[Any] = []

    async def note(*words: Any) -> None:
        progress.append(words)

    async def main() -> Any:
        async with mcp.Client(f"http://127.0.0.1:{site.http_port}/mcp") as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["add"]
            return await client.call_tool("add", {"a": 2, "b": 3}, progress_callback=note)

    result = asyncio.run(main())
    assert result.content[0].text == "5"
    assert progress
    assert worker.terminate() == 0
    assert "Traceback" not in worker.output()
