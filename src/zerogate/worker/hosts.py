"""The host for an application, by the interface that it speaks."""

from collections.abc import Callable
from typing import Final

from zerogate.settings import WebSocketSettings, WorkerSettings
from zerogate.worker.asgi import AsgiHost
from zerogate.worker.asgi2 import as_asgi3
from zerogate.worker.host import Host
from zerogate.worker.interface import ASGI2, ASGI3, WSGI
from zerogate.worker.loader import Found
from zerogate.worker.wsgi import WsgiHost

Made = tuple[Host, WorkerSettings]


def host_for(found: Found, settings: WorkerSettings) -> Made:
    """The host, and the settings of a worker that has it: its capacity is the host's. In a running event loop."""
    return HOSTS[found.interface](found, settings)


def _asgi3(found: Found, settings: WorkerSettings) -> Made:
    host = AsgiHost(
        found.application,
        lifespan=settings.lifespan,
        # What follows it in a path begins with one.
        root_path=settings.root_path.rstrip("/"),
        strips_prefix=settings.strip_prefix or found.knows_its_routes,
        websocket=settings.part(WebSocketSettings),
    )
    return host, settings


def _asgi2(found: Found, settings: WorkerSettings) -> Made:
    return _asgi3(Found(as_asgi3(found.application), ASGI3, found.target), settings)


def _wsgi(found: Found, settings: WorkerSettings) -> Made:
    host = WsgiHost(
        found.application,
        settings.threads,
        root_path=settings.root_path,
        strips_prefix=settings.strip_prefix,
    )
    # A stream of events has its thread until it ends: whoever took its slot would have none.
    return host, settings.changed(concurrency=settings.threads, max_tunnels=0)


HOSTS: Final[dict[str, Callable[[Found, WorkerSettings], Made]]] = {ASGI3: _asgi3, ASGI2: _asgi2, WSGI: _wsgi}
