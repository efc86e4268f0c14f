"""ASGI applications for tests of WebSocket."""

from typing import Any


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Sends messages back; `/close/CODE` closes; a request gets how many are open."""
    if scope["type"] == "websocket":
        await _echo(scope, receive, send)
    elif scope["type"] == "http":
        body = b"%d" % len(_open)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": body})


_open: set[int] = set()


async def _echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    path = scope["path"]
    if path == "/deny":
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    if path.startswith("/close/"):
        await send({"type": "websocket.close", "code": int(path.removeprefix("/close/")), "reason": "as asked"})
        return
    _open.add(id(scope))
    try:
        while (message := await receive())["type"] == "websocket.receive":
            assert message.get("text") != "raise", "as asked"
            await send({**message, "type": "websocket.send"})
    finally:
        _open.discard(id(scope))
    print(f"left with {message['code']}", flush=True)


async def events(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A WebSocket is echoed; `/events` is a stream of one event and then silence; all else is answered at once."""
    if scope["type"] == "http" and scope["path"] == "/events":
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: hello\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    await echo(scope, receive, send)
