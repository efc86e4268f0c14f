"""What fields are made of: syntax that SPDY's blocks and every HTTP share, said once."""

import re

# Fields by lower-case name, several values of one joined with NUL in their order.
Fields = dict[bytes, bytes]

# RFC 9110, 5.6.2.
_SYMBOLS_AND_DIGITS = b"!#$%&'*+-.^_`|~0123456789"
LOWER_TOKEN_OCTETS = _SYMBOLS_AND_DIGITS + b"abcdefghijklmnopqrstuvwxyz"
TOKEN_OCTETS = LOWER_TOKEN_OCTETS + b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TOKEN = b"[%b]+" % re.escape(TOKEN_OCTETS)

# Octets that no field value may hold (RFC 9110, 5.5): all control characters but HTAB, and DEL.
CONTROLS = bytes(octet for octet in range(0x20) if octet != 0x09) + b"\x7f"

# Translates each of them to a space, and every other octet to itself: what is a value comes out as it was.
# What: a table, made once. Why: 600 octets take 0.7 µs, and to delete CONTROLS, for which `bytes.translate` makes a
# table each time, 1.0; 20 octets 0.15 and 0.28.
UNCONTROLLED = bytes(0x20 if octet in CONTROLS else octet for octet in range(256))


def is_token(text: bytes) -> bool:
    """Whether `text` is a token, as methods and field names are (RFC 9110, 5.6.2)."""
    return bool(text) and not text.translate(None, TOKEN_OCTETS)


def is_lower_token(text: bytes) -> bool:
    """Whether `text` is a token without upper-case letters: a field name as it is written inside the project."""
    return bool(text) and not text.translate(None, LOWER_TOKEN_OCTETS)


def is_value(text: bytes) -> bool:
    """Whether `text` may be the value of a field: free of control characters (RFC 9110, 5.5)."""
    return text.translate(UNCONTROLLED) == text
