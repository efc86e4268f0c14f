"""The PROXY protocol: what a proxy that only passes octets on says of its client, before the first of them.

Versions 1 (a line) and 2 (binary), as HAProxy's `proxy-protocol.txt` has them; sections are of that.
"""

import ipaddress
import struct
from typing import NamedTuple

from zerogate.errors import WireError

# Section 2.1: the longest line is of 107 octets, with its end.
MAX_LINE_BYTES = 107
# Section 2.2 allows 64 KiB. What is in use has a hundred octets, and with a client's certificate a few thousand.
MAX_BINARY_BYTES = 16 * 1024

LINE_START = b"PROXY "
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_VERSION_2 = 0x20
_LOCAL, _PROXY = 0, 1
# Address family and transport, together in one octet: TCP over IPv4 and IPv6, a stream of a Unix socket.
_TCP4, _TCP6, _UNIX_STREAM = 0x11, 0x21, 0x31
_UNIX_BYTES = 216
_PREFIX = struct.Struct(">12sBBH")
_PORTS = struct.Struct(">HH")
_TLV = struct.Struct(">BH")
# Section 2.2.5: the client's own connection was TLS, of which more may be told.
_TYPE_SSL = 0x20
_CLIENT_SSL = 0x01
MAX_PORT = 65535


class ProxyHeaderError(WireError):
    """The peer does not begin with a PROXY header as it should."""


class ProxyHeader(NamedTuple):
    """What it says. The address is empty for a Unix socket's client.

    size: the octets that it takes
    is_told: False where the proxy speaks for itself (a health check), or does not know
    is_tls: the client's connection to the proxy is TLS
    """

    size: int
    is_told: bool = False
    address: str = ""
    port: int = 0
    local_address: str = ""
    local_port: int = 0
    is_tls: bool = False


def parse_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header that `data` begins with, or None if that is not all of it. Raises ProxyHeaderError.

    As long as it is None, all of `data` belongs to the header.
    """
    if data.startswith(LINE_START):
        return _parse_line(data)
    if data.startswith(SIGNATURE):
        return _parse_binary(data)
    if LINE_START.startswith(data) or SIGNATURE.startswith(data):
        return None
    raise ProxyHeaderError("it does not begin with a PROXY header")


def _parse_line(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, MAX_LINE_BYTES)
    if end < 0:
        if len(data) >= MAX_LINE_BYTES:
            raise ProxyHeaderError("its PROXY line has no end")
        return None
    size = end + 2
    words = data[len(LINE_START) : end].split(b" ")
    if words[0] == b"UNKNOWN":
        return ProxyHeader(size)
    version = {b"TCP4": 4, b"TCP6": 6}.get(words[0])
    if version is None or len(words) != 5:
        raise ProxyHeaderError("its PROXY line is malformed")
    address, local_address = (_address(word, version) for word in words[1:3])
    port, local_port = (_port(word) for word in words[3:])
    return ProxyHeader(size, True, address, port, local_address, local_port)


def _address(word: bytes, version: int) -> str:
    text = word.decode("latin-1")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version or "%" in text:
        raise ProxyHeaderError("its PROXY line has an address that is none")
    return text


def _port(word: bytes) -> int:
    if not word.isdigit() or len(word) > 5 or int(word) > MAX_PORT:
        raise ProxyHeaderError("its PROXY line has a port that is none")
    return int(word)


def _parse_binary(data: bytes) -> ProxyHeader | None:
    if len(data) < _PREFIX.size:
        return None
    _, version_and_command, kind, length = _PREFIX.unpack_from(data)
    command = version_and_command & 0x0F
    if version_and_command & 0xF0 != _VERSION_2 or command > _PROXY:
        raise ProxyHeaderError("its PROXY header is of no version or command that is known")
    size = _PREFIX.size + length
    if size > MAX_BINARY_BYTES:
        raise ProxyHeaderError(f"its PROXY header has {size} octets, over the limit of {MAX_BINARY_BYTES}")
    if len(data) < size:
        return None
    if command == _LOCAL:
        return ProxyHeader(size)
    body = data[_PREFIX.size : size]
    if kind == _UNIX_STREAM:
        return ProxyHeader(size, True, is_tls=_is_tls(_rest(body, _UNIX_BYTES)))
    width = {_TCP4: 4, _TCP6: 16}.get(kind)
    if width is None:
        return ProxyHeader(size)  # UNSPEC, or a transport that is not ours: the connection's own ends count.
    rest = _rest(body, 2 * width + _PORTS.size)
    address, local_address = (str(ipaddress.ip_address(body[at : at + width])) for at in (0, width))
    port, local_port = _PORTS.unpack_from(body, 2 * width)
    return ProxyHeader(size, True, address, port, local_address, local_port, _is_tls(rest))


def _rest(body: bytes, n_bytes: int) -> bytes:
    if len(body) < n_bytes:
        raise ProxyHeaderError("its PROXY header is too short for its addresses")
    return body[n_bytes:]


def _is_tls(rest: bytes) -> bool:
    """Whether the values behind the addresses say so."""
    is_tls = False
    while rest:
        if len(rest) < _TLV.size:
            raise ProxyHeaderError("its PROXY header ends amid a value")
        kind, length = _TLV.unpack_from(rest)
        value, rest = rest[_TLV.size : _TLV.size + length], rest[_TLV.size + length :]
        if len(value) < length:
            raise ProxyHeaderError("its PROXY header ends amid a value")
        if kind == _TYPE_SSL and value:
            is_tls = bool(value[0] & _CLIENT_SSL)
    return is_tls
