"""What is held against each other. A target tries one random input, and tells if it was taken; a difference raises."""

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from tests.fuzz import calls, material, shares
from tests.fuzz.mutations import mutate
from zerogate.errors import ReplyError
from zerogate.native import compiled
from zerogate.router import request_block as request_blocks
from zerogate.router.crossing import Crossing
from zerogate.router.forwarding import Forwarding, parse_trust
from zerogate.router.reply_block import read_usual
from zerogate.wire.fields import Fields
from zerogate.wire.http.reply import PlainReplyHead, ReplyHead, reply_head
from zerogate.wire.http.request import PlainRequestHead, RequestHead
from zerogate.wire.http1 import reply_reader
from zerogate.wire.http1.heads import native_reader
from zerogate.wire.http1.limits import HttpLimits
from zerogate.wire.http1.reader import Event, RequestReader
from zerogate.wire.http1.writer import head_text
from zerogate.wire.spdy.headers import HeaderFieldError, decode_in_python
from zerogate.worker.asgi_types import ASGI_VERSION, EXTENSIONS
from zerogate.worker.attach.request_head import write_head
from zerogate.worker.reply_block import encode_reply
from zerogate.worker.scope import make_scope

LIMITS = (
    HttpLimits(),
    HttpLimits(max_head_bytes=300, max_fields=5, max_target_bytes=12, max_body_bytes=10),
    HttpLimits(max_body_bytes=0),
)
PIECES = (
    *material.NAMES,
    *material.TEXTS,
    b"\r\n",
    b"\r\n\r\n",
    b": ",
    b"\r\n ",
    b"\0\0\0\1",
    b"\0\0\0\0",
    b"\0\0\1\0",
)

REQUEST_ATTRIBUTES = tuple(name for name in PlainRequestHead.__slots__ if name != "note")
REPLY_ATTRIBUTES = tuple(name for name in PlainReplyHead.__slots__ if name != "note")


def attributes(head: object, names: tuple[str, ...]) -> dict[str, Any]:
    """What a head says."""
    return {name: getattr(head, name) for name in names}


def check(is_equal: bool, what: str, given: object, native: object, careful: object) -> None:
    """Raises AssertionError if not."""
    if not is_equal:
        raise AssertionError(f"{what} of {given!r}:\n  native  {native!r}\n  careful {careful!r}")


def pick(random: Random, things: tuple[Any, ...]) -> Any:
    return things[int(random.random() * len(things))]


# Heads of requests


class CarefulReader(RequestReader):
    """Reads nothing natively."""

    __slots__ = ()

    def __init__(self, limits: HttpLimits) -> None:
        super().__init__(limits)
        self._read_natively = compiled.decline


def read_carefully(octets: bytes, limits: HttpLimits) -> RequestHead | None:
    """The head that octets are, if they are one and no more."""
    events: list[Event] = []
    reader = CarefulReader(limits)
    position = reader.read(octets, 0, events)
    is_one = position == len(octets) and reader.error is None and len(events) == 1
    return events[0] if is_one and isinstance(events[0], RequestHead) else None


def check_head(octets: bytes, limits: HttpLimits) -> RequestHead | None:
    native = native_reader(limits)(octets)
    if native is not None:
        careful = read_carefully(octets, limits)
        if careful is None:
            check(False, "head", (octets, limits), attributes(native, REQUEST_ATTRIBUTES), careful)
        ours, theirs = attributes(native, REQUEST_ATTRIBUTES), attributes(careful, REQUEST_ATTRIBUTES)
        check(ours == theirs, "head", (octets, limits), ours, theirs)
    return native


def heads(random: Random) -> bool:
    """wire/http1: a request's head."""
    octets = mutate(random, material.head(random), PIECES)
    return check_head(octets, pick(random, LIMITS)) is not None


# Requests' blocks


