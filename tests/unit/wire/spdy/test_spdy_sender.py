"""What a session is asked to say, and what it says."""

from typing import Any

import pytest
from tests import spdy_peer
from tests.spdy_peer import Frame, Peer
from tests.support.each import each

from zerogate.wire.spdy.events import StreamOpened
from zerogate.wire.spdy.frames import MAX_STREAM_ID, RstStatus
from zerogate.wire.spdy.headers import MAX_BLOCK_BYTES, BlockTooLargeError, encode_block
from zerogate.wire.spdy.sender import Sender
from zerogate.wire.spdy.session import Session, StreamIdsExhausted
from zerogate.wire.spdy.streams import Stream, StreamStateError

BLOCK = encode_block(spdy_peer.REQUEST)
REPLY_BLOCK = encode_block(spdy_peer.REPLY)


def out(session: Sender) -> list[Frame]:
    return list(spdy_peer.split(session.take_output()))


def quiet_session(*, opens_odd: bool = True, last_stream_id: int = 2**31 - 1) -> Session:
    session = Session(opens_odd=opens_odd, last_stream_id=last_stream_id)
    session.take_output()
    return session


def admitted(session: Session, peer: Peer, stream_id: int = 1, *, fin: bool = True) -> Stream:
    ((stream, _fields, _fin),) = session.receive(peer.syn_stream(stream_id, fin=fin))  # type: ignore[misc]
    assert isinstance(stream, Stream)
    return stream


class TestTheBeginning:
    def test_settings_and_the_session_window(self) -> None:
        session = Session(opens_odd=False, max_concurrent=100, stream_window=300_000, session_window=1_000_000)
        assert b"".join(session.take_output()) == spdy_peer.settings((4, 100), (7, 300_000)) + spdy_peer.words(
            spdy_peer.WINDOW_UPDATE, 0, 1_000_000 - 65536
        )
        assert session.take_output() == []

    def test_defaults(self) -> None:
        session = Session(opens_odd=True)
        assert b"".join(session.take_output()) == spdy_peer.settings((7, 262144)) + spdy_peer.words(
            spdy_peer.WINDOW_UPDATE, 0, 16 * 1024 * 1024 - 65536
        )

    def test_a_session_window_of_64_kib_needs_no_update(self) -> None:
        session = Session(opens_odd=True, session_window=65536, stream_window=1)
        assert b"".join(session.take_output()) == spdy_peer.settings((7, 1))

    @each(
        "options",
        [
            {"stream_window": 0},
            {"stream_window": 2**31},
            {"session_window": 65535},
            {"session_window": 2**31},
            {"last_stream_id": 2**31},
            {"last_stream_id": -1},
        ],
    )
    def test_what_cannot_be_said(self, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"windows of|last stream id"):
            Session(opens_odd=True, **options)


