"""The application's lifespan: start-up before the first request, shutdown after the last (ASGI Lifespan 2.0)."""

import asyncio
import logging
from typing import Any

from zerogate.errors import StartError
from zerogate.worker.asgi_types import Application, Message
from zerogate.worker.errors import ApplicationError

logger = logging.getLogger("zerogate.worker")

LIFESPAN_VERSION = {"version": "3.0", "spec_version": "2.0"}
ANSWERS = frozenset(f"lifespan.{event}.{end}" for event in ("startup", "shutdown") for end in ("complete", "failed"))

# For what an application does when its lifespan call is cancelled.
END_TIMEOUT_S = 1.0


class Lifespan:
    """Runs the application's lifespan call. `mode` is `auto` (unsupported is fine), `on` or `off`.

    state: what the application keeps there, once it has started; empty if it has no lifespan
    """

    def __init__(self, application: Application, mode: str) -> None:
        self._application = application
        self._mode = mode
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._answered = asyncio.Event()
        self._answer: Message = {}
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._has_started = False
        self.state: dict[str, Any] = {}

    async def startup(self) -> None:
        """Raises StartError if the application says that it cannot start. May be cancelled."""
        if self._mode == "off":
            return
        self._task = asyncio.create_task(self._run(), name="lifespan")
        try:
            answer = await self._ask("startup")
            if answer.get("type") == "lifespan.startup.failed":
                raise StartError(f"the application could not start: {_reason(answer)}")
            if self._error is not None:
                if self._mode == "on":
                    raise StartError(f"the application's lifespan failed: {self._error!r}")
                logger.debug("the application has no lifespan: %r", self._error)
            self._has_started = answer.get("type") == "lifespan.startup.complete"
        finally:
            if not self._has_started:
                self.state = {}
                await self._end()

    async def shutdown(self) -> None:
        """Let the application shut down. Takes as long as that does: may be cancelled."""
        if not self._has_started or self._task is None:
            return
        if self._task.done():
            if self._error is not None:
                logger.error("the application's lifespan failed before its shutdown", exc_info=self._error)
            return
        try:
            answer = await self._ask("shutdown")
            if answer.get("type") == "lifespan.shutdown.failed":
                logger.error("the application could not shut down: %s", _reason(answer))
            elif self._error is not None:
                logger.error("the application's shutdown failed", exc_info=self._error)
        finally:
            await self._end()

    async def _ask(self, event: str) -> Message:
        """Tell the application, and wait until it has answered or its call has ended."""
        assert self._task is not None
        self._answer = {}
        self._answered.clear()
        self._messages.put_nowait({"type": f"lifespan.{event}"})
        answered = asyncio.create_task(self._answered.wait())
        try:
            await asyncio.wait((answered, self._task), return_when=asyncio.FIRST_COMPLETED)
        finally:
            answered.cancel()
        return self._answer

    async def _end(self) -> None:
        """End the application's call, if it has not come to its end."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait((self._task,), timeout=END_TIMEOUT_S)

    async def _run(self) -> None:
        self.state = {}
        scope = {"type": "lifespan", "asgi": LIFESPAN_VERSION, "state": self.state}
        try:
            await self._application(scope, self._messages.get, self._send)
        except (Exception, SystemExit) as error:
            self._error = error

    async def _send(self, message: Message) -> None:
        if message["type"] not in ANSWERS:
            raise ApplicationError(f"unexpected message {message['type']!r}")
        self._answer = message
        self._answered.set()


def _reason(answer: Message) -> str:
    """Starlette's is a whole traceback, with a line's end at its end."""
    return str(answer.get("message", "")).strip() or "it gave no reason"
