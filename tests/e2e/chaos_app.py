"""An ASGI application that answers with what it was asked, and keeps account of its calls.

In the directory CHAOS_DIR each process notes, in a file of its own named after CHAOS_NAME and its pid: `run TOKEN` for
each POST that it was called for, `startup` and `shutdown`. `/stats` tells of calls and disconnects. Every path may have
CHAOS_PREFIX before it.
"""

import asyncio
import contextlib
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

PIECE = 16 * 1024

NAME = os.environ.get("CHAOS_NAME", f"pid-{os.getpid()}")
PREFIX = os.environ.get("CHAOS_PREFIX", "")
_directory = os.environ.get("CHAOS_DIR")
_stats = {"running": 0, "peak": 0, "called": 0, "disconnects": 0, "cancelled": 0}
_order: list[str] = []


def note(line: str) -> None:
    """One line, at once on its way to the file: a process that is killed has still said it."""
    if _directory:
        fd = os.open(Path(_directory, f"{NAME}.{os.getpid()}"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(fd, f"{line}\n".encode())
        finally:
            os.close(fd)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    name, _, token = scope["path"].removeprefix(PREFIX).strip("/").partition("/")
    options = dict(parse_qsl(scope["query_string"].decode()))
    if name == "stats":
        await reply(send, json.dumps({**_stats, "order": _order, "pid": os.getpid(), "name": NAME}).encode())
        return
    _stats["called"] += 1
    _stats["running"] += 1
    _stats["peak"] = max(_stats["peak"], _stats["running"])
    try:
        await HANDLERS[name](scope, token, options, receive, send)
    except asyncio.CancelledError:
        _stats["cancelled"] += 1
        raise
    finally:
        _stats["running"] -= 1


async def lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        kind = message["type"].removeprefix("lifespan.")
        note(kind)
        await send({"type": f"lifespan.{kind}.complete"})
        if kind == "shutdown":
            return


async def reply(send: Send, body: bytes, status: int = 200) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Scope, token: str, options: dict[str, str], receive: Receive, send: Send) -> None:
    """`TOKEN SHA256-OF-BODY NAME`, after `?sleep=` seconds, or when a test lets `?until=` or `?block_until=` go on."""
    if scope["method"] == "POST":
        note(f"run {token}")
    digest = hashlib.sha256()
    more = scope["method"] != "GET"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            _stats["disconnects"] += 1
            return
        digest.update(message["body"])
        more = message["more_body"]
    if "sleep" in options and await has_left(receive, float(options["sleep"])):
        _stats["disconnects"] += 1
        return
    if "until" in options and await has_left_before(receive, options["until"]):
        _stats["disconnects"] += 1
        return
    while "block_until" in options and not is_let_go(options["block_until"]):
        time.sleep(0.01)  # noqa: ASYNC251 - what careless applications do
    await reply(send, f"{token} {digest.hexdigest()} {NAME}\n".encode())


async def has_left(receive: Receive, seconds: float) -> bool:
    """Whether the client leaves within so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
            return True
    return False


def is_let_go(name: str) -> bool:
    """Whether the test has made the file `go-NAME`."""
    return Path(_directory or "", f"go-{name}").exists()


async def has_left_before(receive: Receive, name: str) -> bool:
    """Whether the client leaves before that."""
    while not is_let_go(name):
        if await has_left(receive, 0.01):
            return True
    return False


async def stream(scope: Scope, token: str, options: dict[str, str], receive: Receive, send: Send) -> None:
    """`?bytes=N` of lines of the token, `?pause=` seconds after each piece; `?length=1` says how many it will be.

    The second half comes when the test lets `?until=` go on.
    """
    size = int(options["bytes"])
    pause_s = float(options.get("pause", "0"))
    line = f"{token}\n".encode()
    block = line * (PIECE // len(line) + 2)
    headers = [(b"content-length", b"%d" % size)] if "length" in options else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    sent = 0
    while sent < size:
        offset = sent % len(line)
        piece = block[offset : offset + min(PIECE, size - sent)]
        sent += len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": sent < size})
        if pause_s:
            await asyncio.sleep(pause_s)
        while "until" in options and sent >= size // 2 and not is_let_go(options["until"]):
            await asyncio.sleep(0.01)


async def hang(scope: Scope, token: str, options: dict[str, str], receive: Receive, send: Send) -> None:
    """Never answers; hears of the client's end."""
    while (await receive())["type"] != "http.disconnect":
        pass
    _stats["disconnects"] += 1


async def begin(scope: Scope, token: str, options: dict[str, str], receive: Receive, send: Send) -> None:
    """Begins a reply, goes silent, and hears of the client's end."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun\n", "more_body": True})
    await hang(scope, token, options, receive, send)


async def deaf(scope: Scope, token: str, options: dict[str, str], receive: Receive, send: Send) -> None:
    """Never answers and never listens."""
    await asyncio.Event().wait()


async def order(scope: Scope, token: str, options: dict[str, str], receive: Receive, send: Send) -> None:
    """Takes `?sleep=` seconds; `/stats` tells in which order calls came."""
    _order.append(token)
    await asyncio.sleep(float(options.get("sleep", "0")))
    await reply(send, token.encode())


async def fail(scope: Scope, token: str, options: dict[str, str], receive: Receive, send: Send) -> None:
    """A worker with CHAOS_FAILS breaks its reply off; others answer."""
    if "CHAOS_FAILS" in os.environ:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        raise RuntimeError("as it was told to")
    await reply(send, NAME.encode())


HANDLERS = {
    "begin": begin,
    "deaf": deaf,
    "echo": echo,
    "fail": fail,
    "hang": hang,
    "order": order,
    "stream": stream,
}
