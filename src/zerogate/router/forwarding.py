"""Who the client is: settled once for each connection, unless a trusted proxy speaks for many clients over one."""

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from zerogate.errors import UsageError
from zerogate.router.crossing import Crossing
from zerogate.wire.http.request import RequestHead
from zerogate.wire.spdy.headers import encode_pair

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


class Trust(NamedTuple):
    """Whose word is believed: addresses in these networks, and whoever comes by a Unix socket."""

    networks: tuple[Network, ...] = ()
    unix: bool = False

    def includes(self, address: str) -> bool:
        """Whether a peer is believed. Its address is empty for a Unix socket."""
        if not address:
            return self.unix
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self.networks)


NOBODY = Trust()


def parse_trust(texts: Sequence[str]) -> Trust:
    """Read `loopback`, `unix`, `none`, addresses and networks. Raises UsageError."""
    networks: list[Network] = []
    for text in texts:
        if text == "loopback":
            networks += _LOOPBACK
        elif text not in ("unix", "none"):
            try:
                networks.append(ipaddress.ip_network(text, strict=False))
            except ValueError as error:
                raise UsageError(f"--trust: {error}, and neither is it `loopback`, `unix` or `none`") from error
    if "none" in texts and len(texts) > 1:
        raise UsageError("--trust none goes with no other")
    return Trust(tuple(networks), "unix" in texts)


class Forwarding:
    """Who sends the requests of one connection: the peer's address and scheme, and whether its word is believed.

    address, port: the peer's; empty and 0 for a Unix socket
    own_pairs: `:scheme`, `x-forwarded-for`, `x-forwarded-proto`, `x-real-ip` and `x-real-port` as the connection itself
        says, encoded
    local_host: where the client has connected to: its host, if it names none (HTTP/1.0)
    """

    __slots__ = ("_trust", "address", "crossing", "is_trusted", "local_host", "own_pairs", "port", "scheme")

    def __init__(
        self,
        address: str,
        scheme: bytes,
        trust: Trust = NOBODY,
        *,
        port: int = 0,
        local_host: bytes = b"",
        crossing: Crossing | None = None,
    ) -> None:
        self.address = address
        self.port = port
        self.scheme = scheme
        self.local_host = local_host
        self.crossing = Crossing() if crossing is None else crossing
        self._trust = trust
        self.is_trusted = trust.includes(address)
        self.own_pairs = self._pairs(address, port, scheme)

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
        return self._pairs(address, self.port if address == self.address else 0, scheme)

    def host(self, head: RequestHead) -> bytes:
        """The host that the client asked for, by a trusted proxy's word or its own."""
        for name, value in head.fields:
            if name == b"x-forwarded-host":
                return value
        return head.host

    def _pairs(self, address: str, port: int, scheme: bytes) -> bytes:
        client = address.encode()
        return (
            encode_pair(b":scheme", self.scheme)
            + encode_pair(b"x-forwarded-for", client)
            + encode_pair(b"x-forwarded-proto", scheme)
            + encode_pair(b"x-real-ip", client)
            + encode_pair(b"x-real-port", b"%d" % port)
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
            if not self._trust.includes(candidate):
                break
        return address
