"""The application of the workers that are fuzzed: it answers whatever it is asked, and never fails."""

import asyncio
import contextlib
import hashlib
import json
from typing import Any

PIECE = bytes(20_000)
N_PIECES = 10
# Long enough for a client to leave meanwhile.
SLOW_S = 0.2

_running = 0


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    global _running
    if scope["type"] != "http":
        return
    _running += 1
    try:
        # To send to a client that has left is an OSError: so it must be.
        with contextlib.suppress(OSError):
            await _answer(scope["path"], receive, send)
    finally:
        _running -= 1


async def _answer(path: str, receive: Any, send: Any) -> None:
    digest = hashlib.sha256()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        digest.update(message["body"])
        more = message["more_body"]
    if path == "/slow":
        await asyncio.sleep(SLOW_S)
    pieces = N_PIECES if path == "/pieces" else 0
    body = json.dumps({"running": _running}) if path == "/running" else digest.hexdigest()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(pieces):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": body.encode()})
