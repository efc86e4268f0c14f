"""Listening sockets: bound so that a successor can bind them too, or taken over from systemd."""

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable
from typing import NamedTuple

from zerogate.errors import StartError
from zerogate.link.endpoint import Endpoint

logger = logging.getLogger("zerogate.link")

BACKLOG = 2048
SYSTEMD_FIRST_FD = 3


class Listener:
    """One listening socket and its server. `path` is what to remove in the end, for a Unix socket of our own.

    An inherited socket stays open elsewhere: who waits there to be accepted is not lost when we close it.
    """

    def __init__(self, sock: socket.socket, label: str, path: str = "", *, is_inherited: bool = False) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._is_inherited = is_inherited
        self._make_protocol: Callable[[], asyncio.Protocol] | None = None
        self._path = os.path.abspath(path) if path else ""
        self._inode = os.stat(path).st_ino if path else 0
        self._server: asyncio.Server | None = None
        self.label = label

    @property
    def port(self) -> int:
        """The TCP port, also where 0 was asked for; 0 for a Unix socket."""
        return 0 if self._sock.family == socket.AF_UNIX else int(self._sock.getsockname()[1])

    async def start(self, make_protocol: Callable[[], asyncio.Protocol]) -> None:
        loop = asyncio.get_running_loop()
        self._make_protocol = make_protocol
        if self._sock.family == socket.AF_UNIX:
            self._server = await loop.create_unix_server(make_protocol, sock=self._sock, backlog=BACKLOG)
        else:
            self._server = await loop.create_server(make_protocol, sock=self._sock, backlog=BACKLOG)

    async def stop(self) -> None:
        """Close, but take those first who have connected and wait to be accepted: the kernel would reset them."""
        waiting: list[socket.socket] = []
        with contextlib.suppress(OSError):
            while self._server is not None and not self._is_inherited and len(waiting) < BACKLOG:
                waiting.append(self._sock.accept()[0])
        self.close()
        if self._make_protocol is not None:
            loop = asyncio.get_running_loop()
            connecting = (loop.connect_accepted_socket(self._make_protocol, sock) for sock in waiting)
            await asyncio.gather(*connecting, return_exceptions=True)

    def close(self) -> None:
        """Take no new connections. A Unix socket's path is removed unless a successor has replaced it."""
        if self._server is not None:
            self._server.close()
        else:
            self._sock.close()
        if self._path:
            with contextlib.suppress(OSError):
                if os.stat(self._path).st_ino == self._inode:
                    os.unlink(self._path)


def bind_tcp(host: str, port: int, label: str) -> list[Listener]:
    """Listen on each address of `host` ("" is every address), with SO_REUSEPORT. Raises StartError."""
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
    except OSError as error:
        raise StartError(f"{label}: cannot resolve {host!r}: {error.strerror or error}") from error
    listeners: list[Listener] = []
    for family, _, _, _, address in sorted(set(found), key=lambda item: item[0]):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            is_shared = bool(port) and _is_taken(family, str(address[0]), port)
            sock.bind((address[0], port or (listeners[0].port if listeners else 0)))
            sock.listen(BACKLOG)
        except OSError as error:
            sock.close()
            for listener in listeners:
                listener.close()
            raise StartError(f"{label}: {_explain(error, f'{host or chr(42)}:{port}')}") from error
        listeners.append(Listener(sock, label))
        if is_shared:
            logger.warning("%s: another process listens there too: connections go to either until one stops", label)
    return listeners


def _is_taken(family: socket.AddressFamily, host: str, port: int) -> bool:
    """Whether somebody listens there already: SO_REUSEPORT would let us share the port without a word."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def bind_unix(path: str, label: str) -> list[Listener]:
    """Listen on a Unix socket, taking the path over from a predecessor without a gap. Raises StartError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    temporary = f"{path}.{os.getpid()}"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        sock.bind(temporary)
        sock.listen(BACKLOG)
        os.rename(temporary, path)
    except OSError as error:
        sock.close()
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise StartError(f"{label}: {_explain(error, path)}") from error
    return [Listener(sock, label, path)]


def bind_endpoint(endpoint: Endpoint, label: str) -> list[Listener]:
    if endpoint.path:
        return bind_unix(endpoint.path, label)
    return bind_tcp(endpoint.host, endpoint.port, label)


class Inherited(NamedTuple):
    """Sockets that systemd opened (sd_listen_fds(3)), by what they are for."""

    http: list[Listener]
    bind: list[Listener]


def inherited_listeners(environ: dict[str, str] | os._Environ[str] = os.environ) -> Inherited:
    """Sockets passed with LISTEN_FDS: named `http` and `bind` (FileDescriptorName=), else the first is http."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return Inherited([], [])
    count = int(environ.get("LISTEN_FDS", "0"))
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    result = Inherited([], [])
    for index in range(count):
        name = names[index] if index < len(names) else ""
        if name not in ("http", "bind"):
            name = "http" if index == 0 else "bind"
        sock = socket.socket(fileno=SYSTEMD_FIRST_FD + index)
        os.set_inheritable(sock.fileno(), False)
        label = f"--{name} (from systemd)"
        (result.http if name == "http" else result.bind).append(Listener(sock, label, is_inherited=True))
    return result


def _explain(error: OSError, where: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where} is taken by another program: stop it, or choose another port"
        case errno.EACCES:
            return f"no permission to listen on {where}"
        case errno.EADDRNOTAVAIL:
            return f"{where} is not an address of this machine"
        case errno.ENOENT:
            return f"no such directory for {where}"
        case _:
            return f"cannot listen on {where}: {error.strerror or error}"
