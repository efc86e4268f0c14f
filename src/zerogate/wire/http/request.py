"""What is read of a request: the head, pieces of the body (plain bytes), and the end."""

from typing import TYPE_CHECKING, NamedTuple

from zerogate.native import compiled


class PlainRequestHead:
    """A request without its body, checked and free of everything that concerns this connection alone.

    method: as sent, a token
    target: origin-form, raw path and query as sent, or `*`
    path: the target without its query, in normal form (paths.py): what routes are compared with
    host: the Host field, or the authority of an absolute-form target, as sent; empty only in HTTP/1.0
    minor_version: 0 or 1
    fields: lower-case names, values without the whitespace around them, in order; no `host`, no hop-by-hop field and
        none that Connection names. `content-length` is among them if it was sent.
    content_length: None if none was sent
    has_body: whether pieces of a body may come, and a RequestEnd after them. An upgrade's bytes are not a body.
    keep_alive: whether the client means to go on with this connection after the reply
    expects_continue: whether it waits for a `100 Continue` before the body
    upgrade: `websocket`, or empty
    size_bytes: length of the head on the wire
    note: free for whoever uses the head, to keep what follows from it alone

    One without arguments stands in for a head that could not be read, when that is answered.
    """

    __slots__ = (
        "content_length",
        "expects_continue",
        "fields",
        "has_body",
        "host",
        "is_chunked",
        "keep_alive",
        "method",
        "minor_version",
        "note",
        "path",
        "size_bytes",
        "target",
        "upgrade",
    )

    def __init__(
        self,
        method: bytes = b"",
        target: bytes = b"",
        path: bytes = b"",
        host: bytes = b"",
        minor_version: int = 1,
        fields: list[tuple[bytes, bytes]] | None = None,
        size_bytes: int = 0,
        keep_alive: bool = False,
        content_length: int | None = None,
        is_chunked: bool = False,
        expects_continue: bool = False,
        upgrade: bytes = b"",
    ) -> None:
        self.method = method
        self.target = target
        self.path = path
        self.host = host
        self.minor_version = minor_version
        self.fields = [] if fields is None else fields
        self.size_bytes = size_bytes
        self.keep_alive = keep_alive
        self.content_length = content_length
        self.is_chunked = is_chunked
        self.has_body = is_chunked or bool(content_length)
        self.expects_continue = expects_continue
        self.upgrade = upgrade
        self.note: object = None

    def __repr__(self) -> str:
        return f"<RequestHead {self.method!r} {self.target!r} host={self.host!r} HTTP/1.{self.minor_version}>"


# One that is read natively has the same attributes, and makes `fields` when somebody asks for them.
if TYPE_CHECKING:
    RequestHead = PlainRequestHead
else:
    RequestHead = compiled.find("heads", "RequestHead", otherwise=PlainRequestHead)


class RequestEnd(NamedTuple):
    """The body is complete. `trailers` are lower-case, in order, without those that RFC 9110, 6.5.1 forbids."""

    trailers: list[tuple[bytes, bytes]]
