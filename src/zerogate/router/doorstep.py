"""Links that have not joined yet: whoever they are, they must not keep others out.

Anybody can connect and say nothing, or begin a handshake, which costs us more than it costs him. So those who have not
joined share what places the workers leave, and where there is none left the one that has stood there for longest makes
room for the next: a flood pushes itself out, and a worker, which joins within milliseconds, comes through. An address
has so many at once, and so many a second; not at a port of this machine alone, whose workers may all start at the same
moment. Of IPv6 a network of 64 bits has NETWORK_PART times as many besides: nobody has less (RFC 6177), and it may be
one stranger's, or a whole site's.
"""

from collections import Counter, OrderedDict
from ipaddress import AddressValueError, IPv6Address
from typing import Protocol

from zerogate.link.allowance import Allowance

# As many workers may start behind one address at the same moment; others of them dial again within a second or two.
MAX_PER_ADDRESS = 64
ADDRESS_BURST = 256
ADDRESS_PER_S = 32.0
NETWORK_PART = 8
# Addresses whose rate is remembered: the one that was not heard of for longest is forgotten first.
MAX_ADDRESSES = 4096


class Standing(Protocol):
    """A link, as far as it matters here."""

    def close(self, reason: str) -> None: ...


class Doorstep:
    """Who stands there, the oldest first. Knows no clock: times are in seconds, of any one."""

    def __init__(self) -> None:
        self._standing: OrderedDict[Standing, tuple[str, ...]] = OrderedDict()
        self._n_of: Counter[str] = Counter()
        self._rates: OrderedDict[str, Allowance] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Doorstep {len(self._standing)} links of {len(self._n_of)} origins>"

    def __len__(self) -> int:
        return len(self._standing)

    def enter(self, link: Standing, address: str, now: float) -> str:
        """A link has come, from an address of another machine or "". Returns why it may not stay, or ""."""
        origins = _origins(address)
        for origin, part in origins.items():
            if self._n_of.get(origin, 0) >= MAX_PER_ADDRESS * part:
                return f"{MAX_PER_ADDRESS * part} links from {origin} are on their way in already"
            if not self._rate_of(origin, part, now).spend(now):
                return f"links come too often from {origin}"
        self._n_of.update(origins.keys())
        self._standing[link] = tuple(origins)
        return ""

    def leave(self, link: Standing) -> None:
        """It has joined, or is gone."""
        for origin in self._standing.pop(link, ()):
            self._n_of[origin] -= 1
            if not self._n_of[origin]:
                del self._n_of[origin]

    def make_room(self, reason: str) -> None:
        """Send the oldest away."""
        oldest = next(iter(self._standing))
        self.leave(oldest)
        oldest.close(reason)

    def _rate_of(self, origin: str, part: int, now: float) -> Allowance:
        rate = self._rates.get(origin)
        if rate is None:
            if len(self._rates) >= MAX_ADDRESSES:
                self._rates.popitem(last=False)
            rate = self._rates[origin] = Allowance(ADDRESS_BURST * part, ADDRESS_PER_S * part, now)
        self._rates.move_to_end(origin)
        return rate


def _origins(address: str) -> dict[str, int]:
    """Who is counted for an address, and how many of what one address may each has: also its network, of IPv6."""
    if ":" not in address:
        return {address: 1} if address else {}
    try:
        found = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return {address: 1}
    if found.ipv4_mapped is not None:
        return {str(found.ipv4_mapped): 1}
    return {str(found): 1, f"{IPv6Address(int(found) >> 64 << 64)}/64": NETWORK_PART}
