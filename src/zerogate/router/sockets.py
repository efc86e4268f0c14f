"""What asyncio's transports don't offer: options of the socket beneath."""

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios

KEEPALIVE_IDLE_S = 60


def is_unix(transport: asyncio.Transport) -> bool:
    """Whether the connection came by a Unix socket. Its peer's name does not tell: who has left has none either."""
    sock = transport.get_extra_info("socket")
    return sock is not None and sock.family == socket.AF_UNIX


def reset(transport: asyncio.Transport) -> None:
    """End a connection so that the other side sees an error, not an end."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


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
