"""The application that every contender serves: plain ASGI, three replies of known size."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

REPLIES: dict[str, tuple[bytes, bytes]] = {
    "/": (b"text/plain", b"Hello, world!\n"),
    "/json": (b"application/json", b'{"message":"Hello, world!","numbers":[1,2,3],"ok":true}\n'),
    "/32k": (b"application/octet-stream", bytes(range(256)) * 128),
}


def _events(status: int, content_type: bytes, body: bytes) -> tuple[Message, Message]:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    return (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
    )


# Made once: the benchmark is about what stands in front of the application.
EVENTS = {path: _events(200, *reply) for path, reply in REPLIES.items()}
NOT_FOUND = _events(404, b"text/plain", b"not found\n")


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer one HTTP request, or follow the server through its lifespan."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    start, body = EVENTS.get(scope["path"], NOT_FOUND)
    await send(start)
    await send(body)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
