"""The zlib dictionary that every SPDY/3 name/value block starts from (draft 3.1, 2.6.10.1)."""

from struct import pack
from typing import Final

# Each of these stands in the dictionary as it would in a block: with its 32-bit length before it.
_WORDS: Final = """
    options head post put delete trace
    accept accept-charset accept-encoding accept-language accept-ranges age allow authorization
    cache-control connection content-base content-encoding content-language content-length content-location
    content-md5 content-range content-type
    date etag expect expires from host
    if-match if-modified-since if-none-match if-range if-unmodified-since
    last-modified location max-forwards pragma proxy-authenticate proxy-authorization
    range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate
""".split()
_PSEUDO_FIELDS: Final = ("method", "get", "status", "200 OK", "version", "HTTP/1.1", "url")
_LATE_WORDS: Final = ("public", "set-cookie", "keep-alive", "origin")

# The rest has no lengths and no separators but those that are shown: only pieces of it are ever referred to.
_STATUS_CODES: Final = """
    100 101 201 202 205 206 300 302 303 304 305 306 307
    402 405 406 407 408 409 410 411 412 413 414 415 416 417 502 504 505
""".split()
_STATUS_LINES: Final = (
    "203 Non-Authoritative Information",
    "204 No Content",
    "301 Moved Permanently",
    "400 Bad Request",
    "401 Unauthorized",
    "403 Forbidden",
    "404 Not Found",
    "500 Internal Server Error",
    "501 Not Implemented",
    "503 Service Unavailable",
)
_DATES: Final = "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
_VALUES: Final = (
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _build() -> bytes:
    words = b"".join(pack(">I", len(word)) + word.encode() for word in (*_WORDS, *_PSEUDO_FIELDS, *_LATE_WORDS))
    return words + "".join((*_STATUS_CODES, *_STATUS_LINES, _DATES, _VALUES)).encode()


DICTIONARY: Final = _build()
