"""SPDY: however the input is cut, the same comes out; whatever it is, nothing but a SpdyError."""

import itertools
from collections.abc import Iterable, Iterator

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests import spdy_peer
from tests.spdy_end import BLOCK, apart
from tests.spdy_peer import Peer

from zerogate.errors import SpdyError
from zerogate.wire.spdy.events import Data, Event
from zerogate.wire.spdy.frames import FrameReader
from zerogate.wire.spdy.session import Session
from zerogate.wire.spdy.streams import Stream

octets = st.binary(max_size=40)
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
    for event in apart(events):
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
@settings(max_examples=4 * settings().max_examples)
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
