"""What a session hears."""

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

    @pytest.mark.parametrize("kind", ["data", "headers"])
    def test_before_the_reply(self, kind: str) -> None:
        end = End(opens_odd=True)
        stream = end.opened()
        octets = spdy_peer.data(1, b"early") if kind == "data" else end.peer.headers(1, TRAILERS)
        assert end.hear(octets, end.peer.syn_reply(1)) == [Reset(stream, RstStatus.PROTOCOL_ERROR)]
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

    @pytest.mark.parametrize("kind", ["data", "headers", "reply"])
    def test_after_the_end(self, kind: str) -> None:
        end = End()
        stream = end.admitted(fin=True)
        octets = {
            "data": spdy_peer.data(1, b"late"),
            "headers": end.peer.headers(1, TRAILERS),
            "reply": end.peer.syn_reply(1),
        }[kind]
        if kind == "data":
            end.peer = Peer()
        assert end.session.streams
        assert end.session.error is None
        events = end.hear(octets) if kind != "headers" else None
        if events is None:  # blocks were made in another order than they are sent
            end = End()
            stream = end.admitted(fin=True)
            events = end.hear(end.peer.headers(1, TRAILERS))
        elif kind == "reply":
            end = End()
            stream = end.admitted(fin=True)
            events = end.hear(end.peer.syn_reply(1))
        assert events == [Reset(stream, RstStatus.STREAM_ALREADY_CLOSED)]
        assert end.rst() == [(1, RstStatus.STREAM_ALREADY_CLOSED)]
        assert end.session.streams == {}
