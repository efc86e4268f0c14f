"""Who hears what happens on a link: its owner, and the handlers of its streams."""

from typing import TYPE_CHECKING, Protocol

from zerogate.wire.fields import Fields
from zerogate.wire.spdy.streams import Stream

if TYPE_CHECKING:
    from zerogate.link.link import Link

__all__ = ["Fields", "LinkOwner", "StreamHandler"]


class StreamHandler(Protocol):
    """Who uses a stream; set as `stream.handler`."""

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
        """The link is gone; its streams' handlers will be told."""
