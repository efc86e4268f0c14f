"""An attached server as a worker: in the pool while the server is well, and out of it while it is not.

For each time that the server is well there is one `Worker`: it joins, and leaves with GOAWAY. So no router has to know
that there is such a thing as a server behind a worker, and what is in flight when the server fails its checks goes on.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any

from zerogate.condition import Condition
from zerogate.settings import AttachSettings
from zerogate.worker.attach.health import Finding, Judge, check
from zerogate.worker.attach.host import AttachHost
from zerogate.worker.attach.pool import Pool
from zerogate.worker.attach.server_process import ServerProcess, check_command
from zerogate.worker.attach.target import parse_target
from zerogate.worker.service import Worker

logger = logging.getLogger("zerogate.worker")

# A server that is down is looked at more often: a connection that is refused costs nothing.
DOWN_INTERVAL_S = 0.25
# However many requests find it down.
MIN_INTERVAL_S = 0.05
READY_POLL_S = 0.05
# A server that is started here has so long to come up before it is told that it has not.
START_TOLD_S = 5.0


class Attached:
    """`start`, then `stop`. `command` is what starts the server; empty: others see to that.

    has_ended: set when the server is beyond help; `stop` says why
    """

    def __init__(
        self,
        settings: AttachSettings,
        url: str,
        command: tuple[str, ...] = (),
        on_joined: Callable[[], None] = lambda: None,
        on_parted: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_joined`, `on_parted`: as a `Worker` has them. Raises UsageError."""
        self._target = parse_target(url)
        # A client that has left is no business of the server's any more: what it was asked for is let go at once.
        self._settings = settings.changed(cancel_after=0.0)
        self._on_joined, self._on_parted = on_joined, on_parted
        self._loop = asyncio.get_running_loop()
        self._pool = Pool(self._target, settings.pool_idle)
        self._host = AttachHost(self._pool, self.look)
        self._judge = Judge(settings.health_failures, settings.health_passes)
        self._look = asyncio.Event()
        self._worker: Worker | None = None
        self._reason = ""
        # When it is to be told that the server has not been up yet; infinite when that is done, or it has been.
        self._tell_at = self._loop.time() + (START_TOLD_S if command else 0.0)
        self._leaving: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._process: ServerProcess | None = None
        self._running: asyncio.Task[None] | None = None
        self.has_ended = asyncio.Event()
        if command:
            check_command(command)
            self._process = ServerProcess(command, self._target, self.look)

    async def start(self) -> None:
        if self._process is not None:
            self._running = asyncio.create_task(self._process.run(), name="server")
            self._running.add_done_callback(lambda _: self.has_ended.set())
        self._watching = asyncio.create_task(self._watch(), name="watch the server")
        self._watching.add_done_callback(lambda _: self.has_ended.set())

    async def stop(self, grace: float | None = None) -> None:
        """Leave, finish what is in flight, and then stop the server. Raises StartError if it has ended too often."""
        give_up = self._loop.time() + (self._settings.grace if grace is None else grace)
        if self._watching is not None:
            self._watching.cancel()
        self._leave(grace)
        if self._leaving:
            await asyncio.wait(self._leaving)
        self._pool.close()
        if self._process is not None and self._running is not None:
            await self._process.stop(give_up - self._loop.time())
            if self._running.done() and not self._running.cancelled():
                self._running.result()
            self._running.cancel()
        if self._watching is not None and self._watching.done() and not self._watching.cancelled():
            self._watching.result()

    async def ready(self) -> None:
        """Wait until the server is well, and a router sends requests."""
        while not any(condition.is_well for condition in self.conditions()):
            await asyncio.sleep(READY_POLL_S)

    def conditions(self) -> list[Condition]:
        if self._worker is not None:
            return self._worker.conditions()
        reason = f" ({self._reason})" if self._reason else ""
        return [Condition("worker", self._settings.name, False, f"has no server: {self._target.text} is down{reason}")]

    def requests(self, task: "asyncio.Task[Any] | None") -> tuple[list[str], list[str]]:
        return self._worker.requests(task) if self._worker is not None else ([], [])

    def look(self) -> None:
        """Something may have happened to the server: check it now."""
        self._look.set()

    async def _watch(self) -> None:
        settings = self._settings
        while True:
            self._look.clear()
            finding = await check(self._target, settings)
            self._reason = finding.reason
            if self._judge.hear(finding):
                self._tell_at = math.inf
                await self._turn(finding)
            elif self._loop.time() >= self._tell_at:
                self._tell_at = math.inf
                logger.warning("the server at %s is not up yet (%s): waiting", self._target.text, finding.reason)
            interval = settings.health_interval
            try:
                async with asyncio.timeout(interval if self._judge.is_up else min(interval, DOWN_INTERVAL_S)):
                    await self._look.wait()
                    await asyncio.sleep(MIN_INTERVAL_S)
            except TimeoutError:
                continue

    async def _turn(self, finding: Finding) -> None:
        if self._judge.is_up:
            logger.info("the server at %s is up: joining", self._target.text)
            self._worker = Worker(self._settings, self._host, on_joined=self._on_joined, on_parted=self._on_parted)
            await self._worker.start()
        else:
            logger.error("the server at %s is down (%s): leaving until it is back", self._target.text, finding.reason)
            self._pool.forget()
            self._leave()

    def _leave(self, grace: float | None = None) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            task = asyncio.create_task(worker.stop(grace), name="leave")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
