"""Replies framed for one HTTP/1 client (RFC 9112, 4, 6 and 7)."""

from collections.abc import Sequence
from enum import Enum

from zerogate.errors import ReplyError
from zerogate.wire.http.reply import SWITCHING_PROTOCOLS, UPGRADE_REQUIRED, ReplyHead


class Framing(Enum):
    """How the end of a reply's body is known (RFC 9112, 6.3)."""

    NOTHING = "no body"
    LENGTH = "content-length"
    CHUNKED = "chunked"
    CLOSE = "until close"
    TUNNEL = "tunnel"


_NOTHING, _LENGTH, _CHUNKED, _CLOSE, _TUNNEL = Framing

# With the space that is part of the line even without a reason (RFC 9112, 4). Made beforehand, as formatting a number
# takes a tenth of the time of the whole head.
_STATUS_LINES = tuple(b"HTTP/1.1 %03d " % status for status in range(600))

_CHUNKED_FIELD = b"\r\ntransfer-encoding: chunked"
_NO_LENGTH = b"\r\ncontent-length: 0"

_CLOSE_FIELD = b"\r\nconnection: close\r\n\r\n"
# RFC 9110, 7.8: who sends Upgrade says so in Connection. Our own 426 does, and ends.
_CLOSE_AND_UPGRADE = b"\r\nconnection: close, upgrade\r\n\r\n"
# HTTP/1.0 ends and HTTP/1.1 goes on, unless told otherwise (RFC 9112, 9.3). By minor version.
_KEEP_ALIVE_FIELDS = (b"\r\nconnection: keep-alive\r\n\r\n", b"\r\n\r\n")
_END_OF_CHUNKS = b"0\r\n\r\n"


def head_text(head: ReplyHead) -> bytes:
    """Status line and fields, without the last CRLF: made once, and kept in the head's note."""
    text = head.note
    if type(text) is not bytes:
        status_line = _STATUS_LINES[head.status] + head.reason
        text = head.note = b"\r\n".join([status_line, *map(b": ".join, head.fields)])
    return text


def frame_head(
    head: ReplyHead, method: bytes, minor_version: int, *, fin: bool, date: bytes, close: bool
) -> tuple[Framing, bytes]:
    """How the body will be framed, and the head that says so. Raises ReplyError if it cannot be.

    date: for a reply without a Date of its own, which whoever passes it on gives it (RFC 9110, 6.6.1); or empty
    """
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
    if not close:
        end = _KEEP_ALIVE_FIELDS[minor_version]
    else:
        end = _CLOSE_AND_UPGRADE if head.status == UPGRADE_REQUIRED else _CLOSE_FIELD
    text = head.note
    if type(text) is not bytes:
        text = head_text(head)
    if date and not head.has_date:
        return framing, b"%b\r\ndate: %b%b%b" % (text, date, field, end)
    return framing, b"%b%b%b" % (text, field, end)


def tunnel_head(head: ReplyHead, upgrade: bytes, date: bytes) -> bytes:
    """The head that begins a tunnel."""
    date_field = b"\r\ndate: " + date if date and not head.has_date else b""
    return b"%b%b\r\nconnection: upgrade\r\nupgrade: %b\r\n\r\n" % (head_text(head), date_field, upgrade)


def interim_head(status: int, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """An interim reply."""
    return b"%b\r\n\r\n" % head_text(ReplyHead.of(status, [*fields]))


def last_chunk(trailers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The end of a body in chunks."""
    if not trailers:
        return _END_OF_CHUNKS
    return b"0\r\n%b\r\n" % b"".join([b"%b: %b\r\n" % trailer for trailer in trailers])
