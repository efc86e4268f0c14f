"""What asyncio's transports don't offer: options of the socket beneath."""

import asyncio
import contextlib
import fcntl
import ipaddress
import socket
import struct
import termios
from typing import NamedTuple

KEEPALIVE_IDLE_S = 60


# How an IPv6 socket that takes IPv4 as well writes the addresses of that (RFC 4291, 2.5.5.2).
MAPPED = "::ffff:"

# A client's output: with more of it unwritten the worker is held up. And as much of a turn's at most waits for its end.
HIGH_WATER_BYTES = 256 * 1024


class Ends(NamedTuple):
    """Who is at the other end (empty and 0 for a Unix socket), and which address of ours it has connected to.

    is_tls: what passes between the two is encrypted
    subject: whose certificate the client has shown
    """

    address: str
    port: int
    local_host: bytes
    is_tls: bool = False
    subject: bytes = b""


def ends_of(transport: asyncio.Transport) -> Ends:
    """Aborts a connection whose client has left already: nobody can say who that was, and what it has sent is not read.

    It must not be taken for a Unix socket's, whose word is believed.
    """
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple):
        if transport.get_extra_info("socket").family == socket.AF_UNIX:
            return Ends("", 0, b"")
        transport.abort()
        return Ends("?", 0, b"")
    host, port = transport.get_extra_info("sockname")[:2]
    return Ends(unmapped(peer[0]), peer[1], host_and_port(unmapped(host), port))


def host_and_port(address: str, port: int) -> bytes:
    """As a request's Host has it."""
    return (f"[{address}]:{port}" if ":" in address else f"{address}:{port}").encode()


def unmapped(address: str) -> str:
    """An address as its own version of IP writes it, also if it is written as ::ffff:c000:207."""
    if not address.startswith(MAPPED):
        return address
    mapped = ipaddress.IPv6Address(address.partition("%")[0]).ipv4_mapped
    return address if mapped is None else str(mapped)


def reset(transport: asyncio.Transport) -> None:
    """End a connection so that the other side sees an error, not an end."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def write_eof(transport: asyncio.Transport) -> None:
    """Send no more. Who has reset the connection meanwhile is told by asyncio that it cannot be; it is lost, then."""
    with contextlib.suppress(OSError):
        transport.write_eof()


def unsent_bytes(transport: asyncio.Transport) -> int:
    """What the peer has not taken yet, with what the kernel keeps of it where that can be known (tcp(7), SIOCOUTQ).

    The kernel keeps megabytes, and asks for more only when a third of it is free: to the transport alone a slow reader
    would seem to take nothing for a long time.
    """
    size = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        (queued,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))
        size += queued
    return size


def keep_alive(transport: asyncio.Transport) -> None:
    """Have the kernel find out whether a silent peer is still there."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
