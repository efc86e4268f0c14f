"""A SPDY/3.1 session: bytes in, events out; calls in, frames out. The same for both ends of a link.

The session itself only coordinates. `frames` cuts and writes frames, `headers` their blocks; `streams` says what a
stream may do, `stream_table` which there are, `windows` how much they may send, `send_queue` who is next.
"""

import sys
from collections import deque
from collections.abc import Callable
from typing import Final

from zerogate.errors import SpdyError
from zerogate.native.compiled import slots
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
    WholeReply,
    Writable,
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
from zerogate.wire.spdy.headers import BlockReader, Decode, HeaderFieldError, decode_block
from zerogate.wire.spdy.sender import Sender, StreamIdsExhausted
from zerogate.wire.spdy.state import FastPaths, SessionState, set_events, set_parts, set_stream
from zerogate.wire.spdy.streams import DATA, DONE, HEADERS, OPEN, REPLY, REPLY_DUE, TRANSITIONS, Stream
from zerogate.wire.spdy.windows import DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES, ReceiveWindow

__all__ = ["Session", "StreamIdsExhausted"]

# What: makes an event past its class's own __new__. Why, benchmark: 0.1 µs instead of 0.2, three times a request.
_new_event: Final = tuple.__new__

_DATA: Final = frames.DATA
_SYN_REPLY: Final = FrameType.SYN_REPLY.value


