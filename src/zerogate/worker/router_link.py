"""A link to one router, from the worker's side: joining, requests, leaving."""

import logging
from typing import TYPE_CHECKING

import zerogate
from zerogate.errors import UsageError
from zerogate.link.dial import Dialler
from zerogate.link.handlers import Fields, StreamHandler
from zerogate.link.link import Link
from zerogate.settings import WorkerSettings
from zerogate.wire.spdy.headers import encode_block

if TYPE_CHECKING:
    from zerogate.worker.service import WorkerService

logger = logging.getLogger("zerogate.worker")


class RouterLink:
    """The owner of one link."""

    def __init__(self, service: "WorkerService", dialler: Dialler) -> None:
        self._service = service
        self._dialler = dialler
        self._joined_at: float | None = None
        self._is_leaving = False
        self.name = dialler.endpoint.text
        self.on_stream = service.serve  # requests are the service's matter

    def __repr__(self) -> str:
        state = "leaving" if self._is_leaving else "opening" if self._joined_at is None else "joined"
        return f"<RouterLink {self.name} {state}>"

    def on_connected(self, link: Link) -> None:
        self._service.add(self, link)

    def on_ready(self, link: Link) -> None:
        link.open_stream(join_block(self._service.settings), True, _JoinReply(self, link))

    def on_joined(self, link: Link, fields: Fields) -> None:
        """The router has answered our JOIN."""
        if not fields.get(b":status", b"").startswith(b"200"):
            reason = fields.get(b"reason", b"it gave no reason").decode("latin-1")
            logger.error("router at %s refused this worker: %s", self.name, reason)
            link.close("refused")
            return
        settings = self._service.settings
        self._joined_at = self._service.loop.time()
        self.name = fields.get(b"router", self.name.encode()).decode("latin-1")
        logger.info("%s joined router %s: serves %s", settings.name, self.name, ", ".join(settings.route))
        self._service.has_joined(link)
        for text in fields.get(b"routers", b"").decode("latin-1").split("\0"):
            if text:
                self._dial_as_well(text)

    def on_settings(self, link: Link, max_concurrent: int) -> None:
        """How many streams the router takes: we open one."""

    def on_goaway(self, link: Link, last_stream_id: int) -> None:
        """The router is stopping, or has run out of stream ids: dial anew, beside this link, which goes on."""
        if not self._is_leaving:
            self._is_leaving = True
            self._service.will_leave(link)
            logger.info("router %s is leaving", self.name)
            self._dialler.dial_again(float("inf"))

    def on_suspect(self, link: Link, is_suspect: bool) -> None:
        logger.warning("router %s %s", self.name, "is silent" if is_suspect else "has spoken again")

    def on_closed(self, link: Link, reason: str) -> None:
        self._service.remove(link)
        if self._is_leaving or self._service.is_stopping:
            return
        lasted_s = 0.0
        if self._joined_at is not None:
            lasted_s = self._service.loop.time() - self._joined_at
            logger.warning("link to router %s ended: %s", self.name, reason)
        self._dialler.dial_again(lasted_s)

    def _dial_as_well(self, text: str) -> None:
        try:
            self._service.dial(text)
        except UsageError as error:
            logger.error("router %s names an endpoint that cannot be dialled: %s", self.name, error.reason)


class _JoinReply(StreamHandler):
    """The handler of a JOIN's stream."""

    def __init__(self, owner: RouterLink, link: Link) -> None:
        self._owner = owner
        self._link = link

    def on_reply(self, fields: Fields, fin: bool) -> None:
        self._owner.on_joined(self._link, fields)

    def on_headers(self, fields: Fields, fin: bool) -> None:
        """Nothing is said beyond the reply."""

    def on_data(self, data: bytes, fin: bool) -> None:
        """A reply to JOIN has no body; one is ignored."""

    def on_writable(self) -> None:
        """Nothing is sent."""

    def on_reset(self, status: int) -> None:
        self._link.close(f"JOIN was reset with status {status}")

    def on_lost(self, reason: str) -> None:
        """The owner hears of it."""


def join_block(settings: WorkerSettings) -> bytes:
    """The name/value block of a JOIN (protocol.md, Joining)."""
    fields = {
        b":method": b"JOIN",
        b":path": b"/",
        b":version": b"HTTP/1.1",
        b":host": b"",
        b":scheme": b"zmq",
        b"worker": settings.name.encode("utf-8", "replace"),
        b"route": "\0".join(settings.route).encode("utf-8", "replace"),
        b"weight": str(settings.weight).encode(),
        b"software": f"zerogate/{zerogate.__version__}".encode(),
    }
    return encode_block(fields)
