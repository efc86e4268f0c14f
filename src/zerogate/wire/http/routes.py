"""Routes as text: what a worker says that it serves, and what a key is for.

There is one way to write a route, which is what `parse_route` makes of all others: `hosts.py` and `paths.py` say what
is the same. What clients ask for is compared in the same forms.
"""

import re
from typing import NamedTuple

from zerogate.errors import ZerogateError
from zerogate.wire.http.hosts import HostError, read_host
from zerogate.wire.http.paths import PathError, normal_path, path_text

MAX_ROUTE_BYTES = 512

_HOW = "write *, host, host/prefix, /prefix or *.host/prefix"
_WILDCARD = "*."
_PREFIX = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%\u00a0-\ud7ff\ue000-\U0010ffff-]+)*")
_is_empty_inside = re.compile(rb"[/\\][/\\]").search


class RouteError(ZerogateError):
    """A route is not written as `*`, `host`, `host/prefix`, `/prefix` or `*.host/prefix`."""


class Route(NamedTuple):
    """Host ("" is any, "*.example.org" is every host below) and path prefix ("" is every path)."""

    host: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.host}{self.prefix}" or "*"


def parse_route(text: str) -> Route:
    """Read a route as people write it. Raises RouteError."""
    if len(text) > MAX_ROUTE_BYTES:
        raise RouteError(f"route of {len(text)} bytes: at most {MAX_ROUTE_BYTES}")
    if text == "*":
        return Route("", "")
    host, slash, rest = text.partition("/")
    if (not host and not slash) or not _PREFIX.fullmatch(prefix := (slash + rest).rstrip("/")):
        raise RouteError(f"{text!r} is not a route: {_HOW}")
    try:
        route = Route(_read_host(host), _read_prefix(prefix))
    except (HostError, PathError) as error:
        raise RouteError(f"{text!r} is not a route: {error.reason}; {_HOW}") from error
    if len(str(route)) > MAX_ROUTE_BYTES:
        raise RouteError(f"{text!r} is a route of {len(str(route))} bytes: at most {MAX_ROUTE_BYTES}")
    return route


def _read_host(text: str) -> str:
    if text in ("", "*"):
        return ""
    is_wildcard = text.startswith(_WILDCARD)
    host = read_host(text.removeprefix(_WILDCARD))
    if is_wildcard and host.startswith("["):
        raise HostError("nothing is below an address")
    return f"{_WILDCARD}{host}" if is_wildcard else host


def _read_prefix(text: str) -> str:
    prefix = normal_path(text.encode()).rstrip(b"/")
    if _is_empty_inside(prefix):
        raise PathError("an empty segment")
    return path_text(prefix)
