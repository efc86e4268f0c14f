"""A session over a transport: ZMTP and SPDY meet asyncio here, and nowhere else. One class for both ends.

    transport bytes -> zmtp.Connection -> spdy.Session -> events -> the stream's handler or the link's owner
    handler's calls -> spdy.Session -> frames collected -> one ZMTP message and one write a turn of the event loop

Reading never waits for writing: what a peer can make us queue is bounded by its windows and MAX_BACKLOG_BYTES.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Protocol, cast

from zerogate.link.allowance import SETTINGS_BURST, SETTINGS_PER_S, Allowance
from zerogate.link.handlers import HEARS, StreamHandler, end_all, end_failed
from zerogate.link.limits import HIGH_WATER_BYTES, MAX_PIECES
from zerogate.link.liveness import Liveness
from zerogate.link.marks import id_of
from zerogate.link.output import LinkOutput
from zerogate.link.state import take_message
from zerogate.link.strangers import stranger
from zerogate.link.watch import Watch
from zerogate.settings import LinkSettings
from zerogate.transports import NONE, descriptor_of
from zerogate.wire import zmtp
from zerogate.wire.fields import Fields
from zerogate.wire.spdy import events
from zerogate.wire.spdy.frames import GoAwayStatus, RstStatus
from zerogate.wire.spdy.headers import Decode, decode_block
from zerogate.wire.spdy.session import Session
from zerogate.wire.spdy.streams import Stream

logger = logging.getLogger("zerogate.link")


class LinkOwner(Protocol):
    """Who runs links: the router or the worker."""

    def on_connected(self, link: "Link") -> None:
        """The transport is there. A link that never gets so far is never heard of."""

    def on_ready(self, link: "Link") -> None:
        """The ZMTP handshake is done."""

    def on_stream(self, link: "Link", stream: Stream, fields: Fields, fin: bool) -> None:
        """The peer opened a stream."""

    def on_settings(self, link: "Link", max_concurrent: int) -> None:
        """The peer said how many streams it takes at once."""

    def on_goaway(self, link: "Link", last_stream_id: int) -> None:
        """The peer takes no new streams. Streams above the id will hear that they are refused."""

    def on_suspect(self, link: "Link", is_suspect: bool) -> None:
        """The link has been silent for long, or has spoken again."""

    def on_closed(self, link: "Link", reason: str) -> None:
        """The link is gone; its streams' handlers will be told. What there is to log of it is the owner's to say."""


class Link(LinkOutput, asyncio.BaseProtocol):
    """One link. `is_router` says which end this is; `max_concurrent` is what we take, if we say it.

    `mechanisms`: who may be at the other end (`zmtp.Connection`). `decode_opening`, `decode_reply`: what this end wants
    of the peer's requests and replies (`Session`).

    A bug costs as little as can be: a handler's its stream (`StreamHandler.on_failed`), the link's own the link.

    peer_key: the peer's public key, if it came with one
    has_failed: it ended, or is about to, because the peer broke the rules or was silent (`was_silent`)
    accepts: what the peer takes of what not every peer does, in the words of whoever owns the link and sets it
    """

    def __init__(
        self,
        owner: LinkOwner,
        settings: LinkSettings,
        *,
        is_router: bool,
        max_concurrent: int | None = None,
        mark: bytes = zmtp.NO_MARK,
        mechanisms: Sequence[zmtp.Mechanism] = (),
        decode_opening: Decode = decode_block,
        decode_reply: Decode = decode_block,
    ) -> None:
        ours, theirs = (b"ROUTER", (b"DEALER", b"XREQ")) if is_router else (b"DEALER", (b"ROUTER", b"XREP"))
        self._owner = owner
        self._settings = settings
        self._zmtp = zmtp.Connection(socket_type=ours, accepts=frozenset(theirs), mark=mark, mechanisms=mechanisms)
        self.session = Session(
            opens_odd=is_router,
            stream_window=settings.stream_window,
            session_window=settings.session_window,
            max_concurrent=max_concurrent,
            last_stream_id=settings.last_stream_id,
            max_batch_bytes=HIGH_WATER_BYTES,
            decode_opening=decode_opening,
            decode_reply=decode_reply,
        )
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._descriptor = NONE
        self._is_flush_due = False
        self._has_opened = False
        self._n_batched = 0
        self._is_paused = False
        self._watch: Watch | None = None
        self.liveness = Liveness(settings.suspect_after, self._loop.time())
        self._reason = ""
        self._settings_left = Allowance(SETTINGS_BURST, SETTINGS_PER_S, self._loop.time())
        self.accepts: frozenset[str] = frozenset()
        self.is_ready = self.is_suspect = self.is_closed = False
        self.has_failed = self.was_silent = False
        self.peer = "?"
        self.peer_id = ""
        self.peer_key = b""
        self.peer_max_concurrent: int | None = None
        self.bytes_in = self.bytes_out = 0

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "suspect" if self.is_suspect else "up" if self.is_ready else "opening"
        return f"<Link {self.peer} {state} streams={len(self.session.streams)}>"

    # The end

    def close(self, reason: str) -> None:
        """End the link after what is queued has been written."""
        self._reason = self._reason or reason
        if self._transport is not None and not self.is_closed:
            self._flush()
            self._transport.close()

    def abort(self, reason: str) -> None:
        """End the link at once."""
        self._reason = self._reason or reason
        if self._transport is not None and not self.is_closed:
            self._transport.abort()

    def fail(self, reason: str) -> None:
        """The peer has broken the rules, or is not there: end the link."""
        if not self._reason:
            self._reason = reason
            self.has_failed = True
        if self._transport is not None and not self.is_closed:
            if self._transport.get_write_buffer_size():
                self._transport.abort()
            else:
                self._transport.close()

    def expel(self, reason: str) -> None:
        """The peer does what no peer may: tell it so (GOAWAY), and end the link."""
        if not self.is_closed and not self._reason:
            self.session.goaway(GoAwayStatus.PROTOCOL_ERROR)
            self._flush()
            self.fail(reason)

    # From its watch

    def set_suspect(self, is_suspect: bool) -> None:
        self.is_suspect = is_suspect
        try:
            self._owner.on_suspect(self, is_suspect)
        except Exception:
            logger.exception("the owner of %r failed", self)

    def ping(self, ttl_s: float) -> None:
        """Ask the peer, by ZMTP, whether it is there."""
        if self.is_ready:
            self._write([self._zmtp.ping(ttl_s)])

    # Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self._descriptor = descriptor_of(transport)
        peername = transport.get_extra_info("peername")
        self.peer = f"{peername[0]}:{peername[1]}" if isinstance(peername, tuple) else "ipc"
        self.liveness.heard = self._loop.time()
        self._owner.on_connected(self)
        self._write_zmtp()
        self._watch = Watch(self, self._settings, self._loop)

    def data_received(self, data: bytes) -> None:
        try:
            if not take_message(self, data):
                self._receive(data)
        except Exception as error:
            self._break_off(error)

    def _receive(self, data: bytes) -> None:
        self.liveness.heard = self._loop.time()
        self.bytes_in += len(data)
        if self.is_suspect:
            self.set_suspect(False)
        connection = self._zmtp
        pieces = connection.receive(data)
        if connection.error is not None:
            if not self.is_ready:
                pieces = []  # The handshake, more, and a fault in one read: nobody has been told that there is a link.
            self.is_ready = False  # Nothing more can be said.
        elif not self.is_ready and connection.is_ready:
            self._write_zmtp()  # Our READY: the owner's first message must not overtake it.
            self._become_ready()
        for piece in pieces:
            self._dispatch(self.session.receive(piece))
        self._settle(data)

    def _settle(self, data: bytes) -> None:
        """`data` has been dispatched: what is to be said, and whether the link goes on."""
        self._write_zmtp()
        error = self._zmtp.error or self.session.error
        if error is not None:
            self._flush()
            self.fail((stranger(data) if self.bytes_in == len(data) else "") or error.reason)
        elif len(self.session.output) > MAX_PIECES:
            # The event loop may read many times in a turn: what a flood makes us say must not pile up meanwhile.
            self._flush()
        elif self.session.output or self._has_opened:
            # Behind the tasks that new streams made: what those send in their first step goes with this write.
            self._has_opened = False
            self._flush_soon()

    def eof_received(self) -> None:
        """A closed connection is lost at once: a link has no half-open state."""
        self._reason = self._reason or "closed by the peer"

    def pause_writing(self) -> None:
        self._is_paused = True
        self.session.hold()

    def resume_writing(self) -> None:
        self._is_paused = False
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        self._descriptor = NONE
        if self._watch is not None:
            self._watch.stop()
            self._watch = None  # It knows us: neither would be freed before the collector comes.
        if self._zmtp.mechanism.suspicion and not self.has_failed:
            # It went amid the handshake, by a close or, if it had not read all of what we said, by a reset.
            self.has_failed = True
            self._reason = f"closed in the handshake: {self._zmtp.mechanism.suspicion}"
        reason = self._reason or (str(exc) if exc else "closed by the peer")
        # The owner first: what the handlers send elsewhere must not come back to this link.
        try:
            self._owner.on_closed(self, reason)
        except Exception:
            logger.exception("the owner of %r failed", self)
        end_all(list(self.session.streams.values()), self, reason)

    # Inside

    def _dispatch(self, batch: Sequence[Any]) -> None:
        """Each event to whom it concerns."""
        for event in batch:
            hear = HEARS.get(type(event))
            if hear is None:
                self._tell_owner(event)
                continue
            handler = event.stream.handler
            if handler is not None:
                try:
                    hear(handler, event)
                except Exception as error:
                    self._end_failed(handler, event.stream, error)

    def _tell_owner(self, event: Any) -> None:
        kind = type(event)
        try:
            if kind is events.StreamOpened:
                self._has_opened = True
                self._owner.on_stream(self, event.stream, event.fields, event.fin)
            elif kind is events.GoAway:
                self._owner.on_goaway(self, event.last_stream_id)
            elif not self._settings_left.spend(self._loop.time()):
                self.expel("a flood of SETTINGS")
            elif event.max_concurrent is not None:
                self.peer_max_concurrent = event.max_concurrent
                self._owner.on_settings(self, event.max_concurrent)
        except Exception as error:
            if kind is events.StreamOpened:
                self._end_failed(event.stream.handler, event.stream, error)
            else:
                logger.exception("the owner of %r failed", self)

    def _end_failed(self, handler: StreamHandler | None, stream: Stream, error: Exception) -> None:
        """A stream's handler has raised, or where there is none yet the owner."""
        if handler is None:
            logger.error("the owner of %r failed", self, exc_info=error)
        else:
            end_failed(handler, self, error)
        self.reset(stream, RstStatus.INTERNAL_ERROR)

    def _break_off(self, error: Exception) -> None:
        """A bug of ours in the link itself: nobody knows any more what its bytes mean."""
        logger.error("%r failed", self, exc_info=error)
        self.fail("an internal error")

    def _become_ready(self) -> None:
        self.is_ready = True
        self.peer_id = id_of(self._zmtp.peer_mark)
        self.peer_key = self._zmtp.mechanism.peer_key
        if self._watch is not None:
            self._watch.begin()
        self._owner.on_ready(self)
        self._flush_soon()
