"""Restarting what is made of files when these change: the old processes go first, and requests wait in the router."""

import asyncio
import contextlib
import importlib.util
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from zerogate.errors import StartError
from zerogate.supervisor.children import Child
from zerogate.supervisor.life import Life
from zerogate.supervisor.lives import Lives
from zerogate.waiting import first_of

logger = logging.getLogger("zerogate")

# Changes that are named.
MAX_NAMED = 3
# For a process to come to its end when what it had in flight has been cut.
MARGIN_S = 1.0


class Watcher(Protocol):
    """Knows when files change."""

    def changes(self) -> AsyncIterator[list[str]]:
        """Those that have changed, together, as people would write them. Raises StartError if it cannot watch."""


@dataclass(frozen=True)
class Watch:
    """Who says that files have changed, and how long what is in flight then may hold up a restart."""

    watcher: Watcher
    grace_s: float


class Reload:
    """`run` restarts all children whenever files change; another change amid a restart begins it anew."""

    def __init__(self, children: list[Child], lives: Lives, watch: Watch) -> None:
        self._children = children
        self._lives = lives
        self._watch = watch
        self._changed: list[str] = []
        self._has_changed = asyncio.Event()
        self._stale: set[str] = set()

    async def run(self) -> None:
        """Raises StartError."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                while True:
                    await self._has_changed.wait()
                    await self._restart_once(group)
        except* StartError as errors:
            raise errors.exceptions[0] from None

    async def _restart_once(self, group: asyncio.TaskGroup) -> None:
        self._has_changed.clear()
        changed, self._changed = self._changed, []
        self._stale.update(changed)
        more = f" and {len(changed) - MAX_NAMED} more" if len(changed) > MAX_NAMED else ""
        logger.info("%s%s changed: restarting", ", ".join(changed[:MAX_NAMED]), more)
        restart = group.create_task(self._restart(group))
        again = group.create_task(self._has_changed.wait())
        await asyncio.wait((restart, again), return_when=asyncio.FIRST_COMPLETED)
        restart.cancel()
        again.cancel()

    async def _listen(self) -> None:
        async for changed in self._watch.watcher.changes():
            self._changed += [name for name in changed if name not in self._changed]
            self._has_changed.set()

    async def _restart(self, group: asyncio.TaskGroup) -> None:
        children = [child for child in self._children if child.life is not None]
        for child in children:
            child.is_held = True
        # However many are asked at once: none of them takes anything new. Who has something in flight that does not
        # come to its end may do so beside its successor.
        leaving = self._lives.of(children)
        ending = group.create_task(self._lives.end(leaving))
        await asyncio.wait((ending,), timeout=self._watch.grace_s + MARGIN_S)
        while self._stale:
            _forget_bytecode(self._stale.pop())
        # One to begin with: what it does not start for, the others would not either.
        for some in (children[:1], children[1:]):
            lives = [self._begin(child) for child in some]
            for life in lives:
                await first_of(life.is_up, life.is_over)
            # Successors that somebody else has wished for meanwhile.
            rivals = set(self._lives.of(some)) - {*leaving, *lives}
            if rivals:
                group.create_task(self._lives.end(rivals))
            if any(life.is_over.is_set() for life in lives):
                return
        logger.info("restarted")

    def _begin(self, child: Child) -> Life:
        life = self._lives.begin(child)
        child.hand_over(life)
        return life


def _forget_bytecode(path: str) -> None:
    """Python would take it for current if the file is as large as before and was written in the same second."""
    if path.endswith(".py"):
        with contextlib.suppress(OSError):
            os.unlink(importlib.util.cache_from_source(path))
