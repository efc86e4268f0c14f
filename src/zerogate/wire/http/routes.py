"""Routes as text: what a worker says that it serves."""

import re
from typing import NamedTuple

from zerogate.errors import ZerogateError

MAX_ROUTE_BYTES = 512

_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.ASCII)
_PREFIX = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*", re.ASCII)


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
