"""The name/value blocks of replies, made from what an application sends."""

import re
from collections.abc import Callable, Iterable

from zerogate.native import compiled
from zerogate.wire.fields import is_lower_token, is_value
from zerogate.wire.http.reply import is_event_stream
from zerogate.wire.spdy.headers import LENGTHS, MAX_BLOCK_BYTES, encode_block, encode_pair, merge_fields
from zerogate.worker.errors import ApplicationError

_CONTENT_TYPE = re.compile(rb"\x00\x00\x00\x0ccontent-type(.{4})", re.DOTALL)

_REPLY_PREFIX = {status: encode_pair(b":status", b"%d" % status) for status in range(200, 600)}
_SWITCHING_PREFIX = encode_pair(b":status", b"101")
_VERSION_PAIR = encode_pair(b":version", b"HTTP/1.1")

# A name as applications write it, and how it stands in a block: they say few names. The bounds are for those who make
# them up; a full one starts anew, so that nobody can fill it for good.
_MAX_NAMES = 1024
_MAX_NAME_BYTES = 64
_starts: dict[bytes, bytes] = {}

_strip = bytes.strip

_encode_natively: Callable[[int, Iterable[tuple[bytes, bytes]]], bytes | None] = compiled.find("blocks", "reply_block")


def _block_of(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    block = _encode_natively(status, headers)
    return encode_reply(status, headers) if block is None else block


def switching_block(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The raw name/value block of a 101. Raises ApplicationError as `reply_block` does."""
    return _encode_head(_SWITCHING_PREFIX, headers)


def is_event_stream_block(block: bytes) -> bool:
    """Whether the raw block of a reply begins a stream of events."""
    match = _CONTENT_TYPE.search(block)
    if match is None:
        return False
    return is_event_stream(block[match.end() : match.end() + int.from_bytes(match[1], "big")])


def encode_reply(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """What `reply_block` does with what is not taken natively."""
    prefix = _REPLY_PREFIX.get(status)
    if prefix is None:
        raise ApplicationError(f"status {status!r} is not one of 200 to 599")
    return _encode_head(prefix, headers)


reply_block = compiled.prefer(_block_of, encode_reply)
"""The raw name/value block of a reply.

Raises ApplicationError if the status or a header is not what HTTP allows, or if they are too large together.
"""


def _encode_head(prefix: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    headers = [*headers]
    return _encode_usual(prefix, headers) or _encode_carefully(prefix, headers)


def _encode_usual(prefix: bytes, headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """The block of a head whose names are known, whose values are short, and which repeats none. Else None.

    What: all values are looked at together. Why, benchmark: 2.5 µs for 5 fields, and each for itself 5.6.
    """
    parts = [b"", prefix, _VERSION_PAIR]
    values = []
    names = set()
    try:
        for name, value in headers:
            if type(name) is not bytes:
                return None
            names.add(start := _starts[name])
            values.append(value := _strip(value, b" \t"))
            parts += (start, LENGTHS[len(value)], value)
    except (IndexError, KeyError, TypeError, ValueError):
        return None  # Whatever it is: it is said below.
    n_fields = len(values)
    if len(names) != n_fields or not is_value(b"".join(values)):
        return None
    parts[0] = (n_fields + 2).to_bytes(4, "big")
    return _sized(b"".join(parts))


def _encode_carefully(prefix: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    fields = merge_fields(_checked(headers))
    parts = [(len(fields) + 2).to_bytes(4, "big"), prefix, _VERSION_PAIR]
    parts.extend(encode_pair(name, value) for name, value in fields.items())
    return _sized(b"".join(parts))


def _sized(block: bytes) -> bytes:
    """Here, and not where it would be sent: whose body has been taken by then has cost the link's window."""
    if len(block) > MAX_BLOCK_BYTES:
        raise ApplicationError(f"{len(block)} bytes of headers, over the limit of {MAX_BLOCK_BYTES}")
    return block


def _checked(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    checked = []
    for name, value in headers:
        if not isinstance(name, bytes) or not isinstance(value, bytes):
            raise ApplicationError(f"header {name!r}: names and values are bytes")
        lower = name.lower()
        if not is_lower_token(lower) or not is_value(value):
            raise ApplicationError(f"header {lower!r} has a name or value that HTTP does not allow")
        _learn(name, lower)
        checked.append((lower, value.strip(b" \t")))
    return checked


def _learn(name: bytes, lower: bytes) -> None:
    if name not in _starts and len(name) <= _MAX_NAME_BYTES:
        if len(_starts) >= _MAX_NAMES:
            _starts.clear()
        _starts[name] = LENGTHS[len(lower)] + lower


def early_hints_block(links: Iterable[bytes]) -> bytes:
    """The raw name/value block of an interim reply (RFC 8297), with the values of its `link` fields.

    Raises ApplicationError as `reply_block` does.
    """
    fields = _checked([(b"link", link) for link in links])
    return _sized(encode_block(merge_fields([(b":status", b"103"), (b":version", b"HTTP/1.1"), *fields])))


def trailers_block(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The raw name/value block of trailers. Raises ApplicationError as `reply_block` does."""
    return _sized(encode_block(merge_fields(_checked(headers))))
