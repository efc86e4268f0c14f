"""The application's lifespan: start-up before the first request, shutdown after the last (ASGI Lifespan 2.0)."""

import asyncio
import logging
from typing import Any

from zerogate.errors import StartError
from zerogate.worker.asgi_types import ASGI_VERSION, Application, Message

logger = logging.getLogger("zerogate.worker")


class Lifespan:
    """Runs the application's lifespan call. `mode` is `auto` (unsupported is fine), `on` or `off`."""

    def __init__(self, application: Application, mode: str) -> None:
        self._application = application
        self._mode = mode
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._answered = asyncio.Event()
        self._answer: Message = {}
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] = {}

    async def startup(self) -> None:
        """Raises StartError if the application says that it cannot start."""
        if self._mode == "off":
            return
        self._task = asyncio.create_task(self._run(), name="lifespan")
        answer = await self._ask("startup")
        if answer.get("type") == "lifespan.startup.failed":
            raise StartError(f"the application could not start: {answer.get('message') or 'it gave no reason'}")
        if self._task.done() and (error := self._task.exception()) is not None:
            if self._mode == "on":
                raise StartError(f"the application's lifespan failed: {error!r}")
            logger.debug("the application has no lifespan: %r", error)

    async def shutdown(self) -> None:
        if self._task is None or self._task.done():
            return
        answer = await self._ask("shutdown")
        if answer.get("type") == "lifespan.shutdown.failed":
            logger.error("the application could not shut down: %s", answer.get("message", ""))
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _ask(self, event: str) -> Message:
        """Tell the application, and wait until it has answered or its call has ended."""
        assert self._task is not None
        self._answer = {}
        self._answered.clear()
        self._messages.put_nowait({"type": f"lifespan.{event}"})
        answered = asyncio.create_task(self._answered.wait())
        await asyncio.wait((answered, self._task), return_when=asyncio.FIRST_COMPLETED)
        answered.cancel()
        if self._task.done() and event == "shutdown" and (error := self._task.exception()) is not None:
            logger.error("the application's shutdown failed", exc_info=error)
        return self._answer

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": ASGI_VERSION, "state": self.state}
        await self._application(scope, self._messages.get, self._send)

    async def _send(self, message: Message) -> None:
        self._answer = message
        self._answered.set()
