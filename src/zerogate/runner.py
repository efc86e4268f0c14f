"""Running a service in a process of its own: the event loop, signals and exit codes."""

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from zerogate import notify
from zerogate.check_port import CheckPort
from zerogate.child import REPLACED, STARTED, STOPPING, parent_pipe, report, report_pipe
from zerogate.collector import tune_collector
from zerogate.condition import Condition
from zerogate.errors import UsageError
from zerogate.hangups import Hangups
from zerogate.logs import reopen_log_files, set_up_logging
from zerogate.process import keep_freed_memory, raise_fd_limit
from zerogate.settings import ProcessSettings
from zerogate.signals import note_signals, stop_on_signals
from zerogate.stalls import Stalls
from zerogate.waiting import first_of

logger = logging.getLogger("zerogate")

EXIT_FAILED = 1
EXIT_USAGE = 2

# What a stop may take beyond its grace: for last words, for links to close, for the application's own shutdown. A
# worker bounds each of these itself (9 s in all, worker/service.py): this is for what does not heed it.
KILL_AFTER_S = 10.0

STOPPING_WORDS = "stopping: finishing what is in flight (a second signal ends at once)"

# Who says on a worker that a router is gone. It is no news when the router is the first that its supervisor stops.
LINK_LOGGERS = ("zerogate.link", "zerogate.worker")


class Service(Protocol):
    """Something that runs until it is told to stop."""

    async def start(self) -> None:
        """Raises ZerogateError if it cannot."""

    async def stop(self, grace: float | None = None) -> None:
        """Finish what is in flight, and end. `grace`: seconds for it; without it those of its settings."""

    async def ready(self) -> None:
        """Return when it can serve, once it has started: a worker, when a router has taken it."""

    def conditions(self) -> list[Condition]:
        """How it is, and each that it is made of."""

    def requests(self, task: "asyncio.Task[Any] | None") -> tuple[list[str], list[str]]:
        """Those that the task answers, and all others, for people. For another thread, while the event loop is held."""


def run_service(
    make_service: Callable[[], Service],
    settings: ProcessSettings,
    *,
    on_started: Callable[[Service], None] = lambda service: None,
    on_hangup: Callable[[Service], None] = lambda service: None,
    on_reopen: Callable[[Service], None] = lambda service: None,
    replaced: Callable[[Service], asyncio.Event] | None = None,
) -> None:
    """Run until SIGTERM, SIGINT or the terminal's end; a second signal ends the process at once, with exit code 1.

    `on_hangup` is called for a SIGHUP of other origin, `on_reopen` for SIGUSR1, which is a wish for new log files and
    nothing else: those of the logging are opened anew for both. A service that can be replaced has an event for it:
    then it stops as well, and a parent hears of it.
    """
    set_up_logging(settings.log_level, settings.log_config)
    notify.take()
    raise_fd_limit()
    bound = _Bound(settings.stop_s)
    try:
        with asyncio.Runner(loop_factory=loop_factory(settings.loop)) as runner:
            runner.run(_serve(make_service, bound, settings.stall_report, on_started, on_hangup, on_reopen, replaced))
    finally:
        bound.end()


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """How to make the event loop. None for asyncio's own. Raises UsageError if uvloop is asked for and missing."""
    if name == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        if name == "uvloop":
            raise UsageError("--loop uvloop: it is not installed (pip install uvloop)") from None
        return None
    return uvloop.new_event_loop


def heed_parent(stop: Callable[[], object], on_told: Callable[[], object] = lambda: None) -> None:
    """Stop when the parent is gone, and complain less when it stops its children one after the other.

    `on_told` is called when that begins: it may be others' turn first.
    """
    parent_fd = parent_pipe()
    if parent_fd is None:
        return
    loop = asyncio.get_running_loop()

    def on_readable() -> None:
        if os.read(parent_fd, 1) == STOPPING:
            for name in LINK_LOGGERS:
                logging.getLogger(name).setLevel(logging.ERROR)
            on_told()
            return
        loop.remove_reader(parent_fd)
        stop()

    loop.add_reader(parent_fd, on_readable)


