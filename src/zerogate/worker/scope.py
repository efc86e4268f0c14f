"""The scope that an application gets for a request."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from zerogate.native import compiled
from zerogate.worker.asgi_types import ASGI_VERSION, EXTENSIONS, Scope
from zerogate.worker.request_block import RequestFields

MAX_PORT_DIGITS = 5
# RFC 9110, 4.2.
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

_make_natively: Callable[..., Scope | None] = compiled.find("blocks", "http_scope")


def _scope_of(fields: RequestFields, root_path: str, state: dict[str, Any]) -> Scope:
    scope = _make_natively(fields, root_path, ASGI_VERSION, EXTENSIONS, state)
    return make_scope(fields, root_path, state) if scope is None else scope


def make_scope(fields: RequestFields, root_path: str, state: dict[str, Any]) -> Scope:
    """What `http_scope` does with what is not taken natively."""
    target = fields[b":path"]
    raw_path, _, query = target.partition(b"?")
    path = (unquote_to_bytes(raw_path) if 0x25 in raw_path else raw_path).decode("utf-8", "replace")
    host = fields.get(b":host", b"")
    headers: list[tuple[bytes, bytes]] = [(b"host", host)] if host else []
    for name, value in fields.items():
        if name[0] != 0x3A:
            if 0 in value:
                headers.extend((name, part) for part in value.split(b"\0"))
            else:
                headers.append((name, value))
    client = fields.get(b"x-real-ip")
    scheme = fields.get(b"x-forwarded-proto", b"http").decode("latin-1")
    return {
        "type": "http",
        "asgi": ASGI_VERSION,
        "http_version": "1.0" if fields.get(b":version") == b"HTTP/1.0" else "1.1",
        "method": fields[b":method"].decode("latin-1"),
        "scheme": scheme,
        "path": root_path + path if root_path else path,
        "raw_path": root_path.encode() + raw_path if root_path else raw_path,
        "query_string": query,
        "root_path": root_path,
        "headers": headers,
        "client": (client.decode("latin-1"), _port(fields.get(b"x-real-port", b""), 0)) if client else None,
        "server": _server(host, DEFAULT_PORTS.get(scheme, 80)),
        "extensions": EXTENSIONS.copy(),
        "state": state.copy(),
    }


http_scope = compiled.prefer(_scope_of, make_scope)
"""The HTTP connection scope of a request, of its block's fields. Raises KeyError if one is missing.

`state`: the lifespan's, of which each scope has a copy
"""


# A worker's clients name the same few hosts over and over.
@lru_cache(maxsize=1024)
def _server(host: bytes, default_port: int) -> tuple[str, int | None]:
    name, _, port = host.rpartition(b":")
    if name and (not port or _is_port(port)):
        return name.decode("latin-1"), _port(port, default_port)
    return host.decode("latin-1"), default_port


def _port(octets: bytes, default: int) -> int:
    return int(octets) if _is_port(octets) else default


def _is_port(octets: bytes) -> bool:
    return len(octets) <= MAX_PORT_DIGITS and octets.isdigit()
