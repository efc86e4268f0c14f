"""A worker's link to one router: it joins, hands requests on, says what becomes of it, and has it dialled again."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from zerogate.link.causes import likely
from zerogate.link.handlers import Fields
from zerogate.link.link import Link
from zerogate.settings import WorkerSettings
from zerogate.settings.endpoint import Endpoint
from zerogate.wire.http.join import PULSE, JoinReply, parse_join_reply
from zerogate.wire.spdy.streams import Stream
from zerogate.worker.claims import Claims
from zerogate.worker.joining import JoinHandler, join_block, join_of
from zerogate.worker.printable import printable
from zerogate.worker.pulses import Pulses
from zerogate.worker.request_block import RequestFields
from zerogate.worker.targets import Target, at_address, is_name

logger = logging.getLogger("zerogate.worker")

Serve = Callable[[Link, Stream, RequestFields, bool], None]

# Who sends us away with so few numbers of streams left wants another link, and goes on itself. It asks for one in time.
MAX_IDS_LEFT = 1000


class RouterLinkOwner(Protocol):
    """Who has the links to all routers of a worker, and what is for all of them.

    id: the worker process's own
    is_leaving: whether no router shall send anything new
    serve, on_joined, on_leaving: are called for each stream of a router's, each join, and each link of a router that
        is about to end
    """

    settings: WorkerSettings
    loop: asyncio.AbstractEventLoop
    id: str
    is_leaving: bool
    claims: Claims
    pulses: Pulses
    serve: Serve
    on_joined: Callable[[], None]
    on_leaving: Callable[[Link], None]

    def add(self, router: "RouterLink", link: Link) -> None:
        """There is a connection, though nobody has said a word on it."""

    def give_share(self, link: Link) -> None:
        """The link's router is about to take us: its share is told before it can send anything."""

    def withdraw_share(self, link: Link) -> None:
        """The link's router will send nothing new: its share is for the others."""

    def remove(self, link: Link) -> None:
        """A link is gone. The work for its requests may go on."""

    def drop(self, target: Target) -> None:
        """Dial it no more: whom it meant is gone, and who answers there is known."""

    def dial_others(self, target: Target, reply: JoinReply) -> None:
        """Keep links to whom a router names: other routers, and other processes at the same endpoint."""

    def note_joined(self) -> None:
        """A router has taken us, or one is gone."""


