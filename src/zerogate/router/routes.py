"""Routes: which pool serves a host and a path.

Exact host before `*.host` before any host; then the longest path prefix, by whole segments. A lookup costs as many
dictionary lookups as the deepest known prefix has segments, however many routes there are and however long the path is.
"""

from typing import Generic, TypeVar

from zerogate.wire.http.routes import Route

T = TypeVar("T")


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
