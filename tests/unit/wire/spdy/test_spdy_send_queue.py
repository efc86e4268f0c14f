"""Who is next, and how much: seen in the frames that a session puts out."""

import tracemalloc

import pytest
from tests import spdy_peer
from tests.spdy_peer import Frame, Peer
from tests.support.each import each

from zerogate.wire.spdy.events import Data, Reset, Settings, Writable
from zerogate.wire.spdy.frames import MAX_DATA_BYTES
from zerogate.wire.spdy.headers import MAX_BLOCK_BYTES, BlockTooLargeError, encode_block
from zerogate.wire.spdy.session import Session
from zerogate.wire.spdy.streams import Stream, StreamStateError

WIDE = 2**31 - 1 - 65536
REQUEST_BLOCK = encode_block(spdy_peer.REQUEST)
TRAILER_BLOCK = encode_block({b"x-trailer": b"v"})


class Sending:
    """A session with open streams whose windows the test opens, and what comes out of it."""

    def __init__(self, streams: int = 1, *, session_credit: int = WIDE, stream_credit: int = WIDE) -> None:
        self.session = Session(opens_odd=True)
        self.peer = Peer()
        for credit, stream_id in ((session_credit, 0), *((stream_credit, 2 * i + 1) for i in range(streams))):
            if stream_id:
                self.session.open_stream(REQUEST_BLOCK, fin=False)
            if credit:
                self.credit(credit, stream_id)
        for frame in spdy_peer.split(self.session.take_output()):
            if frame.kind == "SYN_STREAM":
                self.peer.fields(frame)

    def __getitem__(self, number: int) -> Stream:
        return self.session.streams[2 * number + 1]

    def credit(self, size: int, stream_id: int = 0) -> list[object]:
        return list(self.session.receive(spdy_peer.words(spdy_peer.WINDOW_UPDATE, stream_id, size)))

    def out(self) -> list[Frame]:
        return list(spdy_peer.split(self.session.take_output()))

    def sizes(self) -> list[tuple[int, int]]:
        """Stream and size of the DATA frames that came out."""
        frames = self.out()
        assert {frame.kind for frame in frames} <= {"DATA"}
        return [(frame.stream_id, len(frame.body)) for frame in frames]


def test_what_the_windows_allow_goes_at_once_and_uncopied() -> None:
    sending = Sending()
    body = b"x" * 1000
    sending.session.send_data(sending[0], body, fin=False)
    assert sending.session.take_output()[1] is body
    assert (sending[0].pending_bytes, sending[0].pending) == (0, None)


def test_empty_data_is_no_frame_and_an_empty_end_is_one() -> None:
    sending = Sending()
    sending.session.send_data(sending[0], b"", fin=False)
    assert sending.out() == []
    sending.session.send_data(sending[0], b"", fin=True)
    assert sending.out() == [Frame("DATA", 1, 1, b"")]


