"""Who hears what happens on a stream: its handler."""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from zerogate.wire.fields import Fields
from zerogate.wire.spdy import events
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.streams import Stream

__all__ = ["HEARS", "Fields", "StreamHandler", "end_failed"]

logger = logging.getLogger("zerogate.link")


class StreamHandler(Protocol):
    """Who uses a stream; set as `stream.handler`. Its `repr` is what logs call it."""

    def on_reply(self, fields: Fields, fin: bool) -> None:
        """SYN_REPLY came."""

    def on_whole_reply(self, fields: Fields, data: bytes) -> None:
        """SYN_REPLY and all of its DATA came at once, as for most replies."""
        self.on_reply(fields, False)
        self.on_data(data, True)

    def on_headers(self, fields: Fields, fin: bool) -> None:
        """HEADERS came: trailers, or an interim reply."""

    def on_data(self, data: bytes, fin: bool) -> None:
        """DATA came. The handler owes `Link.consumed` for it."""

    def on_writable(self) -> None:
        """All that was given to `send_data` has been framed."""

    def on_reset(self, status: int) -> None:
        """RST_STREAM came, or the peer broke the stream's rules. The stream is gone."""

    def on_lost(self, reason: str) -> None:
        """The link is gone, and the stream with it."""

    def on_failed(self) -> None:
        """One of the above raised, which the link has logged: end whatever stands half done. The stream is gone."""
        self.on_reset(RstStatus.INTERNAL_ERROR)


def _hear_reset(handler: StreamHandler, event: events.Reset) -> None:
    event.stream.handler = None
    handler.on_reset(event.status)


# How a stream's handler hears of each event.
HEARS: dict[type[Any], Callable[[StreamHandler, Any], None]] = {
    events.WholeReply: lambda handler, event: handler.on_whole_reply(event.fields, event.data),
    events.Reply: lambda handler, event: handler.on_reply(event.fields, event.fin),
    events.Headers: lambda handler, event: handler.on_headers(event.fields, event.fin),
    events.Data: lambda handler, event: handler.on_data(event.data, event.fin),
    events.Writable: lambda handler, event: handler.on_writable(),
    events.Reset: _hear_reset,
}


def end_failed(handler: StreamHandler, link: object, error: Exception) -> None:
    """A handler has raised: that costs it what it stands for, and nobody else anything. `link` is for the log."""
    logger.error("%r failed on %r", handler, link, exc_info=error)
    try:
        handler.on_failed()
    except Exception:
        logger.exception("%r could not be ended", handler)


def end_all(streams: Iterable[Stream], link: object, reason: str) -> None:
    """The link is gone, and its streams with it: each handler hears of it, whatever another makes of that."""
    for stream in streams:
        handler, stream.handler = stream.handler, None
        if handler is not None:
            try:
                handler.on_lost(reason)
            except Exception as error:
                end_failed(handler, link, error)
