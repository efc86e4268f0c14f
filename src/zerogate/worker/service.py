"""The worker: dials every router, joins, runs the application for each stream, and leaves in good order."""

import asyncio
import logging
from dataclasses import dataclass

import zerogate
from zerogate.link.dial import Dialler
from zerogate.link.endpoint import parse_endpoint
from zerogate.link.link import Fields, Link
from zerogate.settings import WorkerSettings
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.streams import Stream
from zerogate.worker.asgi import Application, AsgiCall, http_scope
from zerogate.worker.capacity import CapacityShare
from zerogate.worker.lifespan import Lifespan

logger = logging.getLogger("zerogate.worker")

# How often capacity is shared out anew among several routers.
SHARE_EVERY_S = 0.1
STOP_POLL_S = 0.02

BAD_REQUEST_BLOCK = encode_block({b":status": b"400", b":version": b"HTTP/1.1", b"content-length": b"0"})


@dataclass(slots=True)
class _Router:
    """What the worker knows of a router, by its link."""

    dialler: Dialler
    ready_at: float = 0.0
    has_joined: bool = False
    is_leaving: bool = False
    name: str = ""


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
        self._routers: dict[Link, _Router] = {}
        self._diallers: dict[str, Dialler] = {}
        self._share_timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Start the application, then dial. Raises UsageError for a bad endpoint, StartError if the lifespan fails."""
        endpoints = [parse_endpoint(text) for text in self.settings.connect]
        await self._lifespan.startup()
        for endpoint in endpoints:
            self._dial(endpoint.text)

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
        for link in list(self._routers):
            link.close("the worker stops")
        while self._routers and self.loop.time() < give_up + 1.0:
            await asyncio.sleep(STOP_POLL_S)
        await self._lifespan.shutdown()

    # For calls

    def release(self, link: Link) -> None:
        """One of the link's exchanges is over."""
        self._capacity.release(link)

    def forget(self, call: AsgiCall) -> None:
        """The application has returned from the call."""
        self.calls.discard(call)

    def cancel_later(self, task: "asyncio.Task[None]") -> asyncio.TimerHandle:
        return self.loop.call_later(self.settings.cancel_after, task.cancel)

    # Links (LinkOwner)

    def on_ready(self, link: Link) -> None:
        settings = self.settings
        self._routers[link].ready_at = self.loop.time()
        fields = {
            b":method": b"JOIN",
            b":path": b"/",
            b":version": b"HTTP/1.1",
            b":host": b"",
            b":scheme": b"zmq",
            b"worker": settings.name.encode(),
            b"route": "\0".join(settings.route).encode(),
            b"weight": str(settings.weight).encode(),
            b"software": f"zerogate/{zerogate.__version__}".encode(),
        }
        link.open_stream(encode_block(fields), True, _JoinReply(self, link))

    def on_stream(self, link: Link, stream: Stream, fields: Fields, fin: bool) -> None:
        if self.is_stopping or not self._capacity.take(link):
            link.reset(stream, RstStatus.REFUSED_STREAM)
            return
        try:
            scope = http_scope(fields, self.settings.root_path)
        except KeyError:
            self._capacity.release(link)
            link.send_reply(stream, BAD_REQUEST_BLOCK, True)
            return
        if self._lifespan.state:
            scope["state"] = self._lifespan.state.copy()
        call = AsgiCall(self, link, stream, scope, fields, fin)
        stream.handler = call
        self.calls.add(call)
        call.task = self.loop.create_task(call.run(self._application))

    def on_settings(self, link: Link, max_concurrent: int) -> None:
        pass

    def on_goaway(self, link: Link, last_stream_id: int) -> None:
        """The router is stopping, or has run out of stream ids: dial anew, beside this link, which goes on."""
        router = self._routers[link]
        if not router.is_leaving:
            router.is_leaving = True
            logger.info("router %s is leaving", router.name or link.peer)
            router.dialler.dial_again(float("inf"))

    def on_suspect(self, link: Link, is_suspect: bool) -> None:
        if is_suspect:
            logger.warning("router %s is silent", self._routers[link].name or link.peer)

    def on_closed(self, link: Link, reason: str) -> None:
        router = self._routers.pop(link)
        self._capacity.remove(link)
        if not router.is_leaving and not self.is_stopping:
            if router.has_joined:
                logger.warning("link to router %s ended: %s", router.name, reason)
            lasted = self.loop.time() - router.ready_at if router.has_joined else 0.0
            router.dialler.dial_again(lasted)

    # Joining

    def on_joined(self, link: Link, fields: Fields) -> None:
        """A router has answered a JOIN."""
        router = self._routers.get(link)
        if router is None:
            return
        if not fields.get(b":status", b"").startswith(b"200"):
            reason = fields.get(b"reason", b"it gave no reason").decode("latin-1")
            logger.error("router at %s refused this worker: %s", router.dialler.endpoint.text, reason)
            link.close("refused")
            return
        router.has_joined = True
        router.name = fields.get(b"router", b"").decode("latin-1") or link.peer
        routes = ", ".join(self.settings.route)
        logger.info("%s joined router %s: serves %s", self.settings.name, router.name, routes)
        for text in fields.get(b"routers", b"").decode("latin-1").split("\0"):
            if text and text not in self._diallers:
                logger.info("router %s says to dial %s as well", router.name, text)
                self._dial(text)

    # Inside

    def _dial(self, text: str) -> None:
        settings = self.settings
        dialler = Dialler(
            parse_endpoint(text), self._make_link, redial_min=settings.redial_min, redial_max=settings.redial_max
        )
        self._diallers[text] = dialler
        dialler.start()

    def _make_link(self, dialler: Dialler) -> Link:
        link = Link(self, self.settings, is_router=False, max_concurrent=self._first_grant())
        self._routers[link] = _Router(dialler)
        self._capacity.add(link)
        if len(self._routers) > 1 and self._share_timer is None:
            self._share_timer = self.loop.call_later(SHARE_EVERY_S, self._share)
        return link

    def _first_grant(self) -> int:
        """What a new router may send until capacity is shared out: all of it if it is the only one."""
        return self.settings.concurrency if not self._routers else 1

    def _share(self) -> None:
        self._share_timer = None
        for link, grant in self._capacity.share().items():
            if link.is_ready and not link.is_closed:
                link.set_max_concurrent(grant)
        if len(self._routers) > 1:
            self._share_timer = self.loop.call_later(SHARE_EVERY_S, self._share)

    def _has_streams(self) -> bool:
        return any(not link.is_closed and link.session.streams for link in self._routers)


class _JoinReply:
    """The handler of a JOIN's stream."""

    def __init__(self, service: WorkerService, link: Link) -> None:
        self._service = service
        self._link = link

    def on_reply(self, fields: Fields, fin: bool) -> None:
        self._service.on_joined(self._link, fields)

    def on_headers(self, fields: Fields, fin: bool) -> None:
        pass

    def on_data(self, data: bytes, fin: bool) -> None:
        self._link.abort("DATA on a JOIN's stream")

    def on_writable(self) -> None:
        pass

    def on_reset(self, status: int) -> None:
        self._link.close(f"JOIN was reset ({status})")

    def on_lost(self, reason: str) -> None:
        pass