class TestOpening:
    @pytest.mark.parametrize("fin", [False, True])
    def test_a_stream(self, fin: bool) -> None:
        session, peer = quiet_session(), Peer()
        stream = session.open_stream(BLOCK, fin)
        (frame,) = out(session)
        assert frame[:3] == ("SYN_STREAM", int(fin), 1)
        assert frame.body[:6] == bytes(6)
        assert peer.fields(frame) == spdy_peer.REQUEST
        assert session.streams == {1: stream}
        assert stream.id == 1

    def test_ids_go_up_by_two(self) -> None:
        assert [quiet_session().open_stream(BLOCK, fin=True).id for _ in range(2)] == [1, 1]
        for opens_odd, ids in ((True, [1, 3, 5]), (False, [2, 4, 6])):
            session = quiet_session(opens_odd=opens_odd)
            assert [session.open_stream(BLOCK, fin=True).id for _ in range(3)] == ids

    def test_ids_run_out(self) -> None:
        session = quiet_session(last_stream_id=4)
        assert session.ids_left == 2
        assert [session.open_stream(BLOCK, fin=True).id for _ in range(2)] == [1, 3]
        assert session.ids_left == 0
        with pytest.raises(StreamIdsExhausted):
            session.open_stream(BLOCK, fin=True)
        assert [frame.kind for frame in out(session)] == ["SYN_STREAM", "SYN_STREAM"]

    def test_none_after_the_peers_goaway(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        session.receive(spdy_peer.words(spdy_peer.GOAWAY, 0, 0))
        assert session.peer_is_going_away
        assert session.ids_left == 0
        with pytest.raises(StreamIdsExhausted):
            session.open_stream(BLOCK, fin=True)
        stream = admitted(session, peer)
        session.send_reply(stream, REPLY_BLOCK, fin=True)
        (frame,) = out(session)
        assert peer.fields(frame) == spdy_peer.REPLY, "the refused block must not have begun the zlib stream"

    def test_a_block_that_no_peer_would_take_costs_nothing(self) -> None:
        session, peer = quiet_session(), Peer()
        with pytest.raises(BlockTooLargeError):
            session.open_stream(bytes(MAX_BLOCK_BYTES + 1), fin=True)
        assert session.streams == {}
        stream = session.open_stream(BLOCK, fin=True)
        assert stream.id == 1
        (frame,) = out(session)
        assert peer.fields(frame) == spdy_peer.REQUEST

    def test_the_largest_block_passes_to_a_session(self) -> None:
        value = bytes(0x41 + i % 26 for i in range(MAX_BLOCK_BYTES - 13))
        session, other = quiet_session(), quiet_session(opens_odd=False)
        session.open_stream(encode_block({b"x": value}), fin=True)
        (event,) = other.receive(b"".join(session.take_output()))
        assert event[1:] == ({b"x": value}, True)


class TestReplying:
    @pytest.mark.parametrize("fin", [False, True])
    def test_a_reply(self, fin: bool) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer)
        session.send_reply(stream, REPLY_BLOCK, fin)
        (frame,) = out(session)
        assert frame[:3] == ("SYN_REPLY", int(fin), 1)
        assert peer.fields(frame) == spdy_peer.REPLY
        assert session.streams == ({} if fin else {1: stream})

    def test_reply_data_and_trailers_end_a_stream(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer)
        session.send_reply(stream, REPLY_BLOCK, fin=False)
        session.send_data(stream, b"body", fin=False)
        session.send_headers(stream, encode_block({b"x-trailer": b"v"}), fin=True)
        reply, data, trailers = out(session)
        assert peer.fields(reply) == spdy_peer.REPLY
        assert data == Frame("DATA", 0, 1, b"body")
        assert trailers[:3] == ("HEADERS", 1, 1)
        assert peer.fields(trailers) == {b"x-trailer": b"v"}
        assert session.streams == {}
        assert stream.is_gone

    def test_the_stream_stays_while_the_peer_has_not_ended(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer, fin=False)
        session.send_reply(stream, REPLY_BLOCK, fin=True)
        assert session.streams == {1: stream}
        session.receive(spdy_peer.data(1, b"", fin=True))
        assert session.streams == {}

    def test_interim_replies_go_before_the_reply(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer)
        interim = {b":status": b"103"}
        session.send_headers(stream, encode_block(interim), fin=False)
        session.send_reply(stream, REPLY_BLOCK, fin=True)
        assert [(frame.kind, peer.fields(frame)) for frame in out(session)] == [
            ("HEADERS", interim),
            ("SYN_REPLY", spdy_peer.REPLY),
        ]
        assert session.streams == {}

    def test_what_a_state_forbids_is_a_bug_of_ours_and_sends_nothing(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer, fin=False)
        with pytest.raises(StreamStateError, match=r"^DATA on <Stream 1, we are REPLY_DUE, peer is OPEN>$"):
            session.send_data(stream, b"early", fin=False)
        with pytest.raises(StreamStateError, match=r"^HEADERS\+FIN on"):
            session.send_headers(stream, REPLY_BLOCK, fin=True)
        session.send_reply(stream, REPLY_BLOCK, fin=False)
        with pytest.raises(StreamStateError, match=r"^SYN_REPLY on"):
            session.send_reply(stream, REPLY_BLOCK, fin=False)
        session.send_data(stream, b"", fin=True)
        for send in (session.send_reply, session.send_headers, session.send_data):
            with pytest.raises(StreamStateError, match="we are DONE"):
                send(stream, b"", True)
        ours = session.open_stream(BLOCK, fin=False)
        with pytest.raises(StreamStateError, match=r"^SYN_REPLY"):
            session.send_reply(ours, REPLY_BLOCK, fin=False)
        assert [frame.kind for frame in out(session)] == ["SYN_REPLY", "DATA", "SYN_STREAM"]

    def test_after_a_reset_everything_is_dropped(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer, fin=False)
        session.receive(spdy_peer.words(spdy_peer.RST_STREAM, 1, 5))
        session.send_reply(stream, REPLY_BLOCK, fin=False)
        session.send_headers(stream, REPLY_BLOCK, fin=False)
        session.send_data(stream, b"body", fin=True)
        session.send_data(stream, b"body", fin=True)
        session.consumed(stream, 100)
        session.reset(stream, RstStatus.CANCEL)
        assert out(session) == []


