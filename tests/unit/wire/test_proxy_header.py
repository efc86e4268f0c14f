"""The PROXY protocol: both versions, cut anywhere, and what is none."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.each import each

from zerogate.wire.proxy_header import (
    MAX_BINARY_BYTES,
    MAX_LINE_BYTES,
    SIGNATURE,
    ProxyHeader,
    ProxyHeaderError,
    parse_proxy_header,
)

V4 = socket.inet_aton("203.0.113.9") + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 4711, 443)
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::9") + socket.inet_pton(socket.AF_INET6, "::1") + V4[-4:]


def binary(kind: int, body: bytes, command: int = 0x21) -> bytes:
    return SIGNATURE + struct.pack(">BBH", command, kind, len(body)) + body


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack(">BH", kind, len(value)) + value


TLS = tlv(0x20, b"\x01\0\0\0\0" + tlv(0x21, b"TLSv1.3"))

GOOD = {
    "v1, IPv4": (
        b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n",
        ("203.0.113.9", 4711, "192.0.2.1", 443, False),
    ),
    "v1, IPv6": (b"PROXY TCP6 2001:db8::9 ::1 4711 443\r\n", ("2001:db8::9", 4711, "::1", 443, False)),
    "v1, unknown": (b"PROXY UNKNOWN\r\n", None),
    "v1, unknown, with addresses": (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
    "v2, IPv4": (binary(0x11, V4), ("203.0.113.9", 4711, "192.0.2.1", 443, False)),
    "v2, IPv6": (binary(0x21, V6), ("2001:db8::9", 4711, "::1", 443, False)),
    "v2, Unix": (binary(0x31, bytes(216)), ("", 0, "", 0, False)),
    "v2, TLS before it": (binary(0x11, V4 + tlv(1, b"h2") + TLS), ("203.0.113.9", 4711, "192.0.2.1", 443, True)),
    "v2, no TLS before it": (binary(0x21, V6 + tlv(0x20, bytes(5))), ("2001:db8::9", 4711, "::1", 443, False)),
    "v2, TLS before a Unix socket": (binary(0x31, bytes(216) + TLS), ("", 0, "", 0, True)),
    "v2, for itself": (binary(0x11, V4, command=0x20), None),
    "v2, for itself, and nothing": (binary(0, b"", command=0x20), None),
    "v2, UDP": (binary(0x12, V4), None),
    "v2, unspecified": (binary(0, b"abc"), None),
}


@each("name", GOOD)
def test_each_cut_anywhere(name: str) -> None:
    data, told = GOOD[name]
    expected = ProxyHeader(len(data)) if told is None else ProxyHeader(len(data), True, *told)
    for size in range(len(data)):
        assert parse_proxy_header(data[:size]) is None
    assert parse_proxy_header(data) == expected
    assert parse_proxy_header(data + b"GET / HTTP/1.1\r\n") == expected


BAD = {
    "HTTP": b"GET / HTTP/1.1\r\n",
    "TLS": b"\x16\x03\x01\x02\x00",
    "no end": b"PROXY TCP4 " + b"1" * MAX_LINE_BYTES,
    "a line too long": b"PROXY UNKNOWN " + b"1" * MAX_LINE_BYTES + b"\r\n",
    "another transport": b"PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n",
    "too few words": b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
    "too many blanks": b"PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n",
    "another version's address": b"PROXY TCP4 ::1 ::1 1 1\r\n",
    "no address": b"PROXY TCP4 localhost 1.2.3.4 1 1\r\n",
    "a zone": b"PROXY TCP6 fe80::1%1 ::1 1 1\r\n",
    "no port": b"PROXY TCP4 1.2.3.4 1.2.3.4 x 1\r\n",
    "a port too high": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
    "a port too long": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 000080\r\n",
    "version 3": binary(0x11, V4, command=0x31),
    "an unknown command": binary(0x11, V4, command=0x22),
    "too large": SIGNATURE + struct.pack(">BBH", 0x21, 0x11, MAX_BINARY_BYTES),
    "too short for IPv4": binary(0x11, V4[:-1]),
    "too short for IPv6": binary(0x21, V4),
    "too short for a path": binary(0x31, bytes(215)),
    "half a value's head": binary(0x11, V4 + b"\x20\0"),
    "half a value": binary(0x11, V4 + b"\x20\0\2x"),
}


@each("name", BAD)
def test_what_is_none(name: str) -> None:
    with pytest.raises(ProxyHeaderError):
        parse_proxy_header(BAD[name])


@given(st.binary() | st.binary().map(lambda data: SIGNATURE + data) | st.binary().map(lambda data: b"PROXY " + data))
def test_garbage_is_its_error_and_no_other(data: bytes) -> None:
    try:
        header = parse_proxy_header(data)
    except ProxyHeaderError:
        return
    if header is None:
        assert len(data) < MAX_BINARY_BYTES
    else:
        assert len(SIGNATURE) < header.size <= len(data)


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6), st.integers(0, 65535))
def test_both_versions_say_the_same(address: object, port: int) -> None:
    text = str(address)
    is_v6 = ":" in text
    line = f"PROXY TCP{6 if is_v6 else 4} {text} {text} {port} {port}\r\n".encode()
    packed = socket.inet_pton(socket.AF_INET6 if is_v6 else socket.AF_INET, text)
    block = binary(0x21 if is_v6 else 0x11, packed * 2 + struct.pack(">HH", port, port))
    one, two = parse_proxy_header(line), parse_proxy_header(block)
    assert one is not None
    assert two is not None
    assert one[1:] == two[1:] == (True, text, port, text, port, False)
