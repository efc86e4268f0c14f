"""SPDY/3.1 as other implementations speak it: frames of npm's spdy-transport, and frames that must be refused.

`spdy31_vectors.json` has the frames of whole connections with their meaning (`contexts`), and bad ones with what must
come of them (`negative`). What must come of them is here again as a table, since the file says it in words.
"""

import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests import spdy_peer
from tests.spdy_end import apart
from tests.spdy_peer import REQUEST, Frame
from tests.support.each import each

from zerogate.wire.spdy import frames
from zerogate.wire.spdy.events import Data, Event, GoAway, Headers, Reply, Reset, Settings, StreamOpened
from zerogate.wire.spdy.frames import FrameReader, FrameType, GoAwayStatus, RstStatus
from zerogate.wire.spdy.headers import BlockReader, decode_block, encode_block
from zerogate.wire.spdy.session import Session
from zerogate.wire.spdy.streams import Stream

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent.parent / "data" / "spdy31_vectors.json").read_text())
CONTEXTS: dict[str, list[dict[str, Any]]] = VECTORS["contexts"]
NEGATIVE: dict[str, dict[str, Any]] = {vector["id"]: vector for vector in VECTORS["negative"]}
BLOCK_OFFSETS = {FrameType.SYN_STREAM: 6, FrameType.SYN_REPLY: 0, FrameType.HEADERS: 0}


