"""What a session hears."""

from collections.abc import Callable

import pytest
from tests import spdy_peer
from tests.spdy_peer import Frame, Peer

from zerogate.wire.spdy.events import Data, Event, GoAway, Headers, Reply, Reset, Settings, StreamOpened, Writable
from zerogate.wire.spdy.frames import GoAwayStatus, RstStatus
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.session import Session
from zerogate.wire.spdy.streams import Stream

BLOCK = encode_block(spdy_peer.REQUEST)
REPLY_BLOCK = encode_block(spdy_peer.REPLY)
TRAILERS = {b"x-trailer": b"v"}
UPPER = {b"Upper": b"v"}


class End:
    """A session at one end, and a peer to speak to it at the other."""

    def __init__(self, *, opens_odd: bool = False, **options: int) -> None:
        self.session = Session(opens_odd=opens_odd, **options)  # type: ignore[arg-type]
        self.session.take_output()
        self.peer = Peer()

    def hear(self, *octets: bytes) -> list[Event]:
        return self.session.receive(b"".join(octets))

    def out(self) -> list[Frame]:
        return list(spdy_peer.split(self.session.take_output()))

    def rst(self) -> list[tuple[int, int]]:
        """Stream and status of each RST_STREAM, when nothing else came out."""
        frames = self.out()
        assert {frame.kind for frame in frames} <= {"RST_STREAM"}
        return [(frame.stream_id, frame.number) for frame in frames]

    def admitted(self, stream_id: int = 1, *, fin: bool = False) -> Stream:
        (event,) = self.hear(self.peer.syn_stream(stream_id, fin=fin))
        assert isinstance(event, StreamOpened)
        return event.stream

    def opened(self, *, fin: bool = False) -> Stream:
        stream = self.session.open_stream(BLOCK, fin)
        self.session.take_output()
        return stream

    def is_alive(self) -> bool:
        """Whether the session still answers, zlib stream and all."""
        assert self.hear(spdy_peer.words(spdy_peer.PING, 0x7FFFFFFD), spdy_peer.words(spdy_peer.PING, 2)) == []
        return self.session.error is None and len(self.out()) == 1

    def died_of(self, status: int) -> bool:
        (goaway,) = (frame for frame in self.out() if frame.kind == "GOAWAY")
        assert self.session.error is not None
        assert self.session.error.status == goaway.number
        assert self.hear(spdy_peer.words(spdy_peer.PING, 9)) == []
        assert self.out() == []
        assert repr(self.session).startswith(f"<Session even, broken: {self.session.error}")
        return goaway.number == status


class TestAnExchange:
    def test_seen_by_who_opens_the_stream(self) -> None:
        end = End(opens_odd=True)
        stream = end.opened(fin=True)
        stream.handler = "anything"
        events = end.hear(
            end.peer.syn_reply(1),
            spdy_peer.data(1, b"one"),
            spdy_peer.data(1, b""),
            spdy_peer.data(1, b"two"),
            end.peer.headers(1, TRAILERS, fin=True),
        )
        assert events == [
            Reply(stream, spdy_peer.REPLY, False),
            Data(stream, b"one", False),
            Data(stream, b"two", False),
            Headers(stream, TRAILERS, True),
        ]
        assert [type(event) for event in events] == [Reply, Data, Data, Headers]
        assert end.session.streams == {}
        assert end.out() == []

    def test_seen_by_who_answers(self) -> None:
        end = End()
        events = end.hear(end.peer.syn_stream(1), spdy_peer.data(1, b"body", fin=True))
        assert isinstance(events[0], StreamOpened)
        stream = events[0].stream
        assert events == [StreamOpened(stream, spdy_peer.REQUEST, False), Data(stream, b"body", True)]
        assert repr(stream) == "<Stream 1, we are REPLY_DUE, peer is DONE>"
        assert end.session.streams == {1: stream}

    @pytest.mark.parametrize("fin", [False, True])
    def test_ends(self, fin: bool) -> None:
        end = End(opens_odd=True)
        stream = end.opened(fin=True)
        assert end.hear(end.peer.syn_reply(1, fin=fin)) == [Reply(stream, spdy_peer.REPLY, fin)]
        assert bool(end.session.streams) is not fin

    def test_a_long_frame_is_handed_on_as_it_comes(self) -> None:
        end = End()
        stream = end.admitted()
        octets = spdy_peer.data(1, b"0123456789", fin=True)
        pieces = [end.hear(octets[at : at + 7]) for at in range(0, len(octets), 7)]
        assert pieces == [[], [Data(stream, b"012345", False)], [Data(stream, b"6789", True)]]

    def test_an_empty_end(self) -> None:
        end = End()
        stream = end.admitted()
        octets = spdy_peer.data(1, b"", fin=True)
        assert end.hear(octets[:7]) == []
        assert end.hear(octets[7:]) == [Data(stream, b"", True)]


