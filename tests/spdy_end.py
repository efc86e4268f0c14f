"""One end of a SPDY session, for tests that speak to it."""

from collections.abc import Iterable, Iterator
from typing import Any

from tests import spdy_peer
from tests.spdy_peer import Frame, Peer
from zerogate.wire.spdy.events import Data, Event, Reply, StreamOpened, WholeReply
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.session import Session
from zerogate.wire.spdy.streams import Stream

BLOCK = encode_block(spdy_peer.REQUEST)
REPLY_BLOCK = encode_block(spdy_peer.REPLY)


def apart(events: Iterable[Event]) -> Iterator[Event]:
    """Events as they are when a reply and its data come one by one."""
    for event in events:
        if isinstance(event, WholeReply):
            yield Reply(event.stream, event.fields, False)
            yield Data(event.stream, event.data, True)
        else:
            yield event


class End:
    """A session at one end, and a peer to speak to it at the other."""

    def __init__(self, *, opens_odd: bool = False, **options: Any) -> None:
        self.session = Session(opens_odd=opens_odd, **options)
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
