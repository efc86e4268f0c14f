"""What a worker answers: the name/value block of its SYN_REPLY (protocol.md, The reply)."""

from collections.abc import Callable

from zerogate.native import compiled
from zerogate.wire.fields import Fields
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.spdy.headers import decode_block, decode_in_python

compiled.find("heads", "set_block_decoder")(decode_block)

read_reply_block: Callable[[bytes], ReplyHead | Fields] = compiled.find("heads", "read_reply_block", decode_in_python)
"""The head of a reply, or else the fields of which one is still to be made. Raises as `decode_block` does."""
