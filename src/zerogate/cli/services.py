"""The services that commands run, and those that they supervise. What a service needs is imported when it is made."""

import asyncio
import os
import re
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from zerogate.child import JOINED, PARTED, WORN, report
from zerogate.errors import UsageError
from zerogate.runner import Service
from zerogate.settings import (
    AttachSettings,
    FilesSettings,
    RouterSettings,
    RunSettings,
    WorkerSettings,
    to_environment,
)
from zerogate.settings.kinds import DAY_S, Count
from zerogate.supervisor.center import Center
from zerogate.supervisor.children import Child
from zerogate.supervisor.reload import Watch

if TYPE_CHECKING:
    from zerogate.router.group import Group
    from zerogate.router.service import Router
    from zerogate.worker.loader import Found

MAX_NAME_CHARS = 100
# Modules that are called so in each Django project: its own name tells more.
NAMES_OF_ALL = ("wsgi", "asgi")


def make_router(settings: RouterSettings) -> Service:
    from zerogate.router.service import Router

    return Router(settings)


def find_application(app: str, settings: WorkerSettings) -> "Found":
    """Raises UsageError or StartError."""
    from zerogate.worker.env_file import load_env_file
    from zerogate.worker.loader import load_application

    if settings.env_file:
        load_env_file(settings.env_file)
    return load_application(app, settings.app_dir, interface=settings.interface, factory=settings.factory)


def example_application(name: str) -> "Found":
    from zerogate.worker.hello import hello
    from zerogate.worker.interface import ASGI3
    from zerogate.worker.loader import Found

    return Found(hello(name), ASGI3, "hello")


def find_files(folder: str, settings: FilesSettings) -> "Found":
    """A folder as an application. Raises UsageError."""
    try:
        from zerogate.worker.files import Files
    except ImportError:
        raise UsageError("static files need Starlette: pip install 'zerogate[files]'") from None
    from zerogate.wire.http.routes import parse_route
    from zerogate.worker.interface import ASGI3
    from zerogate.worker.loader import Found

    prefixes = {parse_route(route).prefix for route in settings.route}
    return Found(Files(folder, settings.cache_control, prefixes), ASGI3, f"files of {folder}", knows_its_routes=True)


def files_settings(settings: FilesSettings) -> FilesSettings:
    """No start-up is to be waited for."""
    return settings.changed(lifespan="off")


def make_worker(settings: WorkerSettings, found: "Found") -> Service:
    """A worker for an application, whichever interface it speaks."""
    from zerogate.worker.hosts import host_for
    from zerogate.worker.service import Worker

    host, settings = host_for(found, settings)
    return Worker(
        settings,
        host,
        on_joined=lambda: report(JOINED),
        on_parted=lambda: report(PARTED),
        on_worn=lambda reason: report(WORN + reason.encode() + b"\n"),
    )


def make_attached(settings: AttachSettings, url: str, command: tuple[str, ...]) -> Service:
    """A server of somebody else's as a worker. Raises UsageError."""
    from zerogate.worker.attach.service import Attached

    return Attached(settings, url, command, on_joined=lambda: report(JOINED), on_parted=lambda: report(PARTED))


def has_given_up(attached: Service) -> asyncio.Event:
    """Set when the server that the service has started does not stay up."""
    from zerogate.worker.attach.service import Attached

    assert isinstance(attached, Attached)
    return attached.has_ended


def make_sibling(settings: RouterSettings, channel: int) -> Service:
    from zerogate.router.sibling import Sibling

    return Sibling(settings, socket.socket(fileno=channel))


def router_group(settings: RouterSettings) -> tuple[list[Child], Callable[[], Center]]:
    """A process for each of `processes`, and what they have in common."""
    from zerogate.router.group import Group

    made: list[Group] = []

    def make() -> Group:
        made.append(Group(settings))
        return made[0]

    environment = to_environment(settings)
    children = [
        Child(
            f"router process {number + 1}",
            ["router"],
            environment,
            takes_hangup=True,
            open_seat=partial(_open_seat, made, number),
        )
        for number in range(settings.processes)
    ]
    return children, make


def _open_seat(made: "list[Group]", number: int) -> socket.socket:
    return made[0].open_seat(number)


def reopen_log(service: Service) -> None:
    """After a router's access log was moved away."""
    _router_of(service).reopen_log()


def renew(service: Service) -> None:
    """Have a router read what it can read anew while it runs: certificates, and its log is opened anew."""
    router = _router_of(service)
    router.reopen_log()
    router.look_at_certificates()


def _router_of(service: Service) -> "Router":
    from zerogate.router.service import Router
    from zerogate.router.sibling import Sibling

    router = service.router if isinstance(service, Sibling) else service
    assert isinstance(router, Router)
    return router


