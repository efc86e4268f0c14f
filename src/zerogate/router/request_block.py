"""What a worker gets of a request: the name/value block of its SYN_STREAM (protocol.md, A request).

Who the client is, is settled once a connection (`Forwarding`), unless a trusted proxy speaks for many clients over one.
"""

import ipaddress
from collections.abc import Sequence

from zerogate.errors import UsageError
from zerogate.wire.http1 import RequestHead
from zerogate.wire.spdy.headers import encode_pair

# Fields that say who the client is. Believed from trusted proxies only; from others dropped, not appended to.
CLAIMS = frozenset(
    {
        b"forwarded",
        b"x-real-ip",
        b"x-request-id",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-server",
        b"x-forwarded-ssl",
        b"x-forwarded-scheme",
        b"x-forwarded-by",
    }
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_VERSIONS = (encode_pair(b":version", b"HTTP/1.0"), encode_pair(b":version", b"HTTP/1.1"))
_METHODS = {
    method: encode_pair(b":method", method)
    for method in (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")
}


def parse_networks(texts: Sequence[str]) -> list[Network]:
    """Addresses and networks of trusted proxies. Raises UsageError."""
    try:
        return [ipaddress.ip_network(text, strict=False) for text in texts]
    except ValueError as error:
        raise UsageError(f"--trust: {error}") from error


class Forwarding:
    """Who sends the requests of one connection: the peer's address and scheme, and whether its word is believed."""

    __slots__ = ("_networks", "_pairs", "address", "is_trusted", "scheme")

    def __init__(self, address: str, scheme: bytes, trusted: Sequence[Network]) -> None:
        self.address = address
        self.scheme = scheme
        self._networks = trusted
        self.is_trusted = bool(trusted) and is_trusted(address, trusted)
        self._pairs = encode_pair(b":scheme", scheme) + self._client_pairs(address)

    def request_id(self, head: RequestHead) -> bytes:
        """The request id that a trusted proxy gave, or b""."""
        if self.is_trusted:
            for name, value in head.fields:
                if name == b"x-request-id":
                    return value
        return b""

    def pairs(self, head: RequestHead) -> tuple[int, bytes]:
        """How many pairs, and the pairs, that say where the request comes from."""
        if not self.is_trusted:
            return 4, self._pairs
        claims = {name: value for name, value in head.fields if name in CLAIMS}
        address = self._peel(claims.get(b"x-forwarded-for", b""))
        scheme = claims.get(b"x-forwarded-proto", self.scheme)
        if scheme not in (b"http", b"https"):
            scheme = self.scheme
        return 4, encode_pair(b":scheme", self.scheme) + self._client_pairs(address, scheme)

    def host(self, head: RequestHead) -> bytes:
        """The host that the client asked for, by a trusted proxy's word or its own."""
        if self.is_trusted:
            for name, value in head.fields:
                if name == b"x-forwarded-host":
                    return value
        return head.host

    def _client_pairs(self, address: str, scheme: bytes | None = None) -> bytes:
        client = address.encode()
        return (
            encode_pair(b"x-forwarded-for", client)
            + encode_pair(b"x-forwarded-proto", scheme or self.scheme)
            + encode_pair(b"x-real-ip", client)
        )

    def _peel(self, forwarded_for: bytes) -> str:
        """The last address of the chain that is not a trusted proxy's: what lies before it, anybody could have said."""
        address = self.address
        for hop in reversed(forwarded_for.decode("latin-1").split(",")):
            candidate = hop.strip()
            try:
                ipaddress.ip_address(candidate)
            except ValueError:
                break
            address = candidate
            if not is_trusted(candidate, self._networks):
                break
        return address


def is_trusted(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def request_block(head: RequestHead, forwarding: Forwarding, request_id: bytes) -> bytes:
    """The raw name/value block of a request."""
    method = head.method
    n_pairs, origin = forwarding.pairs(head)
    fields: dict[bytes, bytes] = {}
    for name, value in head.fields:
        if name in CLAIMS:
            continue
        if name in fields:
            # A joined value must not have empty elements (SPDY/3.1, 2.6.10).
            if value:
                fields[name] = fields[name] + b"\0" + value if fields[name] else value
        else:
            fields[name] = value
    host = head.host
    parts = [
        (n_pairs + 6 + len(fields)).to_bytes(4, "big"),
        _METHODS.get(method) or encode_pair(b":method", method),
        encode_pair(b":path", head.target),
        _VERSIONS[head.minor_version],
        encode_pair(b":host", host),
        origin,
        encode_pair(b"x-forwarded-host", forwarding.host(head)),
        encode_pair(b"x-request-id", request_id),
    ]
    for name, value in fields.items():
        parts.append(encode_pair(name, value))
    return b"".join(parts)
