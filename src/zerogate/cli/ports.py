"""Ports that the system chooses, where an address says 0."""

import contextlib
import socket
from typing import TypeVar

from zerogate.settings.endpoint import parse_address
from zerogate.settings.router import ListenSettings

S = TypeVar("S", bound=ListenSettings)


def with_ports(settings: S) -> S:
    """The settings with a free port wherever they say 0.

    It is the command's, and not a process's: several that are a router together, or one that is started anew, listen
    where the others did, and what the command says of itself is true.
    """
    return settings.changed(
        http=tuple(map(_chosen, settings.http)),
        https=tuple(map(_chosen, settings.https)),
        bind=tuple(map(_chosen, settings.bind)),
        admin=_chosen(settings.admin),
    )


def _chosen(text: str) -> str:
    if text.startswith(("unix:", "ipc:")) or not text.endswith(":0"):
        return text
    host, _ = parse_address(text.removeprefix("tcp://"))
    # Where nobody can listen, whoever tries says why.
    with contextlib.suppress(OSError):
        family, kind, _, _, address = socket.getaddrinfo(
            host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as one:
            one.bind(address)
            return f"{text.removesuffix('0')}{one.getsockname()[1]}"
    return text
