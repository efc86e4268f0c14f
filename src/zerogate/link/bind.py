"""Binding: a listening socket for each address, whose owner nobody else can be at the same time."""

import contextlib
import errno
import os
import secrets
import socket
import stat
from typing import Any, NamedTuple

from zerogate.errors import StartError
from zerogate.process import current_folder
from zerogate.settings.endpoint import Endpoint, is_loopback, parse_address

# As many may have connected and not been accepted yet. The kernel has its own limit (net.core.somaxconn, 4096).
BACKLOG = 2048

# Where descriptors have names, which not every system has; and a folder that need not be read, where Python can say so.
_DESCRIPTORS = "/proc/self/fd"
_FIND_ONLY = getattr(os, "O_PATH", os.O_RDONLY)

# Who may dial an ipc:// socket: its owner.
IPC_MODE = 0o600

# Below, ports are root's, unless the system says otherwise (ip(7), ip_unprivileged_port_start).
FIRST_FREE_PORT = 1024
ROOTS_PORTS = (
    f"ports below {FIRST_FREE_PORT} are root's. Have systemd give it AmbientCapabilities=CAP_NET_BIND_SERVICE, or say "
    "`sysctl net.ipv4.ip_unprivileged_port_start=80`, or choose another port"
)


class TakenError(StartError):
    """Somebody else listens at this place."""

    def __init__(self, place: "Place") -> None:
        super().__init__(f"{place.label}: {place.where} is taken by another program")
        self.place = place


class Place(NamedTuple):
    """Where one socket listens. `label` is the option that says so; `address` is a path for AF_UNIX."""

    label: str
    family: int
    address: Any
    mode: int = IPC_MODE

    @property
    def where(self) -> str:
        """For people."""
        if self.family == socket.AF_UNIX:
            return str(self.address)
        host, port = self.address[:2]
        return f"[{host}]:{port}" if self.family == socket.AF_INET6 else f"{host}:{port}"

    @property
    def key(self) -> str:
        """The same for the same place, whoever wrote it and how."""
        return f"ipc {os.path.abspath(self.address)}" if self.family == socket.AF_UNIX else f"tcp {self.where}"


def is_local_key(key: str) -> bool:
    """Whether only this machine can reach the place of this key, so that links there need no keys."""
    family, _, where = key.partition(" ")
    return family == "ipc" or is_loopback(parse_address(where)[0])


def tcp_places(host: str, port: int, label: str) -> list[Place]:
    """Each address of `host`; "" is every address. Raises StartError if it has none."""
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
    except OSError as error:
        raise StartError(f"{label}: cannot resolve {host!r}: {error.strerror or error}") from error
    return [Place(label, family, address) for family, _, _, _, address in sorted(set(found), key=lambda item: item[0])]


def endpoint_places(endpoint: Endpoint, label: str, mode: int = IPC_MODE) -> list[Place]:
    """Where an endpoint is: `mode` is that of a Unix socket's file. Raises StartError or UsageError."""
    if endpoint.path:
        if not os.path.isabs(endpoint.path):
            current_folder()  # Without one there is no such place.
        return [Place(label, socket.AF_UNIX, endpoint.path, mode)]
    return tcp_places(endpoint.host, endpoint.port, label)


def place_of(sock: socket.socket, label: str) -> Place:
    """Where an inherited socket listens. Raises StartError if it does not."""
    try:
        is_listening = sock.type == socket.SOCK_STREAM and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        is_listening = False
    if not is_listening:
        raise StartError(f"{label}: descriptor {sock.fileno()} is not a listening stream socket")
    return Place(label, sock.family, sock.getsockname())


def bind(place: Place) -> socket.socket:
    """A socket that listens at the place. Raises TakenError if somebody does already, StartError."""
    sock = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        if place.family == socket.AF_UNIX:
            _bind_unix(sock, place)
        else:
            # For those of our connections that the kernel still remembers; who listens is not passed over.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if place.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(place.address)
            sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise TakenError(place) from error
        raise StartError(f"{place.label}: {_explain(error, place)}") from error
    return sock


def _bind_unix(sock: socket.socket, place: Place) -> None:
    """A path that nobody listens at any more is replaced; one that somebody listens at, or a file, is not."""
    path: str = place.address
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, "there is a file of that name")
        if is_answered(path):
            raise OSError(errno.EADDRINUSE, "in use")
    # Elsewhere first: nobody shall see it before its mode is set, nor before it listens. By a name that nobody else
    # makes up, as processes' numbers are alike in containers; and by the folder's descriptor, which is never too long.
    name = os.path.dirname(path) or "."
    folder = os.open(name, _FIND_ONLY | os.O_DIRECTORY)
    if os.path.isdir(_DESCRIPTORS):
        name = f"{_DESCRIPTORS}/{folder}"
    temporary = f"{name}/.{secrets.token_hex(4)}.zg"
    try:
        sock.bind(temporary)
        os.chmod(temporary, place.mode)
        sock.listen(BACKLOG)
        os.rename(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(folder)


def is_answered(path: str) -> bool:
    """Whether somebody listens at the path of a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # Its queue is full, or it is somebody else's.
    return True


def _explain(error: OSError, place: Place) -> str:
    where = place.where
    match error.errno:
        case errno.EACCES if place.family != socket.AF_UNIX and place.address[1] < FIRST_FREE_PORT:
            return f"no permission to listen on {where}: {ROOTS_PORTS}"
        case errno.EACCES:
            return f"no permission to listen on {where}"
        case errno.EADDRNOTAVAIL:
            return f"{where} is not an address of this machine"
        case errno.ENOENT:
            return f"no such directory for {where}"
        case _:
            return f"cannot listen on {where}: {error.strerror or error}"
