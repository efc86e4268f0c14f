"""The built-in example."""

import pytest

from tests.support.router_end import routers, working
from tests.support.virtual_time import run_virtually
from zerogate.worker.asgi import AsgiHost
from zerogate.worker.asgi_types import Message
from zerogate.worker.hello import hello


def test_it_answers_with_its_name() -> None:
    async def main() -> None:
        async with routers() as (router,), working(AsgiHost(hello("worker-1")), [router]):
            asked = await router.get("/any/path")
            assert (asked.status, asked.body) == ("200", b"Hello from worker-1\n")
            assert asked.fields[b"content-length"] == b"20"

    run_virtually(main())


def test_it_has_no_lifespan_and_refuses_a_websocket() -> None:
    said: list[Message] = []

    async def note(*messages: Message) -> None:
        said.extend(messages)

    async def main(kind: str) -> None:
        await hello("x")({"type": kind}, note, note)  # type: ignore[arg-type]

    run_virtually(main("websocket"))
    assert said == [{"type": "websocket.close"}]
    with pytest.raises(NotImplementedError, match="lifespan"):
        run_virtually(main("lifespan"))
