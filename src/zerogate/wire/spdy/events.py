"""What a session makes of the bytes that come in. Of a request or a reply `fields` is what its decoder made."""

from typing import Any, NamedTuple

from zerogate.wire.fields import Fields
from zerogate.wire.spdy.streams import Stream


class StreamOpened(NamedTuple):
    """SYN_STREAM: the peer opened a stream."""

    stream: Stream
    fields: Any
    fin: bool


class Reply(NamedTuple):
    """SYN_REPLY to a stream of ours."""

    stream: Stream
    fields: Any
    fin: bool


class WholeReply(NamedTuple):
    """Reply and then Data with `fin`, when they come in one go. How a peer's bytes are cut decides which it is."""

    stream: Stream
    fields: Any
    data: bytes


class Headers(NamedTuple):
    """HEADERS: trailers, with `fin`."""

    stream: Stream
    fields: Fields
    fin: bool


class Data(NamedTuple):
    """A DATA frame or a part of one; `fin` comes with the last part only. Empty only with `fin`."""

    stream: Stream
    data: bytes
    fin: bool


class Reset(NamedTuple):
    """The stream is gone: the peer reset it, or broke its rules (then we did), or never took it (GOAWAY)."""

    stream: Stream
    status: int


class Writable(NamedTuple):
    """All bytes of the stream that waited have been framed."""

    stream: Stream


class Settings(NamedTuple):
    """SETTINGS; `max_concurrent` is None if the frame did not speak of it."""

    max_concurrent: int | None


class GoAway(NamedTuple):
    """The peer takes no new streams. Those above `last_stream_id` follow, each with its Reset."""

    last_stream_id: int
    status: int


Event = StreamOpened | Reply | WholeReply | Headers | Data | Reset | Writable | Settings | GoAway
