"""The admin port: `/status` (JSON) and `/healthz`, for this machine's people and scripts."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

from zerogate.errors import HttpError
from zerogate.link.handlers import Fields
from zerogate.router.error_replies import NO_REQUEST, error_reply
from zerogate.wire.http1 import HttpLimits, ReplyWriter, RequestHead, RequestReader

IDLE_S = 10.0


class AdminClient(asyncio.Protocol):
    """One connection, one request."""

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        self._status = status
        self._reader = RequestReader(HttpLimits())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(IDLE_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        heads = [piece for piece in self._reader.receive(data) if isinstance(piece, RequestHead)]
        if heads:
            self._answer(heads[0])
        elif self._reader.error is not None:
            self._send(NO_REQUEST, *error_reply(self._reader.error, None, b""))

    def _answer(self, head: RequestHead) -> None:
        if head.method not in (b"GET", b"HEAD"):
            self._send(head, *error_reply(HttpError(405, "bad_request", "the admin port is for reading"), head, b""))
        elif head.path == b"/healthz":
            self._send(head, _fields(b"text/plain; charset=utf-8"), b"ok\n")
        elif head.path == b"/status":
            body = json.dumps(self._status(), indent=1).encode() + b"\n"
            self._send(head, _fields(b"application/json"), body)
        else:
            self._send(head, *error_reply(HttpError(404, "no_route", "here are /status and /healthz"), head, b""))

    def _send(self, head: RequestHead, fields: Fields, body: bytes) -> None:
        writer = ReplyWriter(head)
        fields[b"content-length"] = str(len(body)).encode()
        self._transport.write(writer.head(fields, fin=False, date=b"", close=True) + writer.data(body) + writer.end())
        self._transport.close()


def _fields(content_type: bytes) -> Fields:
    return {
        b":status": b"200 OK",
        b":version": b"HTTP/1.1",
        b"content-type": content_type,
        b"cache-control": b"no-store",
    }
