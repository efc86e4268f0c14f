"""The host of an attached server: every request goes to it, by HTTP/1."""

import asyncio
import logging
from collections.abc import Callable, Container

from zerogate.link.sparse_log import SparseLog
from zerogate.worker.attach.exchange import Exchange
from zerogate.worker.attach.pool import Pool
from zerogate.worker.call import Call
from zerogate.worker.host import Host
from zerogate.worker.tunnel import UpgradeCall

logger = logging.getLogger("zerogate.worker")


class _AnyProtocol(Container[bytes]):
    """What the server may switch to is its own matter. But HTTP/2 would be requests that nobody has looked at."""

    def __contains__(self, protocol: object) -> bool:
        return protocol != b"h2c"


class AttachHost(Host):
    """`on_no_connection` is called each time when the server takes none: it may be down."""

    upgrades = _AnyProtocol()

    def __init__(self, pool: Pool, on_no_connection: Callable[[], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self.pool = pool
        self._on_no_connection = on_no_connection
        self._failures = SparseLog(logger, "requests that failed")

    async def start(self) -> None:
        """Whether the server is there has been seen to before."""

    async def stop(self) -> None:
        self._failures.close()

    def begin(self, call: Call) -> None:
        Exchange(self, call).start()

    def upgrade(self, call: UpgradeCall) -> None:
        Exchange(self, call).start()

    # For exchanges

    def on_no_connection(self, call: Call, error: OSError) -> None:
        logger.debug("%s: the server takes no connection: %s", call.label, error or type(error).__name__)
        self._on_no_connection()

    def on_failure(self, call: Call, reason: str) -> None:
        self._failures.warning("%s failed at the server: %s", call.label, reason)
