"""A router and workers in a program of one's own, for as long as an `async with` lasts.

Nothing but what they need is touched: no signals, no logging, no event loop's policy, no settings of the collector.
What they need is gone when the block has ended, however it ends: in good order, with `--grace` for what is in flight;
after an exception at once; after a cancellation in good order, until there is another one.
"""

import asyncio
from types import TracebackType
from typing import Any, Protocol, Self

from zerogate.errors import StartError, UsageError
from zerogate.options import takes_more_options, takes_options
from zerogate.router.listeners import Addresses
from zerogate.router.service import Router as RouterService
from zerogate.settings import RouterSettings, WorkerSettings
from zerogate.settings.endpoint import parse_address
from zerogate.worker.env_file import load_env_file
from zerogate.worker.hosts import host_for
from zerogate.worker.joining import check_join
from zerogate.worker.loader import Found, load_application, recognise
from zerogate.worker.service import Worker as WorkerService

# What an address that is every address is called by who connects to it from here.
_ANY = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}


class Stoppable(Protocol):
    """A service, as far as its end is concerned."""

    async def stop(self, grace: float | None = None) -> None: ...

    def hurry(self) -> None: ...


class Router:
    """A router in the running event loop: `async with Router(http=("127.0.0.1:0",)) as router`.

    Its options are those of `zerogate router`, with underscores; what is repeatable is a tuple. Raises UsageError for
    what they cannot be, and at the beginning of the block StartError, for example for a port that is taken.
    """

    @takes_options(RouterSettings)
    def __init__(self, settings: RouterSettings) -> None:
        if settings.processes > 1:
            raise UsageError("a Router is in one process: `zerogate router --processes` has several")
        self.settings = settings
        self._service: RouterService | None = None

    def __repr__(self) -> str:
        return (
            f"<Router {self.settings.name} {'is not open' if self._service is None else ' '.join(self.addresses.http)}>"
        )

    @classmethod
    def of(cls, settings: RouterSettings) -> Self:
        """A router with settings that were made elsewhere."""
        return cls(**vars(settings))

    @property
    def is_open(self) -> bool:
        """Whether its block has begun, and has not ended."""
        return self._service is not None

    @property
    def addresses(self) -> Addresses:
        """Where it listens, all of it: a port 0 is the one that it has become."""
        return self._open.addresses

    @property
    def url(self) -> str:
        """Where clients of this machine find it: `http://127.0.0.1:9000`. Raises StartError if it is at no TCP port."""
        addresses = self.addresses
        for scheme, texts in (("http", addresses.http), ("https", addresses.https)):
            for text in texts:
                if not text.startswith("unix:"):
                    return f"{scheme}://{_reachable(text)}"
        raise StartError("this router takes clients at no TCP port")

    @property
    def endpoint(self) -> str:
        """Where workers of this machine dial: `tcp://127.0.0.1:8000`, `ipc:///path`."""
        endpoint = self.addresses.bind[0]
        scheme, separator, where = endpoint.partition("://")
        return endpoint if scheme == "ipc" else f"{scheme}{separator}{_reachable(where)}"

    def status(self) -> dict[str, Any]:
        """What `zerogate status --json` shows."""
        return self._open.status()

    async def __aenter__(self) -> Self:
        if self._service is not None:
            raise RuntimeError(f"{self!r} is open")
        service = RouterService(self.settings, is_guest=True)
        await service.start()
        self._service = service
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        service, self._service = self._open, None
        await end(service, error)

    @property
    def _open(self) -> RouterService:
        if self._service is None:
            raise RuntimeError(f"{self!r}")
        return self._service


class Worker:
    """A worker for an application, in the running event loop: `async with Worker(app, connect=(router.endpoint,))`.

    `app` is an ASGI or WSGI application, or the name of one (`mypkg.app:app`). Its options are those of `zerogate
    worker`. It dials its routers for ever, whoever comes first. Raises UsageError, and at the beginning of the block
    StartError if the application cannot start.
    """

    @takes_more_options(WorkerSettings)
    def __init__(self, app: Any, settings: WorkerSettings) -> None:
        if settings.processes > 1:
            raise UsageError("a Worker is in one process: `zerogate worker --processes` has several")
        check_join(settings)
        self.settings = settings
        self._app = app
        self._service: WorkerService | None = None

    def __repr__(self) -> str:
        is_open = "is not open" if self._service is None else self._service.routers
        return f"<Worker {self.settings.name} {is_open}>"

    @classmethod
    def of(cls, app: Any, settings: WorkerSettings) -> Self:
        """A worker with settings that were made elsewhere."""
        return cls(app, **vars(settings))

    @property
    def is_open(self) -> bool:
        """Whether its block has begun, and has not ended."""
        return self._service is not None

    @property
    def has_joined(self) -> bool:
        """Whether a router sends it requests."""
        return self._service is not None and self._service.routers.joined.is_set()

    async def joined(self) -> None:
        """Wait until a router sends it requests. For ever, if there is none."""
        await self._open.routers.joined.wait()

    async def __aenter__(self) -> Self:
        if self._service is not None:
            raise RuntimeError(f"{self!r} is open")
        host, settings = host_for(find(self._app, self.settings), self.settings)
        service = WorkerService(settings, host)
        await service.start()
        self._service = service
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        service, self._service = self._open, None
        await end(service, error)

    @property
    def _open(self) -> WorkerService:
        if self._service is None:
            raise RuntimeError(f"{self!r}")
        return self._service


def find(app: Any, settings: WorkerSettings) -> Found:
    """An application, or the one of that name. Raises UsageError or StartError."""
    if not isinstance(app, str):
        return recognise(app, interface=settings.interface, factory=settings.factory)
    if settings.env_file:
        load_env_file(settings.env_file)
    return load_application(app, settings.app_dir, interface=settings.interface, factory=settings.factory)


async def end(service: Stoppable, error: BaseException | None) -> None:
    """Stop it, however the block has ended. Cancelled, it waits for nothing in flight, and leaves nothing behind."""
    is_failed = error is not None and not isinstance(error, asyncio.CancelledError)
    stopping = asyncio.ensure_future(service.stop(0.0 if is_failed else None))
    cancelled: asyncio.CancelledError | None = None
    while not stopping.done():
        try:
            await asyncio.wait((stopping,))
        except asyncio.CancelledError as again:
            cancelled = again
            service.hurry()
    if cancelled is None:
        stopping.result()
        return
    if not stopping.cancelled():
        stopping.exception()
    raise cancelled


def _reachable(address: str) -> str:
    host, port = parse_address(address)
    host = _ANY.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
