import struct
import tracemalloc
import zlib
from typing import Any

import pytest
from tests.spdy_peer import Peer, parse_block, raw_block
from tests.support.each import each

from zerogate.wire.spdy import headers
from zerogate.wire.spdy.dictionary import DICTIONARY
from zerogate.wire.spdy.frames import GoAwayStatus
from zerogate.wire.spdy.headers import (
    MAX_BLOCK_BYTES,
    BlockReader,
    BlockTooLargeError,
    BlockWriter,
    HeaderBlockError,
    HeaderFieldError,
    decode_block,
    decode_in_python,
    encode_block,
    encode_pair,
    merge_fields,
)

FIELDS = {b":method": b"GET", b"x-empty": b"", b"set-cookie": b"a=1\0b=2", b"x-text": b"\tcaf\xc3\xa9 \xff"}


def block_of(size: int) -> bytes:
    block = encode_block({b"x": bytes([0x20 + size % 64]) * (size - 13)})
    assert len(block) == size
    return block


class TestEncode:
    def test_pair(self) -> None:
        assert encode_pair(b"ab", b"c") == b"\0\0\0\2ab\0\0\0\1c"

    def test_block_is_count_and_pairs(self) -> None:
        pairs = b"".join(encode_pair(name, value) for name, value in FIELDS.items())
        assert encode_block(FIELDS) == b"\0\0\0\4" + pairs == raw_block(FIELDS)
        assert encode_block({}) == bytes(4)

    @each(
        ("pairs", "fields"),
        [
            ([], {}),
            ([(b"a", b"1"), (b"b", b"2")], {b"a": b"1", b"b": b"2"}),
            ([(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"a", b"4")], {b"a": b"1\0003\0004", b"b": b"2"}),
            ([(b"a", b"")], {b"a": b""}),
            ([(b"a", b""), (b"a", b"")], {b"a": b""}),
            ([(b"a", b""), (b"a", b"1"), (b"a", b""), (b"a", b"2"), (b"a", b"")], {b"a": b"1\0002"}),
        ],
    )
    def test_merging(self, pairs: list[tuple[bytes, bytes]], fields: dict[bytes, bytes]) -> None:
        merged = merge_fields(pairs)
        assert merged == fields
        assert decode_block(encode_block(merged)) == fields


class TestBlockWriter:
    @each("size", [13, 300, 4000, 65534, 65535, MAX_BLOCK_BYTES])
    def test_a_zlib_decoder_reads_block_after_block(self, size: int) -> None:
        writer = BlockWriter()
        inflater = zlib.decompressobj(zdict=DICTIONARY)
        for block in (block_of(20), block_of(size), block_of(20), block_of(size)):
            wrapped = writer.wrap(block)
            assert inflater.decompress(wrapped) == block
            assert wrapped.endswith(b"\0\0\xff\xff")
        assert not inflater.eof
        assert not inflater.unused_data

    @pytest.mark.parametrize("kind", [bytearray, memoryview])
    def test_a_block_in_another_kind_of_buffer(self, kind: Any) -> None:
        block = block_of(300)
        assert BlockWriter().wrap(kind(block)) == BlockWriter().wrap(block)

    def test_too_large_a_block_leaves_no_trace(self) -> None:
        writer = BlockWriter()
        for block in (bytes(MAX_BLOCK_BYTES + 1), bytes(10**6)):
            with pytest.raises(BlockTooLargeError, match="over the limit of 65536"):
                writer.wrap(block)
        assert repr(writer) == "<BlockWriter fresh>"
        assert zlib.decompressobj(zdict=DICTIONARY).decompress(writer.wrap(b"ok")) == b"ok"
        assert repr(writer) == "<BlockWriter begun>"


