"""The one place where an error becomes a reply."""

import json

from zerogate.errors import HttpError
from zerogate.link.handlers import Fields
from zerogate.wire.http1 import ReplyWriter, RequestHead

RETRY_AFTER_S = b"1"
WEBSOCKET_VERSION = b"13"

# After these nobody knows what the client's next bytes mean, or they are not wanted.
CLOSING = frozenset({400, 408, 413, 414, 426, 431, 501, 505})

# Stands in for a request whose head could not be read.
NO_REQUEST = RequestHead(b"GET", b"/", b"/", b"", 1, [], 0, keep_alive=False)


def error_reply(error: HttpError, head: RequestHead | None, request_id: bytes) -> tuple[Fields, bytes]:
    """Fields and body of an error reply: short text, or JSON for a client that asked for it."""
    if head is not None and _wants_json(head):
        content_type = b"application/json"
        document = {"error": error.code, "message": error.reason, "request_id": request_id.decode("latin-1")}
        body = json.dumps(document).encode() + b"\n"
    else:
        content_type = b"text/plain; charset=utf-8"
        body = f"{error.status} {error.code}: {error.reason}\n".encode()
    fields = {
        b":status": str(error.status).encode(),
        b":version": b"HTTP/1.1",
        b"content-type": content_type,
        b"content-length": str(len(body)).encode(),
        b"cache-control": b"no-store",
        b"zerogate-error": error.code.encode(),
        b"x-request-id": request_id,
    }
    if error.status == 503:
        fields[b"retry-after"] = RETRY_AFTER_S
    elif error.status == 426:
        fields[b"upgrade"] = b"websocket"
        fields[b"sec-websocket-version"] = WEBSOCKET_VERSION
    elif error.status == 405:
        fields[b"allow"] = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
    return fields, body


def render_error(
    error: HttpError, head: RequestHead | None, request_id: bytes, *, date: bytes, close: bool
) -> tuple[bytes, bool]:
    """An error reply for an HTTP/1 client, and whether its connection has to be closed after it."""
    fields, body = error_reply(error, head, request_id)
    writer = ReplyWriter(head or NO_REQUEST)
    close = close or error.status in CLOSING or head is None or bool(head.upgrade)
    reply = writer.head(fields, fin=False, date=date, close=close) + writer.data(body) + writer.end()
    return reply, writer.must_close


def _wants_json(head: RequestHead) -> bool:
    accepted = b",".join(value for name, value in head.fields if name == b"accept")
    return b"application/json" in accepted and b"text/html" not in accepted
