"""The application that every contender of `messages.py` and `idle.py` serves: WebSockets, and `app.py` for requests."""

from typing import Any

import app as requests


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Send each message back."""
    if scope["type"] == "websocket":
        await _echo(receive, send)
    else:
        await requests.app(scope, receive, send)


async def _echo(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        data = message.get("bytes")
        if data is None:
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": data})
