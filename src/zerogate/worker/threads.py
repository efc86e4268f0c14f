"""Threads for work that blocks, and the way back into the event loop.

What crosses is cheap where it is much: a job is one put into a queue, on which a thread sleeps; what threads have to
say goes into one list, and the event loop is woken for the first of it only. With 64 clients and a small reply that is
one wake-up for three replies or so.
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

logger = logging.getLogger("zerogate.worker")

Job = Callable[[], None]


class Threads:
    """At most `n` threads, each made when it is needed first. `start` and `finished` are the event loop's.

    They are daemons: one that never ends keeps no process from ending.
    """

    def __init__(self, n: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._most = n
        self._made: list[threading.Thread] = []
        self._n_busy = 0
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._posts: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._is_woken = False

    def __repr__(self) -> str:
        return f"<Threads {self._n_busy} of {len(self._made)} busy, at most {self._most}>"

    def start(self, job: Job) -> None:
        """Have a thread do it, at once while fewer than `n` are at work. It must not raise.

        Raises RuntimeError if the system has no thread for us.
        """
        if len(self._made) <= self._n_busy < self._most:
            thread = threading.Thread(target=self._work, name=f"wsgi-{len(self._made) + 1}", daemon=True)
            thread.start()
            self._made.append(thread)
        self._n_busy += 1
        self._jobs.put(job)

    def finished(self) -> None:
        """A job is done, or as good as: its thread asks for the next."""
        self._n_busy -= 1

    def stop(self) -> None:
        """Have each thread end when it is done with what it is at."""
        for _ in self._made:
            self._jobs.put(None)

    def post(self, function: Callable[..., None], *arguments: Any) -> None:
        """From any thread: have the event loop call it, soon, after all that was posted before."""
        self._posts.append((function, arguments))
        # Whoever finds it set has posted in time: it is taken back before the posts are looked at.
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._take_posts)

    def _take_posts(self) -> None:
        self._is_woken = False
        posts = self._posts
        # Those who post on and on have others wait for a turn, no longer.
        for _ in range(len(posts)):
            function, arguments = posts.popleft()
            try:
                function(*arguments)
            except Exception:
                # It costs its call, and nobody else's.
                logger.exception("what a thread had to say failed")
        if posts and not self._is_woken:
            self._is_woken = True
            self._loop.call_soon(self._take_posts)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # what it holds does not wait for the next
