"""The built-in example."""

import pytest

from tests.support.router_end import routers, working
from tests.support.virtual_time import run_virtually
from zerogate.worker.asgi import AsgiHost
from zerogate.worker.hello import hello


def test_it_answers_with_its_name() -> None:
    async def main() -> None:
        async with routers() as (router,), working(AsgiHost(hello("worker-1")), [router]):
            asked = await router.get("/any/path")
            assert (asked.status, asked.body) == ("200", b"Hello from worker-1\n")
            assert asked.fields[b"content-length"] == b"20"

    run_virtually(main())


def test_it_has_no_lifespan_and_no_websockets() -> None:
    async def nothing(*_: object) -> None: ...

    async def main(kind: str) -> None:
        await hello("x")({"type": kind}, nothing, nothing)  # type: ignore[arg-type]

    for kind in ("lifespan", "websocket"):
        with pytest.raises(NotImplementedError, match=kind):
            run_virtually(main(kind))
