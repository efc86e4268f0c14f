"""Several processes as one command: starts them, restarts those that die, stops them in order, leaves none behind."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable

from zerogate import notify
from zerogate.check_port import CheckPort
from zerogate.child import JOINED, REPLACED, STARTED, STOPPING, WORN, report
from zerogate.errors import StartError, UsageError
from zerogate.hangups import Hangups
from zerogate.logs import reopen_log_files, set_up_logging
from zerogate.process import raise_fd_limit
from zerogate.runner import EXIT_FAILED, KILL_AFTER_S, STOPPING_WORDS, heed_parent, loop_factory
from zerogate.settings import ProcessSettings
from zerogate.signals import stop_on_signals
from zerogate.supervisor.center import Center
from zerogate.supervisor.children import Child
from zerogate.supervisor.keeper import Keeper
from zerogate.supervisor.life import Life
from zerogate.supervisor.lives import Lives
from zerogate.supervisor.reload import Reload, Watch
from zerogate.supervisor.roll import Roll

logger = logging.getLogger("zerogate")

# The first word of a router's arguments.
ROUTER = "router"

# What ends a process by default without giving it time for anything: here, time to take all others along.
ABRUPT_SIGNALS = (signal.SIGQUIT, signal.SIGUSR2, signal.SIGALRM)


def supervise(
    children: list[Child],
    settings: ProcessSettings,
    on_started: Callable[[], None],
    make_center: Callable[[], Center] | None = None,
    watch: Watch | None = None,
) -> None:
    """Run the children until a signal comes; `on_started` is called when all of them have come up.

    On SIGHUP those that may roll are replaced one after the other; with `watch`, they are restarted when files change.

    Raises StartError or UsageError, with the child's own reason, if one of them fails to come up; StartError if one
    dies again and again.
    """
    set_up_logging(settings.log_level, settings.log_config)
    notify.take()
    if make_center is not None:
        raise_fd_limit()
    supervisor = _Supervisor(children, settings.stop_s, on_started, make_center, watch)
    with asyncio.Runner(loop_factory=loop_factory(settings.loop)) as runner:
        runner.run(supervisor.run())
    if supervisor.has_killed:
        sys.exit(EXIT_FAILED)


class _Supervisor:
    def __init__(
        self,
        children: list[Child],
        stop_s: float,
        on_started: Callable[[], None],
        make_center: Callable[[], Center] | None,
        watch: Watch | None,
    ) -> None:
        self._children = children
        self._rolling = [child for child in children if child.may_roll]
        self._on_started = on_started
        self._make_center = make_center
        self._center: Center | None = None
        self._watch = watch
        self._stopping = asyncio.Event()
        self._stop_s = stop_s
        self._lives = Lives(stop_s + KILL_AFTER_S, self._on_word)
        self._roll = Roll(self._lives, self._end_renewal)
        self._hangups: Hangups
        # Who cannot serve yet.
        self._unready = set(children)
        # What the service manager has been told.
        self._is_ready = self._is_renewing = False
        # Something was cut off.
        self.has_killed = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in ABRUPT_SIGNALS:
            loop.add_signal_handler(number, self._stop_at_once)
        # Behind them: what has been noted until then is not overlooked.
        stop_on_signals(self._stopping.set, lambda: loop.call_soon_threadsafe(self._stop_at_once))
        loop.add_signal_handler(signal.SIGUSR1, self._reopen_logs)
        self._hangups = Hangups(self._stopping.set, self._renew)
        heed_parent(self._stopping.set)
        notify.keep_alive(loop.call_later)
        check_port = CheckPort(list, [child.arguments[0] for child in self._children])
        check_port.open()
        try:
            if self._make_center is not None:
                self._center = self._make_center()
                await self._center.start()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._stop_in_order())
                if self._center is not None:
                    group.create_task(self._lead(self._center))
                group.create_task(self._unless_stopping(self._roll.run()))
                if self._watch is not None:
                    reload = Reload(self._rolling, self._lives, self._watch)
                    group.create_task(self._unless_stopping(reload.run()))
                for child in self._children:
                    group.create_task(self._keep(child))
        except* (StartError, UsageError) as errors:
            raise errors.exceptions[0] from None
        finally:
            self._hangups.close()
            check_port.close()
            self._lives.close()
            await self._lives.end(self._lives.of(self._children))
            if self._center is not None:
                self._center.close()

    async def _keep(self, child: Child) -> None:
        for earlier in self._children:
            if earlier.stage < child.stage and not child.is_early:
                await earlier.started.wait()
        if not self._stopping.is_set():
            is_watched = self._watch is not None and child.may_roll
            await Keeper(child, self._lives, self._stopping, is_watched=is_watched).run()

    async def _lead(self, center: Center) -> None:
        """Have the centre open everything, and stop all when it has been replaced."""
        await self._unless_stopping(center.run())
        if self._stopping.is_set():
            return
        self._on_started()
        self._tell_ready()
        await self._unless_stopping(center.replaced.wait())
        if not self._stopping.is_set():
            report(REPLACED)
            self._stopping.set()

    async def _unless_stopping(self, work: Awaitable[object]) -> None:
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            working.cancel()
            stopping.cancel()

    async def _stop_in_order(self) -> None:
        await self._stopping.wait()
        began_at = asyncio.get_running_loop().time()
        self._lives.close()
        self._hangups.close()
        logger.info(STOPPING_WORDS)
        if self._center is None or not self._center.replaced.is_set():
            notify.notify(notify.STOPPING)
        for child in self._children:
            child.started.set()  # Nobody shall wait for it any more.
        if self._center is not None:
            await self._center.stop()
        stages = sorted({child.stage for child in self._children})
        for life in self._lives.of(child for child in self._children if child.stage > stages[0]):
            life.tell(STOPPING)
        for n, stage in enumerate(stages, 1):
            leaving = self._lives.of(child for child in self._children if child.stage == stage)
            # One time for all: who takes more of it than its grace leaves the others something for their last words.
            if not await self._lives.end(leaving, began_at + self._stop_s + KILL_AFTER_S * n / len(stages)):
                self.has_killed = True

    def _stop_at_once(self) -> None:
        logger.warning("stopped at once")
        self.has_killed = True
        self._stopping.set()
        self._lives.kill()

    def _renew(self) -> None:
        """SIGHUP: who can be renewed while it runs hears of it, others are replaced."""
        if self._is_ready:
            self._is_renewing = True
            notify.notify_reloading(time.monotonic_ns())
        reopen_log_files()
        self._lives.send_signal(signal.SIGHUP, [child for child in self._children if child.takes_hangup])
        rolling = [child for child in self._rolling if child.life is not None]
        if rolling:
            logger.info("SIGHUP: replacing %s, one after the other", ", ".join(child.label for child in rolling))
            self._roll.want_all(rolling)
        else:
            self._end_renewal()

    def _end_renewal(self) -> None:
        """All that were to be replaced have been, or have failed to be."""
        if self._is_renewing:
            self._is_renewing = False
            self._tell_ready()

    def _reopen_logs(self) -> None:
        reopen_log_files()
        self._lives.send_signal(signal.SIGUSR1, self._children)

    def _note_ready(self, child: Child) -> None:
        """It can serve: a router when it is up, a worker when one has taken it. When all can, so do we."""
        if child in self._unready:
            self._unready.discard(child)
            if not self._unready and self._center is None:
                self._tell_ready()

    def _on_word(self, child: Child, life: Life, word: bytes) -> None:
        if word == (STARTED if child.arguments[0] == ROUTER else JOINED):
            self._note_ready(child)
        if word == STARTED:
            child.found = life.found
            if not child.started.is_set():
                child.started.set()
                if self._center is None and all(each.started.is_set() for each in self._children):
                    self._on_started()
        elif word == WORN and child.life is life and not self._stopping.is_set():
            logger.info("%s is to be replaced: %s", child.label, life.worn)
            self._roll.want(child)

    def _tell_ready(self) -> None:
        """The service manager, if it has started us."""
        self._is_ready = True
        notify.notify(notify.READY, notify.main_pid(os.getpid()))
