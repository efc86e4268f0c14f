"""From the octets of a head to a checked RequestHead.

llhttp (httptools) takes the fields apart. It frames nothing here: it cannot say where a head ended, which limits need,
and it knows a fixed list of methods. The request line and the meaning of the fields that matter are ours.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

from zerogate.native import compiled
from zerogate.wire.fields import is_token
from zerogate.wire.http.errors import (
    BAD_REQUEST,
    BODY_TOO_LARGE,
    EXPECTATION_FAILED,
    HEAD_TOO_LARGE,
    NOT_IMPLEMENTED,
    TARGET_TOO_LONG,
    UPGRADE_REQUIRED,
    VERSION_NOT_SUPPORTED,
    HttpError,
)
from zerogate.wire.http.fields import HOP_BY_HOP, is_forbidden_trailer, list_elements, parse_length
from zerogate.wire.http.hosts import is_valid_host
from zerogate.wire.http.methods import check_method
from zerogate.wire.http.paths import PathError, normal_path
from zerogate.wire.http.request import RequestHead
from zerogate.wire.http1.limits import HttpLimits

_MINOR_VERSIONS = {b"HTTP/1.1": 1, b"HTTP/1.0": 0}
_is_version = re.compile(rb"HTTP/[0-9]\.[0-9]").fullmatch

# These llhttp knows. Others are tokens that only the application has to understand.
_PARSER_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})

_HASH = 0x23  # looked up as a number: `b"#" in target` costs 0.16 µs, this 0.02

_split_absolute = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)(.*)").fullmatch

# Sixteen octets in base64 (RFC 6455, 4.1).
_is_websocket_key = re.compile(rb"[A-Za-z0-9+/]{22}==").fullmatch

# The Connection fields that there are, nearly always.
_CONNECTION_OPTIONS = {
    text: frozenset(list_elements(text))
    for text in (b"keep-alive", b"Keep-Alive", b"close", b"Upgrade", b"upgrade", b"keep-alive, Upgrade", b"TE")
}
_NO_OPTIONS: frozenset[bytes] = frozenset()
# What browsers say with each request, and what holds in HTTP/1.1 without it.
_KEEP_ALIVE = {b"connection": b"keep-alive"}
# Options that name no field of theirs, or one that is dropped anyway.
_HARMLESS_OPTIONS = HOP_BY_HOP | {b"close"}
# RFC 9110, 7.6.1 forbids to name these, and a client that does must not get rid of them.
_FRAMING = frozenset({b"content-length"})

# Fields that decide on framing, routing or the connection.
_SPECIAL = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"proxy-connection",  # means nothing (RFC 9112, C.2.2), but llhttp obeys it
        b"transfer-encoding",
        b"upgrade",
    }
)
_FORWARDED_SPECIAL = frozenset({b"content-length", b"expect"})

# Plain field names as they are sent, and lower-cased: `bytes.lower` and two look-ups saved for each field. Clients
# send few spellings; the bounds are for those who make them up.
_MAX_NAMES = 1024
_MAX_NAME_BYTES = 64
_plain_names: dict[bytes, bytes] = {}


_mark = compiled.find("names", "mark")
_mark("hop", HOP_BY_HOP)
_mark("special", _SPECIAL - HOP_BY_HOP - {b"content-length", b"host"})

Read = Callable[[bytes], RequestHead | None]


@lru_cache(maxsize=16)
def native_reader(limits: HttpLimits) -> Read:
    """What reads usual heads natively, of octets that are one whole head: as `HeadParser.parse_head`, or not at all."""
    reader = compiled.find("heads", "HeadReader", otherwise=None)
    if reader is None:
        return compiled.decline
    read: Read = reader(limits.max_head_bytes, limits.max_fields, limits.max_target_bytes, limits.max_body_bytes).read
    return read


class _FieldSink:
    """Takes fields from llhttp. Apart from HeadParser, which owns the parser, so that no cycle keeps both alive."""

    __slots__ = ("fields", "special")

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        # Repeated ones are joined as lists are (RFC 9110, 5.3): two hosts or lengths are then no valid host or length.
        self.special: dict[bytes, bytes] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        # llhttp takes the whitespace before a value away, but not the whitespace after it.
        lower = _plain_names.get(name)
        if lower is not None:
            self.fields.append((lower, value.rstrip()))
        else:
            self._on_special(name, value.rstrip())

    def _on_special(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower in _SPECIAL:
            if lower == b"content-length" and value.isdigit():
                # `005` is 5 (RFC 9110, 8.6), but not to everybody: some read it as octal.
                value = value.lstrip(b"0") or b"0"
            seen = self.special.get(lower)
            self.special[lower] = value if seen is None else seen + b"," + value
            if lower not in _FORWARDED_SPECIAL:
                return
        elif lower in HOP_BY_HOP:
            return
        elif len(name) <= _MAX_NAME_BYTES:
            if len(_plain_names) >= _MAX_NAMES:
                _plain_names.clear()
            _plain_names[name] = lower
        self.fields.append((lower, value))


class HeadParser:
    """Parses whole heads and trailer sections, one after the other."""

    __slots__ = ("_feed", "_limits", "_sink", "_small_bytes")

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        # A field line takes four octets at least: a smaller head is within every limit.
        self._small_bytes = min(4 * limits.max_fields, limits.max_target_bytes)
        self._sink = _FieldSink()
        self._renew()

    def _renew(self) -> None:
        self._feed = HttpRequestParser(self._sink).feed_data

    def parse_head(self, head: bytes) -> RequestHead:
        """The request that a head, empty line included, makes. Raises HttpError."""
        request_line = head[: head.find(b"\r\n")].split(b" ")
        if len(request_line) != 3:
            raise _bad_request("malformed request line")
        method, target, version = request_line
        minor_version = _MINOR_VERSIONS.get(version)
        if minor_version is None:
            raise _version_error(version)
        is_usual = method in _PARSER_METHODS
        if not is_usual:
            check_method(method)
        size_bytes = len(head)
        if size_bytes > self._small_bytes:
            if len(target) > self._limits.max_target_bytes:
                raise HttpError(TARGET_TOO_LONG)
            # Less the request line and the empty line.
            if head.count(b"\n") - 2 > self._limits.max_fields:
                raise HttpError(HEAD_TOO_LARGE, "too many fields")

        sink = self._sink
        fields: list[tuple[bytes, bytes]] = []
        special: dict[bytes, bytes] = {}
        sink.fields = fields
        sink.special = special
        try:
            self._feed(head if is_usual else b"GET" + head[len(method) :])
        except (HttpParserError, HttpParserUpgrade) as error:
            _check_outcome(error)

        host = special.pop(b"host", None)
        if host is None:
            if minor_version:
                raise _bad_request("no Host field")
            host = b""
        elif not is_valid_host(host):
            raise _bad_request("bad Host field, or more than one")
        if target[:1] != b"/":
            target, host = _split_target(method, target, host)
        if _HASH in target:
            raise _bad_request("a fragment in the request target")
        query = target.find(b"?")
        try:
            path = normal_path(target if query < 0 else target[:query])
        except PathError as error:
            raise _bad_request(error.reason) from None
        request = RequestHead(method, target, path, host, minor_version, fields, size_bytes, minor_version == 1)
        if special and (special != _KEEP_ALIVE or not minor_version):
            self._apply_special(request, special)
        return request

    def parse_trailers(self, block: bytes) -> list[tuple[bytes, bytes]]:
        """The fields of a trailer section, which begins with the CRLF of the last chunk. Raises HttpError.

        Those that RFC 9110, 6.5.1 forbids are left out.
        """
        if block.count(b"\n") - 2 > self._limits.max_fields:
            raise HttpError(HEAD_TOO_LARGE, "too many trailer fields")
        sink = self._sink
        fields: list[tuple[bytes, bytes]] = []
        sink.fields = fields
        sink.special = {}
        # llhttp wants a request line before fields, whoever's.
        try:
            self._feed(b"GET / HTTP/1.1" + block)
        except (HttpParserError, HttpParserUpgrade) as error:
            _check_outcome(error)
        self._renew()
        return [field for field in fields if not is_forbidden_trailer(field[0])]

    def _apply_special(self, request: RequestHead, special: dict[bytes, bytes]) -> None:
        """Framing, and what the Connection, Expect and Upgrade fields ask for."""
        options = _NO_OPTIONS
        connection = special.pop(b"connection", None)
        if connection is not None:
            known_options = _CONNECTION_OPTIONS.get(connection)
            options = known_options or _connection_options(connection)
            # RFC 9112, 9.3.
            request.keep_alive = b"close" not in options and (request.minor_version == 1 or b"keep-alive" in options)
            if not options <= _HARMLESS_OPTIONS:
                request.fields = [field for field in request.fields if field[0] not in options or field[0] in _FRAMING]
            if known_options and not special:
                return
        # llhttp is now amid a body that is read elsewhere, or may take the connection for closed where we don't.
        self._renew()
        self._apply_framing(request, special.get(b"content-length"), special.get(b"transfer-encoding"))
        expect = special.get(b"expect")
        if expect is not None:
            if expect.lower() != b"100-continue":
                raise HttpError(EXPECTATION_FAILED)
            # RFC 9110, 10.1.1: not for HTTP/1.0, and not without a body.
            request.expects_continue = request.minor_version == 1 and request.has_body
        # RFC 9110, 7.8: no Upgrade without the Connection option, none in HTTP/1.0. Other protocols are ignored.
        upgrade = special.get(b"upgrade")
        if (
            upgrade is not None
            and b"upgrade" in options
            and request.minor_version == 1
            and b"websocket" in list_elements(upgrade)
        ):
            _check_websocket(request)
            request.upgrade = b"websocket"
            # What follows is no HTTP any more, even if the worker says no: bytes that came early are not requests.
            request.keep_alive = False

    def _apply_framing(self, request: RequestHead, length: bytes | None, coding: bytes | None) -> None:
        """RFC 9112, 6.3, without its ways out: whatever is ambiguous is refused."""
        if coding is not None:
            if length is not None:
                raise _bad_request("both Content-Length and Transfer-Encoding")
            if request.minor_version == 0:
                raise _bad_request("Transfer-Encoding in HTTP/1.0")
            if coding.lower() != b"chunked":
                raise _coding_error(coding)
            request.is_chunked = request.has_body = True
        elif length is not None:
            size = request.content_length = parse_length(length)
            if size is None:
                raise _bad_request("bad Content-Length, or more than one")
            request.has_body = size > 0
            max_body_bytes = self._limits.max_body_bytes
            if max_body_bytes is not None and size > max_body_bytes:
                raise HttpError(BODY_TOO_LARGE)


def _check_outcome(error: HttpParserError | HttpParserUpgrade) -> None:
    """What llhttp has to say of a block. Raises HttpError if that is a fault of the client's."""
    if isinstance(error, HttpParserUpgrade):
        return  # Connection and Upgrade are both there; whether that means anything is decided later.
    if isinstance(error, HttpParserCallbackError):
        raise error  # ours to mend, not the client's
    raise _bad_request(f"malformed field: {error}") from None


