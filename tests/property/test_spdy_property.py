"""SPDY: however the input is cut, the same comes out; whatever it is, nothing but a SpdyError; two ends agree."""

import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests import spdy_peer
from tests.spdy_end import BLOCK, REPLY_BLOCK
from tests.spdy_peer import Frame, Peer

from zerogate.errors import SpdyError
from zerogate.wire.spdy import headers
from zerogate.wire.spdy.dictionary import DICTIONARY
from zerogate.wire.spdy.events import Data, Event, Headers, Reply, Reset, StreamOpened, Writable
from zerogate.wire.spdy.frames import FrameReader
from zerogate.wire.spdy.headers import (
    BlockReader,
    BlockWriter,
    HeaderBlockError,
    HeaderFieldError,
    decode_block,
    encode_block,
    merge_fields,
)
from zerogate.wire.spdy.known_blocks import decode_known
from zerogate.wire.spdy.session import Session, StreamIdsExhausted
from zerogate.wire.spdy.streams import OPEN, REPLY_DUE, Stream

octets = st.binary(max_size=40)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_!", min_size=1, max_size=300).map(str.encode) | st.sampled_from(
    [b":method", b":path", b"accept", b"cookie", b"x-request-id"]
)
texts = st.lists(st.sampled_from([*b"\t azAZ09~", 0x80, 0xFF]), max_size=300).map(bytes)

# Blocks.


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
    assert outcome(bytes(changed), decode_block) == outcome(bytes(changed), headers._decode_carefully)


REQUEST_ID = b"x-request-id"
Pairs = list[tuple[bytes, bytes]]
few_pairs: st.SearchStrategy[Pairs] = st.lists(
    st.tuples(
        st.sampled_from([b":path", b"accept", REQUEST_ID, b"Upper"]),
        st.sampled_from([b"", b"/a", b"\n", REQUEST_ID]),
    ),
    max_size=2,
)
request_ids = st.sampled_from([b"1234", b"5678", b"", b"b c", b"\0\0\0\x0cx-request-id\0\0\0\1a", b"x" * 200])


def one_of_a_kind(pairs: Pairs, request_id: bytes | None, form: str) -> bytes:
    """A block that is whole, or has the same octets and a pair less or more than it says."""
    more = [(REQUEST_ID, request_id)] if request_id is not None else []
    whole = spdy_peer.raw_block(pairs + more)
    if form == "a pair less":
        return whole[:4] + spdy_peer.raw_block(pairs)[4:]
    return whole + spdy_peer.raw_block([(REQUEST_ID, b"1234")])[4:] if form == "a pair more" else whole


@given(
    st.lists(
        st.builds(
            one_of_a_kind,
            few_pairs,
            st.none() | request_ids,
            st.sampled_from(["whole", "whole", "a pair less", "a pair more"]),
        ),
        max_size=20,
    )
)
@example([one_of_a_kind([(b"accept", b"")], b"1234", form) for form in ("whole", "a pair less")])
@example([one_of_a_kind([(b"accept", b"")], None, form) for form in ("whole", "a pair more")])
@example([one_of_a_kind([(b"accept", REQUEST_ID)], None, "whole")])
def test_blocks_that_were_seen_before_are_the_same_again(blocks: list[bytes]) -> None:
    for raw in blocks:
        assert outcome(raw, decode_known) == outcome(raw, decode_block)


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


# Any bytes, in any pieces, into one session.

