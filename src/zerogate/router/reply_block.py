"""What a worker answers: the name/value block of its SYN_REPLY (protocol.md, The reply)."""

from collections.abc import Callable

from zerogate.native import compiled
from zerogate.wire.fields import Fields
from zerogate.wire.http.fields import parse_length
from zerogate.wire.http.reply import LENGTHLESS, PSEUDO_FIELDS, REASONS, ReplyHead, usual_names
from zerogate.wire.spdy.headers import decode_block, decode_in_python, encode_pair, read_known

# The pairs that most replies begin with, behind the count: a status without a reason, and the version.
_BEGINNINGS = {
    encode_pair(b":status", b"%d" % status) + encode_pair(b":version", b"HTTP/1.1"): (status, REASONS.get(status, b""))
    for status in range(200, 600)
}
_AT = 4
_END = _AT + len(next(iter(_BEGINNINGS)))

compiled.find("heads", "set_block_decoder")(decode_block)


def read_in_python(raw: bytes) -> ReplyHead | Fields:
    """What `read_reply_block` does where nothing is compiled."""
    head = read_usual(raw)
    return decode_in_python(raw) if head is None else head


def read_usual(raw: bytes) -> ReplyHead | None:
    """The head of a reply with a usual beginning, whose names are known to cross; None for what is to be judged.

    What: nothing of it is looked at twice. Why, benchmark: 40,000 instructions instead of 57,000, of 500,000 for a
    request and its reply (bench/inside.py, without what is compiled).
    """
    beginning = _BEGINNINGS.get(raw[_AT:_END])
    if beginning is None:
        return None
    known = read_known(raw, _END, n_before=2)
    if known is None:
        return None
    fields, is_single = known
    if not usual_names.issuperset(fields) or not PSEUDO_FIELDS.isdisjoint(fields):
        return None
    status, reason = beginning
    length = None
    length_text = fields.get(b"content-length")
    if length_text is not None:
        length = parse_length(length_text)
        if length is None or status in LENGTHLESS:
            return None
    pairs = [*fields.items()]
    if not is_single:
        pairs = [(name, value) for name, joined in pairs for value in joined.split(b"\0")]
    return ReplyHead(status, reason, pairs, length, b"date" in fields)


read_reply_block: Callable[[bytes], ReplyHead | Fields] = compiled.find("heads", "read_reply_block", read_in_python)
"""The head of a reply, or else the fields of which one is still to be made. Raises as `decode_block` does."""
