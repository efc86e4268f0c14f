"""A kind of application that has nothing to do with ASGI, served through a real link."""

import asyncio
from functools import partial

from tests.support.router_end import RouterEnd, routers, until, working
from tests.support.virtual_time import run_virtually
from zerogate.worker.call import Call
from zerogate.worker.host import Host
from zerogate.worker.reply_block import reply_block


class EchoHost(Host):
    """Sends back what it is sent, as it comes."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def begin(self, call: Call) -> None:
        call.work = asyncio.ensure_future(self.echo(call))

    async def echo(self, call: Call) -> None:
        try:
            call.begin_reply(reply_block(200, [(b"x-path", call.fields[b":path"])]))
            while (piece := await call.read_body()) is not None:
                if call.send_body(piece, more=not call.has_body_ended):
                    await call.drain()
        finally:
            call.end()


async def echoes(router: RouterEnd) -> None:
    asked = await router.get("/nothing")
    assert (asked.status, asked.fields[b"x-path"], asked.body) == ("200", b"/nothing", b"")
    asked = await router.get("/some", method="POST", body=b"hello")
    assert asked.body == b"hello"
    # Piece by piece, each before the next is sent.
    asked = router.ask("/pieces", method="POST", body=None)
    for number in range(3):
        asked.send(b"%d" % number)
        await until(partial(lambda n: asked.body.endswith(b"%d" % n), number), "the echo")
    asked.send(b"", fin=True)
    assert (await asked.over()).body == b"012"
    # More than all windows together.
    body = bytes(range(256)) * 8192
    assert (await router.get("/much", method="PUT", body=body)).body == body


def test_a_second_kind_of_application() -> None:
    async def main() -> None:
        async with routers() as (router,), working(EchoHost(), [router]) as worker:
            await echoes(router)
            assert not worker.calls
            # Who leaves takes nothing along.
            asked = router.ask("/left", method="POST", body=None)
            await until(lambda: asked.fields or worker.calls, "it has begun")
            asked.cancel()
            await until(lambda: not worker.calls, "its end")
            await echoes(router)

    run_virtually(main())


class BrokenHost(Host):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def begin(self, call: Call) -> None:
        raise RuntimeError("cannot begin")


def test_a_host_that_cannot_begin_costs_one_request_each() -> None:
    async def main() -> None:
        async with routers() as (router,), working(BrokenHost(), [router], concurrency=1) as worker:
            link = router.link
            for _ in range(3):
                asked = await router.get("/")
                assert (asked.status, asked.body) == ("500", b"Internal Server Error\n")
            assert not worker.calls
            assert router.link is link

    run_virtually(main())
