"""Several processes as one command: starts them, restarts those that die, stops them in order, leaves none behind."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from zerogate.child import (
    FOUND,
    PARENT_FD_VARIABLE,
    REPLACED,
    REPORT_FD_VARIABLE,
    SEAT_FD_VARIABLE,
    STARTED,
    STOPPING,
    child_command,
    report,
)
from zerogate.errors import StartError, UsageError
from zerogate.logs import set_up_logging
from zerogate.process import raise_fd_limit
from zerogate.runner import (
    EXIT_FAILED,
    EXIT_USAGE,
    KILL_AFTER_S,
    STOPPING_WORDS,
    heed_hangups,
    heed_parent,
    loop_factory,
    stop_on_signals,
)
from zerogate.settings import ProcessSettings

logger = logging.getLogger("zerogate")

# Who lives so long has got over what its predecessor died of.
STEADY_S = 10.0
RESTART_MIN_S = 0.1
RESTART_MAX_S = 5.0
# Who has died so often in a row, each time before it was steady, will die again: with the pauses that is half a minute.
MAX_FAILURES = 10

MAX_REPORT_BYTES = 64 * 1024

# What ends a process by default without giving it time for anything: here, time to take all others along.
ABRUPT_SIGNALS = (signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)


@dataclass(eq=False)
class Child:
    """A process to keep running: the command after `zerogate`, and its environment beyond our own.

    Children start stage by stage, each when those before it have come up, and stop in the same order: each stage when
    the one before it has ended.
    """

    label: str
    arguments: list[str]
    environment: dict[str, str]
    stage: int = 0
    takes_hangup: bool = False
    # Comes up with those of earlier stages, not after them.
    is_early: bool = False
    # What it is connected to beside us: its end of a channel, made anew for each life.
    open_seat: Callable[[], socket.socket] | None = field(default=None, repr=False)
    started: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    failures: int = 0
    # What it hosts, in its words.
    found: str = ""
    report: bytes = b""
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)
    # Our end of the pipe on which it hears from us.
    voice_fd: int | None = field(default=None, repr=False)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def send_signal(self, number: int) -> None:
        if self.process is not None and self.is_running:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    def tell(self, message: bytes) -> None:
        if self.voice_fd is not None:
            with contextlib.suppress(OSError):
                os.write(self.voice_fd, message)


class Center(Protocol):
    """What children have in common, here in their parent."""

    replaced: asyncio.Event

    async def start(self) -> None:
        """Before any of them starts. Raises ZerogateError."""

    async def run(self) -> None:
        """While they come up. Returns when all is open; raises ZerogateError."""

    async def stop(self) -> None:
        """Before any of them stops."""

    def close(self) -> None:
        """After all have ended."""


def supervise(
    children: list[Child],
    settings: ProcessSettings,
    on_started: Callable[[], None],
    make_center: Callable[[], Center] | None = None,
) -> None:
    """Run the children until a signal comes; `on_started` is called when all of them have come up.

    Raises StartError or UsageError, with the child's own reason, if one of them fails to come up; StartError if one
    dies again and again.
    """
    set_up_logging(settings.log_level, settings.log_config)
    if make_center is not None:
        raise_fd_limit()
    supervisor = _Supervisor(children, settings.stop_s + KILL_AFTER_S, on_started, make_center)
    with asyncio.Runner(loop_factory=loop_factory(settings.loop)) as runner:
        runner.run(supervisor.run())
    if supervisor.has_killed:
        sys.exit(EXIT_FAILED)


class _Supervisor:
    def __init__(
        self,
        children: list[Child],
        patience_s: float,
        on_started: Callable[[], None],
        make_center: Callable[[], Center] | None,
    ) -> None:
        self._children = children
        self._patience_s = patience_s
        self._on_started = on_started
        self._make_center = make_center
        self._center: Center | None = None
        self._stopping = asyncio.Event()
        # Something was cut off.
        self.has_killed = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        stop_on_signals(self._stopping.set, lambda: loop.call_soon_threadsafe(self._stop_at_once))
        for number in ABRUPT_SIGNALS:
            loop.add_signal_handler(number, self._stop_at_once)
        heed_hangups(self._stopping.set, self._pass_hangup_on)
        heed_parent(self._stopping.set)
        try:
            if self._make_center is not None:
                self._center = self._make_center()
                await self._center.start()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._stop_in_order())
                if self._center is not None:
                    group.create_task(self._lead(self._center))
                for child in self._children:
                    group.create_task(self._keep(child))
        except* (StartError, UsageError) as errors:
            raise errors.exceptions[0] from None
        finally:
            if self._center is not None:
                self._center.close()

    async def _lead(self, center: Center) -> None:
        """Have the centre open everything, and stop all when it has been replaced."""
        opening = asyncio.ensure_future(center.run())
        await self._unless_stopping(opening)
        if self._stopping.is_set():
            return
        self._on_started()
        await self._unless_stopping(asyncio.ensure_future(center.replaced.wait()))
        if not self._stopping.is_set():
            report(REPLACED)
            self._stopping.set()

    async def _unless_stopping(self, work: "asyncio.Future[Any]") -> None:
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            stopping.cancel()

    async def _stop_in_order(self) -> None:
        await self._stopping.wait()
        logger.info(STOPPING_WORDS)
        for child in self._children:
            child.started.set()  # Nobody shall wait for it any more.
        if self._center is not None:
            await self._center.stop()
        stages = sorted({child.stage for child in self._children})
        for child in self._children:
            if child.stage > stages[0]:
                child.tell(STOPPING)
        for stage in stages:
            await self._end([child for child in self._children if child.stage == stage])

    async def _end(self, children: list[Child]) -> None:
        """Have them stop in good order, and kill who has not ended in time."""
        running = [child for child in children if child.is_running]
        for child in running:
            child.send_signal(signal.SIGTERM)
        give_up = asyncio.get_running_loop().time() + self._patience_s
        for child in running:
            assert child.process is not None
            try:
                async with asyncio.timeout_at(give_up):
                    await child.process.wait()
            except TimeoutError:
                logger.warning("%s has not ended within %g s: killed", child.label, self._patience_s)
                self.has_killed = True
                child.send_signal(signal.SIGKILL)
                await child.process.wait()

    def _stop_at_once(self) -> None:
        logger.warning("stopped at once")
        self.has_killed = True
        self._stopping.set()
        for child in self._children:
            child.send_signal(signal.SIGKILL)

    def _pass_hangup_on(self) -> None:
        for child in self._children:
            if child.takes_hangup:
                child.send_signal(signal.SIGHUP)

    async def _keep(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        for earlier in self._children:
            if earlier.stage < child.stage and not child.is_early:
                await earlier.started.wait()
        try:
            while not self._stopping.is_set():
                began_at = loop.time()
                code = await self._run_once(child)
                if self._stopping.is_set():
                    break
                if not child.started.is_set():
                    raise _explain(child, code)
                if child.report.startswith(REPLACED):
                    logger.info("%s was replaced, and has ended: the others follow", child.label)
                    self._stopping.set()
                    break
                reason = child.report.decode("utf-8", "replace") or f"exit code {code}"
                child.failures = 0 if loop.time() - began_at >= STEADY_S else child.failures + 1
                if child.failures >= MAX_FAILURES:
                    raise StartError(f"{child.label} has died {child.failures} times in a row ({reason}): giving up")
                delay = min(RESTART_MAX_S, RESTART_MIN_S * 2.0 ** min(child.failures, 30))
                logger.error("%s ended (%s): starting it again in %.1f s", child.label, reason, delay)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), delay)
        finally:
            await self._end([child])

    async def _run_once(self, child: Child) -> int:
        """Start the child and wait for its end. Returns its exit code; `child.report` is what it had to say."""
        loop = asyncio.get_running_loop()
        report_fd, child_report_fd = os.pipe()
        # The child sees this one close when this process is gone, even by SIGKILL.
        child_voice_fd, child.voice_fd = os.pipe()
        os.set_blocking(report_fd, False)
        os.set_blocking(child.voice_fd, False)
        child.report = b""
        environment = {
            **os.environ,
            **child.environment,
            PARENT_FD_VARIABLE: str(child_voice_fd),
            REPORT_FD_VARIABLE: str(child_report_fd),
        }
        seat = child.open_seat() if child.open_seat is not None else None
        if seat is not None:
            environment[SEAT_FD_VARIABLE] = str(seat.fileno())
        try:
            # A session of its own: Ctrl-C reaches this process alone, which passes it on once.
            child.process = process = await asyncio.create_subprocess_exec(
                *child_command(*child.arguments),
                env=environment,
                pass_fds=(child_voice_fd, child_report_fd, *((seat.fileno(),) if seat is not None else ())),
                start_new_session=True,
            )
            if seat is not None:
                seat.close()
            if self._stopping.is_set():
                child.send_signal(
                    signal.SIGKILL
                )  # It was not there yet when the others were told: it has done nothing.
            loop.add_reader(report_fd, self._read_report, child, report_fd)
            code = await process.wait()
            loop.remove_reader(report_fd)
            self._read_report(child, report_fd)
            return code
        finally:
            if seat is not None:
                seat.close()
            loop.remove_reader(report_fd)
            for fd in (report_fd, child_report_fd, child_voice_fd, child.voice_fd):
                os.close(fd)
            child.voice_fd = None

    def _read_report(self, child: Child, report_fd: int) -> None:
        # Our own copy of the child's end is open: there is no end of file, only nothing to read.
        with contextlib.suppress(BlockingIOError):
            child.report += os.read(report_fd, MAX_REPORT_BYTES)
        if child.report.startswith(FOUND) and b"\n" in child.report:
            words, _, child.report = child.report.removeprefix(FOUND).partition(b"\n")
            child.found = words.decode("utf-8", "replace")
        if child.report.startswith(STARTED):
            child.report = child.report.removeprefix(STARTED)
            if not child.started.is_set():
                child.started.set()
                if self._center is None and all(each.started.is_set() for each in self._children):
                    self._on_started()


def _explain(child: Child, code: int) -> StartError | UsageError:
    """Why a child did not come up, in its own words if it has said so."""
    reason = child.report.decode("utf-8", "replace") or f"{child.label} did not start (exit code {code})"
    return UsageError(reason) if code == EXIT_USAGE else StartError(reason)
