"""Who has an address that we wanted, as far as the system tells (proc(5), and only of our own processes)."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from zerogate.link.bind import Place

PROC = Path("/proc")
# TCP_LISTEN in /proc/net/tcp.
LISTENING = "0A"


def owner_of(place: Place) -> str:
    """`nginx (process 7)`, or "another program"."""
    inodes = {f"socket:[{inode}]" for inode in _inodes(place)}
    if inodes:
        for process in PROC.iterdir():
            if process.name.isdigit() and _has_one(process, inodes):
                if int(process.name) == os.getpid():
                    return "this command itself"
                return f"{_name(process)} (process {process.name})"
    return "another program"


def _inodes(place: Place) -> Iterator[str]:
    """The sockets that listen at the place, or where it would be in their way."""
    if place.family == socket.AF_UNIX:
        path = os.path.abspath(place.address)
        for fields in _table("unix"):
            if len(fields) == 8 and fields[7] == path:
                yield fields[6]
        return
    host, port = place.address[:2]
    for name, size in (("tcp", 4), ("tcp6", 16)):
        for fields in _table(name):
            if len(fields) < 10 or fields[3] != LISTENING:
                continue
            address, _, its_port = fields[1].partition(":")
            octets = _octets(address)
            its_host = socket.inet_ntop(socket.AF_INET if size == 4 else socket.AF_INET6, octets)
            if int(its_port, 16) == port and (its_host == host or not any(octets) or host in ("0.0.0.0", "::")):
                yield fields[9]


def _table(name: str) -> Iterator[list[str]]:
    try:
        lines = (PROC / "net" / name).read_text().splitlines()[1:]
    except OSError:
        return
    yield from (line.split() for line in lines)


def _octets(text: str) -> bytes:
    """Words of 32 bits, each in the machine's own order."""
    words = (bytes.fromhex(text[start : start + 8]) for start in range(0, len(text), 8))
    return b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)


def _has_one(process: Path, sockets: set[str]) -> bool:
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(descriptor) in sockets:
                    return True
    return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip() or "a program"
    except OSError:
        return "a program"
