"""Where the router listens, on ports of this machine's own."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from zerogate.errors import StartError, UsageError
from zerogate.router import listeners as module
from zerogate.router.listeners import Listeners
from zerogate.settings import RouterSettings


class Greeter(asyncio.Protocol):
    """Says its word to whoever connects."""

    def __init__(self, word: bytes) -> None:
        self.word = word

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self.word)
        transport.close()


async def greeting(port: int = 0, path: str = "") -> bytes:
    opened = asyncio.open_unix_connection(path) if path else asyncio.open_connection("127.0.0.1", port)
    reader, writer = await opened
    word = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return word


def make(path: Path | None = None, **options: Any) -> Listeners:
    links = (f"ipc://{path}",) if path else ("tcp://127.0.0.1:0",)
    defaults: dict[str, Any] = {"http": ("127.0.0.1:0",), "bind": links, "admin": "127.0.0.1:0"}
    return Listeners(RouterSettings(**{**defaults, **options}))


def test_each_port_has_its_own_protocol(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "link"
        listeners = make(path, http=("127.0.0.1:0", "127.0.0.1:0"))
        listeners.bind()
        await listeners.start(lambda: Greeter(b"client"), lambda: Greeter(b"link"), lambda: Greeter(b"admin"))
        assert [await greeting(listener.port) for listener in listeners.http] == [b"client", b"client"]
        assert await greeting(path=str(path)) == b"link"
        assert await greeting(listeners.admin[0].port) == b"admin"
        listeners.close()
        assert not path.exists()
        assert not [*listeners.http, *listeners.links, *listeners.admin]

    asyncio.run(main())


def test_clients_are_turned_away_first() -> None:
    async def main() -> None:
        listeners = make()
        listeners.bind()
        await listeners.start(lambda: Greeter(b"client"), lambda: Greeter(b"link"), lambda: Greeter(b"admin"))
        http, link = listeners.http[0].port, listeners.links[0].port
        await listeners.stop_http()
        with pytest.raises(OSError, match="onnect"):
            await greeting(http)
        assert await greeting(link) == b"link"
        listeners.close()
        with pytest.raises(OSError, match="onnect"):
            await greeting(link)

    asyncio.run(main())


def test_the_admin_port_may_be_off() -> None:
    listeners = make(admin="off")
    listeners.bind()
    assert (len(listeners.http), len(listeners.links), listeners.admin) == (1, 1, [])
    listeners.close()


def test_a_link_port_for_anybody_is_asked_for_twice() -> None:
    listeners = make(bind=("tcp://0.0.0.0:0",))
    with pytest.raises(UsageError, match=r"^--bind tcp://0\.0\.0\.0:0: anybody who reaches .* --insecure"):
        listeners.bind()
    listeners.close()
    listeners = make(bind=("tcp://0.0.0.0:0",), insecure=True)
    listeners.bind()
    assert len(listeners.links) == 1
    listeners.close()


def test_a_taken_port_says_whose_option_it_was() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listeners = make(http=(f"127.0.0.1:{taken.getsockname()[1]}",))
        with pytest.raises(StartError, match=r"^--http 127\.0\.0\.1:\d+: "):
            listeners.bind()
        listeners.close()


def test_what_was_inherited_is_used_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    inherited = make()
    inherited.bind()

    class Inherited:
        http = inherited.http
        bind = inherited.links

    monkeypatch.setattr(module, "inherited_listeners", Inherited)
    listeners = make(http=("nonsense",), bind=("nonsense",), admin="off")
    listeners.bind()
    assert (listeners.http, listeners.links) == (inherited.http, inherited.links)
    listeners.close()
    inherited.close()
