"""Which host an application gets."""

import asyncio
from typing import Any

import pytest

from zerogate.settings import WorkerSettings
from zerogate.worker.asgi import AsgiHost
from zerogate.worker.hosts import host_for
from zerogate.worker.interface import ASGI2, ASGI3, WSGI
from zerogate.worker.loader import Found
from zerogate.worker.wsgi import WsgiHost


def application(*words: Any) -> Any: ...


@pytest.mark.parametrize(
    ("interface", "kind", "capacity"), [(ASGI3, AsgiHost, 50), (ASGI2, AsgiHost, 50), (WSGI, WsgiHost, 7)]
)
def test_by_its_interface(interface: str, kind: type[Any], capacity: int) -> None:
    async def main() -> None:
        host, settings = host_for(Found(application, interface, "a:b"), WorkerSettings(concurrency=50, threads=7))
        assert type(host) is kind
        assert settings.concurrency == capacity

    asyncio.run(main())
