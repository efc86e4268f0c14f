"""Joining: what a worker says on its control stream, and what it is told (protocol.md, Joining)."""

import re
from typing import NamedTuple

from zerogate.errors import ZerogateError
from zerogate.link.handlers import Fields
from zerogate.router.routes import Route, RouteError, parse_route
from zerogate.router.workers import DEFAULT_WEIGHT
from zerogate.wire.spdy.headers import encode_block

MAX_WEIGHT = 1000
MAX_SOFTWARE_CHARS = 200

_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


class JoinError(ZerogateError):
    """A worker cannot join. `status` is 400 or 405."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Join(NamedTuple):
    """What a worker said of itself."""

    name: str
    routes: list[Route]
    weight: int
    software: str


def parse_join(fields: Fields, max_routes: int) -> Join:
    """Read the fields of a JOIN. Raises JoinError, whose reason names the field."""
    method = fields.get(b":method", b"")
    if method != b"JOIN":
        raise JoinError(405, f":method {method.decode('latin-1')!r}: workers open streams only to JOIN")
    name = fields.get(b"worker", b"").decode("latin-1")
    if not _NAME.fullmatch(name):
        raise JoinError(400, f"worker {name[:140]!r}: 1 to 128 of A-Z a-z 0-9 . _ -")
    texts = fields.get(b"route", b"*").decode("latin-1").split("\0")
    if len(texts) > max_routes:
        raise JoinError(400, f"route: {len(texts)} of them, at most {max_routes}")
    try:
        routes = [parse_route(text) for text in texts]
    except RouteError as error:
        raise JoinError(400, f"route: {error.reason}") from error
    weight = fields.get(b"weight", str(DEFAULT_WEIGHT).encode())
    if not weight.isdigit() or len(weight) > 4 or not 1 <= int(weight) <= MAX_WEIGHT:
        raise JoinError(400, f"weight {weight.decode('latin-1')[:20]!r}: 1 to {MAX_WEIGHT}")
    software = fields.get(b"software", b"").decode("utf-8", "replace")[:MAX_SOFTWARE_CHARS]
    return Join(name, routes, int(weight), software)


def accepted(router: str, endpoints: tuple[str, ...]) -> bytes:
    """The name/value block of a 200: the router's name, and which endpoints to dial as well."""
    fields = {b":status": b"200 OK", b":version": b"HTTP/1.1", b"router": router.encode()}
    if endpoints:
        fields[b"routers"] = "\0".join(endpoints).encode()
    return encode_block(fields)


def refused(error: JoinError) -> bytes:
    """The name/value block of a refusal."""
    reason = error.reason.encode("ascii", "backslashreplace")
    return encode_block({b":status": str(error.status).encode(), b":version": b"HTTP/1.1", b"reason": reason})
