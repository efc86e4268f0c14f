"""A SPDY/3.1 session: bytes in, events out; calls in, frames out. The same for both ends of a link.

The session itself only coordinates. Frames are cut and written in `frames`, blocks in `headers`; `streams` says what a
stream may do, `windows` how much, `send_queue` who is next.
"""

from collections.abc import Callable
from typing import Final

from zerogate.errors import SpdyError, ZerogateError
from zerogate.wire.spdy import frames
from zerogate.wire.spdy.events import (
    Data,
    Event,
    GoAway,
    Headers,
    Reply,
    Reset,
    Settings,
    StreamOpened,
)
from zerogate.wire.spdy.frames import (
    FLAG_COMPRESSED,
    FLAG_FIN,
    FLAG_UNIDIRECTIONAL,
    ID_MASK,
    MAX_STREAM_ID,
    FrameReader,
    FrameType,
    GoAwayStatus,
    RstStatus,
    SettingId,
)
from zerogate.wire.spdy.headers import (
    MAX_BLOCK_BYTES,
    BlockReader,
    BlockTooLargeError,
    BlockWriter,
    HeaderFieldError,
    decode_block,
)
from zerogate.wire.spdy.send_queue import SendQueue
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
from zerogate.wire.spdy.windows import (
    DEFAULT_WINDOW_BYTES,
    MAX_WINDOW_BYTES,
    NO_RECEIVE_WINDOW,
    NO_SEND_WINDOW,
    ReceiveWindow,
    SendWindow,
)


class StreamIdsExhausted(ZerogateError):
    """No stream can be opened in this session any more: its ids have run out, or the peer said GOAWAY."""


