"""Workers that fail again and again rest: they are passed over for a while, as far as others can do without them.

A request that fails wherever it goes must not take a pool apart: at most half of a pool rests, and who rests is woken
when the others leave or are away themselves.
"""

import logging
from collections.abc import Callable

from zerogate.router.timers import Timers
from zerogate.router.workers import Away, Worker
from zerogate.settings import RouterSettings

logger = logging.getLogger("zerogate.router")

# A worker's rests are forgotten by half in so much time: what failed last week says nothing of today.
REST_HALF_LIFE_S = 600.0


class Rests:
    """`on_woken` is called with a worker that may be picked again."""

    def __init__(self, settings: RouterSettings, timers: Timers, on_woken: Callable[[Worker], None]) -> None:
        self._settings = settings
        self._timers = timers
        self._on_woken = on_woken

    def blame(self, worker: Worker) -> None:
        """A request failed by the worker's fault. After too many running it rests, if its pools can do without it."""
        worker.failures += 1
        if worker.failures < self._settings.max_failures or Away.RESTING in worker.away:
            return
        if not all(_may_rest(worker, pool.peers_of(worker)) for pool in worker.pools):
            return
        now = self._timers.time()
        worker.rests = (worker.rests >> int((now - worker.rested_at) / REST_HALF_LIFE_S)) + 1
        worker.rested_at = now
        seconds = self._settings.rest * worker.rests
        worker.set_away(Away.RESTING, True)
        self._timers.call_later(seconds, self._wake, worker)
        logger.warning(
            "worker %s failed %d times running: passed over for %g s", worker.title, worker.failures, seconds
        )

    def wake_enough(self, workers: dict[int, Worker]) -> None:
        """A pool whose other workers are away, or have left, has no use for so many that rest."""
        resting = [worker for worker in workers.values() if worker.away == Away.RESTING]
        n_surplus = len(resting) - _max_resting(len(workers))
        if not n_surplus and all(worker.away for worker in workers.values()):
            n_surplus = len(resting)
        for worker in sorted(resting, key=lambda w: w.rests)[: max(0, n_surplus)]:
            self._wake(worker)

    def _wake(self, worker: Worker) -> None:
        if Away.RESTING in worker.away:
            worker.failures = 0
            worker.set_away(Away.RESTING, False)
            self._on_woken(worker)


def _max_resting(n_workers: int) -> int:
    """At most half of a pool rests at once."""
    return n_workers // 2


def _may_rest(worker: Worker, workers: dict[int, Worker]) -> bool:
    """Whether the others of a pool can do without it."""
    others = [other for other in workers.values() if other is not worker]
    n_resting = sum(Away.RESTING in other.away for other in others)
    return n_resting < _max_resting(len(workers)) and any(not other.away for other in others)
