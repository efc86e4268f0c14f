"""A folder for sockets by which processes of one user find each other, which nobody else may enter; and who is there.

Abstract sockets would need no folder, but anybody could take their names.
"""

import contextlib
import os
import socket
import stat
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER_NAME = "zerogate"
# struct ucred of unix(7): process, user and group.
UCRED = struct.Struct("3i")


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


def candidate_directories() -> Iterator[Path]:
    """Where a process of this user may have put its sockets. A login has the first, a service may not."""
    uid = os.geteuid()
    seen = set()
    for parent in (os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{uid}"):
        if parent and parent not in seen and os.path.isdir(parent):
            seen.add(parent)
            yield Path(parent, FOLDER_NAME)
    yield Path(tempfile.gettempdir(), f"{FOLDER_NAME}-{uid}")


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
