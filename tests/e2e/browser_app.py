"""An ASGI application with a page that tries what browsers do: a WebSocket, events, an upload; and says what came."""

import json
from typing import Any

UPLOAD_BYTES = 3 << 20

PAGE = f"""<!doctype html><meta charset="utf-8"><title>zerogate</title><script>
const uploadBytes = {UPLOAD_BYTES};
"""
PAGE += """
const told = {};
function tell(name, value) {
    told[name] = value;
    if (Object.keys(told).length === 4) fetch("/told", {method: "POST", body: JSON.stringify(told)});
}
tell("secure", window.isSecureContext && location.protocol === "https:");

const socket = new WebSocket("wss://" + location.host + "/ws");
socket.onopen = () => socket.send("x".repeat(70000));
socket.onmessage = event => { tell("websocket", event.data.length); socket.close(); };
socket.onerror = () => tell("websocket", "error");

const events = new EventSource("/events");
const seen = [];
events.onmessage = event => {
    seen.push(event.data);
    if (seen.length === 3) { events.close(); tell("events", seen); }
};

fetch("/upload", {method: "POST", body: new Uint8Array(uploadBytes)})
    .then(reply => reply.text()).then(text => tell("upload", text));
</script>
"""

_told: dict[str, Any] = {}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["type"] == "http":
        await answer(scope["path"], receive, send)
    else:
        raise NotImplementedError


async def echo(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def answer(path: str, receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if path == "/events":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for number in range(3):
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    if path == "/told" and body:
        _told.update(json.loads(body))
    content = {"/": PAGE, "/upload": str(len(body)), "/told": json.dumps(_told)}.get(path, "")
    content_type = b"text/html" if path == "/" else b"text/plain"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type)]})
    await send({"type": "http.response.body", "body": content.encode()})
