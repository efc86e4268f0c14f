"""Joining: what a worker says on its control stream, and what it is told (protocol.md, Joining). Both ends.

A pulse (protocol.md, Pulse) says hardly more than whose it is, and is told the same.
"""

import math
import re
from typing import NamedTuple

from zerogate.errors import ZerogateError
from zerogate.wire.fields import Fields
from zerogate.wire.http.routes import Route, RouteError, parse_route
from zerogate.wire.http.terms import Terms, TermsError, parse_terms

DEFAULT_WEIGHT = 100
MAX_WEIGHT = 1000
MAX_SOFTWARE_CHARS = 200

_ACCEPTED = 200

_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

PULSE_METHOD = b"PULSE"

# What of the optional our router takes (`accepts`): fields, and a pulse.
ID = "id"
PULSE = "pulse"
# An interim reply 103 before the reply (RFC 8297).
EARLY_HINTS = "early-hints"
TIMEOUT = "timeout"
IDLE_TIMEOUT = "idle-timeout"
MAX_BODY = "max-body"

OFF = "off"
# A year, as for any setting.
MAX_TIMEOUT_S = 365 * 24 * 3600.0
_SECONDS = re.compile(r"\d{1,8}(\.\d{1,9})?", re.ASCII)
_SIZE = re.compile(r"\d{1,18}", re.ASCII)