class TestSynStream:
    def test_ids_may_skip(self) -> None:
        end = End()
        assert [end.admitted(stream_id).id for stream_id in (1, 9, 0x7FFFFFFF)] == [1, 9, 0x7FFFFFFF]

    def test_the_reserved_bit_of_an_id_is_not_looked_at(self) -> None:
        end = End()
        octets = bytearray(end.peer.syn_stream(5))
        octets[8] |= 0x80
        (event,) = end.hear(bytes(octets))
        assert isinstance(event, StreamOpened)
        assert event.stream.id == 5

    @pytest.mark.parametrize("stream_id", [0, 2, 1])
    def test_ids_that_may_not_be_end_the_session(self, stream_id: int) -> None:
        end = End()
        end.admitted(3)
        assert end.hear(end.peer.syn_stream(stream_id)) == []
        assert end.died_of(GoAwayStatus.PROTOCOL_ERROR)

    def test_a_second_one_for_a_stream(self) -> None:
        end = End()
        stream = end.admitted()
        assert end.hear(end.peer.syn_stream(1)) == [Reset(stream, RstStatus.PROTOCOL_ERROR)]
        assert end.hear(end.peer.syn_stream(1)) == []
        assert end.rst() == [(1, RstStatus.PROTOCOL_ERROR)] * 2
        assert end.admitted(3)

    def test_bad_fields_cost_the_stream_only(self) -> None:
        end = End()
        assert end.hear(end.peer.syn_stream(1, UPPER)) == []
        assert end.rst() == [(1, RstStatus.PROTOCOL_ERROR)]
        assert end.hear(spdy_peer.data(1, b"late", fin=True)) == []
        assert end.admitted(3)
        assert end.rst() == []

    @pytest.mark.parametrize("push", [{"flags": 2}, {"associated": 1}])
    def test_push_is_refused(self, push: dict[str, int]) -> None:
        end = End()
        assert end.hear(end.peer.syn_stream(1, **push), spdy_peer.data(1, b"pushed")) == []  # type: ignore[arg-type]
        assert end.rst() == [(1, RstStatus.REFUSED_STREAM)]
        assert end.admitted(3)

    def test_more_streams_than_we_bear_are_refused_until_one_is_gone(self) -> None:
        end = End(max_peer_streams=2)
        first = end.admitted(1, fin=True)
        end.admitted(3)
        assert end.hear(end.peer.syn_stream(5, {b"x-in-context": b"5"})) == []
        assert end.rst() == [(5, RstStatus.REFUSED_STREAM)]
        end.session.send_reply(first, REPLY_BLOCK, fin=True)
        assert end.admitted(7)
        end.hear(spdy_peer.words(spdy_peer.RST_STREAM, 3, 5))
        assert end.admitted(9)

    def test_our_own_streams_do_not_count(self) -> None:
        end = End(max_peer_streams=1)
        end.opened()
        assert end.admitted(1)


