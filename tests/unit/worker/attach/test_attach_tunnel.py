"""What a request becomes when its server switches protocols."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from tests.support.http1_server import Script, Visit
from tests.support.router_end import Asked, RouterEnd, until
from tests.support.virtual_time import run_virtually
from tests.unit.worker.attach.attaching import attached
from zerogate.wire.spdy.frames import RstStatus
from zerogate.worker.attach.connection import ServerConnection
from zerogate.worker.attach.tunnel import ServerTunnel
from zerogate.worker.errors import ClientDisconnected

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: Echo\r\nx-protocol: echo\r\n\r\n"
SIZE = 8 << 20


def ask(router: RouterEnd, *, protocol: bytes = b"echo", gives_credit: bool = True) -> Asked:
    return router.ask("/", (b"upgrade", protocol), body=None, gives_credit=gives_credit)


async def echo(visit: Visit) -> None:
    head = await visit.head()
    assert "connection: upgrade\r\nupgrade: echo\r\n" in head
    visit.say(SWITCH + b"first")
    while data := await visit.reader.read(1 << 16):
        visit.say(data)
        await visit.writer.drain()
    visit.say(b"last")


def test_octets_both_ways_and_both_ends() -> None:
    async def main() -> None:
        async with attached(echo) as scene:
            asked = ask(scene.router)
            await until(lambda: asked.body == b"first", "what came with the head")
            assert (asked.status, asked.fields[b"x-protocol"]) == ("101", b"echo")
            assert b"upgrade" not in asked.fields
            assert repr(next(iter(scene.worker.calls)).work) == "<ServerTunnel GET />"
            asked.send(bytes(SIZE))
            await until(lambda: len(asked.body) == 5 + SIZE, "much more than a window")
            asked.send(b"bye", fin=True)
            await asked.over()
            assert asked.body.endswith(b"byelast")
            await until(lambda: not scene.worker.calls, "its end")

    run_virtually(main())


def test_the_server_ends_first() -> None:
    async def script(visit: Visit) -> None:
        await visit.head()
        visit.say(SWITCH)
        visit.writer.write_eof()
        heard.append(await visit.reader.read())

    heard: list[bytes] = []

    async def main() -> None:
        async with attached(script) as scene:
            asked = ask(scene.router)
            await until(lambda: asked.is_complete, "the server's end")
            asked.send(b"goes on", fin=True)
            await until(lambda: not scene.worker.calls, "its end")
            await until(lambda: heard, "what the server heard")
            assert heard == [b"goes on"]

    run_virtually(main())


def test_each_side_goes_at_the_others_pace() -> None:
    may_read = asyncio.Event()
    said: list[int] = []

    async def script(visit: Visit) -> None:
        await visit.head()
        visit.say(SWITCH)
        await may_read.wait()
        n_read = 0
        while n_read < SIZE:
            n_read += len(await visit.reader.read(1 << 16))
        for _ in range(SIZE >> 16):
            visit.say(bytes(1 << 16))
            await visit.writer.drain()
            said.append(1 << 16)

    async def main() -> None:
        async with attached(script) as scene:
            asked = ask(scene.router, gives_credit=False)
            await until(lambda: asked.fields, "it is open")
            asked.send(bytes(SIZE))
            await asyncio.sleep(10)
            assert asked.stream.pending_bytes > SIZE // 2
            may_read.set()
            await until(lambda: not asked.stream.pending_bytes, "it is read")
            await asyncio.sleep(10)
            assert sum(said) < SIZE // 2
            asked.gives_credit = True
            scene.router.link.consumed(asked.stream, len(asked.body))
            await until(lambda: len(asked.body) == SIZE, "all of it")
            asked.cancel()

    run_virtually(main())


@pytest.mark.parametrize("is_clean", [True, False])
def test_the_server_is_gone(is_clean: bool) -> None:
    async def script(visit: Visit) -> None:
        await visit.head()
        if not is_clean:
            # A close with something unread is a reset.
            visit.writer.transport.pause_reading()  # type: ignore[attr-defined]
        visit.say(SWITCH)
        await asyncio.sleep(1)

    async def main() -> None:
        async with attached(script) as scene:
            asked = ask(scene.router)
            await until(lambda: asked.fields, "it is open")
            asked.send(b"hi")
            if is_clean:
                await asked.over()
                asked.send(b"", fin=True)
            await until(lambda: not scene.worker.calls, "its end")

    run_virtually(main())


def test_the_client_leaves() -> None:
    async def script(visit: Visit) -> None:
        await visit.head()
        visit.say(SWITCH)
        await visit.left()

    async def main() -> None:
        async with attached(script) as scene:
            asked = ask(scene.router)
            await until(lambda: asked.fields, "it is open")
            asked.cancel()
            await until(lambda: not scene.worker.calls and not scene.server.n_open, "both ends")

    run_virtually(main())


def test_the_grace_is_over() -> None:
    async def script(visit: Visit) -> None:
        await visit.head()
        visit.say(SWITCH)
        await visit.left()

    async def main() -> None:
        async with attached(script) as scene:
            asked = ask(scene.router)
            await until(lambda: asked.fields, "it is open")
            await scene.worker.stop()
            await until(lambda: not scene.server.n_open, "the server's end")
            assert (await asked.over()).reset is not None

    run_virtually(main())


async def refuse(visit: Visit) -> None:
    await visit.head()
    visit.reply(b"no", status="426 Upgrade Required")


async def switch_to_another(visit: Visit) -> None:
    await visit.head()
    visit.say(SWITCH.replace(b"Echo", b"other"))
    await visit.left()


@pytest.mark.parametrize(
    ("script", "status", "reset"),
    [
        (refuse, "426", None),
        (switch_to_another, "", RstStatus.INTERNAL_ERROR),
    ],
)
def test_no_tunnel(script: Script, status: str, reset: int | None) -> None:
    async def main() -> None:
        async with attached(script) as scene:
            asked = await ask(scene.router).over()
            assert (asked.status, asked.reset) == (status, reset)
            await until(lambda: not scene.worker.calls and not scene.server.n_open, "both ends")

    run_virtually(main())


def test_http2_is_not_switched_to() -> None:
    async def main() -> None:
        async with attached(echo) as scene:
            assert (await ask(scene.router, protocol=b"h2c").over()).status == "501"
            assert not scene.server.visits

    run_virtually(main())


class GoneCall:
    """A call whose client has left, though nobody has been told yet."""

    label = "GET /"
    is_over = False

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.receiver: Any = None
        self.work: Any = None

    def open_tunnel(self, block: bytes) -> None:
        raise ClientDisconnected

    def send_body(self, data: bytes, more: bool) -> bool:
        raise ClientDisconnected

    def consumed(self, n_bytes: int) -> None:
        self.heard.append(f"consumed {n_bytes}")

    def reset(self, status: int) -> None:
        self.heard.append("reset")

    def end(self) -> None:
        self.heard.append("end")


class Unused(ServerConnection):
    """A connection that nobody is at the other end of."""

    def abort(self) -> None:
        self.is_gone = True


def speak(tunnel: ServerTunnel) -> None:
    tunnel.on_octets_in(b"hello")


def end(tunnel: ServerTunnel) -> None:
    tunnel.on_eof_in()


@pytest.mark.parametrize("act", [speak, end])
def test_the_client_has_left_just_then(act: Callable[[ServerTunnel], None]) -> None:
    async def main() -> None:
        call, connection = GoneCall(), Unused()
        tunnel = ServerTunnel(cast(Any, call), connection, [])
        act(tunnel)
        assert (connection.is_gone, call.heard) == (True, ["end"])
        # What the client has sent before that is nobody's, and costs the link's window nothing.
        tunnel.on_octets(b"late", False)
        tunnel.cancel()
        assert call.heard == ["end", "consumed 4", "reset"]

    asyncio.run(main())


def test_the_client_has_left_before_it_was_open() -> None:
    async def main() -> None:
        call, connection = GoneCall(), Unused()
        with pytest.raises(ClientDisconnected):
            ServerTunnel(cast(Any, call), connection, []).begin(b"")
        assert (connection.is_gone, call.heard) == (True, ["reset", "end"])

    asyncio.run(main())
