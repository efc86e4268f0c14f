"""What a worker gets of a request: the name/value block of its SYN_STREAM (protocol.md, A request)."""

import struct
from typing import cast

from zerogate.router.forwarding import Forwarding
from zerogate.wire.http.request import RequestHead
from zerogate.wire.spdy.headers import encode_pair

# Fields that say who the client is. Believed from trusted proxies only; from others dropped, not appended to.
CLAIMS = frozenset({b"forwarded", b"x-real-ip", b"x-request-id"})
CLAIMS_PREFIX = b"x-forwarded-"

_length = struct.Struct(">I").pack

_VERSIONS = (encode_pair(b":version", b"HTTP/1.0"), encode_pair(b":version", b"HTTP/1.1"))


def _name_prefix(name: bytes) -> bytes:
    """What comes before a value in a block: the name, with its length."""
    return _length(len(name)) + name


_METHOD = _name_prefix(b":method")
_PATH = _name_prefix(b":path")
_HOST = _name_prefix(b":host")
_FORWARDED_HOST = _name_prefix(b"x-forwarded-host")
_REQUEST_ID = _name_prefix(b"x-request-id")

# The prefix of each field name met so far; empty for those that don't cross. Bounded, as names come from clients.
_prefixes: dict[bytes, bytes] = {}
# From trusted proxies all cross, but for those that we say ourselves.
_trusted_prefixes = dict.fromkeys(
    (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip", b"x-request-id"), b""
)
_MAX_PREFIXES = 1024
_MAX_NAME_BYTES = 64

# :method :path :version :host :scheme x-forwarded-for -proto -host x-real-ip x-request-id
_N_OWN_PAIRS = 10


def request_block(head: RequestHead, forwarding: Forwarding, request_id: bytes) -> bytes:
    """The raw name/value block of a request.

    What follows from the head alone comes first and is kept in the head's note; x-request-id, the one pair that is
    never the same, comes last, so that a worker can recognise all that is before it.
    """
    if forwarding.is_trusted:
        begin = _head_pairs(head, forwarding.host(head), _trusted_prefixes)
        pairs = forwarding.pairs(head)
    else:
        begin = cast(bytes, head.note)
        if begin is None:
            head.note = begin = _head_pairs(head, head.host, _prefixes)
        pairs = forwarding.own_pairs
    return b"%b%b%b%b%b" % (begin, pairs, _REQUEST_ID, _length(len(request_id)), request_id)


def _head_pairs(head: RequestHead, forwarded_host: bytes, prefixes: dict[bytes, bytes]) -> bytes:
    """The count of all pairs, and those that follow from the head."""
    method = head.method
    target = head.target
    host = head.host
    parts = [
        b"",
        _METHOD,
        _length(len(method)),
        method,
        _PATH,
        _length(len(target)),
        target,
        _VERSIONS[head.minor_version],
        _HOST,
        _length(len(host)),
        host,
        _FORWARDED_HOST,
        _length(len(forwarded_host)),
        forwarded_host,
    ]
    fields = [*head.fields, (b"upgrade", head.upgrade)] if head.upgrade else head.fields
    parts[0] = _length(_N_OWN_PAIRS + _add_fields(fields, parts, prefixes))
    return b"".join(parts)


def _add_fields(fields: list[tuple[bytes, bytes]], parts: list[bytes], prefixes: dict[bytes, bytes]) -> int:
    """Encode the fields that cross. Returns how many pairs they make: the values of a repeated name make one."""
    positions: dict[bytes, int] = {}
    append = parts.append
    for name, value in fields:
        prefix = prefixes.get(name)
        if prefix is None:
            prefix = _learn_prefix(name, prefixes)
        if not prefix:
            continue
        if name in positions:
            # A joined value must not have empty elements (SPDY/3.1, 2.6.10).
            if value:
                at = positions[name]
                joined = parts[at] + b"\0" + value if parts[at] else value
                parts[at - 1 : at + 1] = _length(len(joined)), joined
            continue
        append(prefix)
        append(_length(len(value)))
        positions[name] = len(parts)
        append(value)
    return len(positions)


def _learn_prefix(name: bytes, prefixes: dict[bytes, bytes]) -> bytes:
    is_claim = prefixes is _prefixes and (name in CLAIMS or name.startswith(CLAIMS_PREFIX))
    prefix = b"" if is_claim else _name_prefix(name)
    if len(prefixes) < _MAX_PREFIXES and len(name) <= _MAX_NAME_BYTES:
        prefixes[name] = prefix
    return prefix
