"""The admin port: `/status` (JSON), `/healthz` and `/readyz`, for this machine's people, scripts and orchestrators.

It is served as every request is, by the clients of a desk of its own; only that the router answers by itself.

A page on the Internet may have its own name point to 127.0.0.1, and then read this port through the browser of whoever
looks at it (DNS rebinding). Such a request names that host, or comes from a page that does: neither is answered.

Beyond this machine it has a token, and whoever brings that may call it what he likes. Health and readiness are for
everybody: those who look for them have no token, and learn no more than that.
"""

import ipaddress
import json
from collections.abc import Callable
from hmac import compare_digest
from typing import Any

from zerogate.router.desk import Desk
from zerogate.router.faces import Client, ClientExchange
from zerogate.router.forwarding import Forwarding
from zerogate.router.own import OwnExchange
from zerogate.wire.http.errors import (
    FORBIDDEN,
    METHOD_NOT_ALLOWED,
    NO_ROUTE,
    SHUTTING_DOWN,
    UNAUTHORIZED,
    HttpError,
)
from zerogate.wire.http.hosts import normalise_host
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestHead

# What is answered, and in which type.
TEXT = b"text/plain; charset=utf-8"
JSON = b"application/json"

# What is answered without a token.
OPEN = frozenset({b"/healthz", b"/readyz"})


class Admin:
    """What the router says of itself (`desk.Answer`)."""

    def __init__(
        self,
        status: Callable[[], dict[str, Any]],
        is_ready: Callable[[], bool],
        address: str = "",
        token: str = "",
    ) -> None:
        """`address` is what the port was bound by: a name there is ours. With a `token`, that is asked for."""
        self._token = token.encode()
        self._is_ready = is_ready
        self._names = {normalise_host(address.encode())} - {b""}
        self._pages: dict[bytes, tuple[bytes, Callable[[], bytes]]] = {
            b"/healthz": (TEXT, lambda: b"ok\n"),
            b"/readyz": (TEXT, self._readiness),
            b"/status": (JSON, lambda: json.dumps(status(), indent=1).encode() + b"\n"),
        }

    def __call__(
        self, desk: Desk, client: Client, head: RequestHead, forwarding: Forwarding, request_id: bytes
    ) -> ClientExchange:
        return OwnExchange(desk, client, head, request_id, lambda: self.answer(head))

    def answer(self, head: RequestHead) -> tuple[ReplyHead, bytes]:
        """Raises HttpError."""
        if not self._token:
            self._check_host(head)
        elif head.path not in OPEN and not self._has_token(head):
            raise HttpError(UNAUTHORIZED, "the admin port asks for its --admin-token, as a bearer token")
        if head.method not in (b"GET", b"HEAD"):
            raise HttpError(METHOD_NOT_ALLOWED, "the admin port is for reading")
        page = self._pages.get(head.path)
        if page is None:
            raise HttpError(NO_ROUTE, "here are /status, /healthz and /readyz")
        content_type, make = page
        body = make()
        fields = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        return ReplyHead.of(200, fields), body

    def _readiness(self) -> bytes:
        """Whether more clients may be sent here; the error says for whom that is."""
        if not self._is_ready():
            raise HttpError(SHUTTING_DOWN)
        return b"ready\n"

    def _has_token(self, head: RequestHead) -> bool:
        """RFC 6750, 2.1."""
        given = [value for name, value in head.fields if name == b"authorization"]
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        return scheme.lower() == b"bearer" and compare_digest(token.strip(), self._token)

    def _check_host(self, head: RequestHead) -> None:
        if head.host and not self._is_ours(head.host):
            raise HttpError(FORBIDDEN, "the admin port is asked for by its address, or as localhost")
        for name, value in head.fields:
            if name == b"origin" and not self._is_ours(value.partition(b"://")[2]):
                raise HttpError(FORBIDDEN, "the admin port is not for pages from elsewhere")

    def _is_ours(self, host: bytes) -> bool:
        """Whether nobody else can have made this name point here."""
        name = normalise_host(host)
        if name == b"localhost" or name in self._names:
            return True
        try:
            ipaddress.ip_address(name.decode("latin-1").strip("[]"))
        except ValueError:
            return False
        return True
