import struct
import tracemalloc

import pytest
from tests import spdy_peer
from tests.support.each import each

from zerogate.errors import SpdyError
from zerogate.wire.spdy import frames
from zerogate.wire.spdy.frames import DATA, DATA_MORE, MAX_CONTROL_BYTES, FrameReader, FrameType, GoAwayStatus


@each(
    ("frame", "octets"),
    [
        (frames.syn_stream(5, b"block", True), "80030001 0100000f 00000005 00000000 0000 626c6f636b"),
        (frames.syn_stream(0x7FFFFFFF, b"", False), "80030001 0000000a 7fffffff 00000000 0000"),
        (frames.syn_reply(5, b"block", False), "80030002 00000009 00000005 626c6f636b"),
        (frames.syn_reply(5, b"block", True), "80030002 01000009 00000005 626c6f636b"),
        (frames.headers(2, b"block", True), "80030008 01000009 00000002 626c6f636b"),
        (frames.rst_stream(7, 5), "80030003 00000008 00000007 00000005"),
        (frames.settings([]), "80030004 00000004 00000000"),
        (
            frames.settings([(4, 100), (7, 65536)]),
            "80030004 00000014 00000002 00000004 00000064 00000007 00010000",
        ),
        (frames.ping(1), "80030006 00000004 00000001"),
        (frames.goaway(7, 1), "80030007 00000008 00000007 00000001"),
        (frames.window_update(0, 65536), "80030009 00000008 00000000 00010000"),
        (frames.data_header(5, 3, False), "00000005 00000003"),
        (frames.data_header(5, 0, True), "00000005 01000000"),
    ],
)
def test_what_is_written(frame: bytes, octets: str) -> None:
    assert frame == bytes.fromhex(octets)


ALL_KINDS = b"".join(
    [
        spdy_peer.control(1, struct.pack(">IIH", 1, 0, 0) + b"first", 1),
        spdy_peer.data(1, b"hello"),
        spdy_peer.control(2, struct.pack(">I", 1) + b"second"),
        spdy_peer.words(3, 1, 5),
        spdy_peer.words(4, 1, 7, 65536),
        spdy_peer.words(6, 9),
        spdy_peer.data(3, b"", True),
        spdy_peer.words(7, 1, 0),
        spdy_peer.control(8, struct.pack(">I", 1) + b"third", 1),
        spdy_peer.words(9, 1, 100),
    ]
)
ALL_FRAMES = [
    (1, 1, 1, 15, bytes(6) + b"first"),
    (DATA, 0, 1, 5, b"hello"),
    (2, 0, 1, 10, b"second"),
    (3, 0, 1, 8, struct.pack(">I", 5)),
    (4, 0, 1, 12, struct.pack(">II", 7, 65536)),
    (6, 0, 9, 4, b""),
    (DATA, 1, 3, 0, b""),
    (7, 0, 1, 8, struct.pack(">I", 0)),
    (8, 1, 1, 9, b"third"),
    (9, 0, 1, 8, struct.pack(">I", 100)),
]


def test_every_kind_in_one_chunk() -> None:
    reader = FrameReader()
    assert reader.receive(ALL_KINDS) == ALL_FRAMES
    assert reader.error is None


def test_byte_by_byte_control_frames_come_whole_and_data_in_pieces() -> None:
    reader = FrameReader()
    found = [frame for at in range(len(ALL_KINDS)) for frame in reader.receive(ALL_KINDS[at : at + 1])]
    data = [(DATA, 0, 1, 5, b"")] + [(DATA_MORE, 0, 1, 5 - at, b"hello"[at : at + 1]) for at in range(5)]
    assert found == [ALL_FRAMES[0], *data, *ALL_FRAMES[2:]]