class TestStreamErrors:
    """2.3.6, 2.2.2, 2.6.2: the stream is reset, its user hears of it, and the session goes on."""

    @pytest.mark.parametrize("early", [lambda peer: spdy_peer.data(1, b"x"), lambda peer: peer.headers(1, TRAILERS)])
    def test_before_the_reply(self, early: Callable[[Peer], bytes]) -> None:
        end = End(opens_odd=True)
        stream = end.opened()
        assert end.hear(early(end.peer), end.peer.syn_reply(1)) == [Reset(stream, RstStatus.PROTOCOL_ERROR)]
        assert end.rst() == [(1, RstStatus.PROTOCOL_ERROR)]
        assert end.session.streams == {}

    def test_two_replies(self) -> None:
        end = End(opens_odd=True)
        stream = end.opened()
        assert end.hear(end.peer.syn_reply(1), end.peer.syn_reply(1))[1:] == [Reset(stream, RstStatus.STREAM_IN_USE)]
        assert end.rst() == [(1, RstStatus.STREAM_IN_USE)]

    def test_a_reply_to_their_own_stream(self) -> None:
        end = End()
        stream = end.admitted()
        assert end.hear(end.peer.syn_reply(1)) == [Reset(stream, RstStatus.STREAM_IN_USE)]

    @pytest.mark.parametrize(
        "late",
        [
            lambda peer: spdy_peer.data(1, b"late"),
            lambda peer: spdy_peer.data(1, b"", fin=True),
            lambda peer: peer.headers(1, TRAILERS),
            lambda peer: peer.syn_reply(1),
        ],
    )
    def test_after_the_end(self, late: Callable[[Peer], bytes]) -> None:
        end = End()
        stream = end.admitted(fin=True)
        assert end.hear(late(end.peer)) == [Reset(stream, RstStatus.STREAM_ALREADY_CLOSED)]
        assert end.rst() == [(1, RstStatus.STREAM_ALREADY_CLOSED)]
        assert end.session.streams == {}
        assert end.admitted(3)

    def test_compressed_data(self) -> None:
        end = End()
        stream = end.admitted()
        assert end.hear(spdy_peer.data(1, b"zlib", flags=2)) == [Reset(stream, RstStatus.PROTOCOL_ERROR)]
        assert end.rst() == [(1, RstStatus.PROTOCOL_ERROR)]

    def test_bad_fields_in_a_reply_and_in_trailers(self) -> None:
        end = End(opens_odd=True)
        first, second = end.opened(), end.opened()
        assert end.hear(end.peer.syn_reply(1, UPPER)) == [Reset(first, RstStatus.PROTOCOL_ERROR)]
        events = end.hear(end.peer.syn_reply(3), end.peer.headers(3, UPPER))
        assert events == [Reply(second, spdy_peer.REPLY, False), Reset(second, RstStatus.PROTOCOL_ERROR)]
        assert end.rst() == [(1, RstStatus.PROTOCOL_ERROR), (3, RstStatus.PROTOCOL_ERROR)]
        assert end.is_alive()

    def test_the_rest_of_a_frame_that_was_refused_is_passed_by(self) -> None:
        end = End()
        stream = end.admitted(fin=True)
        octets = spdy_peer.data(1, b"late and long", fin=True) + end.peer.syn_stream(3)
        assert end.hear(octets[:10]) == [Reset(stream, RstStatus.STREAM_ALREADY_CLOSED)]
        (event,) = end.hear(octets[10:])
        assert isinstance(event, StreamOpened)

    def test_the_rest_of_a_frame_that_we_want_no_more_is_passed_by(self) -> None:
        end = End()
        stream = end.admitted()
        octets = spdy_peer.data(1, b"long body", fin=True) + end.peer.syn_stream(3)
        assert end.hear(octets[:10]) == [Data(stream, b"lo", False)]
        end.session.reset(stream, RstStatus.CANCEL)
        (event,) = end.hear(octets[10:])
        assert isinstance(event, StreamOpened)

    def test_the_rest_of_a_stray_frame_goes_to_nobody_opened_since(self) -> None:
        end = End(opens_odd=True)
        octets = spdy_peer.data(1, b"too early")
        assert end.hear(octets[:10]) == []
        end.opened()
        assert end.hear(octets[10:]) == []
        assert end.rst() == [(1, RstStatus.INVALID_STREAM)]


