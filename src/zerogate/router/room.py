"""How many clients there is room for: a connection is a descriptor, and workers and the admin port need some, too."""

import logging
import resource
from typing import NamedTuple

from zerogate.settings import RouterSettings

logger = logging.getLogger("zerogate.router")

# Listening sockets, logs, the event loop's own, a takeover, what libraries open, and the admin port's connections.
RESERVED_FDS = 64
# Links may have as many of all descriptors, if there are not enough for --max-links.
LINKS_SHARE = 1 / 4
# Whoever is told that there are too many needs a descriptor until it has read it: so many of those there is room for.
REFUSED_SHARE = 1 / 16


class Room(NamedTuple):
    """`max_clients` are served, of `max_connections` that are accepted."""

    max_clients: int
    max_connections: int


def client_room(settings: RouterSettings, *, is_told: bool = True) -> Room:
    """What the limit on open files leaves for clients. That it is less than was asked for is told, or for debugging."""
    n_fds, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if n_fds == resource.RLIM_INFINITY:
        return Room(settings.max_clients, 2 * settings.max_clients)
    room = share_out(n_fds, settings.max_clients, settings.max_links)
    if room.max_clients < settings.max_clients:
        logger.log(
            logging.WARNING if is_told else logging.DEBUG,
            "--max-clients %d: %d, as this process may open %d files",
            settings.max_clients,
            room.max_clients,
            n_fds,
        )
    return room


def share_out(n_fds: int, max_clients: int, max_links: int) -> Room:
    """What `n_fds` descriptors are used for."""
    most = max(2, n_fds - RESERVED_FDS - min(max_links, int(n_fds * LINKS_SHARE)))
    return Room(min(max_clients, most - max(1, int(most * REFUSED_SHARE))), most)