class RouterLink:
    """The owner of a link to one router: joining, requests, leaving."""

    def __init__(self, routers: RouterLinkOwner, target: Target) -> None:
        self._routers = routers
        self._target = target
        self._reply: JoinReply | None = None
        self._joined_at: float | None = None
        self._is_leaving = False
        self._is_second = False
        self._refusal = ""
        self._stop_timer: Callable[[], None] = lambda: None
        self.name = target.endpoint.text
        self.on_stream = routers.serve  # requests are not our matter

    def __repr__(self) -> str:
        state = "leaving" if self._is_leaving else "opening" if self._joined_at is None else "joined"
        return f"<RouterLink {self.name} {state}>"

    @property
    def has_joined(self) -> bool:
        """Whether its router sends us requests."""
        return self._joined_at is not None and not self._is_leaving and not self._is_second

    def on_connected(self, link: Link) -> None:
        self._routers.add(self, link)

    def on_ready(self, link: Link) -> None:
        if link.peer_id and not self._claim(link, link.peer_id):
            return
        self._routers.give_share(link)
        link.open_stream(join_block(self._routers.settings, self._routers.id), True, JoinHandler(link, self.on_joined))
        seconds = self._routers.settings.handshake_timeout
        words = f"JOIN was not answered within {seconds:g} s"
        self._stop_timer = self._routers.loop.call_later(seconds, link.fail, words).cancel

    def on_joined(self, link: Link, fields: Fields) -> None:
        """The router has answered our JOIN."""
        self._stop_timer()
        reply = parse_join_reply(fields)
        if not reply.is_accepted:
            reason = printable(reply.reason.encode("latin-1")) or "it gave no reason"
            self._refusal = f"refused this worker: {likely(reason)}"
            link.close("refused")
            return
        if reply.id and not self._claim(link, reply.id):
            return
        self._reply = reply
        self._target.dialler.trouble.end()
        self._joined_at = self._routers.loop.time()
        self._routers.note_joined()
        self.name = printable(reply.router.encode("latin-1")) or self.name
        settings = self._routers.settings
        logger.info("%s joined router %s: serves %s", settings.name, self.name, ", ".join(settings.route))
        unheard = [name for name in join_of(settings).wants if name not in reply.accepts]
        if unheard:
            logger.warning("router %s does not know %s: its own counts", self.name, ", ".join(unheard))
        link.accepts = frozenset(reply.accepts)
        if PULSE in reply.accepts:
            self._routers.pulses.add(link, self._reached(link), reply.id)
        self._routers.on_joined()
        self.name_others()

    def name_others(self) -> None:
        """What the router has said when we joined holds for as long as its link."""
        if self._reply is not None and not self._is_leaving:
            self._target.named_at = self._routers.loop.time()
            self._routers.dial_others(self._target, self._reply)

    def on_settings(self, link: Link, max_concurrent: int) -> None:
        """How many streams the router takes: we open one."""

    def on_goaway(self, link: Link, last_stream_id: int) -> None:
        """The router is stopping, or has run out of stream ids: dial anew, beside this link, which goes on."""
        if not self._is_leaving:
            self._is_leaving = True
            self._part(link)
            self._routers.withdraw_share(link)
            if link.session.peer_ids_left > MAX_IDS_LEFT:
                self._routers.on_leaving(link)
            # A turn later: what our parent has said before, that it stops us all, may not have been read yet.
            self._routers.loop.call_soon(logger.info, "router %s is leaving", self.name)
            if self._joined_at is None:
                self._target.dialler.dial_later()
            else:
                self._target.dialler.dial_again(float("inf"))

    def on_suspect(self, link: Link, is_suspect: bool) -> None:
        logger.warning("router %s %s", self.name, "is silent" if is_suspect else "has spoken again")

    def on_closed(self, link: Link, reason: str) -> None:
        self._stop_timer()
        self._routers.remove(link)
        self._part(link)
        if self._is_second:
            return
        if self._is_leaving or self._routers.is_leaving:
            logger.info("link to router %s ended: %s", self.name, reason)
            return
        now = self._routers.loop.time()
        if self._joined_at is None:
            self._note_trouble(link, reason, now)
            self._target.dialler.dial_later()
            return
        logger.warning("link to router %s ended: %s", self.name, reason)
        self._target.dialler.dial_again(now - self._joined_at)

    def _note_trouble(self, link: Link, reason: str, now: float) -> None:
        """Why it came to nothing. One that is about to stop closes new connections, too: that is news if again."""
        words = self._refusal or likely(reason)
        message = f"router at {self.name} {words}" if self._refusal else f"link to router {self.name} ended: {words}"
        is_sure = bool(self._refusal) or link.has_failed or bool(self._target.dialler.trouble.words)
        level = logging.ERROR if self._refusal else logging.WARNING
        self._target.dialler.trouble.note(words, now, message, level, is_sure=is_sure)

    def _claim(self, link: Link, router_id: str) -> bool:
        """Have this router process. False if another link has it: then this one ends, before or after it has joined."""
        routers, target = self._routers, self._target
        if routers.claims.claim(router_id, link):
            target.link = link
            target.wish = router_id
            return True
        logger.debug("%s leads to a router that has a link already", self.name)
        self._is_second = True
        target.dialler.trouble.end()
        if target.is_given or target.wish in ("", router_id):
            routers.claims.wait(router_id, target.dialler)
        else:
            routers.drop(target)
        link.goaway()
        link.close("there is another one")
        return False

    def _part(self, link: Link) -> None:
        self._routers.claims.free(link)
        self._routers.note_joined()
        if self._target.link is link:
            self._target.link = None

    def _reached(self, link: Link) -> Endpoint:
        """Where the link goes: of a name, the one address."""
        endpoint = self._target.endpoint
        return at_address(endpoint, link.peer.rpartition(":")[0]) if is_name(endpoint) else endpoint