def _bad_request(reason: str) -> HttpError:
    return HttpError(BAD_REQUEST, reason)


def _version_error(version: bytes) -> HttpError:
    # A later HTTP/1.x could be read as 1.1 (RFC 9110, 2.5), but there will be none.
    if _is_version(version):
        return HttpError(VERSION_NOT_SUPPORTED)
    return _bad_request("malformed HTTP version")


def _split_target(method: bytes, target: bytes, host: bytes) -> tuple[bytes, bytes]:
    """Origin-form target and host of a target in absolute-form or asterisk-form (RFC 9112, 3.2.2 and 3.2.4)."""
    if target == b"*" and method == b"OPTIONS":
        return target, host
    match = _split_absolute(target)
    if match is None:
        raise _bad_request("malformed request target")
    # User information is refused with the rest of what is no host (RFC 9110, 4.2.4).
    authority, rest = match.groups()
    if not is_valid_host(authority):
        raise _bad_request("bad host in the request target")
    if not rest and method == b"OPTIONS":
        return b"*", authority
    return rest if rest.startswith(b"/") else b"/" + rest, authority


def _connection_options(text: bytes) -> frozenset[bytes]:
    options = frozenset(list_elements(text))
    if not all(map(is_token, options)):
        raise _bad_request("malformed Connection field")
    return options


def _coding_error(coding: bytes) -> HttpError:
    """RFC 9112, 6.1: 501 for codings that we don't know, 400 where the end of the body could not be told either."""
    codings = list_elements(coding)
    if codings.count(b"chunked") == 1 and codings[-1] == b"chunked" and len(codings) > 1 and b"identity" not in codings:
        return HttpError(NOT_IMPLEMENTED, "unknown transfer coding")
    return _bad_request("bad Transfer-Encoding, or more than one")


def _check_websocket(request: RequestHead) -> None:
    """The opening handshake (RFC 6455, 4.2.1). Raises HttpError."""
    if request.method != b"GET" or request.has_body:
        raise _bad_request("a WebSocket handshake is a GET without a body")
    if [value for name, value in request.fields if name == b"sec-websocket-version"] != [b"13"]:
        raise HttpError(UPGRADE_REQUIRED, "WebSocket version 13 is the one spoken here")
    keys = [value for name, value in request.fields if name == b"sec-websocket-key"]
    if len(keys) != 1 or not _is_websocket_key(keys[0]):
        raise _bad_request("bad Sec-WebSocket-Key, or more than one")
