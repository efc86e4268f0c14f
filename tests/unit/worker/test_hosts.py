"""Which host an application gets."""

import asyncio
from typing import Any

from tests.support.each import each
from zerogate.settings import WorkerSettings
from zerogate.worker.asgi import AsgiHost
from zerogate.worker.hosts import host_for
from zerogate.worker.interface import ASGI2, ASGI3, WSGI
from zerogate.worker.loader import Found
from zerogate.worker.wsgi import WsgiHost


def application(*words: Any) -> Any: ...


@each(
    ("interface", "kind", "capacity", "n_apart"),
    [(ASGI3, AsgiHost, 50, 9), (ASGI2, AsgiHost, 50, 9), (WSGI, WsgiHost, 7, 0)],
)
def test_by_its_interface(interface: str, kind: type[Any], capacity: int, n_apart: int) -> None:
    async def main() -> None:
        given = WorkerSettings(concurrency=50, threads=7, max_tunnels=9)
        host, settings = host_for(Found(application, interface, "a:b"), given)
        assert type(host) is kind
        assert (settings.concurrency, settings.max_tunnels) == (capacity, n_apart)

    asyncio.run(main())
