"""A site for tests: a router and workers in a thread, for blocking clients and those of any event loop.

    with zerogate.testing.Site(app) as site:
        assert httpx.get(f"{site.url}/").status_code == 200

It is at ports that were free, writes no access log, and is gone when the block has ended. In pytest the fixture
`zerogate_site` makes as many as a test asks for, and ends them with it.
"""

import asyncio
import concurrent.futures
import functools
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from zerogate.errors import StartError
from zerogate.library import Router, Worker
from zerogate.options import takes_more_options
from zerogate.settings import RouterSettings, RunSettings, WorkerSettings

T = TypeVar("T")
P = ParamSpec("P")

# Where a test says nothing else: ports that are free, no lines for each request, and no long goodbye.
DEFAULTS: dict[str, Any] = {
    "http": ("127.0.0.1:0",),
    "bind": ("tcp://127.0.0.1:0",),
    "admin": "off",
    "access_log": "off",
    "grace": 1.0,
    "processes": 1,
    "router_processes": 1,
}

# For a worker to come up and to join, on a machine that is busy.
JOIN_TIMEOUT_S = 30.0
# What a router and a worker need at most to stop, beyond their grace.
STOP_TIMEOUT_S = 30.0


def _for_tests(kind: Callable[P, RunSettings]) -> Callable[P, RunSettings]:
    @functools.wraps(kind)
    def made(*args: P.args, **options: P.kwargs) -> RunSettings:
        return kind(*args, **{**DEFAULTS, **options})

    return made


class SiteWorker:
    """One more worker of a site, until `stop` or the site's end."""

    def __init__(self, site: "Site", worker: Worker) -> None:
        self._site = site
        self._worker = worker

    def __repr__(self) -> str:
        return repr(self._worker)

    def stop(self) -> None:
        """Have it leave in good order."""
        self._site.remove(self._worker)


class Site:
    """A router, and a worker for `app` that has joined it; None for no worker yet. The options are `zerogate.run`'s.

    `app` is an application or the name of one. Raises UsageError; at the beginning of the block, StartError.
    """

    @takes_more_options(_for_tests(RunSettings))
    def __init__(self, app: Any, settings: RunSettings) -> None:
        self._app = app
        self._settings = settings
        self._router = Router.of(settings.part(RouterSettings, processes=settings.router_processes))
        self._workers: list[Worker] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<Site {self._router!r}, {len(self._workers)} workers>"

    @property
    def url(self) -> str:
        """Where it is: `http://127.0.0.1:40123`."""
        return self._router.url

    @property
    def endpoint(self) -> str:
        """Where more workers may dial, of other processes, too."""
        return self._router.endpoint

    def status(self) -> dict[str, Any]:
        """What `zerogate status --json` shows."""

        async def ask() -> dict[str, Any]:
            return self._router.status()

        return self._do(ask())

    @takes_more_options(WorkerSettings)
    def add(self, app: Any, settings: WorkerSettings) -> SiteWorker:
        """One more worker, which has joined when this returns. It dials this site. Raises UsageError, StartError."""
        worker = Worker.of(app, settings.changed(connect=(self.endpoint,)))
        self._do(self._join(worker))
        return SiteWorker(self, worker)

    def remove(self, worker: Worker) -> None:
        """End a worker. Once is enough."""
        if worker in self._workers:
            self._workers.remove(worker)
            self._do(worker.__aexit__(None, None, None))

    def __enter__(self) -> Self:
        started: concurrent.futures.Future[asyncio.AbstractEventLoop] = concurrent.futures.Future()
        self._thread = threading.Thread(target=_run_loop, args=(started,), name="zerogate site", daemon=True)
        self._thread.start()
        self._loop = started.result()
        try:
            self._do(self._router.__aenter__())
            if self._app is not None:
                settings = self._settings.part(WorkerSettings, connect=(self.endpoint,))
                self._do(self._join(Worker.of(self._app, settings)))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._thread is not None
        try:
            for worker in self._workers[:]:
                self.remove(worker)
            if self._router.is_open:
                self._do(self._router.__aexit__(None, None, None))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop = self._thread = None

    async def _join(self, worker: Worker) -> None:
        await worker.__aenter__()
        self._workers.append(worker)
        try:
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                await worker.joined()
        except TimeoutError:
            raise StartError(f"{worker!r} has not joined within {JOIN_TIMEOUT_S:g} s") from None

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """Have it done in the site's thread, and wait for it."""
        if self._loop is None:
            work.close()
            raise RuntimeError(f"{self!r} is not open")
        waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        return waiting.result(JOIN_TIMEOUT_S + self._settings.grace + STOP_TIMEOUT_S)


def _run_loop(started: "concurrent.futures.Future[asyncio.AbstractEventLoop]") -> None:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        started.set_result(loop)
        loop.run_forever()
