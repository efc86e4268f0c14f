"""What waits to be sent: data that a window or a full transport holds back, and who is next (draft 3.1, 2.6.8)."""

from collections import deque
from typing import cast

from zerogate.native.compiled import slots
from zerogate.wire.pieces import VIEW_BYTES, add_piece
from zerogate.wire.spdy import frames
from zerogate.wire.spdy.events import Event, Writable
from zerogate.wire.spdy.frames import MAX_DATA_BYTES
from zerogate.wire.spdy.headers import BlockWriter, check_block
from zerogate.wire.spdy.state import QueueState
from zerogate.wire.spdy.streams import ENDING, HeldBlock, Pending, Stream
from zerogate.wire.spdy.windows import DEFAULT_WINDOW_BYTES


class SendQueue(QueueState):
    """Frames DATA into `output` as far as the stream's window, the session's and `is_held` allow.

    After `max_batch_bytes` it holds itself, so that what is framed in one go is bounded by less than the windows of all
    streams. The rest waits in its stream. A stream is in the queue if it has something to send and its own window does
    not forbid it; unless the queue is held or the session's window is used up, it is therefore empty.
    """

    __slots__ = slots(
        QueueState, "_max_batch_bytes", "_output", "_queue", "_writer", "batch_bytes", "is_held", "window"
    )

    def __init__(self, output: list[bytes], writer: BlockWriter, max_batch_bytes: int) -> None:
        self._max_batch_bytes = max_batch_bytes
        self.batch_bytes = 0  # framed since the output was taken
        self.window = DEFAULT_WINDOW_BYTES
        self.is_held = False
        self._output = output
        self._writer = writer
        self._queue: deque[Stream] = deque()

    def __repr__(self) -> str:
        held = "held, " if self.is_held else ""
        return f"<SendQueue {held}window {self.window}, {len(self._queue)} streams waiting>"

    def send_data(self, stream: Stream, data: bytes, fin: bool) -> bool:
        """Frames the data and returns True, or keeps it for `pump` and returns False."""
        size = len(data)
        if not size and not fin:
            return True
        if stream.pending is None and not self.is_held and size <= MAX_DATA_BYTES:
            available = stream.send_window
            # Without data no window is asked: a FIN alone must not wait for credit that it does not need.
            if not size or (size <= available and size <= self.window):
                stream.send_window = available - size
                self.window -= size
                self._output.append(frames.data_header(stream.id, size, fin))
                if size:
                    self._output.append(data)
                    self._count(size)
                return True
        self._keep(stream, data)
        stream.pending_bytes += size
        return False

    def take_whole(self, stream: Stream, size: int) -> bool:
        """Whether one frame may take so much now. Then the windows have it taken from them."""
        if self.is_held or size > MAX_DATA_BYTES or size > stream.send_window or size > self.window:
            return False
        stream.send_window -= size
        self.window -= size
        self._count(size)
        return True

    def keep_block(self, stream: Stream, block: bytes) -> None:
        """Keeps a block (of trailers) behind the stream's pending data. Raises as `check_block` does."""
        self._keep(stream, HeldBlock(check_block(block)))

    def wake(self, stream: Stream) -> None:
        """The stream's window has been widened: it takes its turn, if it has something to send."""
        if stream.pending is not None and not stream.is_queued and _may_go(stream):
            stream.is_queued = True
            self._queue.append(stream)

    def pump(self, events: list[Event]) -> list[Stream]:
        """Frames what may go now, one frame of each stream in turn. Returns the streams whose FIN went out."""
        ended: list[Stream] = []
        queue = self._queue
        while queue and not self.is_held:
            stream = queue[0]
            pending = stream.pending
            if pending is not None and self.window <= 0 and pending[0]:
                break  # Everybody waits for the session's window; who comes behind must not overtake.
            queue.popleft()
            stream.is_queued = False
            if pending is None or not _may_go(stream):  # It was reset, or its window shrank, while it waited.
                continue
            if isinstance(pending[0], HeldBlock):
                self._frame_block(stream, pending)
            else:
                self._frame_data(stream, pending, events)
            if pending:
                self.wake(stream)
            else:
                stream.pending = None
                if stream.local == ENDING:
                    ended.append(stream)
        return ended

    def _count(self, size: int) -> None:
        self.batch_bytes += size
        if self.batch_bytes > self._max_batch_bytes:
            self.is_held = True

    def _keep(self, stream: Stream, item: bytes | HeldBlock) -> None:
        if stream.pending is None:
            stream.pending = deque()
        if type(item) is bytes:
            add_piece(stream.pending, item)
        else:
            stream.pending.append(item)
        self.wake(stream)

    def _frame_block(self, stream: Stream, pending: Pending) -> None:
        held = pending.popleft()
        assert isinstance(held, HeldBlock)
        fin = stream.local == ENDING and not pending
        self._output.append(frames.headers(stream.id, self._writer.wrap(held.block), fin))
        self._count(len(held.block))

    def _frame_data(self, stream: Stream, pending: Pending, events: list[Event]) -> None:
        """Puts as many of the stream's pieces into one DATA frame as fit: many small ones make one frame."""
        room = max(0, min(stream.send_window, self.window, MAX_DATA_BYTES))
        pieces: list[bytes] = []
        size = 0
        while pending:
            item = pending[0]
            if isinstance(item, HeldBlock):
                break
            if size + len(item) > room:
                # A view, so that a long piece behind a window that opens byte by byte is not copied for each byte.
                view = memoryview(item)
                pieces.append(_cut_off(view, room - size))
                pending[0] = view[room - size :]
                size = room
                break
            pieces.append(item if type(item) is bytes else _cut_off(memoryview(item), len(item)))
            size += len(item)
            pending.popleft()
        stream.send_window -= size
        self.window -= size
        stream.pending_bytes -= size
        self._output.append(frames.data_header(stream.id, size, stream.local == ENDING and not pending))
        self._output += pieces
        self._count(size)
        if size and not stream.pending_bytes:
            events.append(Writable(stream))


def _cut_off(view: memoryview, size: int) -> bytes:
    """The beginning of what waits, as a view if it is large: what it keeps is kept anyway until it is written."""
    return cast(bytes, view[:size]) if size >= VIEW_BYTES else bytes(view[:size])


def _may_go(stream: Stream) -> bool:
    """Whether the stream's own window lets its next frame pass; a block or a FIN alone always may."""
    return stream.send_window > 0 or not (stream.pending and stream.pending[0])
