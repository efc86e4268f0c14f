"""Links that have not joined yet: whoever they are, they must not keep others out.

Anybody can connect and say nothing, or begin a handshake, which costs us more than it costs him. So those who have not
joined share what places the workers leave, and where there is none left the one that has stood there for longest makes
room for the next: a flood pushes itself out, and a worker, which joins within milliseconds, comes through. An address
has so many at once, and so many a second; not at a port of this machine alone, whose workers may all start at the same
moment. Of IPv6 that is a network of 64 bits: nobody has less (RFC 6177).
"""

from collections import Counter, OrderedDict
from ipaddress import AddressValueError, IPv6Address
from typing import Protocol

from zerogate.link.allowance import Allowance

# As many workers may start behind one address at the same moment; others of them dial again within a second or two.
MAX_PER_ADDRESS = 64
ADDRESS_BURST = 256
ADDRESS_PER_S = 32.0
# Addresses whose rate is remembered: the one that was not heard of for longest is forgotten first.
MAX_ADDRESSES = 4096


class Standing(Protocol):
    """A link, as far as it matters here."""

    def close(self, reason: str) -> None: ...


class Doorstep:
    """Who stands there, the oldest first. Knows no clock: times are in seconds, of any one."""

    def __init__(self) -> None:
        self._standing: OrderedDict[Standing, str] = OrderedDict()
        self._n_of: Counter[str] = Counter()
        self._rates: OrderedDict[str, Allowance] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Doorstep {len(self._standing)} links of {len(self._n_of)} addresses>"

    def __len__(self) -> int:
        return len(self._standing)

    def enter(self, link: Standing, address: str, now: float) -> str:
        """A link has come, from an address of another machine or "". Returns why it may not stay, or ""."""
        address = _network_of(address)
        if address:
            if self._n_of.get(address, 0) >= MAX_PER_ADDRESS:
                return f"{MAX_PER_ADDRESS} links from {address} are on their way in already"
            if not self._rate_of(address, now).spend(now):
                return f"links come too often from {address}"
            self._n_of[address] += 1
        self._standing[link] = address
        return ""

    def leave(self, link: Standing) -> None:
        """It has joined, or is gone."""
        address = self._standing.pop(link, "")
        if address:
            self._n_of[address] -= 1
            if not self._n_of[address]:
                del self._n_of[address]

    def make_room(self, reason: str) -> None:
        """Send the oldest away."""
        oldest = next(iter(self._standing))
        self.leave(oldest)
        oldest.close(reason)

    def _rate_of(self, address: str, now: float) -> Allowance:
        rate = self._rates.get(address)
        if rate is None:
            if len(self._rates) >= MAX_ADDRESSES:
                self._rates.popitem(last=False)
            rate = self._rates[address] = Allowance(ADDRESS_BURST, ADDRESS_PER_S, now)
        self._rates.move_to_end(address)
        return rate


def _network_of(address: str) -> str:
    """The address itself, or the network of an IPv6 address."""
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> 64 << 64)}/64"