class Session:
    """One end of a SPDY session.

    `opens_odd`: our streams and pings have odd numbers (the draft's client; the router). `stream_window` and
    `session_window`: bytes that the peer may have under way. `max_concurrent`: how many streams the peer should have
    open at once, which is told but not enforced: `max_peer_streams` is, by REFUSED_STREAM. `last_stream_id` is the
    highest id to use.

    `receive` never raises: when the peer breaks the session, `error` is set, a GOAWAY says so in the output, and
    nothing more is read. What is sent on a stream that is gone is dropped, as the peer's reset and our frames may
    cross; what the state of a stream forbids raises StreamStateError.
    """

    __slots__ = (
        "_data_stream",
        "_goaway_id",
        "_initial_send_window",
        "_max_peer_streams",
        "_next_id",
        "_parity",
        "_peer_stream_count",
        "_peer_stream_id",
        "_ping_id",
        "_queue",
        "_reader",
        "_receive_window",
        "_top_id",
        "_unwrap",
        "_window_bytes",
        "_wrap",
        "error",
        "is_going_away",
        "output",
        "peer_is_going_away",
        "streams",
    )

    def __init__(
        self,
        *,
        opens_odd: bool,
        stream_window: int = 256 * 1024,
        session_window: int = 16 * 1024 * 1024,
        max_concurrent: int | None = None,
        max_peer_streams: int = 65536,
        last_stream_id: int = MAX_STREAM_ID,
    ) -> None:
        if not 0 < stream_window <= MAX_WINDOW_BYTES or not DEFAULT_WINDOW_BYTES <= session_window <= MAX_WINDOW_BYTES:
            raise ValueError(f"windows of {stream_window} and {session_window} bytes")
        self.streams: dict[int, Stream] = {}
        self.output: list[bytes] = []
        self.error: SpdyError | None = None
        self.is_going_away = False
        self.peer_is_going_away = False
        self._parity = 1 if opens_odd else 0
        self._next_id = 1 if opens_odd else 2
        self._top_id = last_stream_id
        self._ping_id = self._next_id
        self._peer_stream_id = 0  # The highest that the peer has used,
        self._goaway_id = 0  # and what it was at our GOAWAY.
        self._peer_stream_count = 0
        self._max_peer_streams = max_peer_streams
        self._data_stream: Stream | None = None  # Whose DATA frame is being read; None: it goes nowhere.
        self._initial_send_window = DEFAULT_WINDOW_BYTES
        self._window_bytes = stream_window
        self._receive_window = ReceiveWindow(session_window)
        self._reader = FrameReader()
        self._unwrap = BlockReader().unwrap
        writer = BlockWriter()
        self._wrap = writer.wrap
        self._queue = SendQueue(self.output, writer)
        self._send_settings(max_concurrent, stream_window)
        if session_window > DEFAULT_WINDOW_BYTES:
            self.output.append(frames.window_update(0, session_window - DEFAULT_WINDOW_BYTES))

    def __repr__(self) -> str:
        state = f"broken: {self.error}" if self.error else f"{len(self.streams)} streams"
        leaving = ", going away" if self.is_going_away else ""
        peer_leaving = ", peer is going away" if self.peer_is_going_away else ""
        return f"<Session {'odd' if self._parity else 'even'}, {state}{leaving}{peer_leaving}, {self._queue!r}>"

    @property
    def ids_left(self) -> int:
        """How many more streams can be opened here; 0 after the peer's GOAWAY."""
        return max(0, (self._top_id - self._next_id) // 2 + 1)

    # What we send.

    def take_output(self) -> list[bytes]:
        """What is to be written now, in order. Every call ends with a whole frame."""
        output = self.output[:]
        self.output.clear()
        return output

    def open_stream(self, block: bytes, fin: bool) -> Stream:
        """SYN_STREAM with a raw block. Raises StreamIdsExhausted, BlockTooLargeError."""
        stream_id = self._next_id
        if stream_id > self._top_id:
            raise StreamIdsExhausted("the peer is going away" if self.peer_is_going_away else "all stream ids are used")
        self.output.append(frames.syn_stream(stream_id, self._wrap(block), fin))
        self._next_id = stream_id + 2
        receive_window = ReceiveWindow(self._window_bytes)
        if fin:
            stream = Stream(stream_id, DONE, REPLY_DUE, NO_SEND_WINDOW, receive_window)
        else:
            stream = Stream(stream_id, OPEN, REPLY_DUE, SendWindow(self._initial_send_window), receive_window)
        self.streams[stream_id] = stream
        return stream

    def send_reply(self, stream: Stream, block: bytes, fin: bool) -> None:
        """SYN_REPLY with a raw block. Raises StreamStateError, BlockTooLargeError."""
        after = _after(stream, REPLY + fin)
        if after == RESET:
            return
        self.output.append(frames.syn_reply(stream.id, self._wrap(block), fin))
        stream.local = after
        if fin and stream.remote == DONE:
            self._close(stream)

    def send_headers(self, stream: Stream, block: bytes, fin: bool) -> None:
        """HEADERS with a raw block, behind pending data. Raises StreamStateError, BlockTooLargeError."""
        after = _after(stream, HEADERS + fin)
        if after == RESET:
            return
        if stream.pending is not None:
            if len(block) > MAX_BLOCK_BYTES:
                raise BlockTooLargeError(f"{len(block)} bytes of fields, over the limit of {MAX_BLOCK_BYTES}")
            stream.local = ENDING if fin else after
            self._queue.send_block(stream, block)
            return
        self.output.append(frames.headers(stream.id, self._wrap(block), fin))
        stream.local = after
        if fin and stream.remote == DONE:
            self._close(stream)

    def send_data(self, stream: Stream, data: bytes, fin: bool) -> None:
        """DATA, as far as windows and `hold` allow; the rest is pending. Raises StreamStateError."""
        after = _after(stream, DATA + fin)
        if after == RESET:
            return
        if self._queue.send_data(stream, data, fin):
            stream.local = after
            if fin and stream.remote == DONE:
                self._close(stream)
        else:
            stream.local = ENDING if fin else after
            # No event is lost with this list: who else could send now would have done so before.
            self._pump([])

    def reset(self, stream: Stream, status: int) -> None:
        """RST_STREAM: the stream is gone, and what was pending on it."""
        if not stream.is_gone:
            self.output.append(frames.rst_stream(stream.id, status))
            self._drop(stream)

    def consumed(self, stream: Stream, size: int) -> None:
        """`size` bytes of the stream's data have gone on: the peer may send as many again."""
        if stream.remote != OPEN:  # "After [...] FLAG_FIN [...] it should not send WINDOW_UPDATE frames"
            return
        credit = stream.receive_window.give(size)
        if credit:
            self.output.append(frames.window_update(stream.id, credit))

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
        self._send_settings(max_concurrent, None)

    def ping(self) -> None:
        """PING."""
        self.output.append(frames.ping(self._ping_id))
        self._ping_id = self._ping_id + 2 & 0xFFFFFFFF

    def goaway(self, status: int = GoAwayStatus.OK) -> None:
        """GOAWAY: the peer's streams up to now are the last ones, newer ones are refused."""
        if not self.is_going_away:
            self.is_going_away = True
            self._goaway_id = self._peer_stream_id
        self.output.append(frames.goaway(self._goaway_id, status))

    # What we receive.

    def receive(self, data: bytes) -> list[Event]:
        """What the peer's bytes say, in order. Sets `error` when they break the session."""
        events: list[Event] = []
        if self.error is not None:
            return events
        reader = self._reader
        try:
            for kind, flags, word, size, payload in reader.receive(data):
                _HANDLERS[kind](self, flags, word, size, payload, events)
            if reader.error is not None:
                raise reader.error
        except SpdyError as error:
            self.error = error
            self.goaway(error.status)
        return events

    def _receive_data(self, flags: int, stream_id: int, size: int, payload: bytes, events: list[Event]) -> None:
        window = self._receive_window
        if not window.take(size):
            raise SpdyError(f"{size} bytes of DATA in a session window of {window}", GoAwayStatus.FLOW_CONTROL_ERROR)
        # Session credit is for what comes in, not for what goes on: a slow stream must not hold up the others. All of
        # it at the header, so that what we answer does not depend on how the frame's bytes were cut.
        credit = window.give(size)
        if credit:
            self.output.append(frames.window_update(0, credit))
        stream = self._data_stream = self.streams.get(stream_id)
        if stream is None:
            self._refuse_unopened(stream_id)
            return
        fin = flags & FLAG_FIN
        after = TRANSITIONS[stream.remote][DATA + fin]
        if after < 0:
            self._refuse(stream, -after, events)
        elif flags & FLAG_COMPRESSED:  # Gone since draft 3; passing it on as it is would corrupt the data.
            self._refuse(stream, RstStatus.PROTOCOL_ERROR, events)
        elif not stream.receive_window.take(size):
            self._refuse(stream, RstStatus.FLOW_CONTROL_ERROR, events)
        else:
            self._receive_piece(stream, fin, size, payload, events)

    def _receive_more(self, flags: int, _stream_id: int, size: int, payload: bytes, events: list[Event]) -> None:
        stream = self._data_stream
        if stream is not None and stream.remote == OPEN:
            self._receive_piece(stream, flags & FLAG_FIN, size, payload, events)

    def _receive_piece(self, stream: Stream, fin: int, size: int, payload: bytes, events: list[Event]) -> None:
        if fin and len(payload) == size:
            stream.remote = DONE
            if stream.local == DONE:
                self._close(stream)
            events.append(Data(stream, payload, True))
        elif payload:
            events.append(Data(stream, payload, False))

    def _receive_syn_stream(self, flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        stream_id = word & ID_MASK
        if not stream_id or stream_id & 1 == self._parity:
            raise SpdyError(f"SYN_STREAM for stream {stream_id} of ours", GoAwayStatus.PROTOCOL_ERROR)
        if stream_id < self._peer_stream_id:  # 2.3.2
            reason = f"SYN_STREAM for stream {stream_id} after {self._peer_stream_id}"
            raise SpdyError(reason, GoAwayStatus.PROTOCOL_ERROR)
        fin = flags & FLAG_FIN
        raw = self._unwrap(payload[6:])
        if stream_id == self._peer_stream_id:  # 2.3.2 "a second SYN_STREAM for the same stream"
            stream = self.streams.get(stream_id)
            self._refuse(stream or stream_id, RstStatus.PROTOCOL_ERROR, events)
            return
        self._peer_stream_id = stream_id
        try:
            fields = decode_block(raw)
        except HeaderFieldError:
            self._refuse(stream_id, RstStatus.PROTOCOL_ERROR, events)
            return
        is_push = flags & FLAG_UNIDIRECTIONAL or int.from_bytes(payload[:4]) & ID_MASK
        if is_push or self.is_going_away or self._peer_stream_count >= self._max_peer_streams:
            self._refuse(stream_id, RstStatus.REFUSED_STREAM, events)
            return
        send_window = SendWindow(self._initial_send_window)
        if fin:
            stream = Stream(stream_id, REPLY_DUE, DONE, send_window, NO_RECEIVE_WINDOW)
        else:
            stream = Stream(stream_id, REPLY_DUE, OPEN, send_window, ReceiveWindow(self._window_bytes))
        self.streams[stream_id] = stream
        self._peer_stream_count += 1
        events.append(StreamOpened(stream, fields, fin == FLAG_FIN))

    def _receive_reply(self, flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        self._receive_block(Reply, REPLY, flags, word, payload, events)

    def _receive_headers(self, flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        self._receive_block(Headers, HEADERS, flags, word, payload, events)

    def _receive_block(
        self, event: type[Reply | Headers], move: int, flags: int, word: int, payload: bytes, events: list[Event]
    ) -> None:
        raw = self._unwrap(payload)
        stream = self.streams.get(word & ID_MASK)
        if stream is None:
            self._refuse_unopened(word & ID_MASK)
            return
        fin = flags & FLAG_FIN
        after = TRANSITIONS[stream.remote][move + fin]
        if after < 0:
            self._refuse(stream, -after, events)
            return
        try:
            fields = decode_block(raw)
        except HeaderFieldError:
            self._refuse(stream, RstStatus.PROTOCOL_ERROR, events)
            return
        stream.remote = after
        if fin and stream.local == DONE:
            self._close(stream)
        events.append(event(stream, fields, fin == FLAG_FIN))

    def _receive_rst_stream(self, _flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        stream_id = word & ID_MASK
        status = int.from_bytes(payload[:4])
        if not stream_id or not status:  # 2.6.3 "0 is not a valid status code"
            raise SpdyError(f"RST_STREAM of stream {stream_id} with status {status}", GoAwayStatus.PROTOCOL_ERROR)
        stream = self.streams.get(stream_id)
        if stream is not None:  # "MUST NOT send a RST_STREAM in response to an RST_STREAM"
            self._drop(stream)
            events.append(Reset(stream, status))

    def _receive_settings(self, _flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        values = frames.parse_settings(word, payload)
        window_bytes = values.get(SettingId.INITIAL_WINDOW_SIZE)
        if window_bytes is not None:
            self._resize_send_windows(window_bytes, events)
        events.append(Settings(values.get(SettingId.MAX_CONCURRENT_STREAMS)))

    def _receive_ping(self, _flags: int, word: int, _size: int, _payload: bytes, _events: list[Event]) -> None:
        if word & 1 != self._parity:  # Else it is the answer to one of ours.
            self.output.append(frames.ping(word))

    def _receive_goaway(self, _flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        last_id = word & ID_MASK
        self.peer_is_going_away = True
        self._top_id = 0
        events.append(GoAway(last_id, int.from_bytes(payload)))
        # 2.6.6 "the receiver may treat the stream as though it had never been created". One that has its reply was.
        for stream in list(self.streams.values()):
            if stream.id > last_id and stream.id & 1 == self._parity and stream.remote == REPLY_DUE:
                self._drop(stream)
                events.append(Reset(stream, RstStatus.REFUSED_STREAM))

    def _receive_window_update(self, _flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        stream_id = word & ID_MASK
        delta = int.from_bytes(payload) & ID_MASK
        if not stream_id:
            if not delta:
                raise SpdyError("WINDOW_UPDATE of the session by 0", GoAwayStatus.PROTOCOL_ERROR)
            if not self._queue.window.widen(delta):
                raise SpdyError("the session's window is over 2^31-1", GoAwayStatus.FLOW_CONTROL_ERROR)
            self._pump(events)
            return
        stream = self.streams.get(stream_id)
        if stream is None or stream.local == DONE:  # 2.6.8 "should ignore [...] after it send the last frame"
            return
        if not delta:
            self._refuse(stream, RstStatus.PROTOCOL_ERROR, events)
        elif not stream.send_window.widen(delta):
            self._refuse(stream, RstStatus.FLOW_CONTROL_ERROR, events)
        else:
            self._queue.wake(stream)
            self._pump(events)

    # What both have in common.

    def _send_settings(self, max_concurrent: int | None, window_bytes: int | None) -> None:
        pairs = ((SettingId.MAX_CONCURRENT_STREAMS, max_concurrent), (SettingId.INITIAL_WINDOW_SIZE, window_bytes))
        self.output.append(frames.settings([(setting, value) for setting, value in pairs if value is not None]))

    def _resize_send_windows(self, window_bytes: int, events: list[Event]) -> None:
        if window_bytes > MAX_WINDOW_BYTES:
            raise SpdyError(f"initial window of {window_bytes} bytes", GoAwayStatus.FLOW_CONTROL_ERROR)
        delta = window_bytes - self._initial_send_window
        self._initial_send_window = window_bytes
        for stream in self.streams.values():
            if stream.local != DONE:
                if not stream.send_window.widen(delta):
                    reason = f"the window of stream {stream.id} is over 2^31-1"
                    raise SpdyError(reason, GoAwayStatus.FLOW_CONTROL_ERROR)
                self._queue.wake(stream)
        self._pump(events)

    def _pump(self, events: list[Event]) -> None:
        for stream in self._queue.pump(events):
            if stream.remote == DONE:
                self._close(stream)

    def _refuse(self, stream: Stream | int, status: int, events: list[Event]) -> None:
        """A stream error (2.4.2)."""
        if isinstance(stream, int):
            self.output.append(frames.rst_stream(stream, status))
        else:
            self.reset(stream, status)
            events.append(Reset(stream, status))

    def _refuse_unopened(self, stream_id: int) -> None:
        """A frame for no stream of ours: an error if there was none yet (2.2.2), a late one if it is gone."""
        is_own = stream_id & 1 == self._parity
        if stream_id >= self._next_id if is_own else stream_id > self._peer_stream_id:
            self.output.append(frames.rst_stream(stream_id, RstStatus.INVALID_STREAM))

    def _close(self, stream: Stream) -> None:
        del self.streams[stream.id]
        if stream.id & 1 != self._parity:
            self._peer_stream_count -= 1

    def _drop(self, stream: Stream) -> None:
        stream.local = stream.remote = RESET
        stream.pending = None
        stream.pending_bytes = 0
        self._close(stream)


def _after(stream: Stream, move: int) -> int:
    """Our half's state after the move. Raises StreamStateError."""
    after = TRANSITIONS[stream.local][move]
    if after < 0:
        raise StreamStateError(f"{MOVE_NAMES[move]} on {stream}")
    return after


_Handler = Callable[[Session, int, int, int, bytes, list[Event]], None]
_HANDLERS: Final[dict[int, _Handler]] = {
    frames.DATA: Session._receive_data,
    frames.DATA_MORE: Session._receive_more,
    FrameType.SYN_STREAM.value: Session._receive_syn_stream,
    FrameType.SYN_REPLY.value: Session._receive_reply,
    FrameType.RST_STREAM.value: Session._receive_rst_stream,
    FrameType.SETTINGS.value: Session._receive_settings,
    FrameType.PING.value: Session._receive_ping,
    FrameType.GOAWAY.value: Session._receive_goaway,
    FrameType.HEADERS.value: Session._receive_headers,
    FrameType.WINDOW_UPDATE.value: Session._receive_window_update,
}
