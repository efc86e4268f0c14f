"""A router and two workers in a program of one's own, for as long as a block lasts.

python -m examples.embedded
"""

import asyncio
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

import zerogate

Message = dict[str, Any]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"You are at {scope['path']}\n".encode()})


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as reply:
        return str(reply.read(), "utf-8")


async def main() -> None:
    async with (
        zerogate.Router(http=("127.0.0.1:0",), bind=("tcp://127.0.0.1:0",), admin="off", access_log="off") as router,
        zerogate.Worker(app, connect=(router.endpoint,), name="one") as one,
        zerogate.Worker(app, connect=(router.endpoint,), name="two", route=("/two",)) as two,
    ):
        await asyncio.gather(one.joined(), two.joined())
        for path in ("/", "/two"):
            print(await asyncio.to_thread(get, router.url + path), end="")
        print(*sorted(worker["name"] for worker in router.status()["workers"]))


if __name__ == "__main__":
    asyncio.run(main())
