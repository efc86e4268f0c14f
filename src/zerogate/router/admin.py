"""The admin port: `/status` (JSON) and `/healthz`, for this machine's people and scripts."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

from zerogate.wire.http.errors import METHOD_NOT_ALLOWED, NO_ROUTE, HttpError, error_reply
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestHead
from zerogate.wire.http1 import Connection, HttpLimits

IDLE_S = 10.0


class AdminClient(asyncio.Protocol):
    """One connection, one request."""

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        self._status = status
        self._connection = Connection(HttpLimits())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(IDLE_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        heads = [piece for piece in self._connection.receive(data) if isinstance(piece, RequestHead)]
        if heads:
            self._answer(heads[0])
        elif self._connection.error is not None:
            self._send(*error_reply(self._connection.error, None, b""))

    def _answer(self, head: RequestHead) -> None:
        if head.method not in (b"GET", b"HEAD"):
            self._send(*error_reply(HttpError(METHOD_NOT_ALLOWED, "the admin port is for reading"), head, b""))
        elif head.path == b"/healthz":
            self._send(*_reply(b"text/plain; charset=utf-8", b"ok\n"))
        elif head.path == b"/status":
            body = json.dumps(self._status(), indent=1).encode() + b"\n"
            self._send(*_reply(b"application/json", body))
        else:
            self._send(*error_reply(HttpError(NO_ROUTE, "here are /status and /healthz"), head, b""))

    def _send(self, head: ReplyHead, body: bytes) -> None:
        self._transport.write(self._connection.send_whole(head, body, date=b"", close=True))
        self._transport.close()


def _reply(content_type: bytes, body: bytes) -> tuple[ReplyHead, bytes]:
    fields = [
        (b"content-type", content_type),
        (b"cache-control", b"no-store"),
        (b"content-length", b"%d" % len(body)),
    ]
    return ReplyHead.of(200, fields), body
