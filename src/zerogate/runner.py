"""Running a service in a process of its own: the event loop, signals, logging and exit codes."""

import asyncio
import contextlib
import functools
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol

from zerogate.errors import UsageError
from zerogate.settings import ProcessSettings

# Set for children: a pipe whose other end the parent holds. When the parent is gone, however it went, the child stops.
PARENT_FD_VARIABLE = "ZEROGATE_PARENT_FD"
# Set for children of a supervisor: a pipe on which they say that they have started, or why not, instead of printing it.
REPORT_FD_VARIABLE = "ZEROGATE_REPORT_FD"
STARTED = b"started\n"
STOPPING = "stopping: finishing what is in flight (a second signal ends at once)"

EXIT_FAILED = 1
EXIT_USAGE = 2

# Objects made more than freed before the collector looks. CPython's default of 700 is a few dozen requests at once.
GC_THRESHOLD = 20_000

LOG_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


class Service(Protocol):
    """Something that runs until it is told to stop."""

    async def start(self) -> None:
        """Raises ZerogateError if it cannot."""

    async def stop(self) -> None:
        """Finish what is in flight, and end."""


def run_service(
    make_service: Callable[[], Service],
    settings: ProcessSettings,
    *,
    on_started: Callable[[Service], None] = lambda service: None,
    on_hangup: Callable[[Service], None] | None = None,
) -> None:
    """Run until SIGTERM or SIGINT; a second signal ends the process at once, with exit code 1."""
    set_up_logging(settings.log_level)
    with asyncio.Runner(loop_factory=loop_factory(settings.loop)) as runner:
        runner.run(_serve(make_service, on_started, on_hangup))


def set_up_logging(level: str) -> None:
    logging.basicConfig(level=level.upper(), format=LOG_FORMAT, stream=sys.stderr, force=True)


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


def _exit_at_once() -> None:
    logging.getLogger("zerogate").warning("stopped at once")
    os._exit(EXIT_FAILED)


def when_stopped(stop: Callable[[], object], stop_at_once: Callable[[], object] = _exit_at_once) -> None:
    """Call `stop` on the first SIGTERM or SIGINT, or when the parent process is gone; `stop_at_once` on the second."""
    loop = asyncio.get_running_loop()
    is_stopping = False

    def on_signal() -> None:
        nonlocal is_stopping
        if is_stopping:
            stop_at_once()
            return
        is_stopping = True
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    parent_fd = inherited_fd(PARENT_FD_VARIABLE)
    if parent_fd is not None:

        def on_orphaned() -> None:
            loop.remove_reader(parent_fd)
            if not is_stopping:
                on_signal()

        loop.add_reader(parent_fd, on_orphaned)


def report(message: bytes) -> bool:
    """Tell the supervisor, if there is one."""
    fd = inherited_fd(REPORT_FD_VARIABLE)
    if fd is None:
        return False
    with contextlib.suppress(OSError):
        os.write(fd, message)
    return True


@functools.cache
def inherited_fd(variable: str) -> int | None:
    """A pipe of our parent's, if there is one.

    It is for this process alone: what an application starts must find neither the pipe nor the variable. So this is
    called before the application is imported.
    """
    try:
        fd = int(os.environ.pop(variable))
        os.set_inheritable(fd, False)
    except (KeyError, ValueError, OSError):
        return None
    return fd


async def _serve(
    make_service: Callable[[], Service],
    on_started: Callable[[Service], None],
    on_hangup: Callable[[Service], None] | None,
) -> None:
    stopping = asyncio.Event()
    # Until it is made, which may mean importing an application, Ctrl-C interrupts: nobody could stop an import that
    # hangs otherwise.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    service = make_service()
    when_stopped(stopping.set)
    if on_hangup is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_hangup, service)
    await _unless(stopping, service.start())
    if not stopping.is_set():
        _tune_collector()
        if not report(STARTED):
            on_started(service)
        await stopping.wait()
    # A supervisor says it once for all.
    is_supervised = inherited_fd(REPORT_FD_VARIABLE) is not None
    logging.getLogger("zerogate").log(logging.DEBUG if is_supervised else logging.INFO, STOPPING)
    await service.stop()


def _tune_collector() -> None:
    """What is here now stays: leave it out of every collection; and collect less often.

    Requests leave no cycles behind, so that the collector finds nothing, as often as it looks: 10 % of the CPU at its
    defaults.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 20)


async def _unless(stopping: asyncio.Event, start: Awaitable[None]) -> None:
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
