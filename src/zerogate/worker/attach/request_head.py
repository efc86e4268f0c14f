"""Requests as an attached server gets them: HTTP/1.1, made from what came over the link (RFC 9112, 3 and 6)."""

from collections.abc import Callable, Mapping
from typing import Final

from zerogate.native import compiled
from zerogate.wire.fields import is_lower_token, is_token, is_value
from zerogate.wire.http.fields import HOP_BY_HOP, parse_length
from zerogate.worker.errors import ApplicationError

# RFC 9110, 9.2.2: asked twice they do what they do once.
IDEMPOTENT: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
# RFC 9110, 8.6: who sends these without a body says so.
_WITH_BODIES: Final = frozenset({b"POST", b"PUT", b"PATCH"})

_DROPPED = HOP_BY_HOP | {b"host"}
_CHUNKED = b"transfer-encoding: chunked\r\n"
_END_OF_CHUNKS = b"0\r\n\r\n"


_write_natively: Callable[[Mapping[bytes, bytes], bytes, bool, bool], bytes | None]
_write_natively = compiled.find("servers", "request_head")


def request_head(fields: Mapping[bytes, bytes], authority: bytes, *, has_body: bool, keeps: bool) -> bytes:
    """The head of a request. `authority` is the host where the client has named none.

    Raises ApplicationError for what would not be one request: nothing of it may be another's line.
    """
    head = _write_natively(fields, authority, has_body, keeps)
    return write_head(fields, authority, has_body=has_body, keeps=keeps) if head is None else head


def write_head(fields: Mapping[bytes, bytes], authority: bytes, *, has_body: bool, keeps: bool) -> bytes:
    """What `request_head` does with what is not written natively."""
    method, target = fields.get(b":method", b""), fields.get(b":path", b"")
    host = fields.get(b":host") or authority
    if not is_token(method) or not target or not is_value(target) or b" " in target or not is_value(host):
        raise ApplicationError("a request without a method and a path that HTTP allows")
    lines = [b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (method, target, host)]
    for name, joined in fields.items():
        if name in _DROPPED or name.startswith(b":"):
            continue
        if not is_lower_token(name):
            raise ApplicationError("a field name that HTTP does not allow")
        for value in joined.split(b"\0"):
            if not is_value(value):
                raise ApplicationError("a control character in a field value")
            lines.append(b"%b: %b\r\n" % (name, value))
    upgrade = fields.get(b"upgrade")
    if upgrade is not None:
        if not is_value(upgrade):
            raise ApplicationError("a control character in a field value")
        lines.append(b"connection: upgrade\r\nupgrade: %b\r\n" % upgrade)
    elif not keeps:
        lines.append(b"connection: close\r\n")
    if b"content-length" not in fields:
        if has_body:
            lines.append(_CHUNKED)
        elif method in _WITH_BODIES:
            lines.append(b"content-length: 0\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


class RequestBody:
    """Frames one request's body: by its length if that was said, else in chunks.

    What does not have its length is not sent: the server would take the rest for another request.
    """

    __slots__ = ("_left",)

    def __init__(self, fields: Mapping[bytes, bytes]) -> None:
        """Raises ApplicationError."""
        length = fields.get(b"content-length")
        self._left = None if length is None else parse_length(length)
        if length is not None and self._left is None:
            raise ApplicationError("a malformed Content-Length")

    def __repr__(self) -> str:
        return f"<RequestBody {'in chunks' if self._left is None else f'left={self._left}'}>"

    def encode(self, data: bytes, *, is_last: bool) -> bytes:
        """The next piece, as it is to be sent. Raises ApplicationError if it is more, or less, than was said."""
        if self._left is None:
            chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            return chunk + _END_OF_CHUNKS if is_last else chunk
        self._left -= len(data)
        if self._left < 0 or (is_last and self._left):
            raise ApplicationError("the request's body is not of its Content-Length")
        return data
