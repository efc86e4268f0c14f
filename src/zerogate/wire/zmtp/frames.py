"""How ZMTP's greeting and frames are laid out (RFC 37, Formal Grammar and Framing)."""

from struct import Struct

# --- greeting ---------------------------------------------------------------------------------------------------------

VERSION = (3, 1)
MARK_BYTES = 8
NO_MARK = bytes(MARK_BYTES)
SIGNATURE = b"\xff" + NO_MARK + b"\x7f"
"""What is in between is padding, "not significant": room for a mark."""
GREETING_START_BYTES = len(SIGNATURE) + 1
"""The signature and the major version, at which each end knows what the other speaks."""
MECHANISM_NAME_BYTES = 20
GREETING_REST = Struct(f">B {MECHANISM_NAME_BYTES}s B 31s")
"""Minor version, mechanism, as-server, filler: all that follows the signature and the major version."""


def greeting(mechanism: bytes, *, is_server: bool, mark: bytes = NO_MARK) -> bytes:
    """The 64 octets that open a connection. `mark` goes where the signature is padded. Raises ValueError."""
    if len(mark) != MARK_BYTES:
        raise ValueError(f"a mark has {MARK_BYTES} octets")
    major, minor = VERSION
    return (
        SIGNATURE[:1] + mark + SIGNATURE[-1:] + bytes((major,)) + GREETING_REST.pack(minor, mechanism, is_server, b"")
    )


# --- frames -----------------------------------------------------------------------------------------------------------

MORE, LONG, COMMAND = 1, 2, 4
"""The flags."""

SHORT_HEADER_BYTES = 2
LONG_HEADER_BYTES = 9
MAX_SHORT_BYTES = 255
LONG_SIZE = Struct(">Q")

_LONG_HEADER = Struct(">BQ")
_SHORT_HEADERS = tuple(bytes((0, size)) for size in range(MAX_SHORT_BYTES + 1))


def message_header(size: int) -> bytes:
    """What goes before the body of a message of one part."""
    return _SHORT_HEADERS[size] if size <= MAX_SHORT_BYTES else _LONG_HEADER.pack(LONG, size)


def command_frame(body: bytes) -> bytes:
    """The frame of a command."""
    size = len(body)
    if size <= MAX_SHORT_BYTES:
        return bytes((COMMAND, size)) + body
    return _LONG_HEADER.pack(COMMAND | LONG, size) + body
