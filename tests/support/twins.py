"""Two sessions that hear and are asked the same: one by the fast paths, one by the careful Python alone.

Whatever is drawn, they must say the same, raise the same and hold the same. `choose(n)` is where the draws come from, a
number below `n`: hypothesis has one, and so has the fuzzer (tests/fuzz/session.py).
"""

import zlib
from collections.abc import Callable, Iterable
from typing import Any

from tests import spdy_peer
from tests.spdy_end import BLOCK, REPLY_BLOCK, apart
from tests.support.snapshot import snapshot
from zerogate.wire.spdy.dictionary import DICTIONARY
from zerogate.wire.spdy.events import Event, StreamOpened
from zerogate.wire.spdy.headers import CarefulBlockReader, decode_block
from zerogate.wire.spdy.session import CarefulSession, Session
from zerogate.wire.spdy.streams import DONE, Stream

Choose = Callable[[int], int]

# What differs by design: who reads the blocks, and what no longer means anything between two frames.
APART = {"_block_reader", "_unwrap", "_reader", "_data_stream", "output", "_output", "_greeting"}
SIZES = (0, 1, 2, 7, 100, 1000, 8192, 8193, 40_000, 65_535, 65_536, 65_537, 70_000, 131_072, 131_073, 300_000)
GOOD_FORMS = ("stored", "stored", "stored", "stored", "stored", "in two", "compressed", "fixed")
FORMS = (*GOOD_FORMS, *GOOD_FORMS, "last", "open", "garbage")
BLOCKS = (
    BLOCK,
    BLOCK,
    REPLY_BLOCK,
    spdy_peer.raw_block({b"x-long": b"y" * 3000}),
    spdy_peer.raw_block({b"x": b"y" * 65_515}),
    spdy_peer.raw_block({b"x": b"y" * 65_523}),
    spdy_peer.raw_block({b"x": b"y" * 65_524}),
    spdy_peer.raw_block({b"Upper": b"no"}),
    spdy_peer.raw_block({b"x": b"a\nb"}),
    spdy_peer.raw_block([(b"x", b"1"), (b"x", b"2")]),
    spdy_peer.raw_block({}),
    BLOCK[:-1],
    b"",
)