@each("size", [MAX_DATA_BYTES, MAX_DATA_BYTES + 1, 3 * MAX_DATA_BYTES - 1, 10**6])
def test_frames_are_cut_at_64_kib(size: int) -> None:
    sending = Sending()
    body = bytes(range(256)) * (size // 256 + 1)
    sending.session.send_data(sending[0], body[:size], fin=True)
    frames = sending.out()
    assert b"".join(frame.body for frame in frames) == body[:size]
    assert [len(frame.body) for frame in frames[:-1]] == [MAX_DATA_BYTES] * (len(frames) - 1)
    assert [frame.fin for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert sending[0].pending_bytes == 0


def test_a_stream_waits_for_its_own_window() -> None:
    sending = Sending(2, stream_credit=0)
    sending.session.send_data(sending[0], bytes(65536 + 10), fin=True)
    assert sending.sizes() == [(1, 65536)]
    assert sending[0].pending_bytes == 10
    sending.session.send_data(sending[1], b"other", fin=False)
    assert sending.sizes() == [(3, 5)]
    assert sending.credit(9, 1) == []
    assert [(frame.body, frame.fin) for frame in sending.out()] == [(bytes(9), False)]
    stream = sending[0]
    assert sending.credit(9, 1) == [Writable(stream)]
    assert [(frame.body, frame.fin) for frame in sending.out()] == [(bytes(1), True)]
    assert repr(stream) == "<Stream 1, we are DONE, peer is REPLY_DUE>"


def test_all_wait_for_the_sessions_window_and_take_turns() -> None:
    sending = Sending(3, session_credit=0)
    full = MAX_DATA_BYTES
    for number, size in ((0, 65536), (1, 3 * full + 3392), (2, full + 4464), (0, full + 34_464)):
        sending.session.send_data(sending[number], bytes(size), fin=False)
    assert sending.sizes() == [(1, 65536)]
    credit = 4 * full + 4464 + 33_392
    assert sending.credit(credit) == [Writable(sending[2])]
    assert sending.sizes() == [(3, full), (5, full), (1, full), (3, full), (5, 4464), (1, 33_392)]
    assert sending.credit(WIDE - credit) == [Writable(sending[0]), Writable(sending[1])]
    assert sending.sizes() == [(3, full), (1, 1072), (3, 3392)]
    assert sending[1].pending_bytes == 0


def test_nobody_overtakes_who_waits_for_the_sessions_window() -> None:
    sending = Sending(2, session_credit=0)
    sending.session.send_data(sending[0], bytes(65537), fin=False)
    sending.session.send_data(sending[1], b"late", fin=False)
    sending.out()
    sending.credit(1)
    assert sending.sizes() == [(1, 1)]
    assert sending.credit(1) == []
    assert sending.sizes() == [(3, 1)]


def test_small_pieces_that_waited_go_in_one_frame() -> None:
    sending = Sending()
    sending.session.hold()
    for letter in b"abcdef":
        sending.session.send_data(sending[0], bytes([letter]), fin=False)
    sending.session.send_data(sending[0], b"", fin=True)
    assert sending[0].pending_bytes == 6
    stream = sending[0]
    assert sending.session.release() == [Writable(stream)]
    assert sending.out() == [Frame("DATA", 1, 1, b"abcdef")]


def test_while_held_only_data_waits() -> None:
    sending = Sending(2, session_credit=0)
    session = sending.session
    session.hold()
    session.send_data(sending[0], b"one", fin=False)
    session.send_data(sending[1], b"two", fin=True)
    opened = session.open_stream(REQUEST_BLOCK, fin=False)
    session.reset(opened, 5)
    assert sending.credit(1000) == []
    assert [frame.kind for frame in sending.out()] == ["SYN_STREAM", "RST_STREAM"]
    assert repr(session).endswith("<SendQueue held, window 66536, 2 streams waiting>>")
    streams = sending[0], sending[1]
    assert session.release() == [Writable(stream) for stream in streams]
    assert [(frame.stream_id, frame.body, frame.fin) for frame in sending.out()] == [
        (1, b"one", False),
        (3, b"two", True),
    ]
    assert session.release() == []


@pytest.mark.parametrize("held", [False, True])
def test_an_end_needs_no_window(held: bool) -> None:
    sending = Sending(session_credit=0, stream_credit=0)
    sending.session.send_data(sending[0], bytes(65536), fin=False)
    sending.out()
    if held:
        sending.session.hold()
    sending.session.send_data(sending[0], b"", fin=True)
    if held:
        assert sending.out() == []
        assert repr(sending[0]) == "<Stream 1, we are ENDING, peer is REPLY_DUE>"
        assert sending.session.release() == []
    assert sending.out() == [Frame("DATA", 1, 1, b"")]
    assert repr(sending[0]) == "<Stream 1, we are DONE, peer is REPLY_DUE>"


def test_trailers_wait_behind_data() -> None:
    sending = Sending(2, stream_credit=0)
    session = sending.session
    session.send_data(sending[0], bytes(65537), fin=False)
    session.send_headers(sending[0], TRAILER_BLOCK, fin=True)
    with pytest.raises(StreamStateError, match=r"^DATA on <Stream 1, we are ENDING"):
        session.send_data(sending[0], b"late", fin=False)
    session.send_headers(sending[1], encode_block({b"x-other": b"o"}), fin=False)
    sending.credit(1, 1)
    data, other, last, trailers = sending.out()
    assert (data.body, last.body, last.fin) == (bytes(65536), bytes(1), False)
    assert (other.kind, other.stream_id, sending.peer.fields(other)) == ("HEADERS", 3, {b"x-other": b"o"})
    assert (trailers.kind, trailers.fin) == ("HEADERS", True)
    assert sending.peer.fields(trailers) == {b"x-trailer": b"v"}


def test_headers_between_data_keep_their_place() -> None:
    sending = Sending()
    session = sending.session
    session.hold()
    session.send_data(sending[0], b"one", fin=False)
    session.send_headers(sending[0], TRAILER_BLOCK, fin=False)
    session.send_data(sending[0], b"two", fin=False)
    session.send_data(sending[0], b"three", fin=True)
    stream = sending[0]
    assert session.release() == [Writable(stream)]
    one, block, rest = sending.out()
    assert (one.body, block.kind, rest.body, rest.fin) == (b"one", "HEADERS", b"twothree", True)
    assert not one.fin
    assert not block.fin


def test_trailers_alone_need_no_window() -> None:
    sending = Sending(stream_credit=0, session_credit=0)
    sending.session.send_data(sending[0], bytes(65536), fin=False)
    sending.session.send_headers(sending[0], TRAILER_BLOCK, fin=True)
    assert [(frame.kind, frame.fin) for frame in sending.out()] == [("DATA", False), ("HEADERS", True)]


def test_trailers_that_are_too_large_are_refused_before_they_wait() -> None:
    sending = Sending()
    sending.session.hold()
    sending.session.send_data(sending[0], b"body", fin=False)
    with pytest.raises(BlockTooLargeError):
        sending.session.send_headers(sending[0], bytes(MAX_BLOCK_BYTES + 1), fin=True)
    sending.session.send_headers(sending[0], TRAILER_BLOCK, fin=True)
    sending.session.release()
    assert [(frame.kind, frame.fin) for frame in sending.out()] == [("DATA", False), ("HEADERS", True)]


def test_a_reset_drops_what_waits() -> None:
    sending = Sending(2, session_credit=0)
    session = sending.session
    session.send_data(sending[0], bytes(70_000), fin=True)
    session.send_data(sending[1], b"after", fin=True)
    first, second = sending[0], sending[1]
    session.reset(first, 5)
    assert (first.pending_bytes, first.pending) == (0, None)
    sending.out()
    assert sending.credit(10) == [Writable(second)]
    assert sending.sizes() == [(3, 5)]


def test_the_peers_reset_does_too() -> None:
    sending = Sending(1, stream_credit=0)
    session = sending.session
    session.send_data(sending[0], bytes(70_000), fin=True)
    sending.out()
    stream = sending[0]
    assert session.receive(spdy_peer.words(spdy_peer.RST_STREAM, 1, 5)) == [Reset(stream, 5)]
    assert sending.credit(10_000, 1) == []
    assert sending.out() == []
    session.send_data(stream, b"more", fin=True)
    session.send_headers(stream, TRAILER_BLOCK, fin=True)
    session.reset(stream, 5)
    session.consumed(stream, 10)
    assert sending.out() == []


def test_a_smaller_initial_window_stops_streams_that_wait() -> None:
    sending = Sending(2, session_credit=0, stream_credit=0)
    session = sending.session
    session.send_data(sending[0], bytes(60_000), fin=False)
    session.send_data(sending[1], bytes(20_000), fin=False)
    assert sending.sizes() == [(1, 60_000), (3, 5536)]
    assert session.receive(spdy_peer.settings((7, 16384))) == [Settings(None)]
    assert sending[0].send_window == 16384 - 60_000
    assert sending.credit(WIDE) == []
    assert sending.sizes() == [(3, 16384 - 5536)]
    session.send_data(sending[0], b"waits", fin=False)
    assert sending.credit(60_000 - 16384, 1) == []
    assert sending.sizes() == []
    assert sending.credit(5, 1) == [Writable(sending[0])]
    assert sending.sizes() == [(1, 5)]


def test_streams_that_wait_in_turn_are_passed_over_when_their_window_shrinks() -> None:
    sending = Sending(2, session_credit=0, stream_credit=0)
    session = sending.session
    session.send_data(sending[0], bytes(65535), fin=False)
    session.send_data(sending[0], bytes(10), fin=False)
    session.send_data(sending[1], bytes(10), fin=False)
    assert sending.sizes() == [(1, 65535), (1, 1)]
    sending.credit(1, 1)
    session.receive(spdy_peer.settings((7, 65535)))
    assert sending.credit(100) == [Writable(sending[1])]
    assert sending.sizes() == [(3, 10)]
    assert sending.credit(100, 1) == [Writable(sending[0])]
    assert sending.sizes() == [(1, 9)]


def test_a_larger_initial_window_lets_streams_go() -> None:
    sending = Sending(2, stream_credit=0)
    session = sending.session
    session.send_data(sending[0], bytes(65536 + 7), fin=True)
    stream = sending[0]
    sending.out()
    assert session.receive(spdy_peer.settings((7, 65536 + 7))) == [Writable(stream), Settings(None)]
    assert sending.sizes() == [(1, 7)]


def test_a_window_that_opens_byte_by_byte_copies_a_long_piece_once() -> None:
    sending = Sending(stream_credit=0)
    session = sending.session
    session.send_data(sending[0], bytes(65536), fin=False)
    sending.out()
    session.send_data(sending[0], bytes(10**7), fin=False)
    tracemalloc.start()
    for _ in range(200):
        sending.credit(1, 1)
    assert sending.sizes() == [(1, 1)] * 200
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_the_peers_data_goes_on_while_ours_waits() -> None:
    sending = Sending(stream_credit=0)
    session = sending.session
    session.send_data(sending[0], bytes(65537), fin=True)
    stream = sending[0]
    session.receive(sending.peer.syn_reply(1) + spdy_peer.data(1, b"reply", fin=True))
    assert session.streams == {1: stream}
    assert [frame.kind for frame in sending.out()] == ["DATA"]
    assert sending.credit(1, 1) == [Writable(stream)]
    assert session.streams == {}
    assert stream.is_gone


def test_an_end_that_waits_does_not_keep_the_peers_end_from_coming() -> None:
    sending = Sending()
    session = sending.session
    session.hold()
    session.send_data(sending[0], b"", fin=True)
    stream = sending[0]
    events = session.receive(sending.peer.syn_reply(1) + spdy_peer.data(1, b"reply", fin=True))
    assert events[-1] == Data(stream, b"reply", True)
    assert session.streams == {1: stream}
    assert session.release() == []
    assert session.streams == {}
