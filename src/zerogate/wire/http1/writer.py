"""Replies framed for one HTTP/1 client (RFC 9112, 4, 6 and 7)."""

from collections.abc import Sequence
from enum import Enum

from zerogate.errors import ReplyError
from zerogate.wire.http.reply import SWITCHING_PROTOCOLS, ReplyHead


class Framing(Enum):
    """How the end of a reply's body is known (RFC 9112, 6.3)."""

    NOTHING = "no body"
    LENGTH = "content-length"
    CHUNKED = "chunked"
    CLOSE = "until close"
    TUNNEL = "tunnel"


_NOTHING, _LENGTH, _CHUNKED, _CLOSE, _TUNNEL = Framing

_CHUNKED_FIELD = b"\r\ntransfer-encoding: chunked"
_DATE_PREFIX = b"\r\ndate: "
_NO_LENGTH = b"\r\ncontent-length: 0"

END_OF_HEAD = b"\r\n\r\n"
_CLOSE_FIELD = b"\r\nconnection: close\r\n\r\n"
# HTTP/1.0 ends and HTTP/1.1 goes on, unless told otherwise (RFC 9112, 9.3). By minor version.
_KEEP_ALIVE_FIELDS = (b"\r\nconnection: keep-alive\r\n\r\n", END_OF_HEAD)
_END_OF_CHUNKS = b"0\r\n\r\n"


def head_text(head: ReplyHead) -> bytes:
    """Status line and fields, without the last CRLF: made once, and kept in the head's note."""
    text = head.note
    if type(text) is not bytes:
        # The space is part of the line even without a reason (RFC 9112, 4).
        status_line = b"HTTP/1.1 %d %b" % (head.status, head.reason)
        text = head.note = b"\r\n".join([status_line, *map(b": ".join, head.fields)])
    return text


def date_field(head: ReplyHead, date: bytes) -> bytes:
    """RFC 9110, 6.6.1: who passes a reply on without a Date gives it one."""
    return b"" if head.has_date or not date else _DATE_PREFIX + date


def frame_head(
    head: ReplyHead, method: bytes, minor_version: int, *, fin: bool, date: bytes, close: bool
) -> tuple[Framing, bytes]:
    """How the body will be framed, and the head that says so. Raises ReplyError if it cannot be."""
    field = b""
    length = head.length
    if head.is_bodiless or method == b"HEAD":
        if head.status == SWITCHING_PROTOCOLS:
            raise ReplyError("status 101 for a request without an upgrade")
        framing = _NOTHING
    elif length is not None:
        if fin and length:
            raise ReplyError(f"Content-Length is {length}, but no body follows")
        framing = _LENGTH
    elif fin:
        framing = _NOTHING
        field = _NO_LENGTH
    elif minor_version:
        framing = _CHUNKED
        field = _CHUNKED_FIELD
    else:
        framing = _CLOSE
        close = True
    end = _CLOSE_FIELD if close else _KEEP_ALIVE_FIELDS[minor_version]
    return framing, b"%b%b%b%b" % (head_text(head), date_field(head, date), field, end)


def frame_piece(framing: Framing, piece: bytes) -> bytes:
    """A piece of the body, framed; empty where no body may be."""
    if framing is _CHUNKED:
        # A chunk without octets would end the body.
        return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
    return b"" if framing is _NOTHING else piece


def frame_end(framing: Framing, trailers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The end of the body. Trailers cross only in chunks (RFC 9112, 7.1.2)."""
    if framing is not _CHUNKED:
        return b""
    if not trailers:
        return _END_OF_CHUNKS
    return b"0\r\n%b\r\n" % b"".join([b"%b: %b\r\n" % trailer for trailer in trailers])
