"""What a router asks: the name/value block of its SYN_STREAM (protocol.md, A request)."""

from collections.abc import Callable, Mapping

from zerogate.native import compiled
from zerogate.wire.spdy.headers import decode_block, decode_in_python

# By name, several values of one joined with NUL in their order. Maybe no dict: read where they lie, when asked for.
RequestFields = Mapping[bytes, bytes]

compiled.find("blocks", "set_block_decoder")(decode_block)

read_request_block: Callable[[bytes], RequestFields] = compiled.find("blocks", "read_request_block", decode_in_python)
"""The fields of a request. Raises as `decode_block` does."""