def test_data_is_not_collected() -> None:
    reader = FrameReader()
    size = 0xFFFFFF
    assert reader.receive(struct.pack(">II", 1, size)) == [(DATA, 0, 1, size, b"")]
    piece = bytes(65536)
    tracemalloc.start()
    for _ in range(size // 65536):
        ((kind, _flags, _stream_id, _size, payload),) = reader.receive(piece)
        assert (kind, payload) == (DATA_MORE, piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
    assert repr(reader) == "<FrameReader in DATA of stream 1, 65535 bytes to come>"


def test_a_long_frame_in_small_pieces_is_looked_at_again_when_it_is_whole() -> None:
    """Else each piece would cost a copy of all before it."""
    reader = FrameReader()
    reader.receive(spdy_peer.control(2, bytes(1000))[:8])
    assert reader._wanted == 1008
    reader.receive(bytes(999))
    assert reader._wanted == 1008
    assert len(reader.receive(bytes(1) + bytes(7))) == 1
    assert (reader._wanted, len(reader._partial)) == (8, 7)


def test_nothing_comes_of_nothing() -> None:
    reader = FrameReader()
    reader.receive(ALL_KINDS[:3])
    assert reader.receive(b"") == []
    assert repr(reader) == "<FrameReader with 3 bytes of a frame>"


@each(
    ("octets", "reason"),
    [
        (bytes.fromhex("80020006 00000004 00000001"), "version 2"),
        (bytes.fromhex("80040006 00000004 00000001"), "version 4"),
        (bytes.fromhex("ffff0006 00000004 00000001"), "version 32767"),
        (spdy_peer.data(0, b"x"), "stream 0"),
        (spdy_peer.data(1, b"x", flags=4), "flags 0x4"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "flags 0x2f"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "flags 0x2a"),
        (spdy_peer.control(1, bytes(9)), "type 1 and 9 bytes"),
        (spdy_peer.control(2, bytes(3)), "type 2 and 3 bytes"),
        (spdy_peer.control(3, bytes(7)), "type 3 and 7 bytes"),
        (spdy_peer.control(4, bytes(3)), "type 4 and 3 bytes"),
        (spdy_peer.control(6, bytes(3)), "type 6 and 3 bytes"),
        (spdy_peer.control(6, bytes(5)), "type 6 and 5 bytes"),
        (spdy_peer.control(7, bytes(4)), "type 7 and 4 bytes"),
        (spdy_peer.control(7, bytes(12)), "type 7 and 12 bytes"),
        (spdy_peer.control(8, bytes(3)), "type 8 and 3 bytes"),
        (spdy_peer.control(9, bytes(4)), "type 9 and 4 bytes"),
        (spdy_peer.control(9, bytes(9)), "type 9 and 9 bytes"),
        (bytes.fromhex("80030001 00ffffff"), "type 1 and 16777215 bytes"),
        (struct.pack(">II", 0x80030001, MAX_CONTROL_BYTES + 1), "type 1 and 66561 bytes"),
        (struct.pack(">II", 0x8003002A, MAX_CONTROL_BYTES + 1), "type 42 and 66561 bytes"),
    ],
)
def test_what_is_not_spdy(octets: bytes, reason: str) -> None:
    good = spdy_peer.words(6, 1)
    for cut in (len(octets), 1):
        reader = FrameReader()
        found = reader.receive(good)
        for at in range(0, len(octets), cut):
            found += reader.receive(octets[at : at + cut])
        assert found == [(6, 0, 1, 4, b"")]
        assert reader.error is not None
        assert reason in reader.error.reason
        assert reader.error.status == GoAwayStatus.PROTOCOL_ERROR
        assert reader.receive(good) == []
        assert reason in repr(reader)


def test_the_largest_control_frame_passes() -> None:
    body = struct.pack(">I", 1) + bytes(MAX_CONTROL_BYTES - 4)
    reader = FrameReader()
    assert reader.receive(spdy_peer.control(2, body)) == [(2, 0, 1, MAX_CONTROL_BYTES, bytes(MAX_CONTROL_BYTES - 4))]


def test_an_announced_frame_allocates_nothing() -> None:
    header = struct.pack(">II", 0x80030001, MAX_CONTROL_BYTES)
    reader = FrameReader()
    tracemalloc.start()
    reader.receive(header)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30_000


@each("kind", [0, 5, 10, 11, 0xFFFF])
@each("size", [0, 1, 4, 100])
def test_unknown_control_frames_are_skipped(kind: int, size: int) -> None:
    octets = spdy_peer.control(kind, bytes(size)) + spdy_peer.words(6, 1)
    assert FrameReader().receive(octets) == [(6, 0, 1, 4, b"")]
    reader = FrameReader()
    assert [f for at in range(len(octets)) for f in reader.receive(octets[at : at + 1])] == [(6, 0, 1, 4, b"")]


def test_the_debug_text_of_a_reset_is_passed_by() -> None:
    octets = bytes.fromhex("80030003 0000000b 0000000b 00000007 646267") + spdy_peer.words(6, 1)
    assert FrameReader().receive(octets) == [(3, 0, 11, 11, b"\0\0\0\7dbg"), (6, 0, 1, 4, b"")]


def test_every_type_has_limits() -> None:
    assert set(frames._BODY_BYTES) == set(FrameType)


class TestParseSettings:
    def test_values_by_id(self) -> None:
        entries = struct.pack(">IIIIII", 4, 100, 7, 65536, 0xABCDEF, 1)
        assert frames.parse_settings(3, entries) == {4: 100, 7: 65536, 0xABCDEF: 1}

    def test_the_first_value_of_an_id_counts(self) -> None:
        assert frames.parse_settings(2, struct.pack(">IIII", 4, 100, 4, 200)) == {4: 100}

    def test_flags(self) -> None:
        """What is to be persisted counts now as well; what is said to have been persisted for us never was."""
        assert frames.parse_settings(2, struct.pack(">IIII", 0x01000004, 100, 0x02000007, 5)) == {4: 100}

    @each(("count", "size"), [(0xFFFFFFFF, 0), (5, 8), (1, 10), (0, 8), (1, 0), (2, 8)])
    def test_a_count_that_does_not_fit(self, count: int, size: int) -> None:
        tracemalloc.start()
        with pytest.raises(SpdyError, match=f"SETTINGS counts {count}") as caught:
            frames.parse_settings(count, bytes(size))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert caught.value.status == GoAwayStatus.PROTOCOL_ERROR
        assert peak < 100_000
