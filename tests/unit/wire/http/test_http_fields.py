import pytest

from zerogate.wire.http import fields


@pytest.mark.parametrize(
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


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"a.b-c_d~e",
        b"LOCALHOST:80",
        b"localhost:",
        b"localhost:65535",
        b"localhost:00080",
        b"127.0.0.1:9000",
        b"[::1]",
        b"[::1]:8080",
        b"[2001:db8::1]:",
        b"[::ffff:127.0.0.1]",
        b"a" * (fields.MAX_HOST_BYTES),
    ],
)
def test_valid_hosts(host: bytes) -> None:
    assert fields.is_valid_host(host)


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b":80",
        b"a:65536",
        b"a:99999",
        b"a:000080",
        b"a:8a",
        b"a:+1",
        b"a:1:2",
        b"a b",
        b"a,b",
        b"a, b",
        b"a/x",
        b"a?x",
        b"a#x",
        b"u@a",
        b"u:p@a",
        b"a\\b",
        b"a%00b",
        b"*.a",
        b"caf\xc3\xa9",
        b"a\n",
        b"[::1",
        b"::1",
        b"[]",
        b"[:]",
        b"[1.2.3.4]",
        b"[::1%25eth0]",
        b"[v1.a]",
        b"[::1]x",
        b"[::1]:x",
        b"[1::2::3]",
        b"a" * (fields.MAX_HOST_BYTES + 1),
    ],
)
def test_invalid_hosts(host: bytes) -> None:
    assert not fields.is_valid_host(host)


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        (b"Example.ORG", b"example.org"),
        (b"Example.org:8080", b"example.org"),
        (b"example.org:", b"example.org"),
        (b"[2001:DB8::1]", b"[2001:db8::1]"),
        (b"[::1]:80", b"[::1]"),
        (b"", b""),
    ],
)
def test_hosts_are_compared_without_case_and_port(host: bytes, normal: bytes) -> None:
    assert fields.normalise_host(host) == normal


@pytest.mark.parametrize(
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


@pytest.mark.parametrize("name", [b"x-checksum", b"digest", b"grpc-status", b"server-timing", b"etag"])
def test_allowed_trailers(name: bytes) -> None:
    assert not fields.is_forbidden_trailer(name)


@pytest.mark.parametrize(("text", "length"), [(b"0", 0), (b"005", 5), (b"%d" % (2**63 - 1), 2**63 - 1)])
def test_lengths(text: bytes, length: int) -> None:
    assert fields.parse_length(text) == length


@pytest.mark.parametrize(
    "text", [b"", b"-1", b"+1", b" 1", b"1,1", b"1\x001", b"1_0", b"\xb2", b"%d" % 2**63, b"9" * 5000]
)
def test_what_is_no_length(text: bytes) -> None:
    assert fields.parse_length(text) is None
