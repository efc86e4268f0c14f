"""What a worker answers: the name/value block of its SYN_REPLY (protocol.md, The reply)."""

from collections.abc import Callable

from zerogate.native import compiled
from zerogate.wire.fields import Fields
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.spdy.headers import decode_block, decode_in_python

_read_natively: Callable[[bytes], ReplyHead | None] = compiled.find("heads", "read_reply")


def _read(raw: bytes) -> ReplyHead | Fields:
    head = _read_natively(raw)
    return decode_block(raw) if head is None else head


read_reply_block: Callable[[bytes], ReplyHead | Fields] = compiled.prefer(_read, decode_in_python)
"""The head of a reply, or else the fields of which one is still to be made. Raises as `decode_block` does."""