class TestBlockReader:
    @each("level", range(10))
    def test_any_level(self, level: int) -> None:
        reader, peer = BlockReader(), Peer(level)
        for block in (raw_block(FIELDS), raw_block({}), block_of(MAX_BLOCK_BYTES), raw_block(FIELDS)):
            assert reader.unwrap(peer.pack(block)) == block
        assert repr(reader) == "<BlockReader open>"

    @each("window_bits", range(9, 16))
    def test_any_zlib_window(self, window_bits: int) -> None:
        deflater = zlib.compressobj(6, zlib.DEFLATED, window_bits, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
        block = raw_block(FIELDS)
        assert BlockReader().unwrap(deflater.compress(block) + deflater.flush(zlib.Z_SYNC_FLUSH)) == block

    @pytest.mark.parametrize("size", [MAX_BLOCK_BYTES + 1, 100_000, 10**7, pytest.param(10**8, marks=pytest.mark.slow)])
    def test_it_stops_at_the_limit(self, size: int) -> None:
        bomb = Peer(9).pack(bytes(size))
        reader = BlockReader()
        reader.unwrap(Peer(9).pack(bytes(1000)))  # zlib has its own memory by now
        reader = BlockReader()
        tracemalloc.start()
        with pytest.raises(HeaderBlockError, match="more than 65536 bytes"):
            reader.unwrap(bomb)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 400_000 + len(bomb)

    def test_a_finished_stream_is_taken_once(self) -> None:
        deflater = zlib.compressobj(zdict=DICTIONARY)
        block = raw_block(FIELDS)
        reader = BlockReader()
        assert reader.unwrap(deflater.compress(block) + deflater.flush()) == block
        assert repr(reader) == "<BlockReader ended>"
        with pytest.raises(HeaderBlockError, match="after the end"):
            reader.unwrap(Peer().pack(block))

    def test_nothing_may_stand_behind_a_finished_stream(self) -> None:
        deflater = zlib.compressobj(zdict=DICTIONARY)
        with pytest.raises(HeaderBlockError, match="after the end"):
            BlockReader().unwrap(deflater.compress(b"block") + deflater.flush() + b"more")

    @each("data", [b"\xde\xad\xbe\xef", b"\x78\x20\1\2\3\4", b"\x78\x20\xe3\xc6\xa7\xc2\7"])
    def test_what_is_not_zlib(self, data: bytes) -> None:
        with pytest.raises(HeaderBlockError, match="name/value block: ") as caught:
            BlockReader().unwrap(data)
        assert caught.value.status == GoAwayStatus.PROTOCOL_ERROR

    def test_a_flipped_bit(self) -> None:
        packed = Peer(0).pack(raw_block(FIELDS))
        with pytest.raises(HeaderBlockError):
            BlockReader().unwrap(packed[:7] + bytes([packed[7] ^ 1]) + packed[8:])


class TestDecode:
    def test_fields_in_order(self) -> None:
        assert list(decode_block(raw_block(FIELDS)).items()) == list(FIELDS.items())
        assert decode_block(bytes(4)) == {}

    @each("size", [0, 1, 255, 256, 257, 511, 65535 - 13, MAX_BLOCK_BYTES - 13])
    def test_values_of_every_size(self, size: int) -> None:
        fields = {b"a": b"1", b"x": b"v" * size, b"z": b"2"}
        assert decode_block(raw_block(fields)) == fields
        assert decode_block(raw_block(fields | {b"last": b"w" * size})) == fields | {b"last": b"w" * size}

    @each("size", [1, 64, 65, 255, 256, 257, 10_000])
    def test_names_of_every_size(self, size: int) -> None:
        fields = {b"a": b"1", b"n" * size: b"2", b"z": b"3"}
        assert decode_block(raw_block(fields)) == decode_block(raw_block(fields)) == fields

    @each(
        "raw",
        [
            b"",
            b"\0\0\0",
            b"\0\0\0\1",
            b"\xff\xff\xff\xff",
            b"\xff\xff\xff\xff" + bytes(800),
            b"\0\0\0\1" + struct.pack(">I", 0xFFFFFFFF),
            b"\0\0\0\1" + struct.pack(">I", 0xFFFFFFFF) + bytes(100),
            b"\0\0\0\1" + encode_pair(b"a", b"")[:-4] + struct.pack(">I", 0xFFFFFFFF),
            b"\0\0\0\1" + encode_pair(b"accept", b"")[:-4] + struct.pack(">I", 0xFFFFFFFF) + bytes(300),
            raw_block(FIELDS)[:-1],
            raw_block(FIELDS) + b"\0",
            raw_block(FIELDS) + bytes(4),
            raw_block(FIELDS) + encode_pair(b"a", b"b"),
            b"\0\0\0\5" + raw_block(FIELDS)[4:],
            b"\0\0\0\3" + raw_block(FIELDS)[4:],
            b"\0\0\0\0" + encode_pair(b"accept", b"b"),
            b"\0\0\0\1" + struct.pack(">I", 6) + b"accept" + struct.pack(">I", 5) + b"four",
            b"\0\0\0\1" + struct.pack(">I", 6) + b"accept" + b"\0\0\0",
        ],
    )
    def test_counts_and_lengths_that_do_not_add_up_end_the_session(self, raw: bytes) -> None:
        tracemalloc.start()
        with pytest.raises(HeaderBlockError) as caught:
            decode_block(raw)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert caught.value.status == GoAwayStatus.PROTOCOL_ERROR
        assert peak < 100_000

    @each(
        ("name", "value"),
        [
            (b"", b"v"),
            (b":", b"v"),
            (b"Accept", b"v"),
            (b"accepT", b"v"),
            (b"a b", b"v"),
            (b"a:b", b"v"),
            (b"::path", b"v"),
            (b"a\0b", b"v"),
            (b"a\r\nb", b"v"),
            (b"caf\xc3\xa9", b"v"),
            (b"a\x7f", b"v"),
            (b"accept", b"\0"),
            (b"accept", b"\0v"),
            (b"accept", b"v\0"),
            (b"accept", b"v\0\0w"),
            (b"accept", b"v\r\nw"),
            (b"accept", b"v\nw"),
            (b"accept", b"v\rw"),
            (b"accept", b"v\x1b"),
            (b"accept", b"v\x7f"),
            (b"accept", b"v\0w\x01"),
            (b"x-unseen-name", b"v\x01"),
        ],
    )
    @each("before", [{}, {b"accept-encoding": b"gzip"}])
    def test_names_and_values_that_may_not_be_end_the_stream(
        self, name: bytes, value: bytes, before: dict[bytes, bytes]
    ) -> None:
        for _ in range(2):
            with pytest.raises(HeaderFieldError, match=r"^a (name|value)"):
                decode_block(raw_block({**before, name: value}))
            with pytest.raises(HeaderFieldError):
                decode_block(raw_block({name: value, **before}))

    @pytest.mark.parametrize("name", [b"accept", b"x-twice"])
    def test_a_name_comes_once(self, name: bytes) -> None:
        with pytest.raises(HeaderFieldError, match="a name comes twice"):
            decode_block(raw_block([(name, b"1"), (b"x", b"2"), (name, b"1")]))

    def test_a_block_in_disorder_is_that_first_whatever_its_names(self) -> None:
        with pytest.raises(HeaderBlockError):
            decode_block(raw_block([(b"Upper", b"\n"), (b"a", b"")]) + b"\0")

    @each("name", [b"!#$%&'*+-.^_`|~09az", b":x", b"x_y"])
    def test_names_that_may_be(self, name: bytes) -> None:
        assert decode_block(raw_block({name: b"v"})) == {name: b"v"}

    def test_known_names_stay_bounded_and_keep_the_common_ones(self) -> None:
        for number in range(3 * headers._MAX_KNOWN_NAMES):
            fields = {b"x-name-%d" % number: b"v"}
            assert decode_in_python(raw_block(fields)) == fields
            assert len(headers._KNOWN_NAMES) <= headers._MAX_KNOWN_NAMES
        assert set(headers._COMMON_NAMES) <= set(headers._KNOWN_NAMES)

    def test_long_names_are_not_kept(self) -> None:
        name = b"n" * (headers._MAX_KNOWN_NAME_BYTES + 1)
        decode_in_python(raw_block({name: b"v"}))
        assert name not in headers._KNOWN_NAMES

    def test_most_pairs_that_fit(self) -> None:
        pairs = [(b"%x" % number, b"") for number in range((MAX_BLOCK_BYTES - 4) // 12)]
        raw = raw_block(pairs)
        assert len(raw) <= MAX_BLOCK_BYTES
        assert list(decode_block(raw).items()) == pairs == parse_block(raw)


def test_a_stream_that_knows_no_dictionary_is_read_as_well() -> None:
    """zlib's header says whether one is used; whoever uses none has said nothing wrong."""
    compressor = zlib.compressobj()
    reader = BlockReader()
    for block in (encode_block(FIELDS), encode_block({b"x": b"y"})):
        assert reader.unwrap(compressor.compress(block) + compressor.flush(zlib.Z_SYNC_FLUSH)) == block
