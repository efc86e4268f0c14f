"""Who the client is: settled once for each connection, unless a trusted proxy speaks for many clients over one."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from zerogate.errors import UsageError
from zerogate.native.compiled import slots
from zerogate.router.crossing import CLIENT_CERT_SUBJECT, Crossing
from zerogate.router.state import ForwardingState
from zerogate.wire.http.forwarded import Hop, Node, forwarded_for, nearest_hops
from zerogate.wire.http.request import RequestHead
from zerogate.wire.spdy.headers import encode_pair

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_EVERYBODY = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))

# What proxies call a scheme. Some tell a WebSocket's own, which its upgrade's request has not.
_SCHEMES = {b"http": b"http", b"https": b"https", b"ws": b"http", b"wss": b"https"}

# :method :path :version :host :scheme x-forwarded-for -proto -host x-real-ip -port x-request-id; x-client-cert-subject
# is one more.
N_OWN_PAIRS = 11


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
    """Read `loopback`, `unix`, `*`, `none`, addresses and networks, also with commas between. Raises UsageError."""
    networks: list[Network] = []
    words = [word for text in texts for word in re.split(r"\s*,\s*", text.strip(" ,"))]
    for text in words:
        if text == "loopback":
            networks += _LOOPBACK
        elif text == "*":
            networks += _EVERYBODY
        elif text not in ("unix", "none"):
            try:
                networks.append(ipaddress.ip_network(text, strict=False))
            except ValueError as error:
                raise UsageError(f"--trust: {error}, and neither is it `loopback`, `unix`, `*` or `none`") from error
    if "none" in words and len(words) > 1:
        raise UsageError("--trust none goes with no other")
    return Trust(tuple(networks), "unix" in words or "*" in words)


class Told(NamedTuple):
    """What trusted proxies say of a request."""

    client: Node
    scheme: bytes
    host: bytes


class Forwarding(ForwardingState):
    """Who sends the requests of one connection: the peer's address and scheme, and whether its word is believed.

    address, port: the peer's; empty and 0 for a Unix socket
    n_own_pairs: how many pairs of a request are no fields of the client's
    own_pairs: `:scheme`, `x-forwarded-for`, `x-forwarded-proto`, `x-real-ip` and `x-real-port` as the connection itself
        says, encoded
    subject: whose certificate the client has shown; `own_pairs` have it only if there is one
    local_host: where the client has connected to: its host, if it names none (HTTP/1.0)
    """

    __slots__ = slots(
        ForwardingState,
        "_trust",
        "address",
        "crossing",
        "is_trusted",
        "local_host",
        "n_own_pairs",
        "own_pairs",
        "port",
        "scheme",
        "subject",
    )

    def __init__(
        self,
        address: str,
        scheme: bytes,
        trust: Trust = NOBODY,
        *,
        port: int = 0,
        local_host: bytes = b"",
        subject: bytes = b"",
        crossing: Crossing | None = None,
    ) -> None:
        self.address = address
        self.port = port
        self.scheme = scheme
        self.local_host = local_host
        self.subject = subject
        self.crossing = Crossing() if crossing is None else crossing
        self._trust = trust
        self.is_trusted = trust.includes(address)
        self.own_pairs = self._pairs(address, port, scheme)
        self.n_own_pairs = N_OWN_PAIRS + 1 if subject else N_OWN_PAIRS

    def request_id(self, head: RequestHead) -> bytes:
        """The request id that a trusted proxy gave, or b""."""
        if self.is_trusted:
            for name, value in head.fields:
                if name == b"x-request-id":
                    return value
        return b""

    def told_pairs(self, told: Told) -> bytes:
        """As `own_pairs`, by the word of a trusted proxy."""
        return self._pairs(told.client.address, told.client.port, told.scheme)

    def told(self, head: RequestHead) -> Told:
        """What a trusted proxy says of a request; what it does not say is as the connection has it.

        `Forwarded` counts where there is none of the older fields. Many proxies know only those, set them, and pass on
        what a client says in the other.
        """
        claims = dict(head.fields)
        node, proto, host = None, claims.get(b"x-forwarded-proto", b""), claims.get(b"x-forwarded-host", b"")
        chain = b",".join(value for name, value in head.fields if name == b"x-forwarded-for")
        if chain:
            node = self._peel(forwarded_for(chain))
        elif b"forwarded" in claims and not proto and not host:
            node, proto, host = self._hear([value for name, value in head.fields if name == b"forwarded"])
        client = Node(self.address, self.port) if node is None else node
        return Told(client, _SCHEMES.get(proto, self.scheme), host or head.host)

    def _hear(self, lines: list[bytes]) -> Hop:
        """What those hops say together that a trusted proxy has added: the one nearest to the client knows best."""
        node, proto, host = None, b"", b""
        for hop in nearest_hops(lines):
            node, proto, host = hop.node or node, hop.proto or proto, hop.host or host
            if hop.node is None or not self._trust.includes(hop.node.address):
                break
        return Hop(node, proto, host)

    def _pairs(self, address: str, port: int, scheme: bytes) -> bytes:
        client = address.encode()
        return (
            encode_pair(b":scheme", self.scheme)
            + encode_pair(b"x-forwarded-for", client)
            + encode_pair(b"x-forwarded-proto", scheme)
            + encode_pair(b"x-real-ip", client)
            + encode_pair(b"x-real-port", b"%d" % port)
            + (encode_pair(CLIENT_CERT_SUBJECT, self.subject) if self.subject else b"")
        )

    def _peel(self, chain: Iterable[Node | None]) -> Node | None:
        """The last address of the chain that is not a trusted proxy's: what lies before it, anybody could have said."""
        found = None
        for node in chain:
            if node is None:
                break
            found = node
            if not self._trust.includes(node.address):
                break
        return found
