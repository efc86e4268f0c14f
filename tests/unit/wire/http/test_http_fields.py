from tests.support.each import each

from zerogate.wire.http import fields


@each(
    ("value", "elements"),
    [
        (b"", []),
        (b" , ,", []),
        (b"close", [b"close"]),
        (b"Keep-Alive ,\tTE", [b"keep-alive", b"te"]),
        (b"a b,c", [b"a b", b"c"]),
    ],
)
def test_list_elements(value: bytes, elements: list[bytes]) -> None:
    assert fields.list_elements(value) == elements


@each(
    "name",
    [
        *(b"content-length", b"transfer-encoding", b"trailer", b"te", b"connection"),
        *(b"host", b"forwarded", b"x-forwarded-for", b"x-forwarded-anything", b"x-real-ip", b"x-request-id"),
        *(b"authorization", b"cookie", b"set-cookie", b"proxy-authorization", b"sec-websocket-key"),
        *(b"content-type", b"cache-control", b"if-match", b"range", b":status", b"zerogate-error"),
    ],
)
def test_forbidden_trailers(name: bytes) -> None:
    assert fields.is_forbidden_trailer(name)


@each("name", [b"x-checksum", b"digest", b"grpc-status", b"server-timing", b"etag"])
def test_allowed_trailers(name: bytes) -> None:
    assert not fields.is_forbidden_trailer(name)


@each(("text", "length"), [(b"0", 0), (b"005", 5), (b"%d" % (2**63 - 1), 2**63 - 1)])
def test_lengths(text: bytes, length: int) -> None:
    assert fields.parse_length(text) == length


@each("text", [b"", b"-1", b"+1", b" 1", b"1,1", b"1\x001", b"1_0", b"\xb2", b"%d" % 2**63, b"9" * 5000])
def test_what_is_no_length(text: bytes) -> None:
    assert fields.parse_length(text) is None
