"""Which hosts are valid, and which are the same."""

import pytest
from tests.support.each import each

from zerogate.wire.http.hosts import MAX_HOST_BYTES, HostError, is_valid_host, normalise_host, read_host


@each(
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
        b"example.org.",
        b"example.org.:80",
        b"a" * (MAX_HOST_BYTES),
    ],
)
def test_valid_hosts(host: bytes) -> None:
    assert is_valid_host(host)


@each(
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
        b".",
        b"..",
        b".a",
        b"a..",
        b"a..b",
        b"[::1].",
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
        b"a" * (MAX_HOST_BYTES + 1),
    ],
)
def test_invalid_hosts(host: bytes) -> None:
    assert not is_valid_host(host)


@each(
    ("host", "normal"),
    [
        (b"Example.ORG", b"example.org"),
        (b"Example.org:8080", b"example.org"),
        (b"example.org:", b"example.org"),
        (b"[2001:DB8::1]", b"[2001:db8::1]"),
        (b"[::1]:80", b"[::1]"),
        (b"", b""),
        (b"Example.org.:8080", b"example.org"),
        (b"XN--BCHER-KVA.example.", b"xn--bcher-kva.example"),
        (b"[0:0:0::1]:80", b"[::1]"),
        (b"[2001:db8:0:0:0:0:0:1]", b"[2001:db8::1]"),
        (b"[nonsense]", b"[nonsense]"),
    ],
)
def test_hosts_are_compared_without_case_and_port(host: bytes, normal: bytes) -> None:
    assert normalise_host(host) == normal


@each(
    ("text", "normal"),
    [
        ("Example.org.", "example.org"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("B\u00dcCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("stra\u00dfe.example", "xn--strae-oqa.example"),  # as browsers: not transitional
        ("\u30c9\u30e1\u30a4\u30f3\u3002\u30c6\u30b9\u30c8", "xn--eckwd4c7c.xn--zckzah"),
        ("\uff41.example", "a.example"),
        ("[0::1]", "[::1]"),
        ("my_host", "my_host"),
    ],
)
def test_as_people_write_them(text: str, normal: str) -> None:
    assert read_host(text) == normal
    assert read_host(normal) == normal


@each(
    "text",
    [
        "",
        "a:80",
        "[::1]:80",
        "a..b",
        "\u2603.example",
        "\u00fc_.example",
        "\u00fc..example",
        "a\u200bb\ufffd",
        "a\uff0fb",
    ],
)
def test_what_is_no_host_to_people(text: str) -> None:
    with pytest.raises(HostError):
        read_host(text)
