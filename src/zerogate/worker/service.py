"""The worker: joins every router, hands each request to the host of its application, and leaves in good order."""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any

from zerogate.condition import Condition
from zerogate.link.link import Link
from zerogate.link.sparse_log import SparseLog
from zerogate.settings import WorkerSettings
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.streams import Stream
from zerogate.worker.call import Call, CallOwner, CarefulCall
from zerogate.worker.discovery import Discovery
from zerogate.worker.host import Host
from zerogate.worker.limits import Limits
from zerogate.worker.printable import printable
from zerogate.worker.reply_block import reply_block
from zerogate.worker.request_block import RequestFields
from zerogate.worker.routers import Routers
from zerogate.worker.tunnel import UpgradeCall

logger = logging.getLogger("zerogate.worker")

STOP_POLL_S = 0.02
# When the grace is over: for work that is cancelled to come to its end, and say so.
CANCEL_TIMEOUT_S = 1.0
# For routers to receive the last of it, and to close their links.
CLOSE_TIMEOUT_S = 2.0
# For the application to shut down, beyond what is left of the grace.
SHUTDOWN_TIMEOUT_S = 5.0

NO_UPGRADE_BODY = b"501: the application does not speak this protocol\n"
NO_UPGRADE_BLOCK = reply_block(
    501, [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(NO_UPGRADE_BODY))]
)
BAD_REQUEST_BLOCK = encode_block({b":status": b"400", b":version": b"HTTP/1.1", b"content-length": b"0"})


class Apart(CallOwner):
    """Owns the calls of a worker that are no requests any more."""

    def __init__(self, worker: "Worker") -> None:
        self.loop = worker.loop
        self.cancel_after = worker.cancel_after
        self.calls = worker.calls
        self._routers = worker.routers

    def free_slot(self, link: Link) -> None:
        self._routers.free_apart(link)

    def set_apart(self, link: Link) -> CallOwner:
        return self


