"""What a client is told instead of a reply: one table of errors, and how a row becomes a reply."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from zerogate.errors import ZerogateError
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestHead

RETRY_AFTER_S = b"1"
WEBSOCKET_VERSION = b"13"


class Fault(Enum):
    """Whose fault an error is."""

    CLIENT = "client"
    WORKER = "worker"
    ROUTER = "router"


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """A row of the table.

    code: what the `zerogate-error` field says
    closes: the client's connection ends with it, as nobody knows what its next bytes mean, or they are not wanted
    may_retry: nothing has been done, and soon there may be room: the client is told when to ask again
    words: what it is, for people
    """

    code: str
    status: int
    fault: Fault
    closes: bool
    may_retry: bool
    words: str


# fmt: off
BAD_REQUEST           = ErrorKind("bad_request",   400, Fault.CLIENT, True,  False, "the request is not valid HTTP")
SPEAKS_TLS            = ErrorKind("bad_request",   400, Fault.CLIENT, True,  False,
                                  "this is TLS: the port speaks plain HTTP")
UNAUTHORIZED          = ErrorKind("bad_request",   401, Fault.CLIENT, False, False, "this asks for a token")
FORBIDDEN             = ErrorKind("bad_request",   403, Fault.CLIENT, False, False, "this is not for you")
METHOD_NOT_ALLOWED    = ErrorKind("bad_request",   405, Fault.CLIENT, False, False, "this method is not served")
EXPECTATION_FAILED    = ErrorKind("bad_request",   417, Fault.CLIENT, True,  False, "unknown expectation")
UPGRADE_REQUIRED      = ErrorKind("bad_request",   426, Fault.CLIENT, True,  False, "another protocol is needed")
NOT_IMPLEMENTED       = ErrorKind("bad_request",   501, Fault.CLIENT, True,  False, "unknown method or coding")
VERSION_NOT_SUPPORTED = ErrorKind("bad_request",   505, Fault.CLIENT, True,  False, "HTTP version not supported")
BODY_TOO_LARGE        = ErrorKind("too_large",     413, Fault.CLIENT, True,  False, "the body is too large")
TARGET_TOO_LONG       = ErrorKind("too_large",     414, Fault.CLIENT, True,  False, "the request target is too long")
HEAD_TOO_LARGE        = ErrorKind("too_large",     431, Fault.CLIENT, True,  False, "the head is too large")
HEAD_TIMEOUT          = ErrorKind("timeout",       408, Fault.CLIENT, True,  False,
                                  "the request's head did not come in time")
BODY_TIMEOUT          = ErrorKind("timeout",       408, Fault.CLIENT, True,  False,
                                  "the request's body did not come in time")
REPLY_TIMEOUT         = ErrorKind("timeout",       504, Fault.WORKER, False, False,
                                  "the application did not answer in time")
NO_ROUTE              = ErrorKind("no_route",      404, Fault.CLIENT, False, False, "nobody serves this host and path")
QUEUE_FULL            = ErrorKind("queue_full",    503, Fault.ROUTER, False, True,  "too many requests are waiting")
TOO_MANY_CLIENTS      = ErrorKind("queue_full",    503, Fault.ROUTER, True,  True,  "too many connections")
QUEUE_TIMEOUT         = ErrorKind("queue_timeout", 503, Fault.ROUTER, False, True,  "no worker had room in time")
NO_ROOM               = ErrorKind("queue_full",    503, Fault.ROUTER, False, True,
                                  "the worker had no room after all, and the body cannot be sent again")
WORKER_LOST           = ErrorKind("worker_lost",   502, Fault.WORKER, False, False,
                                  "the worker left before it answered")
WORKER_FAILED         = ErrorKind("worker_failed", 502, Fault.WORKER, False, False,
                                  "the application failed before it answered")
BAD_REPLY             = ErrorKind("worker_failed", 502, Fault.WORKER, False, False,
                                  "the application's answer was not valid HTTP")
SHUTTING_DOWN         = ErrorKind("shutting_down", 503, Fault.ROUTER, False, True,  "the router is stopping")
# fmt: on

ERRORS = (
    BAD_REQUEST,
    SPEAKS_TLS,
    UNAUTHORIZED,
    FORBIDDEN,
    METHOD_NOT_ALLOWED,
    EXPECTATION_FAILED,
    UPGRADE_REQUIRED,
    NOT_IMPLEMENTED,
    VERSION_NOT_SUPPORTED,
    BODY_TOO_LARGE,
    TARGET_TOO_LONG,
    HEAD_TOO_LARGE,
    HEAD_TIMEOUT,
    BODY_TIMEOUT,
    REPLY_TIMEOUT,
    NO_ROUTE,
    QUEUE_FULL,
    TOO_MANY_CLIENTS,
    QUEUE_TIMEOUT,
    NO_ROOM,
    WORKER_LOST,
    WORKER_FAILED,
    BAD_REPLY,
    SHUTTING_DOWN,
)

# What some statuses have to say besides.
_STATUS_FIELDS: Mapping[int, list[tuple[bytes, bytes]]] = MappingProxyType(
    {
        401: [(b"www-authenticate", b"Bearer")],
        405: [(b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")],
        # RFC 9110, 15.5.22: with Upgrade. The option of Connection that goes with it is framing.
        426: [
            (b"upgrade", b"websocket"),
            (b"sec-websocket-version", WEBSOCKET_VERSION),
        ],
    }
)


class HttpError(ZerogateError):
    """What a client is told instead of a reply: a row of the table, with a reason of its own or the row's words."""

    def __init__(self, kind: ErrorKind, reason: str = "") -> None:
        super().__init__(reason or kind.words)
        self.kind = kind

    @property
    def status(self) -> int:
        return self.kind.status

    @property
    def code(self) -> str:
        return self.kind.code


def error_reply(error: HttpError, request: RequestHead | None, request_id: bytes) -> tuple[ReplyHead, bytes]:
    """Head and body of an error reply: short text, or JSON for a client that asked for it.

    request: None if there was none that could be read
    """
    if request is not None and _wants_json(request):
        content_type = b"application/json"
        document = {"error": error.code, "message": error.reason, "request_id": request_id.decode("latin-1")}
        body = json.dumps(document).encode() + b"\n"
    else:
        content_type = b"text/plain; charset=utf-8"
        body = f"{error.status} {error.code}: {error.reason}\n".encode()
    fields = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"zerogate-error", error.code.encode()),
        (b"x-request-id", request_id),
    ]
    if error.kind.may_retry:
        fields.append((b"retry-after", RETRY_AFTER_S))
    fields += _STATUS_FIELDS.get(error.status, [])
    return ReplyHead.of(error.status, fields), body


def _wants_json(request: RequestHead) -> bool:
    accepted = b",".join(value for name, value in request.fields if name == b"accept")
    return b"application/json" in accepted and b"text/html" not in accepted