class CarefulSession(Sender):
    """One end of a SPDY session: what it says is in Sender, what it hears is here.

    `opens_odd`: our streams and pings have odd numbers (the draft's client; the router). `stream_window` and
    `session_window`: bytes that the peer may have under way. `max_concurrent`: how many streams the peer should have
    open at once, which is told but not enforced: `max_peer_streams` is, by REFUSED_STREAM. `last_stream_id` is the
    highest id to use. `max_batch_bytes`: after so much DATA without `take_output` no more is framed until `release`.
    `decode_opening` and `decode_reply` make what is said of a SYN_STREAM and of a SYN_REPLY out of their raw blocks, as
    whoever uses the session wants it, and raise as `decode_block` does; a HEADERS is always its fields.

    `receive` never raises for what a peer sent: when the peer breaks the session, `error` is set, a GOAWAY that says so
    is in the output, and nothing more is read.
    """

    __slots__ = slots(
        SessionState,
        "_block_reader",
        "_data_stream",
        "_decode_opening",
        "_decode_reply",
        "_max_peer_streams",
        "_reader",
        "_stream_window",
        "_unwrap",
        "_window",
        "error",
        "peer_is_going_away",
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
        max_batch_bytes: int = sys.maxsize,
        decode_opening: Decode = decode_block,
        decode_reply: Decode = decode_block,
    ) -> None:
        super().__init__(
            opens_odd=opens_odd,
            stream_window=stream_window,
            session_window=session_window,
            max_concurrent=max_concurrent,
            last_stream_id=last_stream_id,
            max_batch_bytes=max_batch_bytes,
        )
        self.error: SpdyError | None = None
        self.peer_is_going_away = False
        self._max_peer_streams = max_peer_streams
        self._window = ReceiveWindow(session_window)
        self._stream_window = stream_window
        self._reader = FrameReader()
        self._block_reader = reader = BlockReader()
        self._unwrap = reader.unwrap
        self._decode_opening = decode_opening
        self._decode_reply = decode_reply
        self._data_stream: Stream | None = None  # Whose DATA frame is being read; None: it goes nowhere.

    def __repr__(self) -> str:
        state = f"broken: {self.error}" if self.error else f"{len(self.streams)} streams"
        leaving = ", going away" if self.is_going_away else ""
        peer_leaving = ", peer is going away" if self.peer_is_going_away else ""
        return f"<Session {'odd' if self._table.parity else 'even'}, {state}{leaving}{peer_leaving}, {self._queue!r}>"

    @property
    def peer_ids_left(self) -> int:
        """How many more streams the peer can open, as far as numbers go."""
        return self._table.peer_ids_left

    def receive(self, data: bytes) -> list[Event]:
        """What the peer's bytes say, in order. Sets `error` when they break the session."""
        events: list[Event] = []
        if self.error is not None:
            return events
        if type(data) is not bytes:
            data = frames.as_octets(data)
        reader = self._reader
        block: bytes | None = None  # of a SYN_REPLY, the frame before: if all of its DATA comes next, they go as one
        replied = 0
        try:
            for kind, flags, word, size, payload in reader.receive(data):
                if block is not None:
                    if word == replied and kind == _DATA and flags == FLAG_FIN and len(payload) == size:
                        self._receive_whole_reply(word, block, payload, events)
                        block = None
                        continue
                    self._receive_block(Reply, REPLY, 0, replied, block, events)
                    block = None
                if kind == _SYN_REPLY and not flags:
                    block = payload
                    replied = word & ID_MASK
                    continue
                _HANDLERS[kind](self, flags, word, size, payload, events)
            if block is not None:
                self._receive_block(Reply, REPLY, 0, replied, block, events)
            if reader.error is not None:
                raise reader.error
        except SpdyError as error:
            error.forget_frames()
            self.error = error
            self.goaway(error.status)
        return events

    def _receive_syn_stream(self, flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        table = self._table
        stream_id = word & ID_MASK
        if stream_id & 1 == table.parity or stream_id < table.peer_id or not stream_id:  # 2.3.2
            raise SpdyError(f"SYN_STREAM {stream_id} after {table.peer_id}", GoAwayStatus.PROTOCOL_ERROR)
        # Also of streams that nobody wants: they share the zlib stream with the others.
        raw = self._unwrap(payload[6:])
        if stream_id == table.peer_id:  # 2.3.2 "a second SYN_STREAM for the same stream"
            self._refuse_id(stream_id, RstStatus.PROTOCOL_ERROR, events)
            return
        table.peer_id = stream_id
        try:
            fields = self._decode_opening(raw)
        except HeaderFieldError:
            self._refuse_id(stream_id, RstStatus.PROTOCOL_ERROR, events)
            return
        is_push = flags & FLAG_UNIDIRECTIONAL or not payload.startswith(b"\0\0\0\0")  # An associated stream.
        if is_push or self.is_going_away or table.peer_count >= self._max_peer_streams:
            self._refuse_id(stream_id, RstStatus.REFUSED_STREAM, events)
            return
        fin = flags & FLAG_FIN
        stream = table.admit(stream_id, fin)
        events.append(_new_event(StreamOpened, (stream, fields, fin == FLAG_FIN)))

    def _receive_reply(self, flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        self._receive_block(Reply, REPLY, flags & FLAG_FIN, word & ID_MASK, payload, events)

    def _receive_whole_reply(self, stream_id: int, block: bytes, data: bytes, events: list[Event]) -> None:
        """SYN_REPLY and then all of its DATA, which is how most replies come: the two in one go."""
        stream = self.streams.get(stream_id)
        size = len(data)
        if (
            stream is None
            or stream.remote != REPLY_DUE
            or stream.local != DONE
            or size > DEFAULT_WINDOW_BYTES
            or size > self._window.available
        ):
            self._receive_block(Reply, REPLY, 0, stream_id, block, events)
            self._receive_data(FLAG_FIN, stream_id, size, data, events)
            return
        raw = self._unwrap(block)
        try:
            fields = self._decode_reply(raw)
        except HeaderFieldError:
            self._refuse(stream, RstStatus.PROTOCOL_ERROR, events)
            self._receive_data(FLAG_FIN, stream_id, size, data, events)
            return
        credit = self._window.pass_on(size)
        if credit:
            self.output.append(frames.window_update(0, credit))
        stream.remote = DONE
        del self.streams[stream_id]
        events.append(_new_event(WholeReply, (stream, fields, data)))

    def _receive_headers(self, flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        self._receive_block(Headers, HEADERS, flags & FLAG_FIN, word & ID_MASK, payload, events)

    def _receive_block(
        self, event: type[Reply | Headers], move: int, fin: int, stream_id: int, payload: bytes, events: list[Event]
    ) -> None:
        raw = self._unwrap(payload)
        stream = self.streams.get(stream_id)
        if stream is None:
            self._answer_stray(stream_id)
            return
        after = TRANSITIONS[stream.remote][move + fin]
        if after < 0:
            self._refuse(stream, -after, events)
            return
        try:
            fields = self._decode_reply(raw) if move == REPLY else decode_block(raw)
        except HeaderFieldError:
            self._refuse(stream, RstStatus.PROTOCOL_ERROR, events)
            return
        stream.remote = after
        if fin and stream.local == DONE:
            self._table.remove(stream)
        events.append(_new_event(event, (stream, fields, fin == FLAG_FIN)))

    def _receive_data(self, flags: int, stream_id: int, size: int, payload: bytes, events: list[Event]) -> None:
        window = self._window
        if size > window.available:
            raise SpdyError(f"DATA of {size} bytes in the session's {window}", GoAwayStatus.FLOW_CONTROL_ERROR)
        # Session credit is for what comes in, not for what goes on: a slow stream must not hold up the others. All of
        # it at the header, so that what we answer does not depend on how the frame's bytes were cut.
        credit = window.pass_on(size)
        if credit:
            self.output.append(frames.window_update(0, credit))
        stream = self._data_stream = self.streams.get(stream_id)
        if stream is None:
            self._answer_stray(stream_id)
            return
        after = TRANSITIONS[stream.remote][DATA + (flags & FLAG_FIN)]
        if after < 0:
            self._refuse(stream, -after, events)
        elif flags & FLAG_COMPRESSED:  # It is gone since draft 3; to hand on what is compressed would corrupt the data.
            self._refuse(stream, RstStatus.PROTOCOL_ERROR, events)
        elif not self._window_of(stream).take(size):
            self._refuse(stream, RstStatus.FLOW_CONTROL_ERROR, events)
        else:
            self._receive_piece(stream, flags, size, payload, events)

    def _receive_more(self, flags: int, _stream_id: int, size: int, payload: bytes, events: list[Event]) -> None:
        stream = self._data_stream
        if stream is not None and stream.remote == OPEN:
            self._receive_piece(stream, flags, size, payload, events)

    def _receive_piece(self, stream: Stream, flags: int, size: int, payload: bytes, events: list[Event]) -> None:
        """A piece of a DATA frame that is in order, of which `size` bytes were missing; FIN is for the last one."""
        if flags and len(payload) == size:
            stream.remote = DONE
            if stream.local == DONE:
                self._table.remove(stream)
            events.append(_new_event(Data, (stream, payload, True)))
        elif payload:
            events.append(_new_event(Data, (stream, payload, False)))

    def _window_of(self, stream: Stream) -> ReceiveWindow:
        window = stream.receive_window
        if window is None:
            window = stream.receive_window = ReceiveWindow(self._stream_window)
        return window

    def _receive_rst_stream(self, _flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        stream_id = word & ID_MASK
        status = int.from_bytes(payload[:4])
        if not stream_id or not status:  # 2.6.3 "0 is not a valid status code"
            raise SpdyError(f"RST_STREAM of stream {stream_id} with status {status}", GoAwayStatus.PROTOCOL_ERROR)
        stream = self.streams.get(stream_id)
        if stream is not None:  # 2.4.2 "MUST NOT send a RST_STREAM in response to an RST_STREAM"
            self._drop(stream)
            events.append(Reset(stream, status))

    def _receive_settings(self, _flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        values = frames.parse_settings(word, payload)
        window_bytes = values.get(SettingId.INITIAL_WINDOW_SIZE)
        if window_bytes is not None:
            for stream in self._table.resize_send_windows(window_bytes):
                self._queue.wake(stream)
            self._pump(events)
        events.append(Settings(values.get(SettingId.MAX_CONCURRENT_STREAMS)))

    def _receive_ping(self, _flags: int, word: int, _size: int, _payload: bytes, _events: list[Event]) -> None:
        if word & 1 != self._table.parity:  # Else it is the echo of one of ours, and we send none.
            self.output.append(frames.ping(word))

    def _receive_goaway(self, _flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        last_id = word & ID_MASK
        self.peer_is_going_away = True
        self._table.top_id = 0
        events.append(GoAway(last_id, int.from_bytes(payload)))
        # 2.6.6 "the receiver may treat the stream as though it had never been created at all"
        for stream in self._table.unanswered_above(last_id):
            self._drop(stream)
            events.append(Reset(stream, RstStatus.REFUSED_STREAM.value))

    def _receive_window_update(self, _flags: int, word: int, _size: int, payload: bytes, events: list[Event]) -> None:
        stream_id = word & ID_MASK
        delta = int.from_bytes(payload) & ID_MASK
        if not stream_id:
            if not delta:
                raise SpdyError("WINDOW_UPDATE of the session by 0", GoAwayStatus.PROTOCOL_ERROR)
            self._queue.window += delta
            if self._queue.window > MAX_WINDOW_BYTES:
                raise SpdyError("the session's window is over 2^31-1 bytes", GoAwayStatus.FLOW_CONTROL_ERROR)
            self._pump(events)
            return
        stream = self.streams.get(stream_id)
        if stream is None or stream.local == DONE:  # 2.6.8 "should ignore [...] after it send the last frame"
            return
        if not delta:
            self._refuse(stream, RstStatus.PROTOCOL_ERROR, events)
        elif stream.send_window + delta > MAX_WINDOW_BYTES:
            self._refuse(stream, RstStatus.FLOW_CONTROL_ERROR, events)
        else:
            stream.send_window += delta
            self._queue.wake(stream)
            self._pump(events)

    def _refuse(self, stream: Stream, status: int, events: list[Event]) -> None:
        """A stream error (2.4.2): the peer hears of it, and so does whoever has the stream."""
        self.reset(stream, status)
        events.append(Reset(stream, int(status)))

    def _refuse_id(self, stream_id: int, status: int, events: list[Event]) -> None:
        """The same for a SYN_STREAM, which mostly has no stream yet."""
        stream = self.streams.get(stream_id)
        if stream is None:
            self.output.append(frames.rst_stream(stream_id, status))
        else:
            self._refuse(stream, status, events)

    def _answer_stray(self, stream_id: int) -> None:
        """A frame for a stream that is not open: an error if there never was one (2.2.2), merely late if it is gone."""
        if self._table.is_idle(stream_id):
            self.output.append(frames.rst_stream(stream_id, RstStatus.INVALID_STREAM))


_Handler = Callable[[CarefulSession, int, int, int, bytes, list[Event]], None]
_HANDLERS: Final[dict[int, _Handler]] = {
    frames.DATA: CarefulSession._receive_data,
    frames.DATA_MORE: CarefulSession._receive_more,
    FrameType.SYN_STREAM.value: CarefulSession._receive_syn_stream,
    FrameType.SYN_REPLY.value: CarefulSession._receive_reply,
    FrameType.RST_STREAM.value: CarefulSession._receive_rst_stream,
    FrameType.SETTINGS.value: CarefulSession._receive_settings,
    FrameType.PING.value: CarefulSession._receive_ping,
    FrameType.GOAWAY.value: CarefulSession._receive_goaway,
    FrameType.HEADERS.value: CarefulSession._receive_headers,
    FrameType.WINDOW_UPDATE.value: CarefulSession._receive_window_update,
}


class Session(FastPaths, CarefulSession):
    """The same, which takes what is usual by shorter ways where these are compiled (native/session.pyx)."""

    __slots__ = ()


set_stream(Stream)
set_parts(Writable, deque)
set_events(StreamOpened, Reply, WholeReply, Data)