STREAM_IDS = st.sampled_from([1, 1, 1, 2, 2, 3, 3, 4, 5, 7, 0, 0x7FFFFFFF])
FIELDS = st.sampled_from(
    [spdy_peer.REQUEST, spdy_peer.REPLY, {}, {b"x-trailer": b"v"}, {b"Upper": b"v"}, {b"a": b"\n"}]
)
SIZES = st.sampled_from([0, 1, 10, 16384, 40_000, 65536, 70_000])
NUMBERS = st.sampled_from([0, 1, 2, 3, 5, 7, 100, 16384, 65536, 2**31 - 1, 2**31, 2**32 - 1])
Op = tuple[str, tuple[object, ...]]
frames_of_a_peer = st.one_of(
    st.tuples(st.just("syn_stream"), st.tuples(STREAM_IDS, FIELDS, st.booleans(), st.sampled_from([0, 0, 0, 2, 4]))),
    st.tuples(st.just("syn_reply"), st.tuples(STREAM_IDS, FIELDS, st.booleans())),
    st.tuples(st.just("headers"), st.tuples(STREAM_IDS, FIELDS, st.booleans())),
    st.tuples(st.just("data"), st.tuples(STREAM_IDS, SIZES, st.booleans(), st.sampled_from([0, 0, 0, 0, 2]))),
    st.tuples(st.just("words"), st.tuples(st.sampled_from([3, 4, 6, 7, 9]), STREAM_IDS, NUMBERS)),
    st.tuples(st.just("settings"), st.tuples(st.sampled_from([4, 7, 99]), NUMBERS)),
    st.tuples(st.just("ping"), st.tuples(NUMBERS)),
    st.tuples(st.just("unknown"), st.tuples(octets)),
    st.tuples(st.just("garbage"), st.tuples(st.binary(min_size=1, max_size=12))),
)


def written(ops: Iterable[Op]) -> bytes:
    peer = Peer()
    parts: list[bytes] = []
    for op, args in ops:
        match op, args:
            case "syn_stream", (int(stream_id), dict(fields), fin, int(flags)):
                parts.append(peer.syn_stream(stream_id, fields, fin=bool(fin), flags=flags))
            case "syn_reply", (int(stream_id), dict(fields), fin):
                parts.append(peer.syn_reply(stream_id, fields, fin=bool(fin)))
            case "headers", (int(stream_id), dict(fields), fin):
                parts.append(peer.headers(stream_id, fields, fin=bool(fin)))
            case "data", (int(stream_id), int(size), fin, int(flags)):
                parts.append(spdy_peer.data(stream_id, bytes(size), bool(fin), flags))
            case "words", (int(kind), int(stream_id), int(number)):
                parts.append(spdy_peer.words(kind, stream_id, number))
            case "settings", (int(setting), int(number)):
                parts.append(spdy_peer.settings((setting, number)))
            case "ping", (int(number),):
                parts.append(spdy_peer.words(spdy_peer.PING, number))
            case "unknown", (bytes(body),):
                parts.append(spdy_peer.control(42, body))
            case "garbage", (bytes(body),):
                parts.append(body)
    return b"".join(parts)


def fresh_session() -> Session:
    """One with streams of its own, one of which has data to send that waits."""
    session = Session(opens_odd=False, stream_window=65536, session_window=100_000, max_peer_streams=2)
    session.open_stream(BLOCK, fin=True)
    waiting = session.open_stream(BLOCK, fin=False)
    session.send_data(waiting, bytes(200_000), fin=True)
    session.take_output()
    return session


def joined(events: Iterable[Event]) -> list[tuple[object, ...]]:
    """Events with the pieces of each stretch of data joined: how it was cut is nobody's matter."""
    found: list[tuple[object, ...]] = []
    for event in events:
        known = (type(event), *(item.id if isinstance(item, Stream) else item for item in event))
        if isinstance(event, Data) and found and found[-1][:2] == known[:2] and not found[-1][3]:
            found[-1] = (*known[:2], found[-1][2] + event.data, event.fin)  # type: ignore[operator]
        else:
            found.append(known)
    return found


def cut(data: bytes, lengths: Iterable[int]) -> Iterator[bytes]:
    at = 0
    for length in lengths:
        if at >= len(data):
            return
        yield data[at : at + length]
        at += length