class TestStrayFrames:
    @pytest.mark.parametrize("opens_odd", [False, True])
    @pytest.mark.parametrize("stream_id", [1, 2, 41, 42])
    def test_for_streams_that_never_were(self, opens_odd: bool, stream_id: int) -> None:
        end = End(opens_odd=opens_odd)
        events = end.hear(
            spdy_peer.data(stream_id, b"x"),
            end.peer.syn_reply(stream_id),
            end.peer.headers(stream_id, TRAILERS),
            spdy_peer.words(spdy_peer.WINDOW_UPDATE, stream_id, 1),
            spdy_peer.words(spdy_peer.RST_STREAM, stream_id, 5),
        )
        assert events == []
        assert end.rst() == [(stream_id, RstStatus.INVALID_STREAM)] * 3
        assert end.session.error is None

    def test_their_blocks_keep_the_zlib_stream_whole(self) -> None:
        end = End()
        end.hear(end.peer.syn_reply(41), end.peer.headers(43, TRAILERS), end.peer.headers(45, UPPER))
        end.session.take_output()
        assert end.admitted(1)

    def test_for_streams_that_are_gone(self) -> None:
        """Ours crossed theirs on the way: nothing is said. Their data counts for the session's window all the same."""
        end = End(opens_odd=True, session_window=65536)
        stream = end.opened()
        end.session.reset(stream, RstStatus.CANCEL)
        end.session.take_output()
        events = end.hear(
            end.peer.syn_reply(1),
            spdy_peer.data(1, bytes(32768)),
            end.peer.headers(1, TRAILERS),
            spdy_peer.words(spdy_peer.WINDOW_UPDATE, 1, 0),
            spdy_peer.words(spdy_peer.RST_STREAM, 1, 5),
        )
        assert events == []
        assert end.out() == [Frame("WINDOW_UPDATE", 0, 0, (32768).to_bytes(4, "big"))]

    def test_ids_that_the_peer_skipped_count_as_gone(self) -> None:
        end = End()
        end.admitted(9)
        assert end.hear(spdy_peer.data(5, b"x")) == []
        assert end.rst() == []


class TestFlowControl:
    def test_more_than_the_streams_window(self) -> None:
        end = End(stream_window=100_000)
        first, second = end.admitted(1), end.admitted(3)
        assert len(end.hear(spdy_peer.data(1, bytes(100_000)))) == 1
        assert end.hear(spdy_peer.data(3, b"x"), spdy_peer.data(1, b"x")) == [
            Data(second, b"x", False),
            Reset(first, RstStatus.FLOW_CONTROL_ERROR),
        ]
        assert end.rst() == [(1, RstStatus.FLOW_CONTROL_ERROR)]

    def test_it_is_refused_at_the_header(self) -> None:
        end = End(stream_window=100_000)
        stream = end.admitted()
        assert end.hear(spdy_peer.data(1, bytes(100_001))[:8]) == [Reset(stream, RstStatus.FLOW_CONTROL_ERROR)]

    def test_credit_makes_room(self) -> None:
        end = End(stream_window=100_000)
        stream = end.admitted()
        for _ in range(10):
            assert len(end.hear(spdy_peer.data(1, bytes(100_000)))) == 1
            end.session.consumed(stream, 100_000)
        assert end.session.error is None
        assert [frame.number for frame in end.out() if frame.stream_id == 1] == [100_000] * 10

    def test_more_than_the_sessions_window(self) -> None:
        """It is given back as data comes in, so only one frame can be too large."""
        end = End(session_window=65536, stream_window=10**6)
        end.admitted()
        assert len(end.hear(spdy_peer.data(1, bytes(32767)), spdy_peer.data(1, bytes(32769)))) == 2
        assert end.hear(spdy_peer.data(1, bytes(65537))[:8]) == []
        assert end.died_of(GoAwayStatus.FLOW_CONTROL_ERROR)

    def test_credit_over_31_bits_ends_a_stream(self) -> None:
        end = End(opens_odd=True)
        stream = end.opened()
        grow = spdy_peer.words(spdy_peer.WINDOW_UPDATE, 1, 2**31 - 1 - 65536)
        assert end.hear(grow) == []
        events = end.hear(spdy_peer.words(spdy_peer.WINDOW_UPDATE, 1, 1))
        assert events == [Reset(stream, RstStatus.FLOW_CONTROL_ERROR)]
        assert end.rst() == [(1, RstStatus.FLOW_CONTROL_ERROR)]

    def test_credit_for_a_stream_that_has_ended_is_nothing(self) -> None:
        end = End(opens_odd=True)
        end.opened(fin=True)
        for delta in (0, 2**31 - 1):
            assert end.hear(spdy_peer.words(spdy_peer.WINDOW_UPDATE, 1, delta)) == []
        assert end.out() == []

    def test_credit_of_0(self) -> None:
        end = End(opens_odd=True)
        stream = end.opened()
        assert end.hear(spdy_peer.words(spdy_peer.WINDOW_UPDATE, 1, 0)) == [Reset(stream, RstStatus.PROTOCOL_ERROR)]

    @pytest.mark.parametrize(
        ("delta", "status"),
        [(0, GoAwayStatus.PROTOCOL_ERROR), (2**31 - 65536, GoAwayStatus.FLOW_CONTROL_ERROR)],
    )
    def test_credit_of_the_session_that_may_not_be(self, delta: int, status: int) -> None:
        end = End()
        assert end.hear(spdy_peer.words(spdy_peer.WINDOW_UPDATE, 0, delta)) == []
        assert end.died_of(status)


