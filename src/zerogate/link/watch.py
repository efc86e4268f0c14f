"""The clock of a link: whether it has come up in time, and whether the peer is still there."""

import asyncio
from typing import Protocol

from zerogate.link.limits import MAX_PING_TTL_S
from zerogate.link.liveness import Liveness
from zerogate.settings import LinkSettings


class Watched(Protocol):
    """A link, as far as its watch knows it."""

    is_suspect: bool
    was_silent: bool
    liveness: Liveness

    def fail(self, reason: str) -> None: ...

    def set_suspect(self, is_suspect: bool) -> None: ...

    def ping(self, ttl_s: float) -> None: ...


class Watch:
    """First for the handshake, then for silence, until it is stopped or the link has failed."""

    __slots__ = ("_link", "_loop", "_settings", "_timer")

    def __init__(self, link: Watched, settings: LinkSettings, loop: asyncio.AbstractEventLoop) -> None:
        self._link = link
        self._settings = settings
        self._loop = loop
        self._timer = loop.call_later(settings.handshake_timeout, self._end_handshake)

    def begin(self) -> None:
        """The link is up: from now on it must not be silent."""
        self._timer.cancel()
        self._look_again(self._loop.time())

    def stop(self) -> None:
        self._timer.cancel()

    def _end_handshake(self) -> None:
        self._link.fail(f"no handshake within {self._settings.handshake_timeout:g} s")

    def _look_again(self, now: float) -> None:
        self._timer = self._loop.call_at(self._link.liveness.schedule(now), self._look)

    def _look(self) -> None:
        link, settings = self._link, self._settings
        now = self._loop.time()
        liveness = link.liveness
        liveness.check(now)
        if now - liveness.alive >= settings.lost_after:
            link.was_silent = True
            link.fail(f"silent for {now - liveness.heard:.1f} s")
            return
        if now - liveness.heard >= settings.suspect_after and not link.is_suspect:
            link.set_suspect(True)
        if liveness.wants_ping(now):
            link.ping(min(settings.lost_after, MAX_PING_TTL_S))
        self._look_again(now)