def heard(pieces: Iterable[bytes]) -> tuple[list[tuple[object, ...]], bytes, object, list[str]]:
    session = fresh_session()
    events = [event for piece in pieces for event in session.receive(piece)]
    error = session.error and (session.error.reason, session.error.status)
    streams = [f"{stream!r} {stream.send_window} {stream.receive_window}" for stream in session.streams.values()]
    return joined(events), b"".join(session.take_output()), error, streams


cuts = st.lists(st.sampled_from([1, 1, 2, 3, 7, 8, 9, 12, 50, 1000, 30_000]), min_size=1, max_size=20)


@given(
    st.lists(frames_of_a_peer, min_size=4, max_size=25),
    cuts,
    st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=2),
)
@example([("data", (1, 0, False, 0)), ("ping", (1,))], [1], [])
@settings(max_examples=400)
def test_any_cutting_gives_the_same(ops: list[Op], lengths: list[int], changes: list[tuple[int, int]]) -> None:
    data = bytearray(written(ops))
    for at, octet in changes:
        if data:
            data[at % len(data)] = octet
    whole = heard([bytes(data)])
    assert heard(cut(bytes(data), itertools.cycle(lengths))) == whole
    _, output, error, _ = whole
    if error is not None:
        assert [frame.kind for frame in spdy_peer.split(output)][-1] == "GOAWAY"


@given(st.lists(frames_of_a_peer, min_size=4, max_size=15))
def test_octet_by_octet_gives_the_same(ops: list[Op]) -> None:
    data = written(op for op in ops if op[0] != "data")
    assert heard(cut(data, itertools.repeat(1))) == heard([data])


@given(st.binary(max_size=400), st.booleans())
def test_garbage_is_a_spdy_error_or_nothing(data: bytes, control: bool) -> None:
    if control:
        data = b"\x80\x03\0" + data
    session = fresh_session()
    before = len(session.streams)
    events = session.receive(data)
    output = b"".join(session.take_output())
    assert session.error is None or isinstance(session.error, SpdyError)
    assert len(events) + before <= 2 + len(data)
    waiting = sum(len(frame.body) + 8 for frame in spdy_peer.split(output) if frame.kind == "DATA")
    assert len(output) - waiting <= 2 * len(data) + 16
    repr(session)


@given(st.binary(max_size=400))
def test_a_reader_of_garbage_keeps_no_more_than_it_was_given(data: bytes) -> None:
    reader = FrameReader()
    frames = reader.receive(data)
    assert sum(len(frame[4]) for frame in frames) + len(reader._partial) <= len(data)


# Two sessions that speak to each other.


PERIOD = bytes(range(251)) * 1300


def pattern(stream_id: int, start: int, size: int) -> bytes:
    """Bytes that say where in their stream they belong."""
    first = (stream_id + start) % 251
    return PERIOD[first : first + size]


class Windows:
    """What one end may send, reckoned from what has gone over the wire alone."""

    def __init__(self) -> None:
        self.session = self.initial = 65536
        self.streams: dict[int, int] = {}

    def sent(self, frame: Frame) -> None:
        if frame.kind == "SYN_STREAM":
            self.streams[frame.stream_id] = self.initial
        elif frame.kind == "DATA":
            size = len(frame.body)
            assert size <= 65536
            if size:
                assert size <= self.session
                assert size <= self.streams[frame.stream_id]
            self.session -= size
            self.streams[frame.stream_id] -= size

    def got(self, frame: Frame) -> None:
        if frame.kind == "SYN_STREAM":
            self.streams[frame.stream_id] = self.initial
        elif frame.kind == "WINDOW_UPDATE":
            assert frame.number > 0
            if frame.stream_id:
                self.streams[frame.stream_id] += frame.number
            else:
                self.session += frame.number
        elif frame.kind == "SETTINGS":
            for at in range(0, len(frame.body), 8):
                if int.from_bytes(frame.body[at : at + 4], "big") == 7:
                    delta = int.from_bytes(frame.body[at + 4 : at + 8], "big") - self.initial
                    self.initial += delta
                    self.streams = {stream_id: window + delta for stream_id, window in self.streams.items()}


