"""The other end of a SPDY session for tests, written apart from the code it tests: struct and zlib, nothing else."""

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from zerogate.wire.spdy.dictionary import DICTIONARY

assert hashlib.sha256(DICTIONARY).hexdigest() == "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02"

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 1

REQUEST = {b":method": b"GET", b":path": b"/", b":version": b"HTTP/1.1", b":host": b"a.example", b":scheme": b"http"}
REPLY = {b":status": b"200 OK", b":version": b"HTTP/1.1"}


class Frame(NamedTuple):
    kind: str  # "DATA", or the control frame's type as a number in words below
    flags: int
    stream_id: int  # or the PING's id, the GOAWAY's last id, the SETTINGS' count
    body: bytes  # what follows it

    @property
    def fin(self) -> bool:
        return bool(self.flags & FIN)

    @property
    def number(self) -> int:
        """The second word: a status, a delta."""
        return int.from_bytes(self.body[:4], "big")


NAMES = {
    1: "SYN_STREAM",
    2: "SYN_REPLY",
    3: "RST_STREAM",
    4: "SETTINGS",
    6: "PING",
    7: "GOAWAY",
    8: "HEADERS",
    9: "WINDOW_UPDATE",
}


def split(data: bytes | Iterable[bytes]) -> Iterator[Frame]:
    """Whole frames of what a session put out."""
    if not isinstance(data, bytes):
        data = b"".join(data)
    while data:
        word, tail = struct.unpack_from(">II", data)
        size = tail & 0xFFFFFF
        body, data = data[8 : 8 + size], data[8 + size :]
        assert len(body) == size, "a frame is cut short"
        if word >> 31:
            assert word >> 16 == 0x8003
            number = int.from_bytes(body[:4], "big")
            yield Frame(NAMES[word & 0xFFFF], tail >> 24, number, body[4:])
        else:
            yield Frame("DATA", tail >> 24, word, body)


def control(kind: int, body: bytes, flags: int = 0, version: int = 3) -> bytes:
    return struct.pack(">HHI", 0x8000 | version, kind, flags << 24 | len(body)) + body


def data(stream_id: int, body: bytes = b"", fin: bool = False, flags: int = 0) -> bytes:
    return struct.pack(">II", stream_id, (flags | fin) << 24 | len(body)) + body


def words(kind: int, *numbers: int, flags: int = 0) -> bytes:
    return control(kind, struct.pack(f">{len(numbers)}I", *numbers), flags)


def settings(*pairs: tuple[int, int]) -> bytes:
    return words(SETTINGS, len(pairs), *(number for pair in pairs for number in pair))


def raw_block(pairs: dict[bytes, bytes] | list[tuple[bytes, bytes]]) -> bytes:
    items = list(pairs.items()) if isinstance(pairs, dict) else pairs
    parts = [struct.pack(">I", len(items))]
    for pair in items:
        for string in pair:
            parts += [struct.pack(">I", len(string)), string]
    return b"".join(parts)


def parse_block(raw: bytes) -> list[tuple[bytes, bytes]]:
    strings: list[bytes] = []
    at = 4
    while at < len(raw):
        (length,) = struct.unpack_from(">I", raw, at)
        strings.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    assert at == len(raw)
    assert len(strings) == 2 * int.from_bytes(raw[:4], "big")
    return list(zip(strings[::2], strings[1::2], strict=True))


class Peer:
    """Speaks with one zlib stream each way, compressed as every other SPDY library does."""

    def __init__(self, level: int = 6) -> None:
        self._deflater = zlib.compressobj(level, zlib.DEFLATED, 15, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
        self._inflater = zlib.decompressobj(zdict=DICTIONARY)

    def pack(self, raw: bytes) -> bytes:
        return self._deflater.compress(raw) + self._deflater.flush(zlib.Z_SYNC_FLUSH)

    def block(self, pairs: dict[bytes, bytes] | list[tuple[bytes, bytes]]) -> bytes:
        return self.pack(raw_block(pairs))

    def syn_stream(
        self,
        stream_id: int,
        pairs: dict[bytes, bytes] | list[tuple[bytes, bytes]] = REQUEST,
        *,
        fin: bool = False,
        flags: int = 0,
        associated: int = 0,
    ) -> bytes:
        head = struct.pack(">IIH", stream_id, associated, 0x6000)
        return control(SYN_STREAM, head + self.block(pairs), flags | fin)

    def syn_reply(
        self, stream_id: int, pairs: dict[bytes, bytes] | list[tuple[bytes, bytes]] = REPLY, *, fin: bool = False
    ) -> bytes:
        return control(SYN_REPLY, struct.pack(">I", stream_id) + self.block(pairs), fin)

    def headers(
        self, stream_id: int, pairs: dict[bytes, bytes] | list[tuple[bytes, bytes]], *, fin: bool = False
    ) -> bytes:
        return control(HEADERS, struct.pack(">I", stream_id) + self.block(pairs), fin)

    def fields(self, frame: Frame) -> dict[bytes, bytes]:
        """The fields of a frame from the other end. Every frame with a block must pass through here, in order."""
        block = frame.body[6:] if frame.kind == "SYN_STREAM" else frame.body
        pairs = parse_block(self._inflater.decompress(block))
        assert not self._inflater.unconsumed_tail
        assert not self._inflater.unused_data
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)
