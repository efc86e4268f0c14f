"""Name/value blocks that were decoded before are recognised, not decoded again.

A router's requests to one application and its replies repeat themselves, but for one pair: `x-request-id`. So a block
that ends with that pair is looked up by what comes before it, any other as a whole. A known request of ten pairs takes
0.9 µs instead of 3.1, a known reply of four 0.2 µs instead of 1.5; an unknown block 0.5 µs more than without this.

What is kept is a function of the octets alone, so all sessions share it. It is bounded in number and size, as blocks
come from peers.
"""

from typing import Final

from zerogate.wire.fields import Fields, KnownFields
from zerogate.wire.spdy.headers import decode_block

MAX_BLOCKS: Final = 512
MAX_KNOWN_BYTES: Final = 1024

_ID_NAME: Final = b"x-request-id"
_ID_PREFIX: Final = len(_ID_NAME).to_bytes(4, "big") + _ID_NAME
_MAX_ID_BYTES: Final = 128
_LENGTHS: Final = tuple(size.to_bytes(4, "big") for size in range(_MAX_ID_BYTES + 1))
_ID_OCTETS: Final = bytes(range(0x21, 0x7F))

# Apart: the beginning of one block is, taken for a whole one, a block whose count is wrong.
_whole_blocks: dict[bytes, KnownFields] = {}
_beginnings: dict[bytes, KnownFields] = {}


def decode_known(raw: bytes) -> KnownFields:
    """As `decode_block`, and raises as it does. For blocks that mostly end with `x-request-id`."""
    at = raw.rfind(_ID_PREFIX)
    if at < 0:
        fields = _whole_blocks.get(raw)
        if fields is None:
            fields = _make(decode_block(raw))
            _remember(_whole_blocks, raw, fields)
        return fields
    start = at + 20
    size = len(raw) - start
    value = raw[start:]
    if size > _MAX_ID_BYTES or raw[start - 4 : start] != _LENGTHS[size] or value.translate(None, _ID_OCTETS):
        return _make(decode_block(raw))
    begin = raw[:at]
    base = _beginnings.get(begin)
    if base is None:
        base = _make(decode_block(raw))
        # It is the last pair, and not what looks like it: no name or value that passes holds the 0x0c of its length,
        # and behind a value that reads `x-request-id` comes no length that reaches to the end of the block.
        assert next(reversed(base)) == _ID_NAME
        del base[_ID_NAME]
        _remember(_beginnings, begin, base)
    fields = KnownFields(base)
    fields[_ID_NAME] = value
    fields.base = base
    fields.note = None
    return fields


def decode_known_reply(raw: bytes) -> KnownFields:
    """The same for blocks that mostly have no `x-request-id`: whole ones first."""
    return _whole_blocks.get(raw) or decode_known(raw)


def _make(pairs: Fields) -> KnownFields:
    fields = KnownFields(pairs)
    fields.base = None
    fields.note = None
    return fields


def _remember(known: dict[bytes, KnownFields], block: bytes, fields: KnownFields) -> None:
    if len(block) <= MAX_KNOWN_BYTES:
        if len(known) >= MAX_BLOCKS:
            known.clear()
        known[block] = fields
