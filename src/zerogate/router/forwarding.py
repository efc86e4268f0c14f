"""Who the client is: settled once for each connection, unless a trusted proxy speaks for many clients over one."""

import ipaddress
from collections.abc import Sequence

from zerogate.errors import UsageError
from zerogate.wire.http.request import RequestHead
from zerogate.wire.spdy.headers import encode_pair

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_networks(texts: Sequence[str]) -> list[Network]:
    """Addresses and networks of trusted proxies. Raises UsageError."""
    try:
        return [ipaddress.ip_network(text, strict=False) for text in texts]
    except ValueError as error:
        raise UsageError(f"--trust: {error}") from error


class Forwarding:
    """Who sends the requests of one connection: the peer's address and scheme, and whether its word is believed.

    own_pairs: `:scheme`, `x-forwarded-for`, `x-forwarded-proto` and `x-real-ip` as the connection itself says, encoded
    """

    __slots__ = ("_networks", "address", "is_trusted", "own_pairs", "scheme")

    def __init__(self, address: str, scheme: bytes, trusted: Sequence[Network]) -> None:
        self.address = address
        self.scheme = scheme
        self._networks = trusted
        self.is_trusted = bool(trusted) and is_trusted(address, trusted)
        self.own_pairs = encode_pair(b":scheme", scheme) + self._client_pairs(address)

    def request_id(self, head: RequestHead) -> bytes:
        """The request id that a trusted proxy gave, or b""."""
        if self.is_trusted:
            for name, value in head.fields:
                if name == b"x-request-id":
                    return value
        return b""

    def pairs(self, head: RequestHead) -> bytes:
        """As `own_pairs`, by the word of a trusted proxy."""
        claims = dict(head.fields)
        address = self._peel(b",".join(value for name, value in head.fields if name == b"x-forwarded-for"))
        scheme = claims.get(b"x-forwarded-proto", self.scheme)
        if scheme not in (b"http", b"https"):
            scheme = self.scheme
        return encode_pair(b":scheme", self.scheme) + self._client_pairs(address, scheme)

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
