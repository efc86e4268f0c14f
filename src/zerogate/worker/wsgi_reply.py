"""The reply of a WSGI application: `start_response`, `write`, and what it returns (PEP 3333).

A reply is complete with the last octet that its Content-Length says: it is sent as such at once. What is longer or
shorter than that is an error of the application's, and never goes out as whole; what comes after the last octet is
dropped, and said in the log.
"""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Protocol

from zerogate.wire.http.fields import parse_length
from zerogate.worker.errors import ApplicationError
from zerogate.worker.reply_block import reply_block

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

# RFC 9110, 6.4.1: no body follows these.
_BODILESS: Final = frozenset({204, 304})
_STATUS_DIGITS: Final = 3


class ReplySink(Protocol):
    """Where a reply goes."""

    @property
    def is_over(self) -> bool:
        """Nobody hears it."""

    def begin_reply(self, block: bytes, data: bytes, more: bool) -> None:
        """The head, and the first of the body."""

    def send_body(self, data: bytes, more: bool) -> None:
        """More of the body, the last unless there is `more`."""


class WsgiReply:
    """`start_response` is for the application; `send` for what it returns. All raise ClientDisconnected.

    is_complete: all of it has been said
    """

    __slots__ = ("_fields", "_has_begun", "_is_bodiless", "_is_head", "_left_bytes", "_sink", "_status", "is_complete")

    def __init__(self, sink: ReplySink, *, is_head: bool) -> None:
        self._sink = sink
        self._is_head = is_head
        self._status = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._left_bytes: int | None = None
        self._is_bodiless = False
        self._has_begun = False
        self.is_complete = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """Say the head, or with `exc_info` another one instead, as long as none has gone. Raises ApplicationError."""
        if exc_info is not None:
            try:
                if self._has_begun and exc_info[1] is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it holds frames, and they us
        elif self._status:
            raise ApplicationError("start_response was called twice, and without exc_info")
        code = _parse_status(status)
        fields = _encode(headers)
        self._left_bytes = _length_of(fields)
        self._is_bodiless = self._is_head or code in _BODILESS
        self._status, self._fields = code, fields
        return self.write

    def write(self, data: bytes) -> None:
        """Send a piece at once: what `start_response` returns."""
        if data:
            self._send(_octets(data))

    def send(self, result: Iterable[bytes]) -> None:
        """Send what the application has returned, to its end. A list is a whole."""
        if type(result) is list or type(result) is tuple:
            self._send_last(b"".join([_octets(piece) for piece in result]))
            return
        for piece in result:
            if piece:
                self._send(_octets(piece))
            elif self._sink.is_over:
                break
            if self._is_bodiless and self.is_complete:
                break
        self._send_last(b"")

    # Inside

    def _send(self, data: bytes) -> None:
        left_bytes = self._left_bytes
        if self.is_complete:
            if self._is_bodiless:
                return
            raise ApplicationError("the body goes on after its Content-Length: what is more was dropped")
        if self._is_bodiless:
            self._send_last(b"")
            return
        if left_bytes is not None:
            if len(data) > left_bytes:
                raise ApplicationError(f"the body is longer than its Content-Length, by {len(data) - left_bytes} bytes")
            self._left_bytes = left_bytes = left_bytes - len(data)
        self._pass_on(data, left_bytes != 0)

    def _send_last(self, data: bytes) -> None:
        if self.is_complete:
            if data:
                self._send(data)
        elif self._is_bodiless:
            self._pass_on(b"", False)
        elif self._left_bytes is not None and len(data) != self._left_bytes:
            more = len(data) - self._left_bytes
            than = "longer" if more > 0 else "shorter"
            raise ApplicationError(f"the body is {than} than its Content-Length, by {abs(more)} bytes")
        else:
            if self._left_bytes is None and not self._has_begun:
                self._fields.append((b"content-length", b"%d" % len(data)))
            self._pass_on(data, False)

    def _pass_on(self, data: bytes, more: bool) -> None:
        if self._has_begun:
            self._sink.send_body(data, more)
        elif not self._status:
            raise ApplicationError("a body, or its end, before start_response was called")
        else:
            block = reply_block(self._status, self._fields)
            self._has_begun = True
            self._sink.begin_reply(block, data, more)
        self.is_complete = not more


def _parse_status(status: Any) -> int:
    """The number of `200 OK`."""
    if type(status) is not str:
        raise ApplicationError(f"a status is a str such as '200 OK', not {status!r}")
    digits, _, _ = status.partition(" ")
    if len(digits) != _STATUS_DIGITS or not digits.isascii() or not digits.isdigit():
        raise ApplicationError(f"status {status!r} is not as '200 OK' is")
    return int(digits)


def _encode(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    try:
        return [(name.encode("latin-1").lower(), value.encode("latin-1")) for name, value in headers]
    except (AttributeError, TypeError, ValueError) as error:  # UnicodeEncodeError is among the last
        raise ApplicationError(f"headers are pairs of str in Latin-1: {error}") from error


def _length_of(fields: list[tuple[bytes, bytes]]) -> int | None:
    said = [value for name, value in fields if name == b"content-length"]
    if not said:
        return None
    # What no router would pass on is told to who has said it.
    length = parse_length(said[0])
    if length is None or len(said) > 1:
        raise ApplicationError(f"Content-Length {b', '.join(said).decode('latin-1')[:100]!r} is no number")
    return length


def _octets(piece: Any) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, bytearray | memoryview):
        return bytes(piece)
    raise ApplicationError(f"a body is bytes, not {type(piece).__name__}")
