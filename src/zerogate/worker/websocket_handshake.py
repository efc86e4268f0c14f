"""WebSocket's opening handshake at the worker (RFC 6455, 4.2): is it one, and what is answered. No socket, no clock.

Our router has looked at it already; the worker does not rely on whose router it has.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.headers import build_extension, parse_extension
from websockets.typing import ExtensionHeader

from zerogate.worker.asgi_types import Scope
from zerogate.worker.errors import ApplicationError
from zerogate.worker.reply_block import reply_block, switching_block
from zerogate.worker.request_block import RequestFields
from zerogate.worker.scope import http_scope

KEY_BYTES = 16
# RFC 6455, 1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# What the handshake says by itself: an application's headers may not.
_OWN_PREFIX = b"sec-websocket-"

EXTENSIONS: dict[str, dict[str, Any]] = {"websocket.http.response": {}}

# Windows of 4 KiB each way: of text that repeats itself within a message nearly as good as zlib's 32, and a connection
# costs 40 KB instead of 100 for it.
DEFLATE = ServerPerMessageDeflateFactory(
    server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
)
# zlib has none of 256 octets (madler/zlib#171). Older releases of websockets find that out too late.
NO_WINDOW = ("server_max_window_bits", "8")


class Refusal(NamedTuple):
    """Why it is no handshake: a reply that is all there."""

    block: bytes
    body: bytes


def _refusal(status: int, reason: bytes, *headers: tuple[bytes, bytes]) -> Refusal:
    body = b"%d: %b\n" % (status, reason)
    text = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    return Refusal(reply_block(status, [*text, *headers]), body)


NOT_A_GET = _refusal(400, b"a WebSocket handshake is a GET without a body, of HTTP/1.1")
BAD_KEY = _refusal(400, b"bad Sec-WebSocket-Key, or more than one")
BAD_EXTENSIONS = _refusal(400, b"bad Sec-WebSocket-Extensions")
# RFC 6455, 4.4.
WRONG_VERSION = _refusal(
    426, b"WebSocket version 13 is the one spoken here", (b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")
)
FORBIDDEN_BLOCK = reply_block(403, [(b"content-length", b"0")])


def find_fault(fields: RequestFields, fin: bool) -> Refusal | None:
    """What is wrong with it, if something is. `fin`: nothing can come after the head."""
    is_get = fields.get(b":method") == b"GET" and fields.get(b":version") == b"HTTP/1.1"
    if not is_get or fin or fields.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in fields:
        return NOT_A_GET
    if fields.get(b"sec-websocket-version") != b"13":
        return WRONG_VERSION
    if not _is_key(fields.get(b"sec-websocket-key", b"")):
        return BAD_KEY
    try:
        _offers(fields)
    except InvalidHeader:
        return BAD_EXTENSIONS
    return None


def _offers(fields: RequestFields) -> list[ExtensionHeader]:
    text = fields.get(b"sec-websocket-extensions", b"").replace(b"\0", b", ").decode("latin-1")
    return parse_extension(text) if text else []


def _is_key(text: bytes) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except binascii.Error:
        return False


def websocket_scope(fields: RequestFields, root_path: str, state: dict[str, Any]) -> Scope:
    """The WebSocket connection scope of a handshake: that of the request, but for what is different."""
    scope = dict(http_scope(fields, root_path, state))
    del scope["method"]
    scope["type"] = "websocket"
    scope["scheme"] = "wss" if scope["scheme"] in ("https", "wss") else "ws"
    scope["subprotocols"] = subprotocols(fields)
    scope["extensions"] = EXTENSIONS.copy()
    return scope


def subprotocols(fields: RequestFields) -> list[str]:
    """Those that the client offers, in its order."""
    text = fields.get(b"sec-websocket-protocol", b"").replace(b"\0", b",").decode("latin-1")
    return [name for part in text.split(",") if (name := part.strip(" \t"))]


def negotiate_deflate(fields: RequestFields) -> tuple[list[ExtensionHeader], list[Extension]]:
    """What is said of compression, and what does it: neither, if the client offers none that we can do."""
    for name, parameters in _offers(fields):
        if name == DEFLATE.name and NO_WINDOW not in parameters:
            try:
                agreed, extension = DEFLATE.process_request_params(parameters, ())
            except NegotiationError:
                continue  # The client may have offered a second way.
            return [(name, agreed)], [extension]
    return [], []


def accept_block(
    fields: RequestFields,
    subprotocol: str | None,
    headers: Iterable[tuple[bytes, bytes]],
    extensions: list[ExtensionHeader],
) -> bytes:
    """The raw name/value block of the 101. Raises ApplicationError for what the application may not say there."""
    pairs = [(b"sec-websocket-accept", _accept(fields[b"sec-websocket-key"]))]
    if subprotocol is not None:
        if subprotocol not in subprotocols(fields):
            raise ApplicationError(f"the client has not offered the subprotocol {subprotocol!r}")
        pairs.append((b"sec-websocket-protocol", subprotocol.encode("latin-1")))
    if extensions:
        pairs.append((b"sec-websocket-extensions", build_extension(extensions).encode()))
    own = [*headers]
    for name, _ in own:
        if bytes(name).lower().startswith(_OWN_PREFIX):
            raise ApplicationError(f"header {name!r} is the server's to say; a subprotocol is `subprotocol`")
    return switching_block([*pairs, *own])


def _accept(key: bytes) -> bytes:
    return base64.b64encode(hashlib.sha1(key + _GUID).digest())
