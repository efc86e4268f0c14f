"""The bodies of ZMTP's commands, and the property list that READY carries (RFC 37)."""

import re
from collections.abc import Mapping
from struct import Struct

from zerogate.errors import ZmtpError

MAX_PING_CONTEXT_BYTES = 16
MAX_TTL_S = 6553.5
"""16 bits, in tenths of a second."""
MAX_IDENTITY_BYTES = 255
MAX_REASON_BYTES = 255

_TTL = Struct(">H")
_VALUE_SIZE = Struct(">I")
_PROPERTY_NAME = re.compile(rb"[A-Za-z0-9\-_.+]{1,255}")


def command(name: bytes, data: bytes = b"") -> bytes:
    """A command's body: its name with a length before it, then its data."""
    return bytes((len(name),)) + name + data


def split_command(body: bytes) -> tuple[bytes, bytes]:
    """The name and the data of a command's body. Raises ZmtpError."""
    end = 1 + body[0] if body else 0
    name = body[1:end]
    if len(body) < end or not name.isalpha():  # isalpha: of bytes, ASCII letters only; false of an empty name
        raise ZmtpError(f"a command's name is malformed: {printable(body[:end])}")
    return name, body[end:]


def encode_ping(ttl_s: float, context: bytes) -> bytes:
    """Raises ValueError for what the command cannot carry."""
    if not 0 <= ttl_s <= MAX_TTL_S:
        raise ValueError(f"a PING's TTL is 0 to {MAX_TTL_S} s, not {ttl_s}")
    if len(context) > MAX_PING_CONTEXT_BYTES:
        raise ValueError(f"a PING's context has at most {MAX_PING_CONTEXT_BYTES} octets, not {len(context)}")
    tenths = max(round(ttl_s * 10), 1) if ttl_s else 0
    return command(b"PING", _TTL.pack(tenths) + context)


def parse_ping(data: bytes) -> tuple[float, bytes]:
    """The TTL in seconds, and the context. Raises ZmtpError."""
    if not _TTL.size <= len(data) <= _TTL.size + MAX_PING_CONTEXT_BYTES:
        raise ZmtpError(f"a PING carries a TTL and a context of at most 16 octets, not {len(data)} octets")
    return _TTL.unpack_from(data)[0] / 10, data[_TTL.size :]


def parse_pong(data: bytes) -> bytes:
    """The context of our PING. Raises ZmtpError."""
    if len(data) > MAX_PING_CONTEXT_BYTES:
        raise ZmtpError(f"a PONG carries a context of at most 16 octets, not {len(data)}")
    return data


def encode_error(reason: bytes) -> bytes:
    """`reason` is of visible characters, no blanks; it is cut at 255."""
    reason = reason[:MAX_REASON_BYTES]
    return command(b"ERROR", bytes((len(reason),)) + reason)


def parse_error(data: bytes) -> ZmtpError:
    """What the peer's ERROR means for us; malformed or not, it ends the connection."""
    if not data or len(data) != 1 + data[0]:
        return ZmtpError(f"the peer sent a malformed ERROR: {printable(data)}")
    return ZmtpError(f"the peer turned us away: {printable(data[1:], limit=MAX_REASON_BYTES)}")


def encode_metadata(properties: Mapping[bytes, bytes]) -> bytes:
    """A property list. Raises ValueError for a name that RFC 37 does not allow."""
    pieces: list[bytes] = []
    for name, value in properties.items():
        if not _PROPERTY_NAME.fullmatch(name):
            raise ValueError(f"not a ZMTP property name: {name!r}")
        pieces += (bytes((len(name),)), name, _VALUE_SIZE.pack(len(value)), value)
    return b"".join(pieces)


def parse_metadata(data: bytes) -> dict[bytes, bytes]:
    """The properties of a list, names in lower case (their case means nothing). Raises ZmtpError.

    A name given twice is refused: the RFC does not say which value counts, so two readers may differ.
    """
    properties: dict[bytes, bytes] = {}
    pos, end = 0, len(data)
    while pos < end:
        name_end = pos + 1 + data[pos]
        value_start = name_end + _VALUE_SIZE.size
        if value_start > end:
            raise ZmtpError("the metadata ends within a property")
        name = data[pos + 1 : name_end].lower()
        if not _PROPERTY_NAME.fullmatch(name):
            raise ZmtpError(f"a property's name is malformed: {printable(name)}")
        pos = value_start + _VALUE_SIZE.unpack_from(data, name_end)[0]
        if pos > end:
            raise ZmtpError(f"the value of property {printable(name)} is longer than the command that holds it")
        if name in properties:
            raise ZmtpError(f"property {printable(name)} is given twice")
        properties[name] = data[value_start:pos]
    return properties


def is_identity(identity: bytes) -> bool:
    """RFC 37, The Identity Property: none, or at most 255 octets of which the first is not zero."""
    return len(identity) <= MAX_IDENTITY_BYTES and identity[:1] != b"\0"


def printable(octets: bytes, *, limit: int = 64) -> str:
    """What a peer said, in quotes, safe and short enough for a log line."""
    return repr(octets[:limit])[1:] + ("..." if len(octets) > limit else "")
