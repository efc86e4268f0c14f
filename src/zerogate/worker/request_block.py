"""What a router asks: the name/value block of its SYN_STREAM (protocol.md, A request)."""

from collections.abc import Callable, Mapping

from zerogate.native import compiled
from zerogate.wire.spdy.headers import decode_block

# By name, several values of one joined with NUL in their order. Maybe no dict: read where they lie, when asked for.
RequestFields = Mapping[bytes, bytes]

_read_natively: Callable[[bytes], RequestFields | None] = compiled.find("blocks", "read_request")


def read_request_block(raw: bytes) -> RequestFields:
    """The fields of a request. Raises as `decode_block` does."""
    fields = _read_natively(raw)
    return decode_block(raw) if fields is None else fields
