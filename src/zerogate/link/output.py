"""What a link says: frames are collected, and written as one message a turn, or sooner when they are many."""

import asyncio
from collections.abc import Sequence
from typing import Any

from zerogate.link.gathering import write_gathered
from zerogate.link.handlers import StreamHandler
from zerogate.link.limits import MAX_BACKLOG_BYTES, MAX_BATCH
from zerogate.link.state import LinkState, write_batch
from zerogate.wire import zmtp
from zerogate.wire.spdy.frames import GoAwayStatus
from zerogate.wire.spdy.session import Session
from zerogate.wire.spdy.streams import Stream


class LinkOutput(LinkState):
    """That half of a link (`link.py`). Reading never waits for it: what a peer can make us queue is bounded by its
    windows and MAX_BACKLOG_BYTES."""

    session: Session
    bytes_out: int
    is_closed: bool
    is_ready: bool
    _is_flush_due: bool
    _is_paused: bool
    _loop: asyncio.AbstractEventLoop
    _n_batched: int
    _transport: asyncio.Transport | None
    _zmtp: zmtp.Connection

    # The other half's

    def abort(self, reason: str) -> None:
        raise NotImplementedError

    def _dispatch(self, batch: Sequence[Any]) -> None:
        raise NotImplementedError

    def _break_off(self, error: Exception) -> None:
        raise NotImplementedError

    # Streams

    def open_stream(self, block: bytes, fin: bool, handler: StreamHandler) -> Stream:
        """Open a stream with a raw name/value block. Raises StreamIdsExhausted."""
        stream = self.session.open_stream(block, fin)
        stream.handler = handler
        self._add_to_batch()
        return stream

    def send_reply(self, stream: Stream, block: bytes, fin: bool) -> None:
        self.session.send_reply(stream, block, fin)
        self._add_to_batch()

    def send_whole_reply(self, stream: Stream, block: bytes, data: bytes) -> None:
        """Send a reply of one piece: `send_reply` and `send_data` in one."""
        self.session.send_whole_reply(stream, block, data)
        self._add_to_batch()

    def send_headers(self, stream: Stream, block: bytes, fin: bool) -> None:
        self.session.send_headers(stream, block, fin)
        self._add_to_batch()

    def send_data(self, stream: Stream, data: bytes, fin: bool) -> None:
        """Send, or keep until there is credit; `stream.pending_bytes` tells how much is kept."""
        self.session.send_data(stream, data, fin)
        self._flush_soon()

    def consumed(self, stream: Stream, n_bytes: int) -> None:
        """The stream's handler has passed on `n_bytes` of its data: the peer may send as much again."""
        self.session.consumed(stream, n_bytes)
        if self.session.output:
            self._flush_soon()

    def reset(self, stream: Stream, status: int) -> None:
        """End a stream at once. Its handler hears nothing more."""
        stream.handler = None
        if self.is_closed:
            return
        self.session.reset(stream, status)
        self._flush_soon()

    def set_max_concurrent(self, n: int) -> None:
        self.session.set_max_concurrent(n)
        self._flush_soon()

    def goaway(self, *, refuses: bool = True) -> None:
        """Say that no new streams are wanted; what is open goes on. What comes all the same is refused, or taken."""
        if not self.is_closed and not self.session.is_going_away:
            self.session.goaway(GoAwayStatus.OK) if refuses else self.session.leave()
            self._flush_soon()

    # Inside

    def _add_to_batch(self) -> None:
        self._n_batched += 1
        if self._n_batched >= MAX_BATCH:
            self._flush_batch()
        elif not self._is_flush_due:
            self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush_batch(self) -> None:
        """Write what there is. Never raises: who calls it may be anybody, and has done nothing wrong."""
        try:
            # A closed event loop has closed the descriptor, too, and its transports do not tell.
            if not self._loop.is_closed() and write_batch(self):
                return
            self._n_batched = 0
            if self.is_ready and self.session.output:
                self._write(self._zmtp.encode_pieces(self.session.take_output()))
        except Exception as error:
            self._break_off(error)

    def _flush(self) -> None:
        self._is_flush_due = False
        self._flush_batch()
        if self.session.is_held and not self._is_paused:
            # The batch was full, and the transport is not: go on in the next turn, when others have had theirs.
            try:
                self._dispatch(self.session.release())
            except Exception as error:
                self._break_off(error)
            self._flush_soon()

    def _write_zmtp(self) -> None:
        if output := self._zmtp.take_output():
            self._write([output])

    def _write(self, pieces: list[bytes]) -> None:
        transport = self._transport
        if transport is None or self.is_closed:
            return
        self.bytes_out += write_gathered(transport, pieces)
        if self._is_paused and transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            self.abort("the peer does not read what it asks for")