def chunks(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def pairs_of(meaning: dict[str, Any]) -> dict[bytes, bytes]:
    return {name.encode("latin-1"): value.encode("latin-1") for name, value in meaning["headers"]}


class TestFramesAndBlocks:
    """Each frame alone, down to its meaning; the blocks of a context through one zlib stream."""

    @each("context", [name for name in CONTEXTS if name != "each_on_fresh_context"])
    @each("size", [1, 7, 10**6])
    def test_a_context(self, context: str, size: int) -> None:
        reader, blocks = FrameReader(), BlockReader()
        for vector in CONTEXTS[context]:
            self.check(vector, reader, blocks, size)
        assert reader.error is None

    @each("vector", CONTEXTS["each_on_fresh_context"])
    def test_a_fresh_context(self, vector: dict[str, Any]) -> None:
        self.check(vector, FrameReader(), BlockReader(), 10**6)

    def check(self, vector: dict[str, Any], reader: FrameReader, blocks: BlockReader, size: int) -> None:
        meaning = vector["meaning"]
        found = [frame for chunk in chunks(bytes.fromhex(vector["hex"]), size) for frame in reader.receive(chunk)]
        kind, flags, word, _, _ = found[0]
        assert flags == meaning["flags"] if "flags" in meaning else flags == meaning["fin"]
        if meaning["type"] == "DATA":
            assert word == meaning["stream_id"]
            assert b"".join(frame[4] for frame in found).hex() == meaning["payload_hex"]
            return
        ((_, _, _, length, payload),) = found
        assert FrameType(kind).name == meaning["type"]
        assert length == meaning["length"]
        if kind in BLOCK_OFFSETS:
            assert word == meaning["stream_id"]
            raw = blocks.unwrap(payload[BLOCK_OFFSETS[FrameType(kind)] :])
            beginning, _, abridged = vector["header_block_raw_hex"].partition("...")  # "...(16490 bytes)"
            assert raw.hex().startswith(beginning)
            assert len(raw) == (int(abridged.strip("(bytes )")) if abridged else len(beginning) // 2)
            assert decode_block(raw) == pairs_of(meaning)
            assert encode_block(decode_block(raw)) == raw
        elif kind == FrameType.SETTINGS:
            assert frames.parse_settings(word, payload) == {e["id"]: e["value"] for e in meaning["entries"]}
        else:
            key = {3: "stream_id", 6: "id", 7: "last_good", 9: "stream_id"}[kind]
            second = {3: "status", 6: None, 7: "status", 9: "delta"}[kind]
            assert word == meaning[key]
            assert not second or int.from_bytes(payload[:4], "big") == meaning[second]

    @each("context", CONTEXTS)
    def test_we_write_the_same_frames(self, context: str) -> None:
        """Where there is only one way to: no blocks, no flags of SETTINGS, no debug text."""
        for vector in CONTEXTS[context]:
            meaning = vector["meaning"]
            if "warning" in vector:
                continue
            match meaning["type"]:
                case "DATA":
                    body = bytes.fromhex(meaning["payload_hex"])
                    ours = frames.data_header(meaning["stream_id"], len(body), meaning["fin"]) + body
                case "RST_STREAM":
                    ours = frames.rst_stream(meaning["stream_id"], meaning["status"])
                case "PING":
                    ours = frames.ping(meaning["id"])
                case "GOAWAY":
                    ours = frames.goaway(meaning["last_good"], meaning["status"])
                case "WINDOW_UPDATE":
                    ours = frames.window_update(meaning["stream_id"], meaning["delta"])
                case _:
                    continue
            assert ours.hex() == vector["hex"]


def event_names(events: list[Event]) -> list[tuple[Any, ...]]:
    """Events without their streams' identity: (type, stream id, ...)."""
    return [
        (type(event).__name__, *((event[0].id, *event[1:]) if isinstance(event[0], Stream) else event))
        for event in events
    ]


class TestSessions:
    """The connections as a session hears them, with what the draft makes of what is odd about them."""

    @pytest.mark.parametrize("size", [1, 10**6])
    def test_client_to_server(self, size: int) -> None:
        context = CONTEXTS["client_to_server_level_default"]
        fields = {v["meaning"]["stream_id"]: pairs_of(v["meaning"]) for v in context if v["call"] == "requestFrame"}
        session = Session(opens_odd=False)
        session.take_output()
        octets = bytes.fromhex("".join(vector["hex"] for vector in context))
        events = [event for chunk in chunks(octets, size) for event in apart(session.receive(chunk))]
        data = [(name, *rest) for name, *rest in event_names(events) if name == "Data"]
        others = [(name, *rest) for name, *rest in event_names(events) if name != "Data"]
        assert others == [
            ("Settings", 100),
            ("StreamOpened", 1, fields[1], False),
            ("StreamOpened", 3, fields[3], True),
            ("StreamOpened", 5, fields[5], False),
            ("StreamOpened", 7, fields[7], False),
            ("Reset", 5, RstStatus.STREAM_ALREADY_CLOSED),  # HEADERS after the FIN of its DATA
            ("Reset", 7, RstStatus.CANCEL),
            ("GoAway", 0, 0),
            ("StreamOpened", 2147483647, fields[2147483647], False),
        ]
        assert b"".join(piece for _, stream_id, piece, _ in data if stream_id == 5) == b"hello"
        assert [(stream_id, fin) for _, stream_id, _, fin in data if fin] == [(5, True), (1, True)]
        assert list(spdy_peer.split(session.take_output())) == [
            Frame("RST_STREAM", 0, 5, b"\0\0\0\x09"),
            Frame("PING", 0, 1, b""),
        ]
        assert session.error is None
        assert sorted(session.streams) == [1, 3, 2147483647]

    @pytest.mark.parametrize("size", [1, 10**6])
    def test_server_to_client(self, size: int) -> None:
        context = CONTEXTS["server_to_client_level_default"]
        fields = {v["meaning"]["stream_id"]: pairs_of(v["meaning"]) for v in context if v["call"] == "responseFrame"}
        session = Session(opens_odd=True)
        for _ in range(6):
            session.open_stream(encode_block(REQUEST), fin=True)
        session.take_output()
        octets = bytes.fromhex("".join(vector["hex"] for vector in context))
        events = [event for chunk in chunks(octets, size) for event in apart(session.receive(chunk))]
        data = [event for event in events if isinstance(event, Data)]
        assert b"".join(event.data for event in data) == b"hello world"
        assert [event.fin for event in data][-1:] == [True]
        assert event_names([event for event in events if not isinstance(event, Data)]) == [
            ("Settings", None),
            ("Reply", 1, fields[1], False),
            ("Reply", 3, fields[3], False),
            ("Reply", 5, fields[5], False),
            ("Reply", 7, fields[7], False),
            ("Headers", 3, {b"x-trailer": b"v"}, False),
            ("Reset", 7, RstStatus.INTERNAL_ERROR),
            ("Reset", 11, RstStatus.FLOW_CONTROL_ERROR),  # with debug text behind the status
            ("GoAway", 7, GoAwayStatus.PROTOCOL_ERROR),
            ("Reset", 9, RstStatus.REFUSED_STREAM),
            ("GoAway", 2147483647, GoAwayStatus.INTERNAL_ERROR),
        ]
        assert {Reply, Headers, Settings, GoAway, Reset} <= {type(event) for event in events}
        assert list(spdy_peer.split(session.take_output())) == [Frame("PING", 0, 2, b"")]
        assert session.error is None
        assert sorted(session.streams) == [3, 5]

    @pytest.mark.parametrize("context", ["client_to_server_level_none", "large_header_blocks"])
    def test_requests(self, context: str) -> None:
        vectors = [vector for vector in CONTEXTS[context] if vector["call"] == "requestFrame"]
        session = Session(opens_odd=False)
        events = session.receive(bytes.fromhex("".join(vector["hex"] for vector in CONTEXTS[context])))
        opened = [event for event in events if isinstance(event, StreamOpened)]
        assert [event.fields for event in opened] == [pairs_of(vector["meaning"]) for vector in vectors]


class Outcome(NamedTuple):
    """What must come of a bad frame. Without `error` the session lives on, its zlib stream included."""

    error: int | None = None
    rst: tuple[tuple[int, int], ...] = ()
    opened: tuple[int, ...] = ()
    answers: tuple[Frame, ...] = ()


PROTOCOL = GoAwayStatus.PROTOCOL_ERROR.value
FLOW = GoAwayStatus.FLOW_CONTROL_ERROR.value
ENDS = Outcome(error=PROTOCOL)
BAD_FIELDS = Outcome(rst=((1, RstStatus.PROTOCOL_ERROR),))
PONG = Frame("PING", 0, 1, b"")

OUTCOMES: dict[str, Outcome] = {
    "ver2": ENDS,
    "ver4": ENDS,
    "syn-decreasing": Outcome(error=PROTOCOL, opened=(5,)),
    "syn-dup-id": Outcome(rst=((1, RstStatus.PROTOCOL_ERROR),), opened=(1,)),
    "syn-nodata": ENDS,
    "zlib-garbage": ENDS,
    "zlib-finish": Outcome(opened=(1,)),
    "kv-count-2more": ENDS,
    "kv-count-2less": ENDS,
    "kv-namelen-ffffffff": ENDS,
    "kv-upper": BAD_FIELDS,
    "kv-dup": BAD_FIELDS,
    "kv-emptyname": BAD_FIELDS,
    "kv-nul-double": BAD_FIELDS,
    "kv-crlf": BAD_FIELDS,
    "kv-name-colon": BAD_FIELDS,
    # HTTP's matters: who reads the fields strips or refuses. Here, nothing in a block can say where a body ends.
    "kv-hop": Outcome(opened=(1,)),
    "kv-nomethod": Outcome(opened=(1,)),
    "kv-nopath": Outcome(opened=(1,)),
    "data-idle": Outcome(rst=((1, RstStatus.INVALID_STREAM),)),
    "data-id0": ENDS,
    "data-compressed-flag": Outcome(rst=((1, RstStatus.PROTOCOL_ERROR),), opened=(1,)),
    "data-over-window": Outcome(rst=((1, RstStatus.FLOW_CONTROL_ERROR),), opened=(1,)),
    "rst-len4": ENDS,
    "rst-status0": ENDS,
    "rst-id0": ENDS,
    "rst-idle": Outcome(answers=(PONG,)),
    "set-count-ffffffff": ENDS,
    "set-count-mismatch": ENDS,
    "set-trailing": ENDS,
    "set-window-2e31": Outcome(error=FLOW),
    "set-unknown-id": Outcome(answers=(PONG,)),
    "ping-len3": ENDS,
    "ping-len5": ENDS,
    "ping-even-unsolicited": Outcome(),
    "wu-delta0": ENDS,
    "wu-overflow-session": Outcome(error=FLOW),
    "wu-len4": ENDS,
    "syn-unidirectional": Outcome(rst=((1, RstStatus.REFUSED_STREAM),)),
    "syn-assoc-from-client": Outcome(rst=((1, RstStatus.REFUSED_STREAM),)),
    "reply-unknown": Outcome(rst=((41, RstStatus.INVALID_STREAM),)),
    "headers-idle": Outcome(rst=((41, RstStatus.INVALID_STREAM),)),
    "frame-16m-header-only": ENDS,
    "truncated": Outcome(),
    "http1-bytes": ENDS,
    "h2-preface": ENDS,
}

# A stored block that goes on in whatever zlib stream was flushed before it: proof that the stream is still followed.
NEXT_RAW = spdy_peer.raw_block(REQUEST)
NEXT_BLOCK = b"\0" + len(NEXT_RAW).to_bytes(2, "little") + (len(NEXT_RAW) ^ 0xFFFF).to_bytes(2, "little") + NEXT_RAW
NEXT_SYN_STREAM = spdy_peer.control(1, (1001).to_bytes(4, "big") + bytes(6) + NEXT_BLOCK + b"\0\0\0\xff\xff")

SYN = bytes.fromhex(NEGATIVE["syn-dup-id"]["hex"])[: 8 + 0x45]  # the first of its two SYN_STREAMs, which is in order


def octets_of(vector_id: str) -> bytes:
    vector = NEGATIVE[vector_id]
    if vector["hex"] is not None:
        return bytes.fromhex(vector["hex"])
    assert vector["generate"] == "hex of 'syn' vector then 5 DATA frames of 16384 zero bytes on stream 1"
    octets = SYN + spdy_peer.data(1, bytes(16384)) * 5
    assert hashlib.sha256(octets).hexdigest() == vector["hex_sha256"]
    return octets


def heard(octets: bytes, size: int) -> tuple[Session, list[Event]]:
    """A session with the window that the vectors are made for, after it heard the octets."""
    session = Session(opens_odd=False, stream_window=65536)
    session.take_output()
    return session, [event for chunk in chunks(octets, size) for event in apart(session.receive(chunk))]


def test_every_vector_has_an_outcome() -> None:
    assert list(OUTCOMES) == list(NEGATIVE)


@each("size", [1, 3, 10**6])
@each("vector_id", OUTCOMES)
def test_bad_frames(vector_id: str, size: int) -> None:
    outcome = OUTCOMES[vector_id]
    session, events = heard(octets_of(vector_id), size)
    answers = [frame for frame in spdy_peer.split(session.take_output()) if frame.kind != "WINDOW_UPDATE"]
    if outcome.error is not None:
        assert session.error is not None
        goaway = answers.pop()
        assert (goaway.kind, goaway.number, session.error.status) == ("GOAWAY", outcome.error, outcome.error)
    else:
        assert session.error is None
    assert tuple((f.stream_id, f.number) for f in answers if f.kind == "RST_STREAM") == outcome.rst
    assert tuple(frame for frame in answers if frame.kind != "RST_STREAM") == outcome.answers
    assert tuple(event.stream.id for event in events if isinstance(event, StreamOpened)) == outcome.opened
    resets = [(event.stream.id, event.status) for event in events if isinstance(event, Reset)]
    assert resets == [rst for rst in outcome.rst if rst[0] in outcome.opened]
    assert set(session.streams) == set(outcome.opened) - {stream_id for stream_id, _ in outcome.rst}


@each("vector_id", [i for i, o in OUTCOMES.items() if o.error is None and i not in ("zlib-finish", "truncated")])
def test_after_a_stream_error_the_session_goes_on(vector_id: str) -> None:
    octets = octets_of(vector_id)
    if b"\xe3\xc6\xa7\xc2" not in octets:  # nothing has begun the zlib stream yet
        octets += spdy_peer.Peer().syn_stream(999)
    session, _ = heard(octets, 10**6)
    session.take_output()
    (event,) = session.receive(NEXT_SYN_STREAM)
    assert isinstance(event, StreamOpened)
    assert (event.stream.id, event.fields) == (1001, REQUEST)


def test_a_block_on_an_ended_zlib_stream_ends_the_session() -> None:
    session, _ = heard(octets_of("zlib-finish"), 10**6)
    assert session.receive(NEXT_SYN_STREAM) == []
    assert session.error is not None
    assert "after the end of its zlib stream" in session.error.reason


def test_a_truncated_frame_is_waited_for() -> None:
    beginning = octets_of("truncated")
    assert SYN.startswith(beginning)
    session, _ = heard(beginning, 10**6)
    (event,) = session.receive(SYN[len(beginning) :])
    assert isinstance(event, StreamOpened)


def test_what_is_over_the_window_is_not_handed_on() -> None:
    _, events = heard(octets_of("data-over-window"), 10**6)
    assert sum(len(event.data) for event in events if isinstance(event, Data)) == 65536


def test_transfer_encoding_frames_nothing() -> None:
    session, (event,) = heard(octets_of("kv-hop"), 10**6)
    assert isinstance(event, StreamOpened)
    assert event.fields[b"transfer-encoding"] == b"chunked"
    assert session.receive(spdy_peer.data(1, b"0\r\n\r\n", fin=True)) == [Data(event.stream, b"0\r\n\r\n", True)]


@each("vector_id", ["kv-namelen-ffffffff", "set-count-ffffffff", "frame-16m-header-only"])
def test_a_huge_count_or_length_allocates_nothing(vector_id: str) -> None:
    octets = octets_of(vector_id)
    session = Session(opens_odd=False)
    session.receive(spdy_peer.words(spdy_peer.PING, 2))
    tracemalloc.start()
    session.receive(octets)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert session.error is not None
    assert peak < 100_000  # zlib's first buffer is 16 KiB
