"""What HTTP says about fields, whatever carries them: lists, lengths, and which never cross a proxy."""

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

# RFC 9112, 6.3 bounds nothing; no body is longer than a file offset can say, and sums of these fit in 64 bits.
MAX_CONTENT_LENGTH = 2**63 - 1
_MAX_LENGTH_DIGITS = len(str(MAX_CONTENT_LENGTH))


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
