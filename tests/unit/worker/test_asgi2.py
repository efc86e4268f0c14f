"""ASGI 2 applications."""

import asyncio
from typing import Any

from zerogate.worker.asgi2 import as_asgi3


class Application:
    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await send((self.scope, await receive()))


def test_it_is_called_once() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return "heard"

    async def send(message: Any) -> None:
        sent.append(message)

    async def main() -> None:
        await as_asgi3(Application)({"type": "http"}, receive, send)

    asyncio.run(main())
    assert sent == [({"type": "http"}, "heard")]