@cache
def forwardings() -> tuple[Forwarding, ...]:
    """Peers that are believed and such that are not, with certificates and underscores, or without."""
    loopback = parse_trust(["loopback"])
    return tuple(
        Forwarding(address, b"http", loopback, port=4711, subject=subject, crossing=Crossing(keeps_underscores=keeps))
        for address in ("127.0.0.1", "203.0.113.7")
        for subject in (b"", b"CN=a")
        for keeps in (False, True)
    )


def plain(head: RequestHead) -> PlainRequestHead:
    """The same head without anything native."""
    made = PlainRequestHead(head.method, head.target, head.path, head.host, head.minor_version, list(head.fields))
    made.upgrade = head.upgrade
    return made


def check_request_block(head: RequestHead, forwarding: Forwarding) -> bool:
    native = request_blocks.encode_natively(head, forwarding, b"id-1")
    if native is not None:
        careful = request_blocks.encode_in_python(plain(head), forwarding, b"id-1")
        check(native == careful, "request block", (head.fields, forwarding.is_trusted), native, careful)
    return native is not None


def request_blocks_of_heads(random: Random) -> bool:
    """router/request_block: what a worker gets of a head."""
    octets = material.head(random)
    head = native_reader(LIMITS[0])(octets if random.random() < 0.6 else mutate(random, octets, PIECES))
    return head is not None and check_request_block(head, pick(random, forwardings()))


# Blocks read


def decode_carefully(raw: bytes) -> Fields | None:
    """The fields of a block, if it is good."""
    try:
        return decode_in_python(raw)
    except Exception:
        return None


STATE = {"made": "at start-up"}

_decode: Callable[[bytes], Fields | None] = compiled.find("blocks", "decode_block")
_read_request = compiled.find("blocks", "read_request")
_scope = compiled.find("blocks", "http_scope")
_reply = compiled.find("blocks", "reply_block")
_read_reply = compiled.find("heads", "read_reply")
_server_request = compiled.find("servers", "request_head")
_server_reply = compiled.find("servers", "reply_head")


def check_block(raw: bytes) -> bool:
    native = _decode(raw)
    lazy = _read_request(raw)
    if native is not None or lazy is not None:
        careful = decode_carefully(raw)
        check(native is None or native == careful, "block", raw, native, careful)
        check(lazy is None or lazy == careful, "fields", raw, lazy, careful)
    if lazy is not None:
        assert careful is not None
        check(list(lazy) == list(careful), "names", raw, list(lazy), list(careful))
        for name, value in careful.items():
            check(lazy[name] == lazy.get(name) == value and name in lazy, "field", raw, lazy.get(name), value)
    return native is not None


def blocks(random: Random) -> bool:
    """wire/spdy/headers: any block."""
    make = material.request_block if random.random() < 0.5 else material.reply_block
    return check_block(mutate(random, make(random), PIECES))


def check_scope(raw: bytes, root_path: str) -> bool:
    lazy = _read_request(raw)
    native = None if lazy is None else _scope(lazy, root_path, ASGI_VERSION, EXTENSIONS, STATE)
    if native is not None:
        careful = make_scope(decode_in_python(raw), root_path, STATE)
        check(native == careful and list(native) == list(careful), "scope", (raw, root_path), native, careful)
    return native is not None


def scopes(random: Random) -> bool:
    """worker/scope: a request's block to an ASGI scope."""
    raw = material.request_block(random)
    return check_scope(raw if random.random() < 0.6 else mutate(random, raw, PIECES), pick(random, ("", "/mount/\xe9")))


# Replies


def check_reply(raw: bytes) -> bool:
    """What is read natively, and what past the fields by name."""
    is_native = check_reply_read(_read_reply(raw), raw)
    return check_reply_read(read_usual_or_not(raw), raw) or is_native


def read_usual_or_not(raw: bytes) -> ReplyHead | None:
    try:
        return read_usual(raw)
    except HeaderFieldError:
        return None


