"""Replacing processes without a gap: the next one comes up and joins, and then the one before it drains.

One child after the other, so that there is never more than one process too many.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import NoReturn

from zerogate.errors import StartError
from zerogate.supervisor.children import Child
from zerogate.supervisor.life import Life
from zerogate.supervisor.lives import Lives
from zerogate.waiting import first_of

logger = logging.getLogger("zerogate")

# It may take as long as it likes, as large models do; but after so long somebody may want to know what is waited for.
PATIENCE_S = 15.0


class Roll:
    """Who is to be replaced; `run` does it. `on_done` is called each time that nobody is to be any more."""

    def __init__(self, lives: Lives, on_done: Callable[[], object]) -> None:
        self._lives = lives
        self._on_done = on_done
        self._wanted: dict[Child, None] = {}
        self._current: Child | None = None
        self._is_wanted = asyncio.Event()
        # All of them: also who is about to come up, and may be made of what was there before.
        self._is_superseded = asyncio.Event()

    def want(self, child: Child) -> None:
        """Replace this one, after those that are wanted already. Nothing new while its successor comes up."""
        if child is not self._current:
            self._wanted[child] = None
            self._is_wanted.set()

    def want_all(self, children: Iterable[Child]) -> None:
        """Replace all of them, whatever is under way."""
        self._wanted = dict.fromkeys(children)
        self._is_superseded.set()
        self._is_wanted.set()

    async def run(self) -> NoReturn:
        while True:
            await self._is_wanted.wait()
            while self._wanted:
                self._current = child = next(iter(self._wanted))
                del self._wanted[child]
                self._is_superseded.clear()
                try:
                    await self._replace(child)
                except StartError as error:
                    # What one of them does not start for, the others would not either.
                    others = ", and the others stay as they are" if self._wanted else ""
                    self._wanted = {}
                    stays = "the process before it goes on" if child.is_alive else "there is none before it"
                    logger.error("%s was not replaced (%s): %s%s", child.label, error, stays, others)
            self._current = None
            self._is_wanted.clear()
            self._on_done()

    async def _replace(self, child: Child) -> None:
        """Raises StartError if the successor ends before it has taken over."""
        successor = self._lives.begin(child)
        await self._come_up(child, successor)
        if successor.is_over.is_set():
            if self._is_superseded.is_set():
                return
            raise StartError(successor.reason)
        if not successor.is_up.is_set() or not self._can_take_over(child, successor):
            await self._lives.end([successor])
            return
        predecessor = child.life
        child.hand_over(successor)
        # While the one before it drains, this one may be worn already, and not ask again for long.
        self._current = None
        assert predecessor is not None
        logger.info("%s: process %s takes over from %s", child.label, successor.pid, predecessor.pid)
        await self._lives.relieve(successor)

    async def _come_up(self, child: Child, successor: Life) -> None:
        """Until it can take over, has ended, or is not wanted any more."""
        awaited = "come up"
        while not self._can_take_over(child, successor):
            events = [successor.is_over, self._is_superseded]
            if successor.is_up.is_set():
                awaited = "joined a router"
                assert child.life is not None
                events += [successor.has_joined, child.life.is_over, child.life.has_parted]
            else:
                events.append(successor.is_up)
            while not await first_of(*events, seconds=PATIENCE_S):
                logger.warning("the successor of %s has not %s yet: waiting", child.label, awaited)
            if successor.is_over.is_set() or self._is_superseded.is_set():
                return

    @staticmethod
    def _can_take_over(child: Child, successor: Life) -> bool:
        """It need not have done what the one before it has not done either: there may be no router."""
        predecessor = child.life
        if not successor.is_up.is_set() or successor.is_over.is_set():
            return False
        is_served = predecessor is not None and predecessor.has_joined.is_set() and not predecessor.is_over.is_set()
        return successor.has_joined.is_set() or not is_served
