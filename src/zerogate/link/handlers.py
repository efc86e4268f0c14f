"""Who hears what happens on a stream: its handler."""

from typing import Protocol

from zerogate.wire.fields import Fields

__all__ = ["Fields", "StreamHandler"]


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
