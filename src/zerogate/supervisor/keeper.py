"""Keeps one child running: who dies is started again, unless that has happened too often."""

import asyncio
import logging

from zerogate.child import REPLACED
from zerogate.errors import StartError, UsageError
from zerogate.runner import EXIT_USAGE
from zerogate.supervisor.children import Child
from zerogate.supervisor.life import Life
from zerogate.supervisor.lives import Lives
from zerogate.waiting import first_of

logger = logging.getLogger("zerogate")

# Who lives so long has got over what its predecessor died of.
STEADY_S = 10.0
RESTART_MIN_S = 0.1
RESTART_MAX_S = 5.0
# Who has died so often in a row, each time before it was steady, will die again: with the pauses that is half a minute.
MAX_FAILURES = 10


class Keeper:
    """`run` starts the child, and returns when `stopping` is set and the process that counts has ended.

    is_watched: a child that does not come up waits for somebody to change what it is made of (reload.py), and costs
        nobody else anything
    """

    def __init__(self, child: Child, lives: Lives, stopping: asyncio.Event, *, is_watched: bool = False) -> None:
        self._child = child
        self._lives = lives
        self._stopping = stopping
        self._is_watched = is_watched
        self._n_failures = 0

    async def run(self) -> None:
        """Raises StartError or UsageError, with the child's own reason, if it does not come up or dies too often."""
        child, stopping = self._child, self._stopping
        child.hand_over(self._lives.begin(child))
        while not stopping.is_set():
            life = child.life
            assert life is not None
            child.is_renewed.clear()
            # Who has been replaced may drain for long: whether the one that counts lives does not wait for that.
            await first_of(life.is_over, child.is_renewed)
            if stopping.is_set():
                return
            if child.life is not life:
                self._n_failures = 0
                continue
            if life.last_words.startswith(REPLACED.decode()):
                logger.info("%s was replaced, and has ended: the others follow", child.label)
                stopping.set()
                return
            pause_s = None if child.is_held else self._judge(life)
            await first_of(stopping, child.is_renewed, seconds=pause_s)
            if not stopping.is_set() and child.life is life:
                child.hand_over(self._lives.begin(child))

    def _judge(self, life: Life) -> float | None:
        """How long to wait before it is started again. None: until somebody else does."""
        child = self._child
        if not child.started.is_set() and not self._is_watched:
            raise _explain(child, life)
        if self._is_watched and not life.is_up.is_set():
            logger.error("%s does not start: %s. Waiting for a change", child.label, life.reason)
            return None
        lived_s = asyncio.get_running_loop().time() - life.began_at
        self._n_failures = 0 if lived_s >= STEADY_S else self._n_failures + 1
        if self._n_failures >= MAX_FAILURES:
            words = f"{child.label} has died {self._n_failures} times in a row ({life.reason})"
            if not self._is_watched:
                raise StartError(f"{words}: giving up")
            logger.error("%s. Waiting for a change", words)
            return None
        delay_s = min(RESTART_MAX_S, RESTART_MIN_S * 2.0 ** min(self._n_failures, 30))
        logger.error("%s ended (%s): starting it again in %.1f s", child.label, life.reason, delay_s)
        return delay_s


def _explain(child: Child, life: Life) -> StartError | UsageError:
    """Why a child did not come up, in its own words if it has said so."""
    reason = life.last_words or f"{child.label} did not start ({life.reason})"
    return UsageError(reason) if life.code == EXIT_USAGE else StartError(reason)
