"""A tunnel as its host sees it: octets both ways, credit, and how either end comes to its end."""

import asyncio

import pytest

from tests.support.router_end import Asked, RouterEnd, routers, until, working
from tests.support.virtual_time import run_virtually
from zerogate.worker.call import Call
from zerogate.worker.errors import ApplicationError, ClientDisconnected
from zerogate.worker.host import Host
from zerogate.worker.reply_block import reply_block, switching_block
from zerogate.worker.tunnel import Receiver, UpgradeCall

BLOCK = switching_block([(b"x-protocol", b"echo")])


class Echo(Receiver):
    """Sends back what it is sent, and closes when its client does."""

    def __init__(self, call: UpgradeCall) -> None:
        self.call = call
        self.is_gone = False
        self.n_room = 0
        call.receiver = self

    def on_octets(self, data: bytes, fin: bool) -> None:
        self.call.consumed(len(data))
        self.call.send_body(data, not fin)
        self.call.wake()

    def on_room(self) -> None:
        self.n_room += 1

    def on_gone(self) -> None:
        self.is_gone = True


class EchoHost(Host):
    """Opens tunnels when it is let."""

    upgrades = frozenset({b"echo"})

    def __init__(self) -> None:
        self.may_open = asyncio.Event()
        self.may_open.set()
        self.calls: list[UpgradeCall] = []
        self.echoes: list[Echo] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def begin(self, call: Call) -> None:
        call.begin_reply(reply_block(200, []))
        call.send_body(b"", False)
        call.end()

    def upgrade(self, call: UpgradeCall) -> None:
        self.calls.append(call)
        self.echoes.append(Echo(call))
        call.work = asyncio.ensure_future(self.run(call))

    async def run(self, call: UpgradeCall) -> None:
        try:
            await self.may_open.wait()
            call.open_tunnel(BLOCK)
            while not call.is_over:
                await call.changed()
        finally:
            call.end()


def ask(router: RouterEnd, gives_credit: bool = True) -> Asked:
    return router.ask("/", (b"upgrade", b"Echo"), body=None, gives_credit=gives_credit)


def test_octets_both_ways_and_both_ends() -> None:
    async def main() -> None:
        host = EchoHost()
        async with routers() as (router,), working(host, [router]) as worker:
            asked = ask(router)
            await until(lambda: asked.fields, "the 101")
            assert (asked.status, asked.fields[b"x-protocol"]) == ("101", b"echo")
            asked.send(b"hello")
            await until(lambda: asked.body == b"hello", "the echo")
            asked.send(bytes(1 << 20))
            await until(lambda: len(asked.body) == 5 + (1 << 20), "more than a window")
            asked.send(b"bye", fin=True)
            await asked.over()
            assert asked.body.endswith(b"bye")
            await until(lambda: not worker.calls, "its end")
            assert not router.link.session.streams

    run_virtually(main())


def test_what_comes_before_it_is_open_is_dropped_but_for_the_end() -> None:
    async def main() -> None:
        host = EchoHost()
        host.may_open.clear()
        async with routers() as (router,), working(host, [router]):
            asked = ask(router)
            asked.send(b"too early", fin=True)
            await until(lambda: host.calls and host.calls[0].has_half_closed, "it has come")
            host.may_open.set()
            await asked.over()
            assert (asked.status, asked.body) == ("101", b"")

    run_virtually(main())


@pytest.mark.parametrize("is_open", [True, False])
def test_a_client_that_leaves(is_open: bool) -> None:
    async def main() -> None:
        host = EchoHost()
        if not is_open:
            host.may_open.clear()
        async with routers() as (router,), working(host, [router], cancel_after=1.0) as worker:
            asked = ask(router)
            await until(lambda: asked.fields if is_open else host.calls, "it is there")
            asked.cancel()
            await until(lambda: host.echoes[0].is_gone, "it hears")
            call = host.calls[0]
            assert call.is_over
            with pytest.raises(ClientDisconnected):
                call.send_body(b"x", True)
            with pytest.raises(ClientDisconnected):
                call.open_tunnel(BLOCK)
            await until(lambda: not worker.calls, "its end")

    run_virtually(main())


def test_a_host_that_ends_first_resets_what_is_left() -> None:
    async def main() -> None:
        host = EchoHost()
        async with routers() as (router,), working(host, [router]) as worker:
            asked = ask(router)
            await until(lambda: asked.fields, "the 101")
            (call,) = host.calls
            with pytest.raises(ApplicationError):
                call.open_tunnel(BLOCK)
            call.send_body(b"the end", False)
            assert call.work is not None
            call.work.cancel()
            await until(lambda: asked.reset == 5, "CANCEL: nobody is to blame")
            assert asked.body == b"the end"
            assert not worker.calls

    run_virtually(main())


def test_how_much_waits_and_that_it_has_gone() -> None:
    async def main() -> None:
        host = EchoHost()
        async with routers() as (router,), working(host, [router]):
            asked = ask(router, gives_credit=False)
            await until(lambda: asked.fields, "the 101")
            (call,) = host.calls
            call.send_body(bytes(300 * 1024), True)
            await until(lambda: len(asked.body) >= 256 * 1024, "a window")
            assert call.pending_bytes == 44 * 1024
            before = host.echoes[0].n_room
            asked.link.consumed(asked.stream, 256 * 1024)
            await until(lambda: host.echoes[0].n_room > before, "it has gone")
            assert call.pending_bytes == 0
            asked.cancel()

    run_virtually(main())


def test_trailers_end_a_half_and_a_receiver_that_has_let_go_hears_nothing() -> None:
    async def main() -> None:
        host = EchoHost()
        async with routers() as (router,), working(host, [router]):
            asked = ask(router)
            await until(lambda: asked.fields, "the 101")
            (call,) = host.calls
            call.receiver = None
            asked.send(b"heard by nobody")
            asked.link.send_headers(asked.stream, reply_block(200, []), False)
            asked.link.send_headers(asked.stream, reply_block(200, []), True)
            await asyncio.sleep(1)
            assert asked.body == b""
            call.send_body(b"", False)
            await until(lambda: call.is_over, "both ends")

    run_virtually(main())


def test_another_protocol_is_501_and_one_that_cannot_go_on_ends() -> None:
    async def main() -> None:
        async with routers() as (router,), working(EchoHost(), [router]):
            asked = router.ask("/", (b"upgrade", b"h2c"), body=None)
            assert (await asked.over()).status == "501"
            asked.cancel()
            assert (await router.get("/", (b"upgrade", b"echo"))).status == "101"

    run_virtually(main())


def test_let_end_is_as_if_the_client_had_left() -> None:
    async def main() -> None:
        host = EchoHost()
        async with routers() as (router,), working(host, [router], cancel_after=3.0) as worker:
            asked = ask(router)
            await until(lambda: asked.fields, "the 101")
            host.calls[0].let_end()
            host.calls[0].let_end()
            began = asyncio.get_running_loop().time()
            await until(lambda: not worker.calls, "its end")
            assert 2.9 < asyncio.get_running_loop().time() - began < 3.5

    run_virtually(main())
