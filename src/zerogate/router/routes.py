"""Routes: which pool serves a host and a path.

Exact host before `*.host` before any host; then the longest path prefix, by whole segments. A lookup costs as many
dictionary lookups as the deepest known prefix of its host has segments, and a change costs one, however many routes
there are.
"""

from collections import Counter
from typing import Generic, TypeVar

from zerogate.router.state import FastTable, PrefixesState, TableState
from zerogate.wire.http.hosts import normalise_host
from zerogate.wire.http.paths import normal_path
from zerogate.wire.http.routes import Route

T = TypeVar("T")


class _Prefixes(PrefixesState, Generic[T]):
    """What serves each path prefix of one host. `depth` is the number of segments of the longest."""

    def __init__(self) -> None:
        self.targets: dict[bytes, T] = {}
        self.depth = 0
        self._depths: Counter[int] = Counter()

    def add(self, prefix: bytes, target: T) -> None:
        if prefix not in self.targets:
            depth = prefix.count(b"/")
            self._depths[depth] += 1
            self.depth = max(self.depth, depth)
        self.targets[prefix] = target

    def remove(self, prefix: bytes) -> None:
        del self.targets[prefix]
        depth = prefix.count(b"/")
        self._depths[depth] -= 1
        if not self._depths[depth]:
            del self._depths[depth]
            # As many as a path has segments, not as there are routes.
            self.depth = max(self._depths, default=0)

    def longest(self, path: bytes) -> T | None:
        depth = self.depth
        if depth:
            segments = path.split(b"/", depth + 1)[: depth + 1]
            while len(segments) > 1:
                found = self.targets.get(b"/".join(segments))
                if found is not None:
                    return found
                segments.pop()
        return self.targets.get(b"")


class CarefulTable(TableState, Generic[T]):
    """What serves each route; `match` finds the most specific one.

    only: what serves everything, while there is no other route
    """

    def __init__(self) -> None:
        self.only: T | None = None
        self._hosts: dict[bytes, _Prefixes[T]] = {}
        self._any_host: _Prefixes[T] = _Prefixes()
        self._n_wildcards = 0

    def get(self, route: Route) -> T | None:
        prefixes = self._prefixes_of(route)
        return None if prefixes is None else prefixes.targets.get(_octets(route))

    def add(self, route: Route, target: T) -> None:
        prefixes = self._prefixes_of(route)
        if prefixes is None:
            prefixes = self._hosts[route.host.encode()] = _Prefixes()
            self._n_wildcards += route.host.startswith("*.")
        prefixes.add(_octets(route), target)
        self._find_only()

    def remove(self, route: Route) -> None:
        prefixes = self._prefixes_of(route)
        if prefixes is None:
            raise KeyError(route)
        prefixes.remove(_octets(route))
        if route.host and not prefixes.targets:
            del self._hosts[route.host.encode()]
            self._n_wildcards -= route.host.startswith("*.")
        self._find_only()

    def _find_only(self) -> None:
        self.only = None if self._hosts or self._any_host.depth else self._any_host.targets.get(b"")

    def values(self) -> list[T]:
        return [target for prefixes in (self._any_host, *self._hosts.values()) for target in prefixes.targets.values()]

    def match(self, host: bytes, path: bytes) -> T | None:
        """The target of the most specific route, or None.

        host: as the client sent it, a valid one
        path: in normal form (`RequestHead.path`)
        """
        if self.only is not None:
            return self.only
        hosts = self._hosts
        if hosts:
            name = normalise_host(host)
            prefixes = hosts.get(name)
            if prefixes is not None and (found := prefixes.longest(path)) is not None:
                return found
            if self._n_wildcards:
                below = name.partition(b".")[2]
                while below:
                    prefixes = hosts.get(b"*." + below)
                    if prefixes is not None and (found := prefixes.longest(path)) is not None:
                        return found
                    below = below.partition(b".")[2]
        return self._any_host.longest(path)

    def _prefixes_of(self, route: Route) -> "_Prefixes[T] | None":
        return self._hosts.get(route.host.encode()) if route.host else self._any_host


class RouteTable(FastTable, CarefulTable[T]):
    """The same, by shorter ways where these are compiled (native/routes.pyx)."""


def _octets(route: Route) -> bytes:
    """Its prefix as paths are compared."""
    return normal_path(route.prefix.encode())
