"""Routers that are announced on the local network (`--discover`), and which of them a worker may dial.

Anybody can announce anything, so that keys decide. A worker that has one dials whoever says that it has the router key
that the worker was given, and the handshake proves it. One without a key dials this machine's own routers alone:
whoever else took it would be let into its application.
"""

import asyncio
import logging
from collections.abc import Callable

from zerogate.link.mdns import Found, Search, is_of_this_machine
from zerogate.settings import DialSettings
from zerogate.settings.endpoint import Endpoint

logger = logging.getLogger("zerogate.worker")

# How often those that are still announced are named again: who is not named for long is forgotten (targets.py).
NAME_EVERY_S = 10.0


class Discovery:
    """From `start` to `stop`. `name` is told each endpoint to dial, again and again for as long as it is announced."""

    def __init__(self, settings: DialSettings, name: Callable[[Endpoint], None]) -> None:
        """Raises UsageError if what it needs is not installed."""
        self._router_key = settings.router_key
        self._name = name
        self._search = Search(self._on_found, self._on_gone)
        self._found: dict[str, tuple[Endpoint, ...]] = {}
        self._naming: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Discovery {self._found}>"

    def start(self) -> None:
        self._search.start()
        self._naming = asyncio.create_task(self._name_again(), name="name what is announced")

    async def stop(self) -> None:
        if self._naming is not None:
            self._naming.cancel()
        await self._search.stop()

    def allowed(self, found: Found) -> tuple[Endpoint, ...]:
        """Where this one may be dialled; empty if nowhere."""
        if self._router_key:
            return found.endpoints if self._router_key in found.keys else ()
        return tuple(endpoint for endpoint in found.endpoints if is_of_this_machine(endpoint.host))

    def _on_found(self, found: Found) -> None:
        endpoints = self.allowed(found)
        if not endpoints:
            where = ", ".join(endpoint.text for endpoint in found.endpoints)
            why = "it has another key" if self._router_key else "this worker has no key, and it is another machine's"
            logger.info("a router at %s is announced, and not dialled: %s", where, why)
        elif self._found.get(found.name) != endpoints:
            self._found[found.name] = endpoints
            logger.info("a router is announced at %s", ", ".join(endpoint.text for endpoint in endpoints))
            for endpoint in endpoints:
                self._name(endpoint)

    def _on_gone(self, name: str) -> None:
        self._found.pop(name, None)

    async def _name_again(self) -> None:
        while True:
            await asyncio.sleep(NAME_EVERY_S)
            for endpoints in self._found.values():
                for endpoint in endpoints:
                    self._name(endpoint)
