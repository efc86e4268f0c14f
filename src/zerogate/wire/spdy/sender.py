"""The sending half of a session: calls in, frames out."""

from zerogate.errors import ZerogateError
from zerogate.native.compiled import slots
from zerogate.wire.spdy import frames
from zerogate.wire.spdy.events import Event
from zerogate.wire.spdy.frames import MAX_STREAM_ID, GoAwayStatus, SettingId, as_octets
from zerogate.wire.spdy.headers import MAX_BLOCK_BYTES, BlockWriter, check_block
from zerogate.wire.spdy.send_queue import SendQueue
from zerogate.wire.spdy.state import SessionState
from zerogate.wire.spdy.stream_table import StreamTable
from zerogate.wire.spdy.streams import (
    DATA,
    DONE,
    ENDING,
    HEADERS,
    MOVE_NAMES,
    OPEN,
    REPLY,
    REPLY_DUE,
    RESET,
    TRANSITIONS,
    Stream,
    StreamStateError,
)
from zerogate.wire.spdy.windows import DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES


class StreamIdsExhausted(ZerogateError):  # noqa: N818 - it is no error: every session comes to this in time
    """No stream can be opened in this session any more: its ids have run out, or the peer said GOAWAY."""


class Sender(SessionState):
    """Everything that a session is asked to say.

    What is sent on a stream that is gone is dropped, as the peer's reset and our frames may cross. What the state of a
    stream forbids raises StreamStateError, a block over 64 KiB BlockTooLargeError, and what is no buffer TypeError:
    nothing is sent then, and nothing has changed. Buffers that are not bytes are copied.
    """

    __slots__ = slots(
        SessionState,
        "_greeting",
        "_initial",
        "_queue",
        "_table",
        "_block_writer",
        "_wrap",
        "is_going_away",
        "last_good_id",
        "output",
        "streams",
    )

    def __init__(
        self,
        *,
        opens_odd: bool,
        stream_window: int,
        session_window: int,
        max_concurrent: int | None,
        last_stream_id: int,
        max_batch_bytes: int,
    ) -> None:
        if not 0 < stream_window <= MAX_WINDOW_BYTES or not DEFAULT_WINDOW_BYTES <= session_window <= MAX_WINDOW_BYTES:
            raise ValueError(f"windows of {stream_window} and {session_window} bytes")
        if not 0 <= last_stream_id <= MAX_STREAM_ID:
            raise ValueError(f"last stream id {last_stream_id}")
        self._table = StreamTable(opens_odd=opens_odd, top_id=last_stream_id)
        self.streams = self._table.streams
        self.output: list[bytes] = []
        self.is_going_away = False
        self.last_good_id = 0  # The peer's last stream that we take, once we are going away.
        self._block_writer = writer = BlockWriter()
        self._wrap = writer.wrap
        self._queue = SendQueue(self.output, writer, max_batch_bytes)
        self._initial = [(SettingId.INITIAL_WINDOW_SIZE.value, stream_window)]
        self._greeting = frames.settings(self._initial)
        self.output.append(self._greeting)
        if max_concurrent is not None:
            self.set_max_concurrent(max_concurrent)
        if session_window > DEFAULT_WINDOW_BYTES:
            self.output.append(frames.window_update(0, session_window - DEFAULT_WINDOW_BYTES))

    @property
    def ids_left(self) -> int:
        """How many more streams can be opened here; 0 after the peer's GOAWAY."""
        return self._table.ids_left

    def take_output(self) -> list[bytes]:
        """What is to be written now: whole frames, in order, in pieces that are to be joined."""
        self._queue.batch_bytes = 0
        output = self.output[:]
        self.output.clear()
        return output

    def open_stream(self, block: bytes, fin: bool) -> Stream:
        """SYN_STREAM with a raw block. Raises StreamIdsExhausted, BlockTooLargeError."""
        table = self._table
        if table.next_id > table.top_id:
            raise StreamIdsExhausted("no stream ids are left in this session, or the peer is going away")
        block = self._wrap(block)
        stream = table.open(fin)
        self.output.append(frames.syn_stream(stream.id, block, fin))
        return stream

    def send_reply(self, stream: Stream, block: bytes, fin: bool) -> None:
        """SYN_REPLY with a raw block. Raises StreamStateError, BlockTooLargeError."""
        after = TRANSITIONS[stream.local][REPLY + fin]
        if after < 0:
            raise _misuse(stream, REPLY + fin)
        if after == RESET:
            return
        self.output.append(frames.syn_reply(stream.id, self._wrap(block), fin))
        self._move(stream, after)

    def send_whole_reply(self, stream: Stream, block: bytes, data: bytes) -> None:
        """SYN_REPLY with a raw block, then DATA with FIN, as `send_reply` and `send_data` would."""
        if type(data) is not bytes:
            data = as_octets(data)
        if type(block) is not bytes or len(block) > MAX_BLOCK_BYTES:
            block = check_block(block)  # Before the windows have it taken from them.
        if stream.local == REPLY_DUE and self._queue.take_whole(stream, len(data)):
            stream_id = stream.id
            reply = frames.syn_reply(stream_id, self._wrap(block), False)
            self.output += (reply, frames.data_header(stream_id, len(data), True), data)
            stream.local = DONE
            if stream.remote == DONE:
                self._table.remove(stream)
        else:
            self.send_reply(stream, block, False)
            self.send_data(stream, data, True)

    def send_headers(self, stream: Stream, block: bytes, fin: bool) -> None:
        """HEADERS with a raw block, behind pending data. Raises StreamStateError, BlockTooLargeError."""
        after = TRANSITIONS[stream.local][HEADERS + fin]
        if after < 0:
            raise _misuse(stream, HEADERS + fin)
        if after == RESET:
            return
        if stream.pending is None:
            self.output.append(frames.headers(stream.id, self._wrap(block), fin))
            self._move(stream, after)
        else:
            self._queue.keep_block(stream, block)
            stream.local = ENDING if fin else after

    def send_data(self, stream: Stream, data: bytes, fin: bool) -> None:
        """DATA, as far as windows and `hold` allow; the rest is pending. Raises StreamStateError."""
        if type(data) is not bytes:
            data = as_octets(data)
        after = TRANSITIONS[stream.local][DATA + fin]
        if after < 0:
            raise _misuse(stream, DATA + fin)
        if after == RESET:
            return
        if self._queue.send_data(stream, data, fin):
            if after == DONE:
                self._move(stream, after)
        else:
            stream.local = ENDING if fin else after
            # Events would be lost here, but there are none: whoever else can send now would have done so before.
            self._pump([])

    def reset(self, stream: Stream, status: int) -> None:
        """RST_STREAM: the stream is gone, and what was pending on it."""
        if not stream.is_gone:
            self.output.append(frames.rst_stream(stream.id, status))
            self._drop(stream)

    def consumed(self, stream: Stream, size: int) -> None:
        """`size` bytes of the stream's data have gone on: the peer may send as many again."""
        if not 0 <= size <= MAX_WINDOW_BYTES:
            raise ValueError(f"{size} bytes cannot have come")
        window = stream.receive_window
        # "After [...] FLAG_FIN [...] it should not send WINDOW_UPDATE frames" (2.6.8)
        if stream.remote == OPEN and window is not None:
            credit = window.give(size)
            if credit:
                self.output.append(frames.window_update(stream.id, credit))

    @property
    def is_held(self) -> bool:
        """No DATA is framed until `release`: by `hold`, or because the batch is full."""
        return self._queue.is_held

    def hold(self) -> None:
        """The transport is full: no DATA is framed until `release`. Everything else is."""
        self._queue.is_held = True

    def release(self) -> list[Event]:
        """The transport takes data again: frames what waited. Returns Writable events."""
        events: list[Event] = []
        self._queue.is_held = False
        self._pump(events)
        return events

    def set_max_concurrent(self, max_concurrent: int) -> None:
        """SETTINGS: how many streams the peer should have open from now on."""
        pairs = [(SettingId.MAX_CONCURRENT_STREAMS.value, max_concurrent)]
        if self.output and self.output[0] is self._greeting:
            # Nothing has been said yet: one SETTINGS says it all.
            self._greeting = self.output[0] = frames.settings(pairs + self._initial)
        else:
            self.output.append(frames.settings(pairs))

    def goaway(self, status: int = GoAwayStatus.OK) -> None:
        """GOAWAY: the peer's streams up to now are its last ones, newer ones are refused."""
        last_good_id = self.last_good_id if self.is_going_away else self._table.peer_id
        self.output.append(frames.goaway(last_good_id, status))
        self.is_going_away = True
        self.last_good_id = last_good_id

    def leave(self) -> None:
        """GOAWAY that refuses nothing: what the peer has opened by the time it hears of it is taken as ever."""
        self.output.append(frames.goaway(MAX_STREAM_ID, GoAwayStatus.OK))

    def _move(self, stream: Stream, after: int) -> None:
        """Our half goes on; with its FIN out and the peer's in, the stream is gone."""
        stream.local = after
        if after == DONE and stream.remote == DONE:
            self._table.remove(stream)

    def _drop(self, stream: Stream) -> None:
        """Either end gave the stream up."""
        stream.local = stream.remote = RESET
        stream.pending = None
        stream.pending_bytes = 0
        self._table.remove(stream)

    def _pump(self, events: list[Event]) -> None:
        for stream in self._queue.pump(events):
            self._move(stream, DONE)


def _misuse(stream: Stream, move: int) -> StreamStateError:
    return StreamStateError(f"{MOVE_NAMES[move]} on {stream}")