def has_been_replaced(router: Service) -> asyncio.Event:
    """Set when a successor has taken over from the router."""
    from zerogate.router.service import Router

    assert isinstance(router, Router)
    return router.replaced


def worker_children(
    arguments: list[str], settings: WorkerSettings, stage: int = 0, *, is_early: bool = False
) -> list[Child]:
    """A worker process for each of `processes`, named NAME-1, NAME-2, …"""
    children = []
    for number in range(1, settings.processes + 1):
        name = f"{settings.name}-{number}" if settings.processes > 1 else settings.name
        own = settings.changed(name=name, processes=1)
        # `hello` takes its name as an argument.
        named = [*arguments, name] if arguments == ["hello"] else arguments
        children.append(Child(f"worker {name}", named, to_environment(own), stage, is_early=is_early, may_roll=True))
    return children


def fleet(app: str, settings: RunSettings, endpoint: str) -> list[Child]:
    """A router and workers for it, which meet at `endpoint`. Raises UsageError."""
    files = static_children(settings, endpoint)
    own_workers = settings.processes + len(files) if settings.replace else 0
    router = settings.part(
        RouterSettings,
        bind=(endpoint, *settings.bind),
        own_workers=own_workers,
        command_pid=os.getpid(),
        processes=settings.router_processes,
        # However long it takes to get a slip of the pen right, requests wait for the application.
        hold=max(settings.hold, DAY_S) if settings.reload else settings.hold,
    )
    modules = app.partition(":")[0].split(".")
    own = [module for module in modules if module not in NAMES_OF_ALL] or modules
    name = re.sub(r"[^A-Za-z0-9._-]", "_", own[-1])[:MAX_NAME_CHARS] or "worker"
    worker = settings.part(WorkerSettings, connect=(endpoint,), name=name, own_router=1, discover=False)
    check_join(worker)
    return [
        Child("the router", ["router"], to_environment(router), takes_hangup=True),
        # They stop after the router, which needs them for what is in flight. One that takes over waits for them, too.
        # Files first: until they are there, the application is asked for them.
        *files,
        *worker_children(["worker", app], worker, stage=1, is_early=settings.replace),
    ]


def static_children(settings: RunSettings, endpoint: str) -> list[Child]:
    """A worker for each `--static PREFIX=DIR`. Raises UsageError."""
    children = []
    for folder, own in static_settings(settings, endpoint):
        find_files(folder, own)
        children.append(
            Child(f"files of {folder}", ["files", folder], to_environment(own), 1, is_early=settings.replace)
        )
    return children


def static_settings(settings: RunSettings, endpoint: str) -> list[tuple[str, FilesSettings]]:
    """The folder and the settings of each `--static PREFIX=DIR`, at the hosts that the application has.

    Raises UsageError.
    """
    from zerogate.wire.http.routes import parse_route

    found = []
    for number, text in enumerate(settings.static, 1):
        prefix, _, folder = text.partition("=")
        if not prefix.startswith("/") or not folder:
            raise UsageError(f"--static {text}: write PREFIX=DIR, for example /static=assets")
        if not os.path.isdir(folder):
            raise UsageError(f"--static {text}: no such folder")
        hosts = {parse_route(route).host for route in settings.route}
        own = settings.part(
            FilesSettings,
            connect=(endpoint,),
            name=f"files-{number}",
            route=tuple(f"{host}{prefix}" for host in sorted(hosts)),
            processes=1,
            own_router=1,
            discover=False,
            # No code of anybody's: nothing that could leak, or change.
            max_requests=Count.OFF,
            max_memory=None,
            reload=False,
        )
        check_join(own)
        found.append((folder, own))
    return found


def watch_of(settings: WorkerSettings) -> Watch | None:
    """Who restarts the application when its files change, if somebody shall. Raises UsageError."""
    if not settings.reload:
        return None
    from zerogate.supervisor.watcher import FileWatcher

    return Watch(FileWatcher(settings, settings.app_dir), settings.reload_grace)


def with_certificate(settings: RunSettings) -> tuple[RunSettings, list[str]]:
    """With one of our own making where HTTPS is wanted and there is none; and what is to be said of it."""
    if not settings.https or settings.tls_cert:
        return settings, []
    from zerogate.self_signed import self_signed

    found = self_signed()
    words = f"  {'made a' if found.is_new else 'the'} certificate for localhost, signed by nobody: {found.certificate}"
    return settings.changed(tls_cert=(str(found.certificate),), tls_key=(str(found.key),)), [words]


def check_join(settings: WorkerSettings) -> None:
    """Find out here, not at the router, that no router could take this worker's JOIN. Raises UsageError."""
    from zerogate.worker import joining

    joining.check_join(settings)
