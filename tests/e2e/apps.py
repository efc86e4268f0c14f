"""ASGI applications for tests: what a request's path names is done.

`app` does what the first segment of the path says. Who tests it steers it by other requests: `/signal/KEY` lets a call
go on that waits for KEY, and `/log` tells (and forgets) what calls have noted.
"""

import asyncio
import collections
import hashlib
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

PIECE = 64 * 1024

_handlers: dict[str, Handler] = {}
_signals: dict[str, asyncio.Event] = collections.defaultdict(asyncio.Event)
_log: list[str] = []


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await _handlers[scope["path"].split("/")[1] or "index"](scope, receive, send)


def handler(function: Handler) -> Handler:
    """The function's name, with `-` for `_`, is the path's first segment."""
    _handlers[function.__name__.strip("_").replace("_", "-")] = function
    return function


def query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode()))


async def reply(send: Send, body: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def begin(send: Send, status: int = 200, *headers: tuple[bytes, bytes], **more: Any) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers), **more})


async def piece(send: Send, body: bytes, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises ConnectionError if the client leaves amid it."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        pieces.append(message["body"])
        if not message["more_body"]:
            return b"".join(pieces)


# Steering


@handler
async def signal(scope: Scope, receive: Receive, send: Send) -> None:
    _signals[scope["path"].split("/")[2]].set()
    await reply(send, b"signalled")


@handler
async def log(scope: Scope, receive: Receive, send: Send) -> None:
    body = json.dumps(_log).encode()
    _log.clear()
    await reply(send, body)


# Ordinary


@handler
async def index(scope: Scope, receive: Receive, send: Send) -> None:
    await reply(send, b"ok")


@handler
async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends back each piece as it comes."""
    await begin(send)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
        await piece(send, message["body"], more)


@handler
async def hints(scope: Scope, receive: Receive, send: Send) -> None:
    """Two early hints before the reply."""
    for name in (b"a.css", b"b.js"):
        await send({"type": "http.response.early_hint", "links": [b"</" + name + b">; rel=preload"]})
    await reply(send, b"hinted")


@handler
async def file(scope: Scope, receive: Receive, send: Send) -> None:
    """/file?path=...: that file."""
    path = query(scope)["path"]
    await begin(send, 200, (b"content-length", b"%d" % os.stat(path).st_size))
    await send({"type": "http.response.pathsend", "path": path})


@handler
async def inspect(scope: Scope, receive: Receive, send: Send) -> None:
    """What the application sees of a request, as JSON."""
    body = await read_body(receive)
    seen = {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode("latin-1"),
        "query": scope["query_string"].decode("latin-1"),
        "http_version": scope["http_version"],
        "scheme": scope["scheme"],
        "client": scope["client"],
        "server": scope["server"],
        "root_path": scope["root_path"],
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "state": scope.get("state"),
        "body_bytes": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "pid": os.getpid(),
    }
    await reply(send, json.dumps(seen).encode(), 200, (b"content-type", b"application/json"))


@handler
async def status(scope: Scope, receive: Receive, send: Send) -> None:
    """/status/204 and the like, always with a body, as a careless application does."""
    await begin(send, int(scope["path"].split("/")[2]), (b"content-type", b"text/plain"))
    await piece(send, b"a body nobody should see", False)


@handler
async def empty(scope: Scope, receive: Receive, send: Send) -> None:
    """A reply without a body and without a length."""
    await begin(send)
    await piece(send, b"", False)


@handler
async def cookies(scope: Scope, receive: Receive, send: Send) -> None:
    pairs = [
        (b"Set-Cookie", b"a=1"),
        (b"X-Other", b"between"),
        (b"set-cookie", b"b=2; Path=/"),
        (b"Set-Cookie", b"c=3"),
    ]
    await begin(send, 200, *pairs)
    await piece(send, b"", False)


@handler
async def trailers(scope: Scope, receive: Receive, send: Send) -> None:
    await begin(send, 200, (b"trailer", b"x-sum"), trailers=True)
    await piece(send, b"some body", False)
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"abc"), (b"content-length", b"3")]})


# Streaming


@handler
async def steps(scope: Scope, receive: Receive, send: Send) -> None:
    """/steps/KEY/N: N pieces, each after the first on the signal KEY-1, KEY-2, …"""
    _, _, key, count = scope["path"].split("/")
    await begin(send)
    for number in range(int(count)):
        if number:
            await _signals[f"{key}-{number}"].wait()
        await piece(send, f"piece {number}\n".encode(), number + 1 < int(count))


@handler
async def head_first(scope: Scope, receive: Receive, send: Send) -> None:
    """/head-first/KEY: the head, with an empty piece of body; the rest on the signal."""
    await begin(send, 200, (b"x-early", b"yes"))
    await piece(send, b"")
    await _signals[scope["path"].split("/")[2]].wait()
    await piece(send, b"late", False)


@handler
async def download(scope: Scope, receive: Receive, send: Send) -> None:
    """/download?bytes=N: so many zeros. Notes how much it had sent when the client left."""
    size = int(query(scope)["bytes"])
    await begin(send, 200, (b"content-length", str(size).encode()))
    block = bytes(PIECE)
    sent = 0
    try:
        while sent < size:
            now = min(PIECE, size - sent)
            await piece(send, block if now == PIECE else block[:now], sent + now < size)
            sent += now
    except OSError:
        _log.append(f"download of {size} left")
        raise


@handler
async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """/endless/STATUS: a body without an end, whatever becomes of it. Notes when its task is cancelled."""
    await begin(send, int(scope["path"].split("/")[2]))
    block = bytes(PIECE)
    try:
        while True:
            await piece(send, block)
            await asyncio.sleep(0)
    except (asyncio.CancelledError, OSError):
        _log.append("endless ended")
        raise


@handler
async def upload(scope: Scope, receive: Receive, send: Send) -> None:
    """/upload?after=KEY: counts the body; after its first piece it waits for the signal, if there is a key."""
    key = query(scope).get("after")
    count = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            _log.append(f"upload left after {count}")
            return
        if not count:
            _log.append("upload began")
        count += len(message["body"])
        more = message["more_body"]
        if key is not None:
            await _signals[key].wait()
            key = None
    await reply(send, str(count).encode())


@handler
async def early(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without having looked at the body."""
    await reply(send, b"too big, thank you", 413)


@handler
async def wait(scope: Scope, receive: Receive, send: Send) -> None:
    """/wait/KEY: answers on the signal."""
    key = scope["path"].split("/")[2]
    _log.append(f"{key} began")
    await _signals[key].wait()
    await reply(send, b"waited")


@handler
async def pid(scope: Scope, receive: Receive, send: Send) -> None:
    await reply(send, str(os.getpid()).encode())


_blocked = 0


@handler
async def block(scope: Scope, receive: Receive, send: Send) -> None:
    """/block?until=PATH: holds the event loop up until there is such a file, and tells the how manieth time it was."""
    global _blocked
    _blocked += 1
    go = query(scope)["until"]
    while not os.path.exists(go):  # noqa: ASYNC240
        time.sleep(0.01)  # noqa: ASYNC251 - that is what it is for
    await reply(send, b"blocked for once" if _blocked == 1 else b"blocked again")


@handler
async def listen(scope: Scope, receive: Receive, send: Send) -> None:
    """/listen/KEY: never answers, and notes when the client has left."""
    key = scope["path"].split("/")[2]
    _log.append(f"{key} began")
    await read_body(receive)
    message = await receive()
    _log.append(f"{key} heard {message['type']}")


@handler
async def listen_replying(scope: Scope, receive: Receive, send: Send) -> None:
    """/listen-replying/KEY: begins a reply, says nothing more, and notes when the client has left."""
    key = scope["path"].split("/")[2]
    await begin(send)
    await piece(send, b"begun")
    await read_body(receive)
    message = await receive()
    _log.append(f"{key} heard {message['type']}")


@handler
async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
    """/deaf/KEY: never answers, never listens; notes when its task is cancelled."""
    key = scope["path"].split("/")[2]
    _log.append(f"{key} began")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        _log.append(f"{key} cancelled")
        raise


@handler
async def after_reply(scope: Scope, receive: Receive, send: Send) -> None:
    """/after-reply/KEY: answers, then listens: a complete reply is heard as a disconnect too."""
    await read_body(receive)
    await reply(send, b"done")
    message = await receive()
    _log.append(f"{scope['path'].split('/')[2]} heard {message['type']}")


# Broken


@handler
async def raise_before(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("raised before the reply")


@handler
async def raise_after_start(scope: Scope, receive: Receive, send: Send) -> None:
    await begin(send)
    raise RuntimeError("raised after the start")


@handler
async def raise_amid(scope: Scope, receive: Receive, send: Send) -> None:
    await begin(send, 200, *([(b"content-length", b"100")] if query(scope).get("length") else []))
    await piece(send, b"some of it")
    raise RuntimeError("raised amid the reply")


@handler
async def no_reply(scope: Scope, receive: Receive, send: Send) -> None:
    """Returns without a word."""


@handler
async def half_reply(scope: Scope, receive: Receive, send: Send) -> None:
    await begin(send)
    await piece(send, b"some of it")


@handler
async def body_first(scope: Scope, receive: Receive, send: Send) -> None:
    await piece(send, b"no head", False)


@handler
async def start_twice(scope: Scope, receive: Receive, send: Send) -> None:
    await begin(send)
    await begin(send)


@handler
async def after_end(scope: Scope, receive: Receive, send: Send) -> None:
    await reply(send, b"the end")
    await piece(send, b"after the end", False)
    _log.append("after-end went on")


@handler
async def unknown_message(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.nonsense"})


_BAD_HEADERS: dict[str, Any] = {
    "text": [("content-type", "text/plain")],
    "text-value": [(b"content-type", "text/plain")],
    "none": [(b"content-type", None)],
    "crlf": [(b"x-a", b"b\r\nx-injected: yes")],
    "nul": [(b"x-a", b"b\0c")],
    "space": [(b"x a", b"b")],
    "empty-name": [(b"", b"b")],
    "colon": [(b":status", b"204")],
    "not-pairs": [b"content-type"],
}


@handler
async def bad_header(scope: Scope, receive: Receive, send: Send) -> None:
    await begin(send, 200, *_BAD_HEADERS[scope["path"].split("/")[2]])
    await piece(send, b"body", False)


@handler
async def bad_status(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": {"text": "200"}.get(query(scope)["s"], 99), "headers": []})
    await piece(send, b"body", False)


@handler
async def too_long(scope: Scope, receive: Receive, send: Send) -> None:
    await begin(send, 200, (b"content-length", b"4"))
    await piece(send, b"12345", False)


@handler
async def too_short(scope: Scope, receive: Receive, send: Send) -> None:
    await begin(send, 200, (b"content-length", b"40"))
    await piece(send, b"12345", False)


@handler
async def huge_head(scope: Scope, receive: Receive, send: Send) -> None:
    """/huge-head?bytes=N"""
    await begin(send, 200, (b"x-huge", b"h" * int(query(scope)["bytes"])))
    await piece(send, b"body", False)


@handler
async def hop_by_hop(scope: Scope, receive: Receive, send: Send) -> None:
    pairs = [
        (b"connection", b"close, x-named"),
        (b"x-named", b"1"),
        (b"keep-alive", b"timeout=1"),
        (b"transfer-encoding", b"gzip"),
        (b"upgrade", b"h2c"),
        (b"x-kept", b"1"),
    ]
    await reply(send, b"ok", 200, *pairs)


# Lifespans: what happens is noted in the file that LIFESPAN_NOTES names.


def _note(text: str) -> None:
    with Path(os.environ["LIFESPAN_NOTES"]).open("a") as notes:
        notes.write(text + "\n")


async def with_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Keeps something in the state, which every request then sees a copy of."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            _note(message["type"])
            if message["type"] == "lifespan.startup":
                scope["state"]["made"] = "at start-up"
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    state = dict(scope["state"])
    scope["state"]["made"] = "changed by a request"
    await reply(send, json.dumps(state).encode())


async def lifespan_fails(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the database is on holiday"})


async def lifespan_raises(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan here")
    await reply(send, b"ok")


async def lifespan_shutdown_fails(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "could not close the door"})
        return
    await reply(send, b"ok")


async def lifespan_never_starts(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "lifespan"
    await receive()
    print("starting", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("interrupted", flush=True)


async def lifespan_never_stops(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.Event().wait()
    await reply(send, b"ok")


# Records


_requests: list[dict[str, Any]] = []


async def recorder(scope: Scope, receive: Receive, send: Send) -> None:
    """Notes each request, from which address, and whether its body came whole. GET /recorded tells and forgets."""
    if scope["type"] == "lifespan":
        raise NotImplementedError
    if scope["type"] == "websocket":
        path = scope["path"]
        _requests.append({"client": scope["client"][0], "method": "WS", "path": path, "bytes": 0, "is_whole": True})
        await receive()
        await send({"type": "websocket.close"})
        return
    path = scope["raw_path"].decode("latin-1")
    if path == "/recorded":
        body = json.dumps(_requests).encode()
        _requests.clear()
        await reply(send, body)
        return
    entry = {"client": scope["client"][0], "method": scope["method"], "path": path, "bytes": 0, "is_whole": False}
    _requests.append(entry)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        entry["bytes"] += len(message["body"])
        more = message["more_body"]
    entry["is_whole"] = True
    await reply(send, b"OK")