class End:
    """One of the two sessions, what it was told to send, and what it received."""

    def __init__(self, *, opens_odd: bool, stream_window: int, session_window: int) -> None:
        self.session = Session(opens_odd=opens_odd, stream_window=stream_window, session_window=session_window)
        self.session_window = session_window
        self.windows = Windows()
        self.inbox = bytearray()  # On its way to this end,
        self.unread = bytearray()  # and as much of it as is no whole frame yet.
        self.streams: list[Stream] = []
        self.given: dict[int, int] = {}  # How many bytes were given to a stream,
        self.ended: set[int] = set()  # and on which streams FIN.
        self.received: dict[int, int] = {}
        self.saw_end: set[int] = set()
        self.saw_trailers: set[int] = set()
        self.gave_trailers: set[int] = set()
        self.consumed: dict[int, int] = {}
        self.gave_up: set[int] = set()
        self.waiting: set[int] = set()  # Streams that are to become writable.

    def open(self, fin: bool) -> None:
        try:
            self.adopt(self.session.open_stream(BLOCK, fin), fin)
        except StreamIdsExhausted:
            assert self.session.peer_is_going_away

    def adopt(self, stream: Stream, ended: bool = False) -> None:
        self.streams.append(stream)
        self.given[stream.id] = self.received[stream.id] = self.consumed[stream.id] = 0
        if ended:
            self.ended.add(stream.id)

    def send(self, stream: Stream, size: int, fin: bool, trailers: bool) -> None:
        if stream.local == REPLY_DUE:
            self.session.send_reply(stream, REPLY_BLOCK, fin)
        elif stream.local == OPEN:
            if trailers:
                self.session.send_headers(stream, REPLY_BLOCK, fin)
                self.gave_trailers.add(stream.id)
            else:
                self.session.send_data(stream, pattern(stream.id, self.given[stream.id], size), fin)
                self.given[stream.id] += size
                if stream.pending_bytes:
                    self.waiting.add(stream.id)
        else:
            return
        if fin:
            self.ended.add(stream.id)

    def hear(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case StreamOpened(stream, fields, fin):
                    assert fields == spdy_peer.REQUEST
                    self.adopt(stream)
                case Reply(stream, fields, fin):
                    assert fields == spdy_peer.REPLY
                case Headers(stream, fields, fin):
                    assert fields == spdy_peer.REPLY
                    self.saw_trailers.add(stream.id)
                case Data(stream, data, fin):
                    assert data == pattern(stream.id, self.received[stream.id], len(data))
                    self.received[stream.id] += len(data)
                case Reset(stream, status):
                    assert status in (3, 5)
                    self.gave_up.add(stream.id)
                    continue
                case Writable(stream):
                    assert stream.pending_bytes == 0
                    self.waiting.remove(stream.id)
                    continue
                case _:
                    continue
            assert stream.id not in self.saw_end
            if fin:
                self.saw_end.add(stream.id)

    def reset(self, stream: Stream) -> None:
        if not stream.is_gone:
            self.session.reset(stream, 5)
            self.gave_up.add(stream.id)
            assert stream.pending_bytes == 0

    def consume(self, stream: Stream, size: int) -> None:
        size = min(size, self.received[stream.id] - self.consumed[stream.id])
        self.consumed[stream.id] += size
        self.session.consumed(stream, size)

    def write(self, other: "End") -> None:
        output = b"".join(self.session.take_output())
        for frame in spdy_peer.split(output):
            self.windows.sent(frame)
        other.inbox += output

    def read(self, size: int) -> None:
        data = bytes(self.inbox[:size])
        del self.inbox[:size]
        self.unread += data
        at = 0
        while len(self.unread) >= at + 8 and len(self.unread) >= (
            end := at + 8 + int.from_bytes(self.unread[at + 5 : at + 8], "big")
        ):
            for frame in spdy_peer.split(bytes(self.unread[at:end])):
                self.windows.got(frame)
            at = end
        del self.unread[:at]
        self.hear(self.session.receive(data))


class Link:
    def __init__(self, windows: tuple[int, int, int, int]) -> None:
        a = End(opens_odd=True, stream_window=windows[0], session_window=windows[1])
        b = End(opens_odd=False, stream_window=windows[2], session_window=windows[3])
        self.ends = (a, b)
        self.write()

    def write(self) -> None:
        self.ends[0].write(self.ends[1])
        self.ends[1].write(self.ends[0])

    def do(self, op: str, side: int, which: int, size: int, fin: bool) -> None:
        end = self.ends[side]
        stream = end.streams[which % len(end.streams)] if end.streams else None
        if op == "open":
            end.open(fin)
        elif op == "hold":
            end.session.hold()
        elif op == "release":
            end.hear(end.session.release())
        elif op == "read":
            end.read(size)
        elif op == "capacity":
            end.session.set_max_concurrent(size)
        elif op == "ping":
            end.session.ping()
        elif op == "goaway":
            end.session.goaway()
        elif stream is not None:
            if op == "reset":
                end.reset(stream)
            elif op == "consume":
                end.consume(stream, size)
            else:
                end.send(stream, size, fin, op == "trailers")
        self.write()

    def settle(self) -> None:
        """Everybody ends what they began, and reads and consumes all there is."""
        for _ in range(10_000):
            for side, end in enumerate(self.ends):
                self.do("release", side, 0, 0, False)
                self.do("read", side, 0, 10**9, False)
                for stream in list(end.session.streams.values()):
                    end.send(stream, 0, True, False)
                for stream in end.streams:
                    end.consume(stream, 10**9)
                self.write()
            if not any(end.inbox or end.session.streams for end in self.ends):
                return
        raise AssertionError(f"it goes on for ever: {[(end.session, end.session.streams) for end in self.ends]}")

    def check(self) -> None:
        for end, other in (self.ends, self.ends[::-1]):
            assert end.session.error is None
            assert end.session.streams == {}
            assert end.session._table.peer_count == 0
            assert not end.waiting - end.gave_up
            gave_up = end.gave_up | other.gave_up
            for stream in end.streams:
                if stream.id not in gave_up:
                    assert end.given[stream.id] == other.received[stream.id]
                    assert (stream.id in end.ended) == (stream.id in other.saw_end)
                    assert (stream.id in end.gave_trailers) == (stream.id in other.saw_trailers)
                else:
                    assert other.received.get(stream.id, 0) <= end.given[stream.id]
            # What the peer may send and what it has not been told yet make the whole window again.
            window = end.session._window
            assert window.available + window.owed == end.session_window
            assert other.session._queue.window.available == window.available == other.windows.session


ops_of_two = st.tuples(
    st.sampled_from(
        ["open", "open", "send", "send", "send", "send", "trailers", "read", "read", "read", "consume", "consume"]
        + ["hold", "release", "reset", "capacity", "ping", "goaway"]
    ),
    st.integers(0, 1),
    st.integers(0, 10),
    st.sampled_from([0, 1, 8, 13, 100, 1000, 20_000, 65536, 65537, 100_000, 300_000]),
    st.sampled_from([False, False, True]),
)
window_sizes = st.sampled_from([3000, 16384, 65536, 100_000, 262_144])
session_window_sizes = st.sampled_from([65536, 65537, 100_000, 1_000_000])


@given(
    st.tuples(window_sizes, session_window_sizes, window_sizes, session_window_sizes),
    st.lists(ops_of_two, min_size=25, max_size=100),
)
@settings(max_examples=300, deadline=None)
def test_two_sessions_agree(windows: tuple[int, int, int, int], ops: list[tuple[str, int, int, int, bool]]) -> None:
    link = Link(windows)
    for op in ops:
        link.do(*op)
    link.settle()
    link.check()
