"""Clients that leave while they are not read.

Who pauses a transport hears nothing of its end: event loops watch a socket for what they want of it, and a paused one
for nothing. So those are watched by a poll of our own (epoll(7)), whose descriptor the event loop reads as any other.
Edge-triggered, and registered once: a client that is paused again and again costs one system call in all.

A client that closes with something still to send, for which there is no room here, cannot be told from one that waits:
the end comes behind it (RFC 9293, 3.6).
"""

import asyncio
import contextlib
import select
import socket
from typing import Protocol

# Where there is no epoll, a client that leaves is noticed when it is read again, or written to.
_HAS_EPOLL = hasattr(select, "epoll")


class Watched(Protocol):
    """A client's connection."""

    def on_departure(self, *, is_gone: bool) -> None:
        """It will send nothing more; or it neither sends nor reads (`is_gone`)."""


class Departures:
    """Who is watched, from `watch` to `forget`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll: select.epoll | None = None
        if _HAS_EPOLL:
            self._epoll = select.epoll()
            loop.add_reader(self._epoll.fileno(), self._look)
        self._watched: dict[int, tuple[Watched, bool]] = {}  # by descriptor; and whether it is a Unix socket's
        self._descriptors: dict[Watched, int] = {}
        self._ended: set[Watched] = set()

    def __len__(self) -> int:
        return len(self._descriptors)

    def watch(self, client: Watched, transport: asyncio.Transport) -> bool:
        """Have it told when it leaves, from now on, however often it is watched. Returns whether that was before."""
        if client in self._descriptors:
            return client in self._ended
        sock = transport.get_extra_info("socket")
        if self._epoll is None or sock is None:
            return False
        # One that is closed has been told of already.
        with contextlib.suppress(OSError, ValueError):
            descriptor = sock.fileno()
            self._epoll.register(descriptor, select.EPOLLRDHUP | select.EPOLLET)
            self._watched[descriptor] = (client, sock.family == socket.AF_UNIX)
            self._descriptors[client] = descriptor
        return False

    def forget(self, client: Watched) -> None:
        """Its connection has ended. Before its descriptor is closed, and may be another one's."""
        self._ended.discard(client)
        descriptor = self._descriptors.pop(client, None)
        if descriptor is not None and self._epoll is not None:
            del self._watched[descriptor]
            with contextlib.suppress(OSError):
                self._epoll.unregister(descriptor)

    def close(self) -> None:
        if self._epoll is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None
        self._watched.clear()
        self._descriptors.clear()
        self._ended.clear()

    def _look(self) -> None:
        assert self._epoll is not None
        for descriptor, events in self._epoll.poll(0):
            # One that has just been told may have taken others along.
            client, is_unix = self._watched.get(descriptor, (None, False))
            if client is not None:
                # Of TCP a hang-up means both halves: one of them may be ours. A reset is an error.
                gone = select.EPOLLERR | select.EPOLLHUP if is_unix else select.EPOLLERR
                self._ended.add(client)
                client.on_departure(is_gone=bool(events & gone))
