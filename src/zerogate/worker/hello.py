"""The built-in example application."""

from zerogate.worker.asgi_types import Application, Receive, Scope, Send


def hello(name: str) -> Application:
    """An ASGI application that answers every request with `Hello from NAME`."""
    body = f"Hello from {name}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})  # 403: it has nothing to say there.
            return
        if scope["type"] != "http":
            raise NotImplementedError(f"no {scope['type']} here")
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application
