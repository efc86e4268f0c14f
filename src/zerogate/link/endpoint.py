"""Where a router binds and a worker dials: `tcp://host:port` or `ipc://path`."""

import ipaddress
from typing import NamedTuple

from zerogate.errors import UsageError


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
        return Endpoint(text, path=rest)
    if scheme != "tcp" or not separator:
        raise UsageError(f"{text!r} is not an endpoint: write tcp://HOST:PORT or ipc://PATH")
    host, port = parse_address(rest)
    return Endpoint(text, host=host, port=port)


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of `host:port`, `[::1]:port`, `*:port` or `:port` (any address: host ""). Raises UsageError."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{text!r} is not an address: write HOST:PORT")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise UsageError(f"{text!r} is not an address: write an IPv6 host in brackets, [{host}]:{port}")
    return ("" if host == "*" else host), int(port)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