class JoinError(ZerogateError):
    """A worker cannot join. `status` is 400, 403, 404, 405 or 503."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Join(NamedTuple):
    """What a worker says of itself.

    id: random, new for each process; empty if it does not say
    timeout_s, idle_timeout_s: what it wants for its replies, math.inf for no limit; None if it does not say
    max_body_bytes: what it takes of a request; None for whatever the router does
    """

    name: str
    routes: list[Route]
    weight: int = DEFAULT_WEIGHT
    software: str = ""
    strips_prefix: bool = False
    id: str = ""
    timeout_s: float | None = None
    idle_timeout_s: float | None = None
    max_body_bytes: int | None = None
    terms: Terms = Terms()

    @property
    def wants(self) -> list[str]:
        """What it asks for that not every router knows: see `accepts`."""
        asked = {TIMEOUT: self.timeout_s, IDLE_TIMEOUT: self.idle_timeout_s, MAX_BODY: self.max_body_bytes}
        return [*(name for name, value in asked.items() if value is not None), *self.terms.names]

    def fields(self) -> Fields:
        return {
            **({b"id": self.id.encode()} if self.id else {}),
            b":method": b"JOIN",
            b":path": b"/",
            b":version": b"HTTP/1.1",
            b":host": b"",
            b":scheme": b"zmq",
            b"worker": self.name.encode("utf-8", "replace"),
            b"route": "\0".join(map(str, self.routes)).encode("utf-8", "replace"),
            b"weight": b"%d" % self.weight,
            b"software": self.software.encode("utf-8", "replace"),
            **({b"strip": b"1"} if self.strips_prefix else {}),
            **({} if self.timeout_s is None else {b"timeout": _seconds(self.timeout_s)}),
            **({} if self.idle_timeout_s is None else {b"idle-timeout": _seconds(self.idle_timeout_s)}),
            **({} if self.max_body_bytes is None else {b"max-body": b"%d" % self.max_body_bytes}),
            **self.terms.fields(),
        }


def parse_join(fields: Fields, max_routes: int) -> Join:
    """Read the fields of a JOIN. Raises JoinError, whose reason names the field."""
    method = fields.get(b":method", b"")
    if method != b"JOIN":
        raise JoinError(405, f":method {method[:40].decode('latin-1')!r}: workers open streams only to JOIN")
    name = fields.get(b"worker", b"").decode("latin-1")
    if not _NAME.fullmatch(name):
        raise JoinError(400, f"worker {name[:140]!r}: 1 to 128 of A-Z a-z 0-9 . _ -")
    texts = fields.get(b"route", b"*").split(b"\0")
    if len(texts) > max_routes:
        raise JoinError(400, f"route: {len(texts)} of them, at most {max_routes}")
    try:
        routes = [parse_route(text.decode()) for text in texts]
    except RouteError as error:
        raise JoinError(400, f"route: {error.reason}") from error
    except UnicodeDecodeError:
        raise JoinError(400, "route: it is no UTF-8") from None
    weight = fields.get(b"weight", b"%d" % DEFAULT_WEIGHT)
    if not weight.isdigit() or len(weight) > 4 or not 1 <= int(weight) <= MAX_WEIGHT:
        raise JoinError(400, f"weight {weight.decode('latin-1')[:20]!r}: 1 to {MAX_WEIGHT}")
    software = fields.get(b"software", b"").decode("utf-8", "replace")[:MAX_SOFTWARE_CHARS]
    strips_prefix = fields.get(b"strip") == b"1"
    return Join(
        name,
        routes,
        int(weight),
        software,
        strips_prefix,
        _parse_id(fields) if b"id" in fields else "",
        _parse_seconds(fields, TIMEOUT),
        _parse_seconds(fields, IDLE_TIMEOUT),
        _parse_max_body(fields),
        _parse_terms(fields),
    )


def _seconds(value: float) -> bytes:
    if value == math.inf:
        return OFF.encode()
    return f"{value:.9f}".rstrip("0").rstrip(".").encode()


def _parse_seconds(fields: Fields, name: str) -> float | None:
    text = fields.get(name.encode(), b"").decode("latin-1")
    if not text:
        return None
    if text == OFF:
        return math.inf
    value = float(text) if _SECONDS.fullmatch(text) else 0.0
    if not 0.0 < value <= MAX_TIMEOUT_S:
        raise JoinError(400, f"{name} {text[:40]!r}: seconds, up to a year, or off")
    return value


def _parse_max_body(fields: Fields) -> int | None:
    text = fields.get(MAX_BODY.encode(), b"").decode("latin-1")
    if not text:
        return None
    if not _SIZE.fullmatch(text):
        raise JoinError(400, f"{MAX_BODY} {text[:40]!r}: bytes")
    return int(text)


def _parse_terms(fields: Fields) -> Terms:
    try:
        return parse_terms(fields)
    except TermsError as error:
        raise JoinError(400, error.reason) from error


def pulse_fields(process_id: str) -> Fields:
    """What a pulse says: whose it is."""
    return {
        b":method": PULSE_METHOD,
        b":path": b"/",
        b":version": b"HTTP/1.1",
        b":host": b"",
        b":scheme": b"zmq",
        b"id": process_id.encode(),
    }


def parse_pulse(fields: Fields) -> str:
    """The id of the process whose pulse it is. Raises JoinError."""
    return _parse_id(fields)


def _parse_id(fields: Fields) -> str:
    text = fields.get(b"id", b"").decode("latin-1")
    if not _ID.fullmatch(text):
        raise JoinError(400, f"id {text[:80]!r}: 1 to 64 of A-Z a-z 0-9 . _ -")
    return text


class JoinReply(NamedTuple):
    """What the router answers: its name and which endpoints to dial as well, or why not.

    status: 200 if the worker has joined; 0 if it could not be read
    id: random, new for each router process; empty if it does not say
    accepts: what it has understood, or would take, of what not every router knows
    processes: the ids of all router processes at the endpoint that was dialled, if they are several
    """

    status: int
    router: str = ""
    routers: tuple[str, ...] = ()
    reason: str = ""
    id: str = ""
    accepts: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()

    @property
    def is_accepted(self) -> bool:
        return self.status == _ACCEPTED

    def fields(self) -> Fields:
        fields = {b":status": b"%d" % self.status, b":version": b"HTTP/1.1"}
        if self.is_accepted:
            fields |= {b":status": b"200 OK", b"router": self.router.encode()}
            if self.routers:
                fields[b"routers"] = "\0".join(self.routers).encode()
            if self.id:
                fields[b"id"] = self.id.encode()
            if self.accepts:
                fields[b"accepts"] = "\0".join(self.accepts).encode()
            if self.processes:
                fields[b"processes"] = "\0".join(self.processes).encode()
        else:
            fields[b"reason"] = self.reason.encode("ascii", "backslashreplace")
        return fields


def parse_join_reply(fields: Fields) -> JoinReply:
    """Read the answer to a JOIN. Whatever cannot be read is missing."""
    status = fields.get(b":status", b"").partition(b" ")[0]
    return JoinReply(
        int(status) if status.isdigit() and len(status) == 3 else 0,
        fields.get(b"router", b"").decode("latin-1"),
        _parse_list(fields, b"routers"),
        fields.get(b"reason", b"").decode("latin-1"),
        fields.get(b"id", b"").decode("latin-1"),
        _parse_list(fields, b"accepts"),
        _parse_list(fields, b"processes"),
    )


def _parse_list(fields: Fields, name: bytes) -> tuple[str, ...]:
    return tuple(text for text in fields.get(name, b"").decode("latin-1").split("\0") if text)
