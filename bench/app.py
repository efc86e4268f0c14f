"""The application that every contender serves: plain ASGI."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import replies

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def _events(reply: replies.Reply) -> tuple[Message, Message]:
    status, headers, body = reply
    return (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
    )


def _fixed(path: str) -> tuple[Message, Message]:
    reply = replies.reply_to("GET", path, (), b"")
    assert reply is not None
    return _events(reply)


# Made once: the benchmark is about what stands in front of the application.
FIXED = {path: _fixed(path) for path in replies.FIXED}
NOT_FOUND = (404, [(b"content-type", b"text/plain"), (b"content-length", b"10")], b"not found\n")


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer one HTTP request, or follow the server through its lifespan."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    method, path = scope["method"], scope["path"]
    events = FIXED.get(path)
    if path == replies.FILE:
        await _send_file(send)
        return
    if path == replies.UPLOAD:
        events = _events(replies.uploaded(await _count(receive)))
    elif events is None:
        body = await _body(receive) if method == "POST" else b""
        events = _events(replies.reply_to(method, path, scope["headers"], body) or NOT_FOUND)
    start, end = events
    await send(start)
    await send(end)


async def _send_file(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": replies.FILE_FIELDS})
    for left in reversed(range(replies.N_PIECES)):
        await send({"type": "http.response.body", "body": replies.PIECE, "more_body": left > 0})


async def _count(receive: Receive) -> int:
    n_bytes, more = 0, True
    while more:
        message = await receive()
        n_bytes += len(message.get("body", b""))
        more = message.get("more_body", False)
    return n_bytes


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    return body


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
