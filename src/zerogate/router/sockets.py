"""What asyncio's transports don't offer: options of the socket beneath."""

import asyncio
import socket
import struct

KEEPALIVE_IDLE_S = 60


def reset(transport: asyncio.Transport) -> None:
    """End a connection so that the other side sees an error, not an end."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def keep_alive(transport: asyncio.Transport) -> None:
    """Have the kernel find out whether a silent peer is still there."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
