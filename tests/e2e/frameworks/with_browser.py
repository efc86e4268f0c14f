"""A page for a browser, and what it uses: a WebSocket, a stream of events, uploads. It sends its findings home."""

import asyncio
import json
from typing import Any

PAGE = b"""<!doctype html><title>running</title><script>
const findings = {};
const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`, ["chat"]);
socket.binaryType = "arraybuffer";
const websocket = new Promise(done => {
  const got = [];
  socket.onopen = () => { socket.send("h\\u00e9"); socket.send(new Uint8Array([0, 1, 255])); };
  socket.onmessage = event => {
    got.push(typeof event.data === "string" ? event.data : [...new Uint8Array(event.data)]);
    if (got.length === 2) socket.send("bye");
  };
  socket.onclose = event => done({protocol: socket.protocol, got, code: event.code, reason: event.reason});
});
const events = new Promise(done => {
  const source = new EventSource("/events");
  const got = [];
  source.onmessage = event => { got.push(event.data); if (got.length === 3) { source.close(); done(got); } };
});
const uploads = Promise.all([0, 1000, 3000000].map(size =>
  fetch("/upload", {method: "POST", body: new Uint8Array(size)}).then(reply => reply.json())));
Promise.all([websocket, events, uploads]).then(([websocket, events, uploads]) =>
  fetch("/findings", {method: "POST", body: JSON.stringify({websocket, events, uploads, scheme: location.protocol})}))
  .then(() => { document.title = "done"; });
</script>"""

findings: list[Any] = []


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await _socket(scope, receive, send)
    elif scope["type"] == "http":
        await HANDLERS.get(scope["path"], _nothing)(receive, send)


async def _socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept", "subprotocol": scope["subprotocols"][0]})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "bye":
            await send({"type": "websocket.close", "code": 4000, "reason": "bye"})
            return
        await send({**message, "type": "websocket.send"})


async def _reply(send: Any, body: bytes, content_type: bytes, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", content_type)]})
    await send({"type": "http.response.body", "body": body})


async def _read(receive: Any) -> bytes:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    return body


async def _page(receive: Any, send: Any) -> None:
    await _reply(send, PAGE, b"text/html; charset=utf-8")


async def _events(receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for number in range(3):
        await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
        await asyncio.sleep(0.01)
    while (await receive())["type"] != "http.disconnect":
        pass


async def _upload(receive: Any, send: Any) -> None:
    await _reply(send, b"%d" % len(await _read(receive)), b"application/json")


async def _note(receive: Any, send: Any) -> None:
    findings.append(json.loads(await _read(receive)))
    await _reply(send, b"{}", b"application/json")


async def _tell(receive: Any, send: Any) -> None:
    await _reply(send, json.dumps(findings).encode(), b"application/json")


async def _nothing(receive: Any, send: Any) -> None:
    await _reply(send, b"", b"text/plain", 404)


HANDLERS = {"/": _page, "/events": _events, "/upload": _upload, "/findings": _note, "/found": _tell}