class TestEndings:
    def test_reset(self) -> None:
        session = quiet_session()
        stream = session.open_stream(BLOCK, fin=True)
        session.reset(stream, RstStatus.CANCEL)
        session.reset(stream, RstStatus.CANCEL)
        assert out(session)[1:] == [Frame("RST_STREAM", 0, 1, b"\0\0\0\5")]
        assert session.streams == {}
        assert repr(stream) == "<Stream 1, we are RESET, peer is RESET>"

    def test_a_stream_that_ended_well_is_not_reset(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer)
        session.send_reply(stream, REPLY_BLOCK, fin=True)
        session.reset(stream, RstStatus.CANCEL)
        assert [frame.kind for frame in out(session)] == ["SYN_REPLY"]

    def test_goaway(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        assert not session.is_going_away
        admitted(session, peer, 1)
        admitted(session, peer, 7)
        session.goaway()
        assert session.is_going_away
        assert session.receive(peer.syn_stream(9)) == []
        session.goaway(2)
        assert out(session) == [
            Frame("GOAWAY", 0, 7, bytes(4)),
            Frame("RST_STREAM", 0, 9, b"\0\0\0\3"),
            Frame("GOAWAY", 0, 7, b"\0\0\0\2"),
        ]
        assert repr(session).startswith("<Session even, 2 streams, going away, <SendQueue window 65536")

    def test_goaway_before_anything_came(self) -> None:
        session = quiet_session()
        session.goaway()
        assert out(session) == [Frame("GOAWAY", 0, 0, bytes(4))]

    def test_one_that_refuses_nothing(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        admitted(session, peer, 1)
        session.leave()
        assert not session.is_going_away
        (opened,) = session.receive(peer.syn_stream(9))
        assert isinstance(opened, StreamOpened)
        # It may still be said that there is an end to it.
        session.goaway(2)
        assert out(session) == [
            Frame("GOAWAY", 0, MAX_STREAM_ID, bytes(4)),
            Frame("GOAWAY", 0, 9, b"\0\0\0\2"),
        ]


class TestCredit:
    def test_half_a_window(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer, fin=False)
        session.receive(spdy_peer.data(1, bytes(200_000)))
        session.consumed(stream, 131_071)
        assert out(session) == []
        session.consumed(stream, 1)
        assert out(session) == [Frame("WINDOW_UPDATE", 0, 1, (131_072).to_bytes(4, "big"))]
        session.consumed(stream, 68_928)
        assert out(session) == []

    def test_none_after_the_last_data(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer, fin=False)
        session.receive(spdy_peer.data(1, bytes(200_000), fin=True))
        session.consumed(stream, 200_000)
        assert out(session) == []

    def test_the_sessions_is_given_as_data_comes(self) -> None:
        session, peer = Session(opens_odd=False, session_window=100_000), Peer()
        admitted(session, peer, fin=False)
        session.take_output()
        session.receive(spdy_peer.data(1, bytes(49_999)))
        assert out(session) == []
        session.receive(spdy_peer.data(1, bytes(1)))
        assert out(session) == [Frame("WINDOW_UPDATE", 0, 0, (50_000).to_bytes(4, "big"))]


class TestOtherFrames:
    def test_max_concurrent(self) -> None:
        session = quiet_session()
        session.set_max_concurrent(0)
        assert b"".join(session.take_output()) == spdy_peer.settings((4, 0))


class TestBatches:
    def test_no_more_is_framed_in_one_go_than_a_batch(self) -> None:
        session = Session(opens_odd=True, max_batch_bytes=1000)
        session.take_output()
        streams = [session.open_stream(BLOCK, fin=False) for _ in range(3)]
        for stream in streams:
            session.send_data(stream, b"x" * 600, True)
        assert session.is_held
        assert [frame.stream_id for frame in out(session) if frame.kind == "DATA"] == [1, 3]
        session.release()
        assert not session.is_held
        assert [frame.stream_id for frame in out(session) if frame.kind == "DATA"] == [5]


class TestWholeReplies:
    """`send_whole_reply` is `send_reply` and `send_data`, whatever the windows, the transport and the peer allow."""

    @each("fin", [True, False])
    @each("size", [0, 1, 1000, 65536, 65537])
    @each("stream_window", [0, 1000, 262144])
    @each("is_held", [False, True])
    def test_they_are_the_sum_of_their_parts(self, fin: bool, size: int, stream_window: int, is_held: bool) -> None:
        outputs, windows = [], []
        for is_whole in (True, False):
            session, peer = quiet_session(opens_odd=False), Peer()
            session.receive(spdy_peer.settings((7, stream_window)))
            stream = admitted(session, peer, fin=fin)
            if is_held:
                session.hold()
            if is_whole:
                session.send_whole_reply(stream, REPLY_BLOCK, b"x" * size)
            else:
                session.send_reply(stream, REPLY_BLOCK, False)
                session.send_data(stream, b"x" * size, True)
            sent = out(session)
            session.release()
            outputs.append([*sent, *out(session)])
            windows.append(
                (stream.send_window, stream.pending_bytes, stream.local, stream.is_gone, session.streams == {})
            )
        assert outputs[0] == outputs[1]
        assert windows[0] == windows[1]

    def test_on_a_stream_that_is_gone_they_are_dropped(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer)
        session.reset(stream, RstStatus.CANCEL)
        out(session)
        session.send_whole_reply(stream, REPLY_BLOCK, b"x")
        assert out(session) == []

    def test_a_second_one_is_a_fault_of_ours(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer)
        session.send_whole_reply(stream, REPLY_BLOCK, b"x")
        with pytest.raises(StreamStateError):
            session.send_whole_reply(stream, REPLY_BLOCK, b"x")


class TestWhatCannotBeSent:
    TOO_LARGE = encode_block({b"x": b"y" * MAX_BLOCK_BYTES})

    def test_replies_with_too_large_a_head_cost_no_window(self) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        for stream_id in range(1, 2 * 1000, 2):
            stream = admitted(session, peer, stream_id)
            with pytest.raises(BlockTooLargeError):
                session.send_whole_reply(stream, self.TOO_LARGE, b"x" * 1000)
            assert stream.send_window == 65536
            session.reset(stream, RstStatus.INTERNAL_ERROR)
        assert {frame.kind for frame in out(session)} == {"RST_STREAM"}
        stream = admitted(session, peer, 2001)
        session.send_whole_reply(stream, REPLY_BLOCK, b"x" * 1000)
        assert [(frame.kind, frame.fin) for frame in out(session)] == [("SYN_REPLY", False), ("DATA", True)]

    @each("data", ["text", None, 5, ["a"]])
    def test_what_is_no_octets_is_told_at_the_call(self, data: Any) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream, other = admitted(session, peer), admitted(session, peer, 3)
        with pytest.raises(TypeError):
            session.send_whole_reply(stream, REPLY_BLOCK, data)
        with pytest.raises(TypeError):
            session.send_whole_reply(stream, data, b"x")
        with pytest.raises(TypeError):
            session.send_reply(stream, data, False)
        session.send_reply(stream, REPLY_BLOCK, False)
        with pytest.raises(TypeError):
            session.send_data(stream, data, True)
        session.hold()
        session.send_data(stream, b"waits", False)
        with pytest.raises(TypeError):
            session.send_headers(stream, data, True)
        session.release()
        session.send_data(stream, b"", True)
        session.send_whole_reply(other, REPLY_BLOCK, b"x")
        frames = out(session)
        assert [(frame.kind, frame.stream_id, frame.fin) for frame in frames] == [
            ("SYN_REPLY", 1, False),
            ("DATA", 1, False),
            ("DATA", 1, True),
            ("SYN_REPLY", 3, False),
            ("DATA", 3, True),
        ]
        assert [peer.fields(frame) for frame in frames if frame.kind == "SYN_REPLY"] == [spdy_peer.REPLY] * 2

    @each("kind", [bytes, bytearray, memoryview])
    @each("size", [100, 65535, MAX_BLOCK_BYTES])
    def test_a_block_of_up_to_the_limit_may_be_a_buffer(self, kind: Any, size: int) -> None:
        fields = {b"x": b"y" * (size - 13)}
        block = encode_block(fields)
        assert len(block) == size
        session, peer = quiet_session(), Peer()
        session.open_stream(kind(block), fin=True)
        (frame,) = out(session)
        assert peer.fields(frame) == fields

    @each("data", ["text", None, 5])
    def test_what_is_no_octets_is_not_heard(self, data: Any) -> None:
        session = quiet_session()
        with pytest.raises(TypeError):
            session.receive(data)
        assert session.error is None

    @pytest.mark.parametrize("kind", [bytearray, memoryview])
    def test_what_comes_may_be_a_buffer(self, kind: Any) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        assert len(session.receive(kind(peer.syn_stream(1, fin=True)))) == 1

    @pytest.mark.parametrize("kind", [bytearray, memoryview])
    def test_buffers_are_copied(self, kind: Any) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer)
        buffer, block = bytearray(b"abc"), bytearray(REPLY_BLOCK)
        session.send_whole_reply(stream, kind(block), kind(buffer))
        buffer[:] = block[:] = b"...."
        reply, data = out(session)
        assert peer.fields(reply) == spdy_peer.REPLY
        assert data.body == b"abc"

    @pytest.mark.parametrize("size", [-1, 2**31])
    def test_no_more_is_given_back_than_can_have_come(self, size: int) -> None:
        session, peer = quiet_session(opens_odd=False), Peer()
        stream = admitted(session, peer, fin=False)
        with pytest.raises(ValueError, match="cannot have come"):
            session.consumed(stream, size)