class Blocks:
    """The peer's zlib stream, of blocks in every form."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self._history = DICTIONARY
        self._prefix = b"\x78\xbb" + zlib.adler32(DICTIONARY).to_bytes(4, "big")
        if choose(16) == 0:
            self._prefix, self._history = b"\x78\x9c", b""
        elif choose(64) == 0:
            self._prefix = (b"\x78\xbb\0\0\0\1", b"\x78", b"", b"\x77\x20ABCD", b"\x88\x20")[choose(5)]
        # Mostly a peer has one way of writing them.
        self._forms = (("stored",), ("stored", "in two"), ("compressed",), GOOD_FORMS, FORMS)[choose(5)]

    def pack(self, raw: bytes) -> bytes:
        form = self._forms[self._choose(len(self._forms))]
        prefix, self._prefix = self._prefix, b""
        packed = getattr(self, f"_{form.replace(' ', '_')}")(raw)
        self._history = (self._history + raw)[-32_768:]
        return prefix + bytes(packed)

    def _stored(self, raw: bytes) -> bytes:
        pieces = [raw[at : at + 0xFFFF] for at in range(0, len(raw), 0xFFFF)] or [b""]
        return b"".join(map(stored, pieces)) + b"\0\0\0\xff\xff"

    def _in_two(self, raw: bytes) -> bytes:
        cut = self._choose(len(raw) + 1)
        return self._stored(raw[:cut])[:-5] + self._stored(raw[cut:])

    def _open(self, raw: bytes) -> bytes:
        return self._stored(raw)[:-5]

    def _deflate(self, raw: bytes, strategy: int, flush: int) -> bytes:
        deflater = zlib.compressobj(6, zlib.DEFLATED, -15, 8, strategy, self._history)
        return deflater.compress(raw) + deflater.flush(flush)

    def _compressed(self, raw: bytes) -> bytes:
        return self._deflate(raw, zlib.Z_DEFAULT_STRATEGY, zlib.Z_SYNC_FLUSH)

    def _fixed(self, raw: bytes) -> bytes:
        return self._deflate(raw, zlib.Z_FIXED, zlib.Z_SYNC_FLUSH)

    def _last(self, raw: bytes) -> bytes:
        return self._deflate(raw, zlib.Z_DEFAULT_STRATEGY, zlib.Z_FINISH) + b"sum!"[: self._choose(6)]

    def _garbage(self, raw: bytes) -> bytearray:
        packed = bytearray(self._stored(raw))
        packed[self._choose(len(packed))] ^= 1 << self._choose(8)
        return packed


def stored(raw: bytes) -> bytes:
    return b"\0" + len(raw).to_bytes(2, "little") + (len(raw) ^ 0xFFFF).to_bytes(2, "little") + raw


class Twins:
    """`fast` and `careful`, told the same. `streams` are the pairs of streams that both know."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        options: dict[str, Any] = {
            "opens_odd": choose(2) == 1,
            "stream_window": (65_536, 262_144, 1000, 1)[choose(4)],
            "session_window": (65_536, 100_000, 16 * 1024 * 1024)[choose(3)],
            "max_peer_streams": (65_536, 65_536, 2)[choose(3)],
            "max_batch_bytes": (2**40, 1000, 100_000)[choose(3)],
            "last_stream_id": (0x7FFFFFFF, 0x7FFFFFFF, 9)[choose(3)],
            "decode_opening": (decode_block, self._decode)[choose(2)],
            "decode_reply": (decode_block, self._decode)[choose(2)],
        }
        self.fast = Session(**options)
        self.careful = CarefulSession(**options)
        self.careful._unwrap = CarefulBlockReader().unwrap
        self.streams: list[tuple[Stream, Stream]] = []
        self._theirs = 0 if options["opens_odd"] else 1
        self._blocks = Blocks(choose)
        self._cut = b""
        # How often something is drawn that mostly ends the session: seldom, or nothing comes after it.
        self._one_in = (8, 100, 1000)[choose(3)]

    def _decode(self, raw: bytes) -> Any:
        """A decoder that makes something else of a block, and is content with any that has a length."""
        return len(raw), decode_block(raw) if len(raw) % 3 else raw

    def step(self) -> bool:
        """One thing that both hear or are asked. False when the session has ended."""
        choose = self._choose
        if choose(2):
            octets = b"".join(self._frame() for _ in range(choose(4) + 1))
            if self._is_hostile() and octets:
                changed = bytearray(octets)
                changed[choose(min(len(changed), 64))] ^= 1 << choose(8)
                octets = bytes(changed)
            octets = self._cut + octets
            at = choose(len(octets) + 1) if choose(3) == 0 else len(octets)
            self._cut = octets[at:]
            came = octets[:at]
            self._both("receive", memoryview(came) if choose(4) == 0 else came)
        else:
            self._call()
        self._compare()
        return self.careful.error is None

    def _number(self) -> int:
        """A stream id: mostly of a stream that is there, else one that could be."""
        if self.streams and self._choose(8):
            return self.streams[self._choose(len(self.streams))][0].id
        if self._is_hostile():
            return (0, 0x7FFFFFFF, 0x80000001)[self._choose(3)]
        return (1, 2, 3, 9)[self._choose(4)]

    def _is_hostile(self) -> bool:
        return self._choose(self._one_in) == 0

    def _frame(self) -> bytes:
        choose = self._choose
        kind = choose(16)
        fin = choose(2)
        if kind < 4:
            newest = self.careful._table.peer_id
            stream_id = newest + 2 if newest else self._theirs or 2
            if self._is_hostile():
                stream_id = self._number()
            associated = 0 if choose(16) else 1
            head = stream_id.to_bytes(4, "big") + associated.to_bytes(4, "big") + b"\0\0"
            return spdy_peer.control(spdy_peer.SYN_STREAM, head + self._block(), fin if choose(16) else 2)
        if kind < 8:
            stream_id = self._number()
            head = stream_id.to_bytes(4, "big")
            reply = spdy_peer.control(spdy_peer.SYN_REPLY, head + self._block(), fin if choose(3) == 0 else 0)
            if choose(2):
                reply += spdy_peer.data(stream_id & 0x7FFFFFFF, bytes(SIZES[choose(len(SIZES))]), choose(6) > 0)
            return reply
        if kind < 12:
            flags = 0 if choose(12) else 2
            return spdy_peer.data(self._number() & 0x7FFFFFFF, bytes(SIZES[choose(len(SIZES))]), bool(fin), flags)
        if kind == 12:
            head = self._number().to_bytes(4, "big")
            return spdy_peer.control(spdy_peer.HEADERS, head + self._block(), fin)
        if kind == 13:
            delta = (0, 0x7FFFFFFF)[choose(2)] if self._is_hostile() else (1, 1000, 100_000)[choose(3)]
            return spdy_peer.words(spdy_peer.WINDOW_UPDATE, self._number() if choose(2) else 0, delta)
        if kind == 14:
            return spdy_peer.settings(
                (7, 2**31 if self._is_hostile() else (0, 1000, 65_536, 300_000)[choose(4)]), (4, choose(100))
            )
        if self._is_hostile():
            return (
                spdy_peer.words(spdy_peer.RST_STREAM, self._number(), 0),
                spdy_peer.words(spdy_peer.GOAWAY, self._number(), 0),
                spdy_peer.control(spdy_peer.SYN_REPLY, b"12"),
            )[choose(3)]
        return (
            spdy_peer.words(spdy_peer.RST_STREAM, self._number(), choose(4) + 1),
            spdy_peer.words(spdy_peer.PING, choose(4)),
            spdy_peer.control(99, b"unknown"),
        )[choose(3)]

    def _block(self) -> bytes:
        return self._blocks.pack(BLOCKS[self._choose(len(BLOCKS) if self._is_hostile() else 4)])

    def _call(self) -> None:
        choose = self._choose
        fin = choose(2) == 1
        kind = choose(16)
        data = bytes(SIZES[choose(len(SIZES))])
        block: Any = BLOCKS[choose(6)]
        if choose(24) == 0:
            data = (bytearray(data), memoryview(data), None, "text")[choose(4)]  # type: ignore[assignment]
        if choose(24) == 0:
            block = (bytearray(block), memoryview(block), None, "text")[choose(4)]
        if kind < 4:
            self._both("open_stream", block, fin)
        elif kind == 4:
            self._both(("hold", "release")[choose(2)])
        elif kind == 5:
            self._both("goaway", choose(3)) if choose(4) == 0 else self._both("set_max_concurrent", choose(9))
        elif kind == 6:
            self._take_output()
        elif self.streams:
            pair = self.streams[choose(len(self.streams))]
            name, *arguments = (
                ("send_whole_reply", block, data),
                ("send_whole_reply", block, data),
                ("send_whole_reply", block, data),
                ("send_reply", block, fin),
                ("send_data", data, fin),
                ("send_headers", block, fin),
                ("consumed", len(data) if type(data) is bytes else 1),
                ("reset", 5),
                ("reset", 3),
            )[kind - 7]
            self._both(name, pair, *arguments)

    def _both(self, name: str, *arguments: Any) -> None:
        answers = []
        for side, session in enumerate((self.fast, self.careful)):
            asked = [each[side] if type(each) is tuple else each for each in arguments]
            try:
                answers.append(getattr(session, name)(*asked))
            except Exception as error:
                answers.append((type(error), str(error)))
        fast, careful = answers
        if name == "open_stream" and isinstance(careful, Stream):
            assert isinstance(fast, Stream)
            self.streams.append((fast, careful))
        elif name in ("receive", "release") and isinstance(careful, list):
            assert plain(fast) == plain(careful), (plain(fast), plain(careful))
            opened = ([event.stream for event in each if isinstance(event, StreamOpened)] for each in answers)
            self.streams += zip(*opened, strict=True)
        else:
            assert fast == careful, (name, fast, careful)

    def _take_output(self) -> None:
        fast, careful = self.fast.take_output(), self.careful.take_output()
        assert b"".join(fast) == b"".join(careful)
        assert all(type(piece) in (bytes, memoryview) for piece in fast)

    def _compare(self) -> None:
        assert str(self.fast.error) == str(self.careful.error)
        assert b"".join(self.fast.output) == b"".join(self.careful.output)
        fast, careful = (snapshot([streams, session], {}) for session, streams in self._sides())
        difference = [*differences(fast, careful)]
        assert not difference, difference
        if self.careful.error is None:
            for name in ("_missing", "_partial"):
                assert getattr(self.fast._reader, name) == getattr(self.careful._reader, name), name
            if self.careful._reader._missing:
                assert repr(self.fast._data_stream) == repr(self.careful._data_stream)

    def _sides(self) -> Iterable[tuple[Any, list[Stream]]]:
        yield self.fast, [fast for fast, _ in self.streams]
        yield self.careful, [careful for _, careful in self.streams]


def plain(events: list[Event]) -> list[tuple[Any, ...]]:
    """Events without the streams' identity; a reply that was cut midway is whole to one of the two, or to both."""
    return [
        (type(event).__name__, *(value.id if isinstance(value, Stream) else value for value in event))
        for event in apart(events)
    ]


def differences(one: Any, other: Any, path: str = "") -> Iterable[str]:
    """Where two snapshots are not the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        # A reply that is whole to one of them needed no window, and its stream will need none.
        apart_too = {"receive_window"} if one.get("remote", 0) >= DONE <= one["local"] else set()
        for key in (one.keys() | other.keys()) - APART - apart_too:
            yield from differences(one.get(key, "missing"), other.get(key, "missing"), f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for at, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from differences(first, second, f"{path}[{at}]")
    elif one != other:
        yield f"{path}: {one!r:.80} != {other!r:.80}"
