"""Where a router binds and a worker dials: `tcp://host:port` or `ipc://path`; and where clients connect to.

What is refused raises UsageError, with a reason that does not repeat the text: whoever asked names it.
"""

import ipaddress
import os
from typing import NamedTuple

from zerogate.errors import UsageError

# The kernel's room for the path of a Unix socket, without the NUL at its end (unix(7), sun_path).
MAX_PATH_BYTES = 107

MAX_PORT = 65535


class Endpoint(NamedTuple):
    """A parsed endpoint: `path` for ipc, `host` and `port` for tcp."""

    text: str
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def is_local(self) -> bool:
        """True if only this machine can reach it, so that links need no keys."""
        return bool(self.path) or is_loopback(self.host)


def parse_endpoint(text: str) -> Endpoint:
    """Read `tcp://host:port`, `tcp://[::1]:port`, `tcp://*:port` or `ipc://path`. Raises UsageError."""
    scheme, separator, rest = text.partition("://")
    if scheme == "ipc" and rest:
        return Endpoint(text, path=_checked_path(rest))
    if scheme != "tcp" or not separator:
        raise UsageError("not an endpoint: write tcp://HOST:PORT or ipc://PATH")
    host, port = parse_address(rest)
    return Endpoint(text, host=host, port=port)


def parse_listening(text: str) -> Endpoint:
    """Read where clients connect to: `unix:/path`, or an address as `parse_address` takes it. Raises UsageError."""
    scheme, _, path = text.partition(":")
    if scheme == "unix" and path and not path.isdigit():
        # nginx and Caddy write `unix:/path`, others `unix:///path`.
        return Endpoint(text, path=_checked_path(path.removeprefix("//")))
    host, port = parse_address(text)
    return Endpoint(text, host=host, port=port)


def _checked_path(path: str) -> str:
    if not path or "\0" in path or len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise UsageError(f"a socket's path has 1 to {MAX_PATH_BYTES} bytes, and no NUL among them")
    return path


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of `host:port`, `[::1]:port`, `*:port` or `:port` (any address: host ""). Raises UsageError."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdigit():
        raise UsageError("not an address: write HOST:PORT")
    if int(port) > MAX_PORT:
        raise UsageError(f"not an address: ports end at {MAX_PORT}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise UsageError(f"not an address: write an IPv6 host in brackets, [{host}]:{port}")
    _check_host(host)
    return ("" if host == "*" else host), int(port)


def _check_host(host: str) -> None:
    """A name that nobody could have is found out here: the resolver's own error is no OSError (it is a codec's)."""
    try:
        is_possible = b"\0" not in host.encode("idna")
    except UnicodeError:
        is_possible = False
    if not is_possible:
        raise UsageError(f"not an address: no host can be called {host!r}")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
