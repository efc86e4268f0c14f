"""Two SPDY sessions that speak to each other, whatever they are told: every byte arrives, no window is overrun."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests import spdy_peer
from tests.spdy_end import BLOCK, REPLY_BLOCK, apart
from tests.spdy_peer import Frame

from zerogate.wire.spdy.events import Data, Event, Headers, Reply, Reset, StreamOpened, Writable
from zerogate.wire.spdy.frames import MAX_DATA_BYTES
from zerogate.wire.spdy.session import Session, StreamIdsExhausted
from zerogate.wire.spdy.streams import OPEN, REPLY_DUE, Stream

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
            assert size <= MAX_DATA_BYTES
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
        for event in apart(events):
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
            assert other.session._queue.window == window.available == other.windows.session


ops_of_two = st.tuples(
    st.sampled_from(
        ["open", "open", "send", "send", "send", "send", "trailers", "read", "read", "read", "consume", "consume"]
        + ["hold", "release", "reset", "capacity", "goaway"]
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
@settings(max_examples=3 * settings().max_examples)
def test_two_sessions_agree(windows: tuple[int, int, int, int], ops: list[tuple[str, int, int, int, bool]]) -> None:
    link = Link(windows)
    for op in ops:
        link.do(*op)
    link.settle()
    link.check()
