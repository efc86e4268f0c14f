"""SPDY name/value blocks: what goes in comes out, by any way of reading and any compression; garbage is an error."""

import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import spdy_peer
from tests.spdy_peer import Peer

from zerogate.wire.spdy import headers
from zerogate.wire.spdy.dictionary import DICTIONARY
from zerogate.wire.spdy.headers import (
    BlockReader,
    BlockWriter,
    HeaderBlockError,
    HeaderFieldError,
    decode_block,
    decode_in_python,
    encode_block,
    merge_fields,
)

octets = st.binary(max_size=40)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_!", min_size=1, max_size=300).map(str.encode) | st.sampled_from(
    [b":method", b":path", b"accept", b"cookie", b"x-request-id"]
)
texts = st.lists(st.sampled_from([*b"\t azAZ09~", 0x80, 0xFF]), max_size=300).map(bytes)


@given(st.lists(st.tuples(names, texts), max_size=30))
def test_fields_come_back_as_they_were(pairs: list[tuple[bytes, bytes]]) -> None:
    fields = merge_fields(pairs)
    raw = encode_block(fields)
    assert spdy_peer.parse_block(raw) == list(fields.items())
    assert list(decode_block(raw).items()) == list(fields.items())
    for name, joined in fields.items():
        values = [value for other, value in pairs if other == name]
        assert joined.split(b"\0") == ([value for value in values if value] or [b""])


Outcome = dict[bytes, bytes] | tuple[type[Exception], str]


def outcome(raw: bytes, decode: Callable[[bytes], dict[bytes, bytes]]) -> Outcome:
    try:
        return decode(raw)
    except (HeaderBlockError, HeaderFieldError) as error:
        return type(error), error.reason


@given(
    st.lists(st.tuples(names | octets, texts | octets), max_size=6).map(spdy_peer.raw_block) | st.binary(max_size=80),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=3),
    st.integers(0, 20),
    octets,
)
def test_reading_optimistically_or_carefully_is_the_same(
    raw: bytes, changes: list[tuple[int, int]], cut: int, more: bytes
) -> None:
    changed = bytearray(raw[: max(0, len(raw) - cut)] + more[:cut])
    for at, octet in changes:
        if changed:
            changed[at % len(changed)] = octet
    expected = outcome(bytes(changed), headers._decode_carefully)
    assert outcome(bytes(changed), decode_in_python) == expected
    assert outcome(bytes(changed), decode_block) == expected


@given(st.lists(st.binary(max_size=500) | st.integers(0, 65536).map(bytes), max_size=8))
def test_what_is_wrapped_can_be_inflated_by_zlib_and_by_us(blocks: list[bytes]) -> None:
    writer, reader, inflater = BlockWriter(), BlockReader(), zlib.decompressobj(zdict=DICTIONARY)
    for block in blocks:
        wrapped = writer.wrap(block)
        assert inflater.decompress(wrapped) == block
        assert reader.unwrap(wrapped) == block


@given(st.lists(st.tuples(st.binary(max_size=500), st.integers(0, 9)), max_size=8), st.integers(9, 15))
def test_any_compression_is_inflated(blocks: list[tuple[bytes, int]], window_bits: int) -> None:
    reader = BlockReader()
    deflater = zlib.compressobj(6, zlib.DEFLATED, window_bits, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    for block, _ in blocks:
        assert reader.unwrap(deflater.compress(block) + deflater.flush(zlib.Z_SYNC_FLUSH)) == block


class MixedWriter:
    """One zlib stream of blocks stored by hand and blocks compressed with all that went before in mind."""

    def __init__(self) -> None:
        self.prefix = b"\x78\x20" + zlib.adler32(DICTIONARY).to_bytes(4, "big")
        self.history = DICTIONARY
        self.text = b""

    def write(self, block: bytes, form: str) -> bytes:
        if form == "stored":
            head = len(block).to_bytes(2, "little") + (len(block) ^ 0xFFFF).to_bytes(2, "little")
            packed = b"\0" + head + block + b"\0\0\0\xff\xff"
        else:
            deflater = zlib.compressobj(6, zlib.DEFLATED, -15, 8, zlib.Z_DEFAULT_STRATEGY, self.history[-32768:])
            packed = deflater.compress(block)
            packed += deflater.flush(zlib.Z_FINISH if form == "last" else zlib.Z_SYNC_FLUSH)
        self.history += block
        self.text += block
        if form == "last":
            packed += zlib.adler32(self.text).to_bytes(4, "big")
        prefix, self.prefix = self.prefix, b""
        return prefix + packed


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=60) | st.integers(0, 30_000).map(lambda n: (n.to_bytes(2, "big") * (n // 2 + 1))[:n]),
            st.sampled_from(["stored", "stored", "stored", "compressed"]),
        ),
        max_size=20,
    ),
    st.booleans(),
)
def test_stored_and_compressed_blocks_mix(blocks: list[tuple[bytes, str]], finish: bool) -> None:
    reader, writer, inflater = BlockReader(), MixedWriter(), zlib.decompressobj(zdict=DICTIONARY)
    for block, form in blocks:
        packed = writer.write(block, form)
        assert inflater.decompress(packed) == block
        assert reader.unwrap(packed) == block
    if finish:
        packed = writer.write(b"the last one", "last")
        assert inflater.decompress(packed) == reader.unwrap(packed) == b"the last one"
        assert inflater.eof
        for more in (packed, writer.write(b"late", "stored"), b"\0"):
            with pytest.raises(HeaderBlockError):
                reader.unwrap(more)


@given(st.lists(st.binary(max_size=200), max_size=4), st.booleans())
def test_garbage_is_inflated_to_no_more_than_the_limit(pieces: list[bytes], begun: bool) -> None:
    reader = BlockReader()
    if begun:
        reader.unwrap(Peer().block({}))
    try:
        for piece in pieces:
            assert len(reader.unwrap(piece)) <= headers.MAX_BLOCK_BYTES
    except HeaderBlockError:
        pass