class TestSettings:
    def test_max_concurrent(self) -> None:
        end = End()
        assert end.hear(spdy_peer.settings((4, 100)), spdy_peer.settings((5, 1)), spdy_peer.settings()) == [
            Settings(100),
            Settings(None),
            Settings(None),
        ]

    def test_the_window_of_streams_to_come(self) -> None:
        end = End(opens_odd=True)
        end.hear(spdy_peer.settings((7, 10)))
        stream = end.opened()
        end.session.send_data(stream, b"0123456789+", fin=True)
        assert [frame.body for frame in end.out()] == [b"0123456789"]
        assert end.hear(spdy_peer.settings((7, 11))) == [Writable(stream), Settings(None)]

    @pytest.mark.parametrize(
        "octets",
        [
            spdy_peer.settings((7, 2**31)),
            spdy_peer.settings((7, 0xFFFFFFFF)),
            spdy_peer.words(spdy_peer.WINDOW_UPDATE, 2, 1) + spdy_peer.settings((7, 2**31 - 1)),
        ],
    )
    def test_a_window_over_31_bits(self, octets: bytes) -> None:
        end = End()
        end.opened()
        assert end.hear(octets) == []
        assert end.died_of(GoAwayStatus.FLOW_CONTROL_ERROR)


class TestPing:
    @pytest.mark.parametrize(("opens_odd", "echoed"), [(True, [0, 2, 0xFFFFFFFE]), (False, [1, 3, 0xFFFFFFFF])])
    def test_only_the_peers_are_echoed(self, opens_odd: bool, echoed: list[int]) -> None:
        end = End(opens_odd=opens_odd)
        for ping_id in (0, 1, 2, 3, 0xFFFFFFFE, 0xFFFFFFFF):
            assert end.hear(spdy_peer.words(spdy_peer.PING, ping_id)) == []
        assert [frame.stream_id for frame in end.out()] == echoed


class TestRstStream:
    def test_ends_a_stream(self) -> None:
        end = End(opens_odd=True)
        stream = end.opened()
        assert end.hear(spdy_peer.words(spdy_peer.RST_STREAM, 1, 77)) == [Reset(stream, 77)]
        assert end.session.streams == {}
        assert end.out() == []

    @pytest.mark.parametrize(("stream_id", "status"), [(0, 5), (1, 0), (99, 0)])
    def test_what_is_none(self, stream_id: int, status: int) -> None:
        end = End()
        end.admitted()
        assert end.hear(spdy_peer.words(spdy_peer.RST_STREAM, stream_id, status)) == []
        assert end.died_of(GoAwayStatus.PROTOCOL_ERROR)


