"""Where routers of one user find each other, and how they talk: a Unix socket for each address that a router has.

The sockets are in a directory that nobody else may enter, and each end asks the kernel who the other is. Abstract
sockets would need no directory, but anybody could take their names.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zerogate.link.bind import is_answered
from zerogate.runtime import candidate_directories, is_private, peer_of

logger = logging.getLogger("zerogate.router")

MAX_MESSAGE_BYTES = 64 * 1024
# The kernel passes so many descriptors in one message (unix(7), SCM_MAX_FD).
MAX_DESCRIPTORS = 253

Message = dict[str, Any]


# Where


def sweep(directory: str | Path) -> None:
    """Remove what routers have left there that were killed. Whoever listens has a name without a dot (takeover.py)."""
    with contextlib.suppress(OSError):
        for path in Path(directory).iterdir():
            if "." not in path.name and not is_answered(str(path)):
                path.unlink()


def name_of(key: str) -> str:
    """The file's name for an address. The same address in another network namespace is another one."""
    try:
        namespace = os.stat("/proc/self/ns/net").st_ino
    except OSError:
        namespace = 0
    return hashlib.sha256(f"{namespace} {key}".encode()).hexdigest()[:16]


def call(key: str, timeout_s: float) -> socket.socket | None:
    """A connection to the router that has this address, if there is one and it is ours. What is stale is removed.

    Raises TimeoutError if it is there and too busy to take a connection.
    """
    for directory in candidate_directories():
        if not is_private(directory):
            continue
        path = directory / name_of(key)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout_s)
        try:
            sock.connect(str(path))
            if peer_of(sock).uid == os.geteuid():
                return sock
            logger.warning("%s is answered by another user's process: ignored", path)
        except ConnectionRefusedError:
            with contextlib.suppress(OSError):
                path.unlink()
        except TimeoutError:
            sock.close()
            raise
        except OSError:
            pass  # There is none, most of the time.
        sock.close()
    return None


# How


class GoneError(Exception):
    """The other end has left, or talks nonsense."""


class Channel:
    """Messages, one JSON object a line, over a connected Unix socket; descriptors go along. Owns the socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._buffer = b""
        self._descriptors: list[int] = []
        self.peer = peer_of(sock)

    def close(self) -> None:
        """Also closes descriptors that came and were not taken."""
        for descriptor in self.take_descriptors():
            os.close(descriptor)
        self._sock.close()

    def take_descriptors(self) -> list[int]:
        """Those that have come so far. They are the caller's from here on."""
        descriptors, self._descriptors = self._descriptors, []
        return descriptors

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """A few hundred bytes on an empty socket never wait. Raises GoneError."""
        line = json.dumps(message).encode() + b"\n"
        try:
            sent = socket.send_fds(self._sock, [line], descriptors) if descriptors else self._sock.send(line)
        except OSError as error:
            raise GoneError(f"it does not listen: {error}") from error
        if sent < len(line):
            raise GoneError("it does not read")

    async def receive(self) -> Message:
        """The next message. Raises GoneError."""
        while b"\n" not in self._buffer:
            await readable(self._sock)
            self._read()
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError as error:
            raise GoneError("it talks nonsense") from error
        if not isinstance(message, dict):
            raise GoneError("it talks nonsense")
        return message

    def _read(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._sock, MAX_MESSAGE_BYTES, MAX_DESCRIPTORS)
        except BlockingIOError:
            return
        except OSError as error:
            raise GoneError(f"it has left: {error}") from error
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        self._descriptors += descriptors
        self._buffer += data
        if not data:
            raise GoneError("it has left")
        if len(self._buffer) > MAX_MESSAGE_BYTES:
            raise GoneError("it talks too much")


async def readable(sock: socket.socket) -> None:
    """Wait until there is something to read, or the end."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock, wake)
    try:
        await ready
    finally:
        loop.remove_reader(sock)
