"""What a session hears about windows, settings and its own end."""

import pytest
from tests import spdy_peer
from tests.spdy_end import End
from tests.spdy_peer import Frame, Peer
from tests.support.each import each

from zerogate.wire.spdy.events import Data, GoAway, Reply, Reset, Settings, StreamOpened, Writable
from zerogate.wire.spdy.frames import GoAwayStatus, RstStatus


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

    @each(
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

    @each(("stream_id", "status"), [(0, 5), (1, 0), (99, 0)])
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

    @each(
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
