"""Routes: which pool serves a host and a path.

Exact host before `*.host` before any host; then the longest path prefix, by whole segments. A lookup costs as many
dictionary lookups as the deepest known prefix has segments, however many routes there are and however long the path is.
"""

import re
from typing import Generic, NamedTuple, TypeVar

from zerogate.errors import ZerogateError

MAX_ROUTE_BYTES = 512

_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.ASCII)
_PREFIX = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*", re.ASCII)

T = TypeVar("T")


class RouteError(ZerogateError):
    """A route is not written as `*`, `host`, `host/prefix`, `/prefix` or `*.host/prefix`."""


class Route(NamedTuple):
    """Host ("" is any, "*.example.org" is every host below) and path prefix ("" is every path)."""

    host: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.host}{self.prefix}" or "*"


def parse_route(text: str) -> Route:
    """Read a route as a worker writes it. Raises RouteError."""
    if len(text) > MAX_ROUTE_BYTES:
        raise RouteError(f"route of {len(text)} bytes: at most {MAX_ROUTE_BYTES}")
    if text == "*":
        return Route("", "")
    host, slash, rest = text.partition("/")
    host = "" if host == "*" else host.lower()
    prefix = (slash + rest).rstrip("/")
    if (not host and not slash) or (host and not _HOST.fullmatch(host)) or not _PREFIX.fullmatch(prefix):
        raise RouteError(f"{text!r} is not a route: write *, host, host/prefix, /prefix or *.host/prefix")
    return Route(host, prefix)


class RouteTable(Generic[T]):
    """What serves each route; `match` finds the most specific one."""

    def __init__(self) -> None:
        self._hosts: dict[bytes, dict[bytes, T]] = {}
        self._depths: dict[bytes, int] = {}
        self._has_wildcards = False

    def get(self, route: Route) -> T | None:
        return self._hosts.get(route.host.encode(), {}).get(route.prefix.encode())

    def add(self, route: Route, target: T) -> None:
        self._hosts.setdefault(route.host.encode(), {})[route.prefix.encode()] = target
        self._measure(route.host.encode())

    def remove(self, route: Route) -> None:
        host = route.host.encode()
        prefixes = self._hosts[host]
        del prefixes[route.prefix.encode()]
        if not prefixes:
            del self._hosts[host]
        self._measure(host)

    def values(self) -> list[T]:
        return [target for prefixes in self._hosts.values() for target in prefixes.values()]

    def match(self, host: bytes, path: bytes) -> T | None:
        """The target of the most specific route, or None. `host` is lower-case and without a port."""
        hosts = self._hosts
        if host in hosts and (found := self._longest_prefix(host, path)) is not None:
            return found
        if self._has_wildcards:
            below = host.partition(b".")[2]
            while below:
                wildcard = b"*." + below
                if wildcard in hosts and (found := self._longest_prefix(wildcard, path)) is not None:
                    return found
                below = below.partition(b".")[2]
        return self._longest_prefix(b"", path) if b"" in hosts else None

    def _longest_prefix(self, host: bytes, path: bytes) -> T | None:
        prefixes = self._hosts[host]
        depth = self._depths[host]
        if depth:
            segments = path.split(b"/", depth + 1)[: depth + 1]
            while len(segments) > 1:
                found = prefixes.get(b"/".join(segments))
                if found is not None:
                    return found
                segments.pop()
        return prefixes.get(b"")

    def _measure(self, host: bytes) -> None:
        prefixes = self._hosts.get(host)
        if prefixes is None:
            self._depths.pop(host, None)
        else:
            self._depths[host] = max(prefix.count(b"/") for prefix in prefixes)
        self._has_wildcards = any(known.startswith(b"*.") for known in self._hosts)
