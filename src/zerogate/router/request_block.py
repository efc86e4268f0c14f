"""What a worker gets of a request: the name/value block of its SYN_STREAM (protocol.md, A request)."""

import struct
from collections.abc import Callable

from zerogate.native import compiled
from zerogate.router.crossing import Crossing, is_claim, name_prefix
from zerogate.router.forwarding import N_OWN_PAIRS, Forwarding
from zerogate.wire.http.paths import below, normal_path
from zerogate.wire.http.request import RequestHead
from zerogate.wire.spdy.headers import LENGTHS, encode_pair

_WORD = struct.Struct(">I")
_length = _WORD.pack
_read_length = _WORD.unpack_from

_VERSIONS = (encode_pair(b":version", b"HTTP/1.0"), encode_pair(b":version", b"HTTP/1.1"))
_METHOD = name_prefix(b":method")
_PATH = name_prefix(b":path")
_HOST = name_prefix(b":host")
_FORWARDED_HOST = name_prefix(b"x-forwarded-host")
_REQUEST_ID = name_prefix(b"x-request-id")
PREFIX_NAME = b"x-forwarded-prefix"


_has_claims_natively: Callable[[RequestHead], bool | None] = compiled.find("blocks", "has_claims")
_make_natively = compiled.find("blocks", "request_block")


# What follows from a head alone: the beginning of the block, in pieces, and whether the client says who it is or speaks
# for; whether it is believed is another matter. Kept in the head's note for strangers, as it is asked for twice.
Begin = tuple[list[bytes], bool]


def _block_of(head: RequestHead, forwarding: Forwarding, request_id: bytes) -> bytes:
    block = encode_natively(head, forwarding, request_id)
    return encode_in_python(head, forwarding, request_id) if block is None else block


def encode_natively(head: RequestHead, forwarding: Forwarding, request_id: bytes) -> bytes | None:
    """The block of a head that was read natively."""
    if forwarding.is_trusted and _has_claims_natively(head):
        told = forwarding.told(head)
        host, pairs, is_believed = told.host, forwarding.told_pairs(told), True
    else:
        host, pairs, is_believed = head.host, forwarding.own_pairs, False
    keeps_underscores = forwarding.crossing.keeps_underscores
    block: bytes | None = _make_natively(
        head, host, pairs, forwarding.n_own_pairs, request_id, is_believed, keeps_underscores
    )
    return block


def encode_in_python(head: RequestHead, forwarding: Forwarding, request_id: bytes) -> bytes:
    """What `request_block` does with what is not taken natively."""
    parts, claims = _begin_of(head, forwarding)
    pairs = forwarding.own_pairs
    if claims and forwarding.is_trusted:
        crossing = forwarding.crossing
        told = forwarding.told(head)
        parts, _ = _head_pairs(head, head.host, told.host, crossing, crossing.trusted)
        pairs = forwarding.told_pairs(told)
    block = b"".join((*parts, pairs, _REQUEST_ID, _length(len(request_id)), request_id))
    return _count_more(block) if forwarding.subject else block


request_block = compiled.prefer(_block_of, encode_in_python)
"""The raw name/value block of a request: what follows from the head alone, and then what the router says."""


def _has_claims(head: RequestHead, forwarding: Forwarding) -> bool:
    known = _has_claims_natively(head)
    return _has_claims_in_python(head, forwarding) if known is None else known


def _has_claims_in_python(head: RequestHead, forwarding: Forwarding) -> bool:
    return _begin_of(head, forwarding)[1]


has_claims = compiled.prefer(_has_claims, _has_claims_in_python)
"""Whether the client says who it is, or speaks for; whether it is believed is another matter."""


def stripped_block(head: RequestHead, forwarding: Forwarding, request_id: bytes, prefix: str) -> bytes:
    """The same for a worker that wants `prefix`, which its route has, taken off the path, and to be told of it.

    What a trusted proxy before us has taken off comes before what we do.
    """
    stripped = prefix.encode()
    target = below(head.target, normal_path(stripped))
    fields = []
    for name, value in head.fields:
        if name != PREFIX_NAME:
            fields.append((name, value))
        elif forwarding.is_trusted:
            stripped = value.rstrip(b"/") + stripped
    shorter = RequestHead(
        head.method, target, target.partition(b"?")[0], head.host, head.minor_version, fields, upgrade=head.upgrade
    )
    block = request_block(shorter, forwarding, request_id)
    return _count_more(block) + encode_pair(PREFIX_NAME, stripped)


def _count_more(block: bytes) -> bytes:
    """The block's beginning, for one pair more."""
    (n_pairs,) = _read_length(block)
    return _length(n_pairs + 1) + block[4:]


def _begin_of(head: RequestHead, forwarding: Forwarding) -> Begin:
    """The beginning of a request's block, as long as nobody is believed who says more."""
    begin: Begin | None = head.note  # type: ignore[assignment]
    if begin is None:
        crossing = forwarding.crossing
        host = head.host or forwarding.local_host
        begin = _head_pairs(head, host, host, crossing, crossing.strangers)
        if head.host:
            # Without a host it follows from the connection, too.
            head.note = begin
    return begin


def _head_pairs(
    head: RequestHead, host: bytes, forwarded_host: bytes, crossing: Crossing, known: dict[bytes, bytes]
) -> Begin:
    """The count of all pairs, and those that follow from the head."""
    method = head.method
    target = head.target
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
    claims = False
    n_pairs = _add_usual(fields, parts, known)
    if n_pairs is None:
        n_pairs, claims = _add_fields(fields, parts, crossing, known)
    parts[0] = _length(N_OWN_PAIRS + n_pairs)
    return parts, claims


def _add_usual(fields: list[tuple[bytes, bytes]], parts: list[bytes], known: dict[bytes, bytes]) -> int | None:
    """Encode fields that all cross, of known names that differ. Returns how many, or None, having done nothing."""
    at = len(parts)
    try:
        for name, value in fields:
            parts += (known[name], LENGTHS[len(value)], value)
    except (IndexError, KeyError):
        del parts[at:]
        return None
    prefixes = {*parts[at::3]}
    if len(prefixes) == len(fields) and b"" not in prefixes:
        return len(fields)
    del parts[at:]
    return None


def _add_fields(
    fields: list[tuple[bytes, bytes]], parts: list[bytes], crossing: Crossing, known: dict[bytes, bytes]
) -> tuple[int, bool]:
    """Encode the fields that cross. Returns how many pairs they make, and whether claims are among the fields.

    The values of a repeated name make one pair.
    """
    positions: dict[bytes, int] = {}
    claims = False
    append = parts.append
    for name, value in fields:
        prefix = known.get(name)
        if prefix is None:
            prefix = crossing.learn(name, known)
        if not prefix:
            claims = claims or is_claim(name)
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
    return len(positions), claims