def check_reply_read(native: ReplyHead | None, raw: bytes) -> bool:
    if native is not None:
        try:
            careful = reply_head(decode_in_python(raw))
        except ReplyError as error:
            check(False, "reply", raw, attributes(native, REPLY_ATTRIBUTES), error)
        ours, theirs = attributes(native, REPLY_ATTRIBUTES), attributes(careful, REPLY_ATTRIBUTES)
        check(ours == theirs, "reply", raw, ours, theirs)
        plain_head = PlainReplyHead(careful.status, careful.reason, careful.fields, careful.length, careful.has_date)
        text = head_text(native)
        check(text == head_text(plain_head), "reply text", raw, text, head_text(plain_head))
    return native is not None


def replies(random: Random) -> bool:
    """wire/http/reply, wire/http1/writer: a worker's reply to a client."""
    raw = material.reply_block(random)
    return check_reply(raw if random.random() < 0.5 else mutate(random, raw, PIECES))


def check_reply_block(status: Any, headers: Any) -> bool:
    native = _reply(status, headers)
    if native is not None:
        try:
            careful: object = encode_reply(status, headers)
        except Exception as error:
            careful = error
        check(native == careful, "reply block", (status, headers), native, careful)
    return native is not None


def reply_blocks(random: Random) -> bool:
    """worker/reply_block: what an application sends, to a block."""
    headers: list[Any] = [
        (name, mutate(random, value, material.TEXTS)) if random.random() < 0.1 else (name, value)
        for name, value in material.headers(random)
    ]
    if random.random() < 0.1 and headers:
        headers[0] = pick(
            random, (("a", b"b"), [b"a", b"b"], (b"a", "b"), (b"a",), (b"a", b"b", b"c"), b"ab", (b"a", None))
        )
    status = pick(random, (200, 200, 200, 204, 304, 404, 599, 199, 600, 100, True, "200", 200.0))
    return check_reply_block(status, headers if random.random() < 0.8 else tuple(headers))


# An application's calls


def calls_of_applications(random: Random) -> bool:
    """worker/asgi, worker/call: what an application says and hears."""
    return calls.play(random)


def slots_of_routers(random: Random) -> bool:
    """worker/capacity: who has a slot, and whose turn it is."""
    return shares.play(random)


# Attached servers


def check_server_request(raw: bytes, authority: bytes, has_body: bool, keeps: bool) -> bool:
    lazy = _read_request(raw)
    native = None if lazy is None else _server_request(lazy, authority, has_body, keeps)
    if native is not None:
        try:
            careful: object = write_head(decode_in_python(raw), authority, has_body=has_body, keeps=keeps)
        except Exception as error:
            careful = error
        check(native == careful, "a server's request", (raw, authority, has_body, keeps), native, careful)
    return native is not None


def server_requests(random: Random) -> bool:
    """worker/attach/request_head: a request's block to the head that a server gets."""
    raw = material.request_block(random)
    raw = raw if random.random() < 0.6 else mutate(random, raw, PIECES)
    return check_server_request(raw, pick(random, (b"a:80", b"")), random.random() < 0.5, random.random() < 0.5)


def check_server_reply(block: bytes) -> bool:
    native = _server_reply(block, LIMITS[0].max_fields)
    if native is not None:
        try:
            careful: object = reply_reader._read_in_python(block)
        except Exception as error:
            careful = error
        check(native == careful, "a server's reply", block, native, careful)
    return native is not None


def server_replies(random: Random) -> bool:
    """wire/http1/reply_reader: the head that a server sends."""
    block = material.server_head(random)
    return check_server_reply(block if random.random() < 0.5 else mutate(random, block, PIECES))


TARGETS: tuple[Callable[[Random], bool], ...] = (
    heads,
    request_blocks_of_heads,
    blocks,
    scopes,
    replies,
    reply_blocks,
    calls_of_applications,
    slots_of_routers,
    server_requests,
    server_replies,
)
