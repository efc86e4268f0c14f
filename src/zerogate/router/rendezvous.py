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
import stat
import struct
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zerogate.link.bind import is_answered

logger = logging.getLogger("zerogate.router")

DIRECTORY_NAME = "zerogate"
MAX_MESSAGE_BYTES = 64 * 1024
# The kernel passes so many descriptors in one message (unix(7), SCM_MAX_FD).
MAX_DESCRIPTORS = 253
# struct ucred of unix(7): process, user and group.
UCRED = struct.Struct("3i")

Message = dict[str, Any]


class Peer(NamedTuple):
    """Who is at the other end, by the kernel's word; of a listening socket: who made it listen."""

    pid: int
    uid: int


def peer_of(sock: socket.socket) -> Peer:
    """Raises OSError, also where the kernel does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        raise OSError("this system does not tell who is at the other end of a socket")
    pid, uid, _ = UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size))
    return Peer(pid, uid)


# Where


def candidate_directories() -> Iterator[Path]:
    """Where a router of this user may have put its sockets. A login has the first, a service may not."""
    uid = os.geteuid()
    seen = set()
    for parent in (os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{uid}"):
        if parent and parent not in seen and os.path.isdir(parent):
            seen.add(parent)
            yield Path(parent, DIRECTORY_NAME)
    yield Path(tempfile.gettempdir(), f"{DIRECTORY_NAME}-{uid}")


def is_private(directory: Path) -> bool:
    """Whether it is ours, no link to elsewhere, and nobody else may enter."""
    try:
        found = os.lstat(directory)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def make_directory() -> Path:
    """The first that can be had. Raises OSError."""
    for directory in candidate_directories():
        with contextlib.suppress(OSError):
            os.mkdir(directory, 0o700)
        if is_private(directory):
            return directory
    raise OSError(f"{directory} is not this user's alone")


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
