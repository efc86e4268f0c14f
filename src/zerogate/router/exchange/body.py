"""The request's half of an exchange that has a body, or a tunnel's octets: what is kept, what is owed, and the end.

    OPEN   more may come
    ENDED  all of it has come, with its trailers

Until the reply begins it keeps what has come, up to `limit` bytes, so that all of it can be sent again elsewhere; and
beyond them, as much as a usual window lets through, until the worker gives credit for any of it. Until then it may
refuse the request: its last slot may just have gone to another router. A worker may say any window, and give no credit.
"""

from collections.abc import Sequence

from zerogate.link.link import Link
from zerogate.wire.pieces import add_piece
from zerogate.wire.spdy.headers import encode_block, merge_fields
from zerogate.wire.spdy.streams import Stream

# Beyond the limit. The default of a stream's window.
MAX_UNTAKEN_BYTES = 256 * 1024


class RequestBody:
    """See the module. Bytes are owed to the client from when they come until they have gone on to a worker."""

    __slots__ = (
        "_kept",
        "_limit_bytes",
        "_owed_bytes",
        "_trailers",
        "_window_bytes",
        "has_ended",
        "kept_bytes",
        "received_bytes",
    )

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept: list[bytes] | None = []
        self._owed_bytes = 0
        self._trailers = b""
        self._window_bytes = 0
        self.kept_bytes = 0
        self.received_bytes = 0
        self.has_ended = False

    def __repr__(self) -> str:
        kept = f"{self.kept_bytes} bytes kept" if self.is_whole else "not kept"
        return f"<RequestBody {'ENDED' if self.has_ended else 'OPEN'}, {kept}>"

    @property
    def is_whole(self) -> bool:
        """Whether all that has come is still here, to be sent to whoever has not refused it."""
        return self._kept is not None

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent again to make up for a worker that was lost."""
        return self.is_whole and self.kept_bytes <= self._limit_bytes

    @property
    def has_begun(self) -> bool:
        """Whether anything of it has come."""
        return self.has_ended or self.kept_bytes > 0

    @property
    def is_empty(self) -> bool:
        """All of it has come, and it was nothing."""
        return self.has_ended and not self.kept_bytes and not self._trailers

    def keep(self, data: bytes) -> None:
        """A piece has come, and no worker has the request yet."""
        assert self._kept is not None
        add_piece(self._kept, data)
        self.kept_bytes += len(data)
        self.received_bytes += len(data)
        self._owed_bytes += len(data)

    def keep_end(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        """The end has come, whether or not a worker has the request."""
        self.has_ended = True
        if trailers:
            self._trailers = encode_block(merge_fields(trailers))

    def send_kept(self, link: Link, stream: Stream) -> int:
        """Send all that has come to a worker's stream. Returns the credit that the client has now."""
        self._window_bytes = stream.send_window
        if self._kept:
            self._kept = [b"".join(self._kept)]
            link.send_data(stream, self._kept[0], self.has_ended and not self._trailers)
        if self.has_ended:
            self._send_trailers(link, stream)
        return self.settle(stream)

    def send(self, link: Link, stream: Stream, data: bytes) -> int:
        """A piece has come, and goes on at once. Returns the credit that the client has now."""
        if self._kept is not None:
            self.kept_bytes += len(data)
            add_piece(self._kept, data)
        self.received_bytes += len(data)
        self._owed_bytes += len(data)
        link.send_data(stream, data, False)
        return self.settle(stream)

    def send_end(self, link: Link, stream: Stream) -> None:
        """The end goes on."""
        if self._trailers:
            self._send_trailers(link, stream)
        else:
            link.send_data(stream, b"", True)

    def settle(self, stream: Stream) -> int:
        """What has gone on since the client was last credited: all of it, once nothing waits for the worker."""
        n_more = self.kept_bytes - self._limit_bytes
        if self._kept is not None and n_more > 0 and (n_more > MAX_UNTAKEN_BYTES or self._is_begun(stream)):
            self._kept = None
        if stream.pending_bytes:
            return 0
        owed, self._owed_bytes = self._owed_bytes, 0
        return owed

    def forget(self) -> None:
        """The reply has begun: it will not be sent again."""
        self._kept = None

    def _is_begun(self, stream: Stream) -> bool:
        """Whether the worker has given credit for any of it: then it does not refuse it any more."""
        return stream.send_window + self.kept_bytes - stream.pending_bytes > self._window_bytes

    def _send_trailers(self, link: Link, stream: Stream) -> None:
        if self._trailers:
            link.send_headers(stream, self._trailers, True)
