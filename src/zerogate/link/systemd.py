"""Sockets that systemd opened for us (sd_listen_fds(3))."""

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import NamedTuple

from zerogate.errors import UsageError
from zerogate.link.bind import Place, place_of
from zerogate.link.listen import Listener
from zerogate.settings.endpoint import is_loopback

FIRST_FD = 3
NAMES = ("http", "https", "bind")
# What systemd calls a socket that nobody named: its unit, or these.
UNNAMED = ("", "unknown")


class Inherited(NamedTuple):
    """Listeners by what they are for: clients, those that speak TLS, or workers."""

    http: list[Listener]
    https: list[Listener]
    bind: list[Listener]


def inherited_listeners(*, insecure: bool, environ: Mapping[str, str] = os.environ) -> Inherited:
    """Sockets passed with LISTEN_FDS: by their names (NAMES, FileDescriptorName=), else the first is http.

    Raises UsageError for other names, and for workers' sockets that others could reach unless `insecure`; StartError
    for what is not a listening socket.
    """
    result = Inherited([], [], [])
    if not is_passed_sockets(environ):
        return result
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    with contextlib.ExitStack() as undoing:
        for index in range(int(environ.get("LISTEN_FDS", "0"))):
            sock = undoing.enter_context(socket.socket(fileno=FIRST_FD + index))
            os.set_inheritable(sock.fileno(), False)
            name = _name(names[index] if index < len(names) else "", index)
            place = place_of(sock, f"--{name} (from systemd)")
            if name == "bind" and not insecure:
                _check_local(place)
            found: list[Listener] = getattr(result, name)
            found.append(Listener(sock, place, is_inherited=True))
        undoing.pop_all()
    return result


def is_passed_sockets(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether systemd's sockets are for this process, and not for one that it has inherited the environment from."""
    return environ.get("LISTEN_PID") == str(os.getpid())


def _name(name: str, index: int) -> str:
    if name in NAMES:
        return name
    if name in UNNAMED or name.endswith(".socket"):
        return "http" if index == 0 else "bind"
    raise UsageError(f"systemd passes a socket called {name!r}: FileDescriptorName= is http, https or bind")


def _check_local(place: Place) -> None:
    if place.family != socket.AF_UNIX and not is_loopback(place.address[0]):
        raise UsageError(
            f"{place.label} {place.where}: anybody who reaches this address could become a worker. `zerogate keys "
            "router` makes keys; or let systemd listen on a loopback address or a Unix socket, or say --insecure if "
            "the network is yours alone"
        )
