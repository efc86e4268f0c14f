"""`zerogate.run`: what the command `zerogate run` does, in a program whose last word it is."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from zerogate.cli.commands import LONE, run_fleet
from zerogate.cli.greetings import addresses, found_words, greet, served
from zerogate.cli.ports import with_ports
from zerogate.cli.services import files_settings, find_files, static_settings, with_certificate
from zerogate.collector import restored_collector
from zerogate.condition import Condition
from zerogate.errors import UsageError
from zerogate.folders import temporary_folder
from zerogate.library import find
from zerogate.logs import ROOT
from zerogate.options import check_names, tell_options
from zerogate.router.service import Router
from zerogate.runner import run_service
from zerogate.settings import RouterSettings, RunSettings, WorkerSettings
from zerogate.signals import raise_noted
from zerogate.supervisor.command import ABRUPT_SIGNALS
from zerogate.worker.hosts import host_for
from zerogate.worker.joining import check_join
from zerogate.worker.loader import Found
from zerogate.worker.service import Worker

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, *ABRUPT_SIGNALS)
NAME = "worker"

P = ParamSpec("P")


def _with_options(kind: Callable[P, RunSettings]) -> Callable[Concatenate[Any, P], None]:
    def run(app: Any, /, *args: P.args, **options: P.kwargs) -> None:
        """Run a router and workers for an application, until SIGTERM or SIGINT comes.

        `app` is the name of an ASGI or WSGI application, `MODULE:ATTRIBUTE`: then there is a worker process for each
        core, as with `zerogate run`; or the application itself, which is served by this process alone. The options are
        those of `zerogate run`, with underscores.

        Signals and zerogate's logging are its own while it runs, and as they were when it returns. Raises UsageError
        and StartError.
        """
        check_names(kind, options)
        settings = kind(*args, **options)
        if threading.current_thread() is not threading.main_thread():
            raise UsageError("zerogate.run is for the main thread, to which signals come: use Router and Worker")
        if isinstance(app, str):
            with _restored():
                run_fleet(app, settings)
            return
        for name in ("processes", "router_processes"):
            if name in options and getattr(settings, name) > 1:
                raise UsageError(f"{settings.written(name)}: other processes need its name, MODULE:ATTRIBUTE")
        with _restored():
            _run_alone(app, settings)

    tell_options(run, run, kind, 1)
    return run


run = _with_options(RunSettings)


def _run_alone(app: Any, settings: RunSettings) -> None:
    """In this process alone: an application that is here already cannot be handed to another one."""
    settings, words = with_certificate(with_ports(settings))
    found = find(app, settings)
    made: list[Alone] = []

    def make(folder: Path) -> Alone:
        made.append(Alone(found, settings, folder))
        return made[0]

    with temporary_folder() as folder:
        run_service(
            lambda: make(folder),
            settings,
            on_started=lambda _: greet(
                f"router and worker ({found_words(found, settings)})",
                *addresses(settings),
                *words,
                *served(settings),
                f"{'More workers may come and go' if settings.bind else LONE}. Ctrl-C stops.",
            ),
            on_hangup=lambda _: made[0].renew(),
            on_reopen=lambda _: made[0].router.reopen_log(),
            replaced=lambda _: made[0].router.replaced,
        )


class Alone:
    """A router, and workers of its own, in one process: `start`, then `stop`."""

    def __init__(self, found: Found, settings: RunSettings, folder: Path) -> None:
        endpoint = f"ipc://{folder}/link"
        worker = settings.part(
            WorkerSettings, connect=(endpoint,), name=NAME, own_router=1, processes=1, discover=False
        )
        check_join(worker)
        files = [(path, files_settings(own)) for path, own in static_settings(settings, endpoint)]
        # Files first: until they are there, the application is asked for them.
        hosted = [*((find_files(path, own), own) for path, own in files), (found, worker)]
        self.workers: list[Worker] = []
        for each, own in hosted:
            host, own = host_for(each, own)
            self.workers.append(Worker(own, host))
        own_workers = len(self.workers) if settings.replace else 0
        self.router = Router(
            settings.part(
                RouterSettings,
                bind=(endpoint, *settings.bind),
                own_workers=own_workers,
                command_pid=os.getpid(),
                processes=1,
            )
        )

    async def start(self) -> None:
        """Raises UsageError or StartError, with nothing left open."""
        started: list[Worker] = []
        try:
            # They dial until the router is there. One that replaces another has to have them first.
            for worker in self.workers:
                await worker.start()
                started.append(worker)
            await self.router.start()
        except BaseException:
            for worker in started:
                await worker.stop(0.0)
            raise

    def renew(self) -> None:
        """Read anew what a router can while it runs."""
        self.router.reopen_log()
        self.router.look_at_certificates()

    async def ready(self) -> None:
        """Wait until its own workers have joined."""
        for worker in self.workers:
            await worker.ready()

    def conditions(self) -> list[Condition]:
        return [*self.router.conditions(), *(each for worker in self.workers for each in worker.conditions())]

    def requests(self, task: "asyncio.Task[Any] | None") -> tuple[list[str], list[str]]:
        found = [worker.requests(task) for worker in self.workers]
        return [name for holding, _ in found for name in holding], [name for _, waiting in found for name in waiting]

    async def stop(self, grace: float | None = None) -> None:
        """The router first: it needs its workers for what is in flight. What it leaves of the grace is for them."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + (self.router.settings.stop_s if grace is None else grace)
        await self.router.stop(grace)
        await asyncio.gather(*(worker.stop(max(0.0, give_up - loop.time())) for worker in self.workers))


@contextlib.contextmanager
def _restored() -> Iterator[None]:
    """What a command has for itself, as it was before."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    level, propagate, log_handlers = ROOT.level, ROOT.propagate, ROOT.handlers[:]
    try:
        with restored_collector():
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        raise_noted()
        ROOT.setLevel(level)
        ROOT.propagate = propagate
        ROOT.handlers[:] = log_handlers
