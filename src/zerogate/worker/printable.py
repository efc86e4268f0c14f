"""What others have said, as it may stand in a log."""

from typing import Final

# Printable ASCII but for what an entry is quoted with. Everything else could end a line, steer a terminal, or pass for
# something that it is not.
_TEXTS: Final = {
    octet: chr(octet) if 0x20 <= octet < 0x7F and chr(octet) not in '"\\' else f"\\x{octet:02x}" for octet in range(256)
} | {ord('"'): '\\"', ord("\\"): "\\\\"}


def printable(octets: bytes) -> str:
    """The octets in ASCII on one line, whatever they are: control characters and such as `\\x0a`."""
    return octets.decode("latin-1").translate(_TEXTS)