async def _serve(
    make_service: Callable[[], Service],
    bound: "_Bound",
    stall_s: float,
    on_started: Callable[[Service], None],
    on_hangup: Callable[[Service], None],
    on_reopen: Callable[[Service], None],
    replaced: Callable[[Service], asyncio.Event] | None,
) -> None:
    stopping = asyncio.Event()
    # Until it is made, which may mean importing an application, Ctrl-C interrupts: nobody could stop an import that
    # hangs otherwise.
    note_signals(signal.SIGINT, interrupts=True)
    services: list[Service] = []
    # Before it is made: an application may have a use of its own for the signal, which by default ends a process.
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _reopen, services, on_reopen)
    service = make_service()
    services.append(service)
    check_port = CheckPort(service.conditions)
    check_port.open()
    stalls = Stalls(stall_s, service.requests)
    try:
        await _serve_until_told(
            service, bound, stopping, stalls, on_started, lambda: _reopen(services, on_hangup), replaced
        )
    finally:
        stalls.stop()
        check_port.close()


async def _serve_until_told(
    service: Service,
    bound: "_Bound",
    stopping: asyncio.Event,
    stalls: Stalls,
    on_started: Callable[[Service], None],
    on_hangup: Callable[[], None],
    replaced: Callable[[Service], asyncio.Event] | None,
) -> None:
    is_supervised = report_pipe() is not None
    # Who has a supervisor is killed by it.
    begin_stop: Callable[[], object] = bound.begin if not is_supervised else lambda: None
    stop_on_signals(stopping.set, _exit_at_once, begin_stop)
    telling: asyncio.Task[None] | None = None

    def renew() -> None:
        is_ready = telling is not None and telling.done()
        if is_ready:
            notify.notify_reloading(time.monotonic_ns())
        on_hangup()
        if is_ready:
            notify.notify(notify.READY)

    hangups = Hangups(stopping.set, renew)
    heed_parent(stopping.set, bound.note)
    notify.keep_alive(asyncio.get_running_loop().call_later)
    await _until(stopping, service.start())
    was_replaced = False
    if not stopping.is_set():
        stalls.start()
        tune_collector()
        keep_freed_memory()
        if is_supervised:
            report(STARTED)
        else:
            on_started(service)
        telling = asyncio.create_task(_tell_ready(service), name="tell that it is ready")
        if replaced is None:
            await stopping.wait()
        elif was_replaced := await first_of(stopping, replaced(service)) and replaced(service).is_set():
            report(REPLACED)
    if telling is not None:
        telling.cancel()
    if not was_replaced:
        notify.notify(notify.STOPPING)
    hangups.close()
    begin_stop()
    # A supervisor says it once for all.
    logger.log(logging.DEBUG if is_supervised else logging.INFO, STOPPING_WORDS)
    await service.stop(bound.left_s())


async def _tell_ready(service: Service) -> None:
    """The service manager, if it has started us."""
    await service.ready()
    notify.notify(notify.READY, notify.main_pid(os.getpid()))


class _Bound:
    """Ends the process when its stop takes too long, even if the event loop is blocked. `stop_s` is its own time."""

    def __init__(self, stop_s: float) -> None:
        self._stop_s = stop_s
        self._seconds = stop_s + KILL_AFTER_S
        self._timer: threading.Timer | None = None
        # When the stop of all began that this one is part of, in the event loop's time.
        self._noted_at: float | None = None

    def note(self) -> None:
        """The stop of all has begun, though it is not our turn."""
        self._noted_at = asyncio.get_running_loop().time()

    def left_s(self) -> float | None:
        """What others have left of our time. None if there is nobody else."""
        if self._noted_at is None:
            return None
        return max(0.0, self._noted_at + self._stop_s - asyncio.get_running_loop().time())

    def begin(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._seconds, self._give_up)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _give_up(self) -> None:
        logger.warning("not done within %g s: ending at once", self._seconds)
        os._exit(EXIT_FAILED)


def _exit_at_once() -> None:
    logger.warning("stopped at once")
    os._exit(EXIT_FAILED)


def _reopen(services: list[Service], also: Callable[[Service], None]) -> None:
    reopen_log_files()
    for service in services:
        also(service)


async def _until(stopping: asyncio.Event, start: Awaitable[None]) -> None:
    """Start, but not longer than until the process is told to stop."""
    task = asyncio.ensure_future(start)
    waiter = asyncio.ensure_future(stopping.wait())
    await asyncio.wait((task, waiter), return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    if task.done():
        task.result()
    else:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
