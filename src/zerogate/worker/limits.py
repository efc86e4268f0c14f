"""When a worker process has had its time, by its requests or by its memory: then it asks to be replaced."""

import asyncio
import logging
import os
import random
import sys
from collections.abc import Callable

from zerogate.errors import StartError, UsageError
from zerogate.link.link import Link
from zerogate.process import open_statm, resident_bytes
from zerogate.settings import RenewalSettings
from zerogate.settings.kinds import MIB
from zerogate.wire.spdy.streams import Stream
from zerogate.worker.request_block import RequestFields
from zerogate.worker.router_link import Serve

logger = logging.getLogger("zerogate.worker")

LOOK_EVERY_S = 1.0
# Its successor may not have started.
ASK_AGAIN_S = 30.0


class Limits:
    """From `start` to `stop`. `ask` is called with the reason, and again every ASK_AGAIN_S."""

    def __init__(self, settings: RenewalSettings, ask: Callable[[str], None]) -> None:
        self._settings = settings
        self._ask = ask
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._n_taken = 0
        self._is_reached = False
        self._statm_fd: int | None = None
        self._max_requests = settings.max_requests
        if self._max_requests < sys.maxsize:
            self._max_requests += random.randint(0, settings.max_requests_jitter)

    def counted(self, serve: Serve) -> Serve:
        """The same, counted if there is a limit."""
        if self._max_requests == sys.maxsize:
            return serve

        def count_and_serve(link: Link, stream: Stream, fields: RequestFields, fin: bool) -> None:
            self._n_taken += 1
            if self._n_taken == self._max_requests:
                self._reach(f"it has taken {self._n_taken} requests (--max-requests)")
            serve(link, stream, fields, fin)

        return count_and_serve

    def start(self) -> None:
        """Raises UsageError where memory cannot be looked at, StartError if there is too much of it already."""
        most = self._settings.max_memory
        if most is None:
            return
        try:
            self._statm_fd = open_statm()
        except OSError as error:
            raise UsageError(f"--max-memory needs /proc/self/statm: {error.strerror}") from None
        found = resident_bytes(self._statm_fd)
        if found > most:
            raise StartError(f"{self._settings.written('max_memory')}: it has {found // MIB}M before its first request")
        self._look()

    def stop(self) -> None:
        """Nothing more is asked."""
        if self._timer is not None:
            self._timer.cancel()
        self._is_reached = True
        if self._statm_fd is not None:
            os.close(self._statm_fd)
            self._statm_fd = None

    def _look(self) -> None:
        self._timer = self._loop.call_later(LOOK_EVERY_S, self._look)
        most = self._settings.max_memory
        assert self._statm_fd is not None
        found = resident_bytes(self._statm_fd)
        if most is not None and found > most:
            self._reach(f"it has {found // MIB}M of memory ({self._settings.written('max_memory')})")

    def _reach(self, reason: str) -> None:
        if not self._is_reached:
            self._is_reached = True
            self._say(reason)

    def _say(self, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(ASK_AGAIN_S, self._say, reason)
        self._ask(reason)