class Worker:
    """`start`, then `stop`. Runs in the running event loop, and owns its calls (CallOwner).

    on_joined, on_parted: are called whenever a router has taken it, and when none has it any more
    on_worn: is called with the reason when it should be replaced, and has to be: it goes on as ever
    """

    def __init__(
        self,
        settings: WorkerSettings,
        host: Host,
        *,
        on_joined: Callable[[], None] = lambda: None,
        on_parted: Callable[[], None] = lambda: None,
        on_worn: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.cancel_after = settings.cancel_after
        self.calls: set[CarefulCall] = set()
        self._limits = Limits(settings, on_worn)
        self.routers = Routers(settings, self._limits.counted(self.serve), on_joined, host.drain, on_parted)
        self.free_slot = self.routers.free_slot
        self._apart = Apart(self)
        self._take_slot = self.routers.capacity.take_slot
        self._host = host
        self._upgrades = host.upgrades
        self._refused_upgrades = SparseLog(logger, "requests for it")
        self._is_over = False
        self._is_hurried = False
        self._discovery = Discovery(settings, self.routers.name) if settings.discover else None

    async def start(self) -> None:
        """Start the application, then dial. Raises UsageError for a bad endpoint, StartError if the host fails."""
        await self._host.start()
        try:
            self._begin()
        except BaseException:
            await self.stop(0.0)
            raise

    async def stop(self, grace: float | None = None) -> None:
        """Have routers send nothing new, finish what they have sent within `grace`, shut the application down.

        `grace`: seconds; without it that of the settings
        """
        self._limits.stop()
        routers = self.routers
        routers.leave()
        self._host.drain()
        now = self.loop.time()
        give_up = now + (self.settings.grace if grace is None else grace)
        if self.settings.reload:
            # Event streams may never end, and somebody waits for what takes our place.
            reloaded_at = min(give_up, now + self.settings.reload_grace)
            await self._wait(lambda: self._is_hurried or self._is_done(), reloaded_at)
            self._cancel([call for call in self.calls if call.is_of(self._apart)])
        is_done = await self._finish(give_up)
        self._is_over = True
        if not is_done:
            self._cancel(list(self.calls))
            await self._wait(lambda: not self.calls, self.loop.time() + CANCEL_TIMEOUT_S)
            await self._wait(lambda: routers.are_gone, self.loop.time() + CLOSE_TIMEOUT_S)
        routers.close("the worker stops")
        await self._wait(lambda: routers.are_gone, self.loop.time() + CLOSE_TIMEOUT_S)
        if self._discovery is not None:
            await self._discovery.stop()
        self._refused_upgrades.close()
        left = 0.0 if self._is_hurried else max(0.0, give_up - self.loop.time())
        await self._stop_host(left + SHUTDOWN_TIMEOUT_S)

    def hurry(self) -> None:
        """Have `stop` wait no longer for what is in flight."""
        self._is_hurried = True

    async def ready(self) -> None:
        """Wait until a router sends requests."""
        await self.routers.joined.wait()

    def conditions(self) -> list[Condition]:
        is_well, words = self.routers.condition()
        if self.routers.is_leaving:
            is_well, words = False, "is stopping"
        return [Condition("worker", self.settings.name, is_well, words)]

    def requests(self, task: "asyncio.Task[Any] | None") -> tuple[list[str], list[str]]:
        holding: list[str] = []
        waiting: list[str] = []
        for call in self.calls.copy():
            # As the router's access log has it.
            request_id = printable(call.fields.get(b"x-request-id", b"-"))
            (holding if task is not None and call.work is task else waiting).append(f"{call.label} ({request_id})")
        return holding, waiting

    def serve(self, link: Link, stream: Stream, fields: RequestFields, fin: bool) -> None:
        """A router has sent a request: the host begins with it, or it is refused."""
        if self._is_over or not self._take_slot(link):
            link.reset(stream, RstStatus.REFUSED_STREAM)
            return
        if b"upgrade" in fields:
            self._serve_upgrade(UpgradeCall(self, link, stream, fields, fin))
            return
        call = Call(self, link, stream, fields, fin)
        try:
            self._host.begin(call)
        except Exception as error:
            self._refuse(call, error)

    def set_apart(self, link: Link) -> CallOwner:
        return self._apart if self.routers.set_apart(link) else self

    # Inside

    def _begin(self) -> None:
        self._limits.start()
        for endpoint in self.settings.connect:
            self.routers.dial(endpoint)
        self.routers.recall()
        if self._discovery is not None:
            self._discovery.start()

    async def _finish(self, give_up: float) -> bool:
        """Until all is done, and the routers have closed their links. Returns whether it is done by then.

        They close when they have got everything: a close of ours with something unread is a reset, and that takes away
        what a router has not received yet. And until they do, something may be under way that was sent before they
        heard of our leaving. Who does not close is waited for no longer than CLOSE_TIMEOUT_S.
        """
        done_at = math.inf
        while not (self._is_done() and self.routers.are_gone):
            now = self.loop.time()
            done_at = min(done_at, now) if self._is_done() else math.inf
            if now - done_at >= CLOSE_TIMEOUT_S:
                break
            if done_at == math.inf and (self._is_hurried or now >= give_up):
                return False
            await asyncio.sleep(STOP_POLL_S)
        return True

    def _is_done(self) -> bool:
        return not self.calls and not self.routers.have_streams

    def _cancel(self, calls: list[CarefulCall]) -> None:
        for call in calls:
            if call.work is not None:
                call.work.cancel()

    def _serve_upgrade(self, call: UpgradeCall) -> None:
        if call.fields[b"upgrade"].lower() not in self._upgrades:
            self._refuse_upgrade(call)
            return
        try:
            self._host.upgrade(call)
        except Exception as error:
            self._refuse(call, error)

    def _refuse_upgrade(self, call: Call) -> None:
        """RFC 9110, 7.8 would have it ignored; but who asks to switch has no use for a page instead."""
        protocol = printable(call.fields[b"upgrade"])
        self._refused_upgrades.warning("%s asks for %s, which the application does not speak", call.label, protocol)
        call.begin_reply(NO_UPGRADE_BLOCK)
        call.send_body(NO_UPGRADE_BODY, False)
        call.end()

    def _refuse(self, call: Call, error: Exception) -> None:
        """It could not be begun: that costs it, and not the link."""
        if b":method" in call.fields and b":path" in call.fields:
            logger.error("%s could not be begun", call.label, exc_info=error)
            call.break_off()
        else:
            call.begin_reply(BAD_REQUEST_BLOCK)
            call.send_body(b"", False)
        call.end()

    async def _wait(self, is_done: Callable[[], bool], until: float) -> None:
        while not is_done() and self.loop.time() < until:
            await asyncio.sleep(STOP_POLL_S)

    async def _stop_host(self, seconds: float) -> None:
        stopping = asyncio.ensure_future(self._host.stop())
        try:
            # What: not asyncio.timeout. Why: that waits on for who does not heed it.
            await asyncio.wait((stopping,), timeout=seconds)
            if not stopping.done():
                logger.error("the application did not shut down within %.1f s: it is left behind", seconds)
            elif (error := stopping.exception()) is not None:
                logger.error("the application's shutdown failed", exc_info=error)
        finally:
            stopping.cancel()
