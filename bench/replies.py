"""What the application answers: made in a microsecond or two, so that the benchmark is about what stands before it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

Fields = list[tuple[bytes, bytes]]
Reply = tuple[int, Fields, bytes]

# As an application would have it from its database, and encode it for each reply.
TEN_KILOBYTES = [{"id": n, "name": f"Shoe {n}", "price": n * 1.5, "sizes": [38, 39, 40]} for n in range(150)]

# Always the same reply.
FIXED: dict[str, tuple[bytes, bytes]] = {
    "/": (b"text/plain", b"Hello, world!\n"),
    "/json": (b"application/json", b'{"message":"Hello, world!","numbers":[1,2,3],"ok":true}\n'),
    "/10k": (b"application/json", json.dumps(TEN_KILOBYTES).encode("ascii")),
    "/1k": (b"application/octet-stream", bytes(range(256)) * 4),
    "/32k": (b"application/octet-stream", bytes(range(256)) * 128),
    "/1m": (b"application/octet-stream", bytes(range(256)) * 4096),
}

# A file, as servers of files read it: a piece at a time. The other way round: what is sent here is counted.
FILE, UPLOAD = "/file", "/upload"
PIECE = bytes(range(256)) * 256
N_PIECES = 1024
FILE_BYTES = len(PIECE) * N_PIECES
FILE_FIELDS = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % FILE_BYTES)]

# A path that ends in so many digits has a reply of its own: "/shoes/red-00042".
NUMBER_DIGITS = 5
# Knuth's multiplicative hash: neighbours differ in every digit.
SCATTER = 2_654_435_761
WORD = 0xFFFFFFFF

PAGE_MIN_BYTES = 256
PAGE_SPREAD_BYTES = 3840
_PAGE_STARTS = 1024
_TEXT = b"".join(b"<p>Line %d says %x.</p>\n" % (n, n * SCATTER & WORD) for n in range(300))
assert len(_TEXT) >= _PAGE_STARTS + PAGE_MIN_BYTES + PAGE_SPREAD_BYTES

_TYPES = (
    b"text/html; charset=utf-8",
    b"text/html; charset=utf-8",
    b"application/json",
    b"text/css",
    b"text/javascript",
)
_CACHING = (b"private, no-cache", b"max-age=60", b"public, max-age=31536000, immutable")
_FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
_DATES = [format_datetime(_FIRST_DAY + timedelta(hours=n, seconds=n), usegmt=True).encode("ascii") for n in range(5000)]

# What an order of 2 KiB ends in.
_N_LINES = 18


def _lines(n: int) -> bytes:
    price = {"amount": f"{n}.90", "currency": "EUR"}
    lines = [
        {"sku": f"SHOE-{n * k:04}-RED", "quantity": k, "price": price, "state": "reserved"} for k in range(_N_LINES)
    ]
    return json.dumps(lines).encode("ascii")


_ORDER_ENDS = [_lines(n) for n in range(64)]


def etag(number: int) -> bytes:
    """The entity tag of a page."""
    return b'"%x-%x"' % (number, number * SCATTER & WORD)


def modified(number: int) -> bytes:
    """When a page was last modified."""
    return _DATES[number % len(_DATES)]


def page(number: int, asked: Sequence[tuple[bytes, bytes]]) -> Reply:
    """The page of this number, or 304 if whoever asks has it already."""
    tag, date = etag(number), modified(number)
    fields = [(b"etag", tag), (b"last-modified", date), (b"cache-control", _CACHING[number % 3])]
    if (b"if-none-match", tag) in asked or (b"if-modified-since", date) in asked:
        return 304, fields, b""
    scattered = number * SCATTER & WORD
    length = PAGE_MIN_BYTES + scattered % PAGE_SPREAD_BYTES
    fields += ((b"content-type", _TYPES[number % 5]), (b"content-length", b"%d" % length))
    if number % 4 == 0:
        fields.append((b"set-cookie", b"session=%x%x; Path=/; HttpOnly; SameSite=Lax" % (scattered, number)))
        if number % 16 == 0:
            fields.append((b"set-cookie", b"seen=%d; Path=/; Max-Age=3600" % number))
    start = number % _PAGE_STARTS
    return 200, fields, _TEXT[start : start + length]


def order(number: int, body: bytes) -> Reply:
    """What becomes of an order: 2 KiB of JSON, with the length and the end of what was received."""
    reply = b'{"order":%d,"received":%d,"last":"%b","lines":%b}' % (
        number,
        len(body),
        body[-8:].hex().encode(),
        _ORDER_ENDS[number % len(_ORDER_ENDS)],
    )
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))]
    fields += ((b"location", b"/api/orders/%05d" % number), (b"cache-control", b"no-store"))
    return 201, fields, reply


def uploaded(n_bytes: int) -> Reply:
    """What becomes of a body that is only counted."""
    reply = b"%d bytes\n" % n_bytes
    return 200, [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(reply))], reply


def reply_to(method: str, path: str, asked: Sequence[tuple[bytes, bytes]], body: bytes) -> Reply | None:
    """The reply to any request that has one."""
    if (fixed := FIXED.get(path)) is not None:
        content_type, content = fixed
        return 200, [(b"content-type", content_type), (b"content-length", b"%d" % len(content))], content
    if path == FILE:
        return 200, FILE_FIELDS, PIECE * N_PIECES
    if path == UPLOAD:
        return uploaded(len(body))
    digits = path[-NUMBER_DIGITS:]
    if not digits.isdecimal():
        return None
    return order(int(digits), body) if method == "POST" else page(int(digits), asked)
