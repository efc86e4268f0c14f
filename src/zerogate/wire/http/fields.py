"""What HTTP says about fields, whatever carries them: lists, lengths, hosts, and which never cross a proxy."""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

# RFC 9110, 7.6.1: a proxy removes these whether or not Connection names them. The two of RFC 9110, 11.7 are
# between a client and its proxy, and HTTP2-Settings (RFC 7540, 3.2.1) belongs to an upgrade that nobody offers.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)

# RFC 9110, 6.5.1: what frames, routes, authenticates or steers a message is of no use after its body, and a way
# around every check that was made on the head. Dropped, never merged.
FORBIDDEN_TRAILERS = HOP_BY_HOP | {
    b"age",
    b"authorization",
    b"cache-control",
    b"content-encoding",
    b"content-length",
    b"content-range",
    b"content-type",
    b"cookie",
    b"date",
    b"expect",
    b"expires",
    b"forwarded",
    b"host",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"location",
    b"max-forwards",
    b"pragma",
    b"range",
    b"retry-after",
    b"set-cookie",
    b"trailer",
    b"vary",
    b"warning",
    b"www-authenticate",
    b"x-real-ip",
    b"x-request-id",
}
_FORBIDDEN_TRAILER_PREFIXES = (b":", b"sec-", b"x-forwarded-", b"zerogate-")

# A DNS name is at most 253 characters (RFC 1035, 2.3.4), and a port adds six.
MAX_HOST_BYTES = 260

# RFC 9112, 6.3 bounds nothing; no body is longer than a file offset can say, and sums of these fit in 64 bits.
MAX_CONTENT_LENGTH = 2**63 - 1
_MAX_LENGTH_DIGITS = len(str(MAX_CONTENT_LENGTH))

_split_host = re.compile(rb"([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?").fullmatch


def list_elements(value: bytes) -> list[bytes]:
    """The elements of a comma-separated list, lower-cased, empty ones left out (RFC 9110, 5.6.1.2)."""
    return [element for part in value.split(b",") if (element := part.strip(b" \t").lower())]


def parse_length(text: bytes) -> int | None:
    """A Content-Length; None if it is not one. Several, even equal ones, come joined, and are no digits."""
    # int() of a much longer text may refuse it in its own way.
    if not text.isdigit() or len(text) > _MAX_LENGTH_DIGITS or (length := int(text)) > MAX_CONTENT_LENGTH:
        return None
    return length


def is_forbidden_trailer(name: bytes) -> bool:
    """Whether a field of this lower-case name must not come after a body (RFC 9110, 6.5.1)."""
    return name in FORBIDDEN_TRAILERS or name.startswith(_FORBIDDEN_TRAILER_PREFIXES)


def is_valid_host(host: bytes) -> bool:
    """Whether `host` is a name or address that somebody could mean, with a port up to 65535 or none.

    Stricter than RFC 3986, 3.2.2: of a reg-name only the unreserved characters. Sub-delimiters and percent-encoding
    appear in no host that DNS could answer for, and `a,b` is two hosts to a careless reader.
    """
    return len(host) <= MAX_HOST_BYTES and _is_valid_host(host)


# A server hears the same few names over and over.
@lru_cache(maxsize=1024)
def _is_valid_host(host: bytes) -> bool:
    match = _split_host(host)
    if match is None:
        return False
    name, port = match.groups()
    if port and int(port) > 65535:
        return False
    if name.startswith(b"["):
        try:
            IPv6Address(name[1:-1].decode("ascii"))
        except AddressValueError:
            return False
    return True


def normalise_host(host: bytes) -> bytes:
    """A valid host as routes compare it: lower-case, without the port (RFC 9110, 4.2.3)."""
    name, colon, port = host.rpartition(b":")
    # Without a port the last colon, if any, is inside an IPv6 address: `[::1]`.
    return (name if colon and not port.endswith(b"]") else host).lower()