class TestGoAway:
    def test_streams_that_were_not_taken_may_go_elsewhere(self) -> None:
        end = End(opens_odd=True)
        streams = [end.opened() for _ in range(3)]
        other = end.admitted(4)
        events = end.hear(end.peer.syn_reply(5), spdy_peer.words(spdy_peer.GOAWAY, 1, 0))
        assert events == [
            Reply(streams[2], spdy_peer.REPLY, False),
            GoAway(1, 0),
            Reset(streams[1], RstStatus.REFUSED_STREAM),
        ]
        assert end.session.streams == {1: streams[0], 4: other, 5: streams[2]}
        assert end.session.peer_is_going_away
        assert repr(end.session).startswith("<Session odd, 3 streams, peer is going away")
        assert end.out() == []
        assert end.hear(end.peer.syn_reply(1)) == [Reply(streams[0], spdy_peer.REPLY, False)]

    def test_with_a_status(self) -> None:
        assert End().hear(spdy_peer.words(spdy_peer.GOAWAY, 0, 2)) == [GoAway(0, 2)]


class TestSessionErrors:
    def test_what_came_before_is_told_and_nothing_after(self) -> None:
        end = End()
        events = end.hear(
            end.peer.syn_stream(5), spdy_peer.words(spdy_peer.RST_STREAM, 0, 5), spdy_peer.words(spdy_peer.PING, 1)
        )
        assert [type(event) for event in events] == [StreamOpened]
        assert end.session.error is not None
        assert end.session.error.reason == "RST_STREAM of stream 0 with status 5"
        assert end.out() == [Frame("GOAWAY", 0, 5, b"\0\0\0\1")]
        assert end.session.receive(b"\x80") == []

    @pytest.mark.parametrize(
        "octets",
        [
            spdy_peer.control(1, bytes(10)),
            spdy_peer.control(1, bytes(10) + b"\xde\xad\xbe\xef"),
            spdy_peer.control(1, bytes(7) + b"\1\0\0" + Peer().pack(b"\0\0\0\1")),
            spdy_peer.control(1, bytes(3) + b"\1" + bytes(6) + Peer().pack(b"\0\0\0\1")),
            spdy_peer.control(2, bytes(4) + b"\xde\xad\xbe\xef"),
            spdy_peer.control(8, bytes(4) + Peer(9).pack(bytes(10**7))),
            spdy_peer.words(spdy_peer.SETTINGS, 2, 0, 0),
            b"GET / HTTP/1.1\r\n\r\n",
        ],
    )
    def test_the_session_ends_with_goaway(self, octets: bytes) -> None:
        end = End()
        assert end.hear(octets) == []
        assert end.died_of(GoAwayStatus.PROTOCOL_ERROR)

    def test_a_session_that_is_going_away_says_the_same_last_stream_again(self) -> None:
        end = End()
        end.admitted(1)
        end.session.goaway()
        end.hear(end.peer.syn_stream(3), b"\x80\x02\0\0\0\0\0\0")
        assert [(frame.kind, frame.stream_id, frame.number) for frame in end.out()] == [
            ("GOAWAY", 1, GoAwayStatus.OK),
            ("RST_STREAM", 3, RstStatus.REFUSED_STREAM),
            ("GOAWAY", 1, GoAwayStatus.PROTOCOL_ERROR),
        ]


def test_answers_to_a_flood_are_no_larger_than_the_flood() -> None:
    end = End()
    floods = [
        spdy_peer.words(spdy_peer.PING, 1),
        spdy_peer.words(spdy_peer.SETTINGS, 0),
        spdy_peer.words(spdy_peer.RST_STREAM, 9, 5),
        spdy_peer.words(spdy_peer.WINDOW_UPDATE, 9, 1),
        spdy_peer.control(99, b""),
    ]
    for flood in floods:
        end.hear(flood * 1000)
        assert len(b"".join(end.session.take_output())) <= 1000 * len(flood)
    end.hear(spdy_peer.data(9) * 1000)  # 8 bytes that earn a RST_STREAM of 16
    assert len(b"".join(end.session.take_output())) == 16_000
