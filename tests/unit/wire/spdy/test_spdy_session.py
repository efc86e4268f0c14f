"""What a session hears on its streams."""

from collections.abc import Callable
from typing import Any

import pytest
from tests import spdy_peer
from tests.spdy_end import BLOCK, REPLY_BLOCK, End
from tests.spdy_peer import Frame, Peer
from tests.support.each import each

from zerogate.wire.spdy.events import Data, Headers, Reply, Reset, StreamOpened, WholeReply
from zerogate.wire.spdy.frames import GoAwayStatus, RstStatus
from zerogate.wire.spdy.headers import HeaderBlockError, HeaderFieldError
from zerogate.wire.spdy.session import Session

TRAILERS = {b"x-trailer": b"v"}
UPPER = {b"Upper": b"v"}


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

    def test_a_reply_that_comes_whole(self) -> None:
        end = End(opens_odd=True)
        first, second = end.opened(fin=True), end.opened(fin=True)
        replies = [end.peer.syn_reply(number) + spdy_peer.data(number, b"all", fin=True) for number in (1, 3)]
        assert end.hear(*replies) == [
            WholeReply(first, spdy_peer.REPLY, b"all"),
            WholeReply(second, spdy_peer.REPLY, b"all"),
        ]
        assert end.session.streams == {}
        assert first.is_gone
        assert end.out() == []
        assert end.is_alive()

    def test_a_reply_whose_head_was_cut_is_whole_if_its_data_come_with_the_rest(self) -> None:
        head, data = Peer().syn_reply(1), spdy_peer.data(1, b"all", fin=True)
        for cut in range(len(head)):
            end = End(opens_odd=True)
            stream = end.opened(fin=True)
            assert end.hear(head[:cut]) == []
            assert end.hear(head[cut:], data) == [WholeReply(stream, spdy_peer.REPLY, b"all")], cut

    @each(
        ("between", "size", "cut"),
        [(b"", 3, 1), (spdy_peer.words(spdy_peer.PING, 1), 3, 0), (b"", 65537, 0), (spdy_peer.data(1, b"."), 3, 0)],
    )
    def test_a_reply_that_comes_in_parts(self, between: bytes, size: int, cut: int) -> None:
        end = End(opens_odd=True)
        stream = end.opened(fin=True)
        octets = end.peer.syn_reply(1) + between + spdy_peer.data(1, bytes(size), fin=True)
        events = end.hear(octets[: len(octets) - cut]) + end.hear(octets[len(octets) - cut :])
        assert events[0] == Reply(stream, spdy_peer.REPLY, False)
        assert b"".join(event.data for event in events if isinstance(event, Data))[-size:] == bytes(size)
        assert events[-1][-1] is True
        assert end.session.streams == {}

    def test_a_whole_reply_while_we_still_send(self) -> None:
        end = End(opens_odd=True)
        stream = end.opened()
        events = end.hear(end.peer.syn_reply(1), spdy_peer.data(1, b"all", fin=True))
        assert events == [Reply(stream, spdy_peer.REPLY, False), Data(stream, b"all", True)]
        assert end.session.streams == {1: stream}

    def test_a_whole_reply_with_bad_fields(self) -> None:
        end = End(opens_odd=True, session_window=65536)
        stream = end.opened(fin=True)
        events = end.hear(end.peer.syn_reply(1, UPPER), spdy_peer.data(1, bytes(40_000), fin=True))
        assert events == [Reset(stream, RstStatus.PROTOCOL_ERROR)]
        assert [(frame.kind, frame.stream_id, frame.number) for frame in end.out()] == [
            ("RST_STREAM", 1, RstStatus.PROTOCOL_ERROR),
            ("WINDOW_UPDATE", 0, 40_000),
        ]
        assert end.is_alive()

    def test_a_second_reply_that_comes_whole(self) -> None:
        end = End(opens_odd=True)
        stream = end.opened(fin=True)
        end.hear(end.peer.syn_reply(1))
        events = end.hear(end.peer.syn_reply(1), spdy_peer.data(1, b"all", fin=True))
        assert events == [Reset(stream, RstStatus.STREAM_IN_USE)]
        assert end.rst() == [(1, RstStatus.STREAM_IN_USE)]

    @each("stream_id", [1, 0x80000001])
    @each("is_whole", [False, True])
    def test_the_reserved_bit_of_a_replys_id_is_not_looked_at(self, stream_id: int, is_whole: bool) -> None:
        end = End(opens_odd=True)
        stream = end.opened(fin=True)
        rest = [spdy_peer.data(1, b"all", fin=True)] if is_whole else []
        reply = WholeReply(stream, spdy_peer.REPLY, b"all") if is_whole else Reply(stream, spdy_peer.REPLY, False)
        assert end.hear(end.peer.syn_reply(stream_id), *rest) == [reply]

    def test_a_whole_reply_over_the_sessions_window(self) -> None:
        end = End(opens_odd=True, session_window=65536)
        first = end.opened()
        end.opened(fin=True)
        end.hear(end.peer.syn_reply(1), spdy_peer.data(1, bytes(32767)))
        events = end.hear(end.peer.syn_reply(3), spdy_peer.data(3, bytes(32770), fin=True))
        assert [type(event) for event in events] == [Reply]
        assert end.session.error is not None
        assert end.session.error.status == GoAwayStatus.FLOW_CONTROL_ERROR
        assert not first.is_gone

    def test_whole_replies_use_the_sessions_window(self) -> None:
        end = End(opens_odd=True, session_window=65536)
        stream = end.opened(fin=True)
        assert len(end.hear(end.peer.syn_reply(1), spdy_peer.data(1, bytes(40_000), fin=True))) == 1
        assert [(frame.kind, frame.stream_id, frame.number) for frame in end.out()] == [("WINDOW_UPDATE", 0, 40_000)]
        assert stream.is_gone

    def test_a_whole_reply_to_a_stream_that_is_gone(self) -> None:
        end = End(opens_odd=True)
        stream = end.opened(fin=True)
        end.session.reset(stream, RstStatus.CANCEL)
        end.out()
        assert end.hear(end.peer.syn_reply(1), spdy_peer.data(1, b"late", fin=True)) == []
        assert end.is_alive()

    def test_seen_by_who_answers(self) -> None:
        end = End()
        events = end.hear(end.peer.syn_stream(1), spdy_peer.data(1, b"body", fin=True))
        assert isinstance(events[0], StreamOpened)
        stream = events[0].stream
        assert events == [StreamOpened(stream, spdy_peer.REQUEST, False), Data(stream, b"body", True)]
        assert repr(stream) == "<Stream 1, we are REPLY_DUE, peer is DONE>"
        assert end.session.streams == {1: stream}

    def test_headers_before_the_reply_are_an_interim_one(self) -> None:
        end = End(opens_odd=True)
        stream = end.opened(fin=True)
        interim = {b":status": b"103", b"link": b"</a.css>"}
        assert end.hear(end.peer.headers(1, interim), end.peer.headers(1, interim), end.peer.syn_reply(1)) == [
            Headers(stream, interim, False),
            Headers(stream, interim, False),
            Reply(stream, spdy_peer.REPLY, False),
        ]

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

    @each("stream_id", [0, 2, 1])
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

    @each(
        "early",
        [
            lambda peer: spdy_peer.data(1, b"x"),
            lambda peer: spdy_peer.data(1, b"", fin=True),
            lambda peer: peer.headers(1, TRAILERS, fin=True),
        ],
    )
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

    @each(
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
        assert end.rst() == [(1, RstStatus.INVALID_STREAM)]
        end.opened()
        assert end.hear(octets[10:]) == []


class TestStrayFrames:
    @each("opens_odd", [False, True])
    @each("stream_id", [1, 2, 41, 42])
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


class TestDecoders:
    """What the session makes of blocks is for whoever uses it to say."""

    def end(self, decode: Callable[[bytes], Any]) -> End:
        end = End()
        end.session = Session(opens_odd=True, decode_opening=decode, decode_reply=decode)
        end.session.take_output()
        return end

    def test_events_carry_what_they_made(self) -> None:
        end = self.end(lambda raw: ("decoded", raw))
        first, second = end.opened(fin=True), end.opened(fin=True)
        opened, whole, reply, trailers = end.hear(
            end.peer.syn_stream(2, fin=True),
            end.peer.syn_reply(1),
            spdy_peer.data(1, b"all", fin=True),
            end.peer.syn_reply(3),
            end.peer.headers(3, spdy_peer.REPLY, fin=True),
        )
        assert isinstance(opened, StreamOpened)
        assert opened.fields == ("decoded", BLOCK)
        assert whole == WholeReply(first, ("decoded", REPLY_BLOCK), b"all")
        assert reply == Reply(second, ("decoded", REPLY_BLOCK), False)
        assert trailers == Headers(second, spdy_peer.REPLY, True)

    def test_what_they_refuse_costs_the_stream(self) -> None:
        def refuse(raw: bytes) -> None:
            raise HeaderFieldError("not like this")

        end = self.end(refuse)
        stream = end.opened(fin=True)
        assert end.hear(end.peer.syn_stream(2), end.peer.syn_reply(1)) == [Reset(stream, RstStatus.PROTOCOL_ERROR)]
        assert end.rst() == [(2, RstStatus.PROTOCOL_ERROR), (1, RstStatus.PROTOCOL_ERROR)]
        assert end.is_alive()

    def test_what_they_cannot_read_ends_the_session(self) -> None:
        def give_up(raw: bytes) -> None:
            raise HeaderBlockError("unreadable")

        end = self.end(give_up)
        assert end.hear(end.peer.syn_stream(2)) == []
        assert str(end.session.error) == "unreadable"
