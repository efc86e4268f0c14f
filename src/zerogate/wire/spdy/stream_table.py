"""The streams of a session: which ids are whose, which are open, and how many (draft 3.1, 2.3.2)."""

from zerogate.errors import SpdyError
from zerogate.native.compiled import slots
from zerogate.wire.spdy.frames import MAX_STREAM_ID, GoAwayStatus
from zerogate.wire.spdy.state import TableState
from zerogate.wire.spdy.streams import DONE, OPEN, REPLY_DUE, Stream
from zerogate.wire.spdy.windows import DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES


class StreamTable(TableState):
    """Makes streams, and forgets them when they are gone."""

    __slots__ = slots(
        TableState, "_send_window_bytes", "next_id", "parity", "peer_count", "peer_id", "streams", "top_id"
    )

    def __init__(self, *, opens_odd: bool, top_id: int = MAX_STREAM_ID) -> None:
        self.streams: dict[int, Stream] = {}
        self.parity = 1 if opens_odd else 0  # Of our ids, and of our pings.
        self.next_id = 1 if opens_odd else 2
        self.top_id = top_id  # The highest that we may use: 0 after the peer's GOAWAY.
        self.peer_id = 0  # The highest that the peer has used.
        self.peer_count = 0  # How many of the peer's streams are open.
        self._send_window_bytes = DEFAULT_WINDOW_BYTES

    def __repr__(self) -> str:
        return f"<StreamTable {len(self.streams)} open, next is {self.next_id}, peer's last was {self.peer_id}>"

    @property
    def ids_left(self) -> int:
        return max(0, (self.top_id - self.next_id) // 2 + 1)

    @property
    def peer_ids_left(self) -> int:
        return (MAX_STREAM_ID - self.peer_id) // 2

    def open(self, fin: bool) -> Stream:
        """A stream of ours, with the next id: there must be one left."""
        stream_id = self.next_id
        self.next_id = stream_id + 2
        stream = Stream(stream_id, DONE if fin else OPEN, REPLY_DUE, self._send_window_bytes)
        self.streams[stream_id] = stream
        return stream

    def admit(self, stream_id: int, fin: int) -> Stream:
        """A stream of the peer's."""
        stream = Stream(stream_id, REPLY_DUE, DONE if fin else OPEN, self._send_window_bytes)
        self.streams[stream_id] = stream
        self.peer_count += 1
        return stream

    def remove(self, stream: Stream) -> None:
        """The stream is gone."""
        stream_id = stream.id
        del self.streams[stream_id]
        if stream_id & 1 != self.parity:
            self.peer_count -= 1

    def is_idle(self, stream_id: int) -> bool:
        """Whether there has been no such stream yet. If there has, and it is not in `streams`, it is gone."""
        if stream_id & 1 == self.parity:
            return stream_id >= self.next_id
        return stream_id > self.peer_id

    def unanswered_above(self, last_id: int) -> list[Stream]:
        """Our streams above the id which had no reply yet."""
        return [
            stream
            for stream in self.streams.values()
            if stream.id > last_id and stream.id & 1 == self.parity and stream.remote == REPLY_DUE
        ]

    def resize_send_windows(self, window_bytes: int) -> list[Stream]:
        """The peer's INITIAL_WINDOW_SIZE, for open streams too. Returns those that can still send; raises SpdyError."""
        delta = window_bytes - self._send_window_bytes
        if window_bytes > MAX_WINDOW_BYTES:
            raise SpdyError(f"initial window of {window_bytes} bytes", GoAwayStatus.FLOW_CONTROL_ERROR)
        self._send_window_bytes = window_bytes
        sending = [stream for stream in self.streams.values() if stream.local != DONE]
        for stream in sending:
            stream.send_window += delta
            if stream.send_window > MAX_WINDOW_BYTES:
                raise SpdyError(f"the window of {stream} is over 2^31-1 bytes", GoAwayStatus.FLOW_CONTROL_ERROR)
        return sending
