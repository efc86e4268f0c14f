"""What a worker dials, and for how long: endpoints that it was given, and those that it has heard of.

Given ones are for ever. The others are an address of a name, an endpoint that a router names, or one more process
behind the same endpoint; each is dialled until nobody has named it for FORGET_AFTER_S and no link goes there. A router
that restarts is named by nobody meanwhile: it must be found again, so that time is longer than a restart takes.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

from zerogate.link.dial import Dialler
from zerogate.link.link import Link
from zerogate.settings.endpoint import Endpoint

FORGET_AFTER_S = 300.0


@dataclass(eq=False)
class Target:
    """One thing to dial.

    wish: the id of the router process that is meant, where several share the endpoint; "" for any
    link: the one that goes there, once its router is known
    """

    endpoint: Endpoint
    wish: str
    is_given: bool
    named_at: float
    dialler: Dialler = field(init=False, repr=False)
    link: Link | None = field(default=None, repr=False)


class Targets:
    """All that is dialled. Decides, and dials nothing itself."""

    def __init__(self) -> None:
        self._targets: list[Target] = []

    def __iter__(self) -> Iterator[Target]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)

    @property
    def troubles(self) -> list[str]:
        """Why there is no link, of each whose last try has failed."""
        found = [(target.endpoint.text, target.dialler.trouble.words) for target in self._targets]
        return [f"{where}: {words}" for where, words in found if words]

    def name(self, endpoint: Endpoint, now: float, wish: str = "", *, is_given: bool = False) -> Target | None:
        """It was named. Returns the new target, or None if there is one already."""
        for target in self._targets:
            if target.endpoint.text == endpoint.text and (not wish or target.wish == wish):
                target.named_at = now
                return None
        self._targets.append(made := Target(endpoint, wish, is_given, now))
        return made

    def drop(self, target: Target) -> None:
        """It leads nowhere else than others do."""
        if target in self._targets:
            self._targets.remove(target)

    def forget(self, now: float) -> list[Target]:
        """Those that are to be dialled no more, since nobody has named them for so long."""
        stale = [
            target
            for target in self._targets
            if not target.is_given and target.link is None and now - target.named_at > FORGET_AFTER_S
        ]
        for target in stale:
            self.drop(target)
        return stale


def is_name(endpoint: Endpoint) -> bool:
    """Whether there may be several addresses to it. `localhost` has two, and is one machine."""
    if endpoint.path or endpoint.host in ("", "localhost"):
        return False
    try:
        ipaddress.ip_address(endpoint.host)
    except ValueError:
        return True
    return False


async def addresses_of(endpoint: Endpoint) -> list[Endpoint]:
    """An endpoint for each address of a name; none if there is only one, or the name is not known now."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError:
        return []  # Who dials it says so.
    hosts = sorted({address[0] for *_, address in found if isinstance(address[0], str)})
    return [at_address(endpoint, host) for host in hosts] if len(hosts) > 1 else []


def at_address(endpoint: Endpoint, host: str) -> Endpoint:
    """The same port at an address."""
    where = f"[{host}]" if ":" in host else host
    return Endpoint(f"tcp://{where}:{endpoint.port}", host, endpoint.port)
