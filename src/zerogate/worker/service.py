"""The worker: dials every router, joins, runs the application for each stream, and leaves in good order."""

import asyncio
import logging

from zerogate.link.dial import Dialler
from zerogate.link.endpoint import parse_endpoint
from zerogate.link.handlers import Fields
from zerogate.link.link import Link
from zerogate.settings import WorkerSettings
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.streams import Stream
from zerogate.worker.asgi import AsgiCall
from zerogate.worker.asgi_types import Application
from zerogate.worker.capacity import CapacityShare
from zerogate.worker.lifespan import Lifespan
from zerogate.worker.router_link import RouterLink
from zerogate.worker.scope import http_scope

logger = logging.getLogger("zerogate.worker")

# How often capacity is shared out anew among several routers.
SHARE_EVERY_S = 0.1
STOP_POLL_S = 0.02
# For routers to receive the last of it, and to close their links.
CLOSE_TIMEOUT_S = 2.0

BAD_REQUEST_BLOCK = encode_block({b":status": b"400", b":version": b"HTTP/1.1", b"content-length": b"0"})


class WorkerService:
    """`start`, then `stop`. Runs in the running event loop."""

    def __init__(self, settings: WorkerSettings, application: Application) -> None:
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.calls: set[AsgiCall] = set()
        self.is_stopping = False
        self._application = application
        self._lifespan = Lifespan(application, settings.lifespan)
        self._capacity = CapacityShare(settings.concurrency)
        self._routers: dict[Link, RouterLink] = {}
        self._diallers: dict[str, Dialler] = {}
        self._share_timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Start the application, then dial. Raises UsageError for a bad endpoint, StartError if the lifespan fails."""
        endpoints = [parse_endpoint(text) for text in self.settings.connect]
        await self._lifespan.startup()
        for endpoint in endpoints:
            self.dial(endpoint.text)

    async def stop(self) -> None:
        """Take nothing new, finish what is in flight within `grace`, shut the application down."""
        self.is_stopping = True
        for dialler in self._diallers.values():
            dialler.stop()
        for link in list(self._routers):
            link.goaway()
        give_up = self.loop.time() + self.settings.grace
        while (self.calls or self._has_streams()) and self.loop.time() < give_up:
            await asyncio.sleep(STOP_POLL_S)
        for call in list(self.calls):
            if call.task is not None:
                call.task.cancel()
        # A close with something unread is a reset, and that takes away what the router has not received yet. So the
        # routers close, when they have got everything.
        close_at = min(give_up, self.loop.time() + CLOSE_TIMEOUT_S)
        while self._routers and self.loop.time() < close_at:
            await asyncio.sleep(STOP_POLL_S)
        for link in list(self._routers):
            link.close("the worker stops")
        while self._routers and self.loop.time() < give_up + 1.0:
            await asyncio.sleep(STOP_POLL_S)
        await self._lifespan.shutdown()

    # For calls

    def release(self, link: Link) -> None:
        """One of the link's exchanges is over."""
        next_in_turn = self._capacity.release(link)
        if next_in_turn is not None and not next_in_turn.is_closed:
            # Whom we refused comes again when it hears of room.
            next_in_turn.set_max_concurrent(self._capacity.granted(next_in_turn))

    def cancel_later(self, task: "asyncio.Task[None]") -> asyncio.TimerHandle:
        return self.loop.call_later(self.settings.cancel_after, task.cancel)

    # For links

    def add(self, router: RouterLink, link: Link) -> None:
        """A link is up."""
        self._routers[link] = router
        self._capacity.add(link)

    def has_joined(self, link: Link) -> None:
        """The link's router has taken us: it gets its share at once."""
        if len(self._routers) > 1:
            self._share()

    def will_leave(self, link: Link) -> None:
        """The link's router will send nothing new: its share is for the others."""
        self._capacity.leave(link)

    def remove(self, link: Link) -> None:
        """A link is gone, with what it had in flight."""
        self._routers.pop(link, None)
        self._capacity.remove(link)

    def serve(self, link: Link, stream: Stream, fields: Fields, fin: bool) -> None:
        """A router has sent a request: call the application, or refuse it."""
        if self.is_stopping or not self._capacity.take(link):
            link.reset(stream, RstStatus.REFUSED_STREAM)
            return
        try:
            scope = http_scope(fields, self.settings.root_path)
        except KeyError:
            self.release(link)
            link.send_reply(stream, BAD_REQUEST_BLOCK, True)
            return
        if self._lifespan.state:
            scope["state"] = self._lifespan.state.copy()
        call = AsgiCall(self, link, stream, scope, fields, fin)
        stream.handler = call
        self.calls.add(call)
        # What: not loop.create_task. Why, benchmark: that makes up a name for each task, 0.85 µs instead of 1.0.
        call.task = asyncio.Task(call.run(self._application), loop=self.loop, name="request")

    def dial(self, text: str) -> None:
        """Keep a link to this endpoint, if there is none yet. Raises UsageError."""
        if text in self._diallers:
            return
        settings = self.settings
        dialler = Dialler(
            parse_endpoint(text), self._make_link, redial_min=settings.redial_min, redial_max=settings.redial_max
        )
        self._diallers[text] = dialler
        dialler.start()

    # Inside

    def _make_link(self, dialler: Dialler) -> Link:
        owner = RouterLink(self, dialler)
        return Link(owner, self.settings, is_router=False, max_concurrent=self._first_grant())

    def _first_grant(self) -> int:
        """What a new router may send until capacity is shared out: all of it if it is the only one."""
        return self.settings.concurrency if not self._routers else 1

    def _share(self) -> None:
        """Share capacity out among the routers, again and again while there are several."""
        if self._share_timer is not None:
            self._share_timer.cancel()
            self._share_timer = None
        for link, grant in self._capacity.share().items():
            if link.is_ready and not link.is_closed:
                link.set_max_concurrent(grant)
        if len(self._routers) > 1:
            self._share_timer = self.loop.call_later(SHARE_EVERY_S, self._share)

    def _has_streams(self) -> bool:
        return any(not link.is_closed and link.session.streams for link in self._routers)
