"""The worker's WebSockets as a host sees them: handshakes that are none, scopes, and others' protocols."""

import pytest

from tests.support.router_end import RouterEnd, routers, working
from tests.support.virtual_time import run_virtually
from tests.support.websocket_client import HANDSHAKE, connect
from zerogate.worker.asgi import AsgiHost
from zerogate.worker.asgi_types import Receive, Scope, Send

scopes: list[Scope] = []


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    scopes.append(scope)
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["pool"] = "mine"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({b"sec-websocket-version": b"12"}, "426"),
        ({b"sec-websocket-key": b"short"}, "400"),
        ({b":version": b"HTTP/1.0"}, "400"),
        ({b"upgrade": b"h2c"}, "501"),
    ],
)
def test_what_is_no_handshake_reaches_no_application(changes: dict[bytes, bytes], status: str) -> None:
    async def main() -> None:
        async with routers() as (router,), working(AsgiHost(application, lifespan="off"), [router]) as worker:
            scopes.clear()
            asked = router.ask("/", *(dict(HANDSHAKE) | changes).items(), body=None)
            assert (await asked.over()).status == status
            asked.cancel()
            assert not worker.calls
            assert not scopes

    run_virtually(main())


def test_what_is_a_post_is_400() -> None:
    async def main() -> None:
        async with routers() as (router,), working(AsgiHost(application, lifespan="off"), [router]):
            asked = router.ask("/", *HANDSHAKE, method="POST", body=None)
            assert (await asked.over()).status == "400"

    run_virtually(main())


def test_it_has_the_lifespans_state_and_where_it_is_mounted() -> None:
    async def test(router: RouterEnd) -> None:
        scopes.clear()
        for _ in range(2):
            client = await connect(router, "/b", (b"x-forwarded-prefix", b"/a"))
            await client.closed()
            client.hang_up()
        one, other = scopes
        assert (one["root_path"], one["path"], one["state"]) == ("/x/a", "/x/a/b", {"pool": "mine"})
        assert one["state"] is not other["state"]

    async def main() -> None:
        host = AsgiHost(application, root_path="/x", strips_prefix=True)
        async with routers() as (router,), working(host, [router]):
            await test(router)

    run_virtually(main())
