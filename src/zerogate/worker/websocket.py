"""WebSocket for ASGI applications, beside `asgi.py`: one call of the application for each handshake that is one."""

import asyncio
import logging
from typing import Any
from weakref import WeakSet

from zerogate.link.link import Link
from zerogate.settings import WebSocketSettings
from zerogate.worker.asgi_types import Application, Scope
from zerogate.worker.tunnel import UpgradeCall
from zerogate.worker.websocket_connection import LEFT, WebSocket
from zerogate.worker.websocket_handshake import find_fault, websocket_scope

logger = logging.getLogger("zerogate.worker")


class WebSockets:
    """All of a host's."""

    def __init__(self, application: Application, settings: WebSocketSettings) -> None:
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.is_draining = False
        self._application = application
        self._open: set[WebSocket] = set()
        self._leaving: WeakSet[Link] = WeakSet()

    def begin(self, call: UpgradeCall, root_path: str, state: dict[str, Any]) -> None:
        """A client asks for a WebSocket."""
        fault = find_fault(call.fields, call.has_half_closed)
        if fault is not None:
            call.begin_reply(fault.block)
            call.send_body(fault.body, False)
            call.end()
            return
        scope = websocket_scope(call.fields, root_path, state)
        websocket = WebSocket(self, call)
        self._open.add(websocket)
        call.work = asyncio.Task(self._run(websocket, scope), loop=self.loop, name="websocket")

    def drain(self, link: Link | None = None) -> None:
        """The worker is leaving, or the router of this link is: each client is told, and finds another one."""
        if link is None:
            self.is_draining = True
        else:
            self._leaving.add(link)
        for websocket in list(self._open):
            if self.is_leaving(websocket.call.link):
                websocket.drain()

    def is_leaving(self, link: Link) -> bool:
        return self.is_draining or link in self._leaving

    async def _run(self, websocket: WebSocket, scope: Scope) -> None:
        """Call the application and see the connection through, whatever it does."""
        call = websocket.call
        try:
            if not call.is_gone:
                await self._application(scope, websocket.receive, websocket.send)
            websocket.finish()
            await websocket.see_off()
        except asyncio.CancelledError:
            websocket.fail()
        except (Exception, SystemExit):
            if websocket.state == LEFT:
                # Whatever an application makes of ClientDisconnected or websocket.disconnect: it is no failure.
                logger.debug("%s ended after its client had left", call.label, exc_info=True)
            else:
                logger.exception("%s failed", call.label)
                websocket.fail()
            await websocket.see_off()
        finally:
            self._open.discard(websocket)
            websocket.end()
