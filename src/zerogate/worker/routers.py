"""The routers of a worker: dials them all, joins each, and keeps its one capacity honest across them."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable

from zerogate.errors import UsageError
from zerogate.link.causes import likely
from zerogate.link.dial import Dialler
from zerogate.link.handlers import Fields
from zerogate.link.link import Link
from zerogate.link.marks import mark_of
from zerogate.settings import WorkerSettings
from zerogate.settings.endpoint import Endpoint, parse_endpoint
from zerogate.wire.http.join import PULSE, JoinReply, parse_join_reply
from zerogate.wire.spdy.streams import Stream
from zerogate.worker.capacity import CapacityShare, Grants
from zerogate.worker.claims import Claims
from zerogate.worker.identity import Identity
from zerogate.worker.joining import JoinHandler, join_block, join_of
from zerogate.worker.printable import printable
from zerogate.worker.pulses import Pulses
from zerogate.worker.remembered import Remembered
from zerogate.worker.request_block import RequestFields, read_request_block
from zerogate.worker.targets import Target, Targets, addresses_of, at_address, is_name

logger = logging.getLogger("zerogate.worker")

# How often capacity is shared out anew among several routers.
SHARE_EVERY_S = 0.1
# How long tunnels that open and end are counted before a router is told: there is an allowance (link/allowance.py).
TELL_AFTER_S = 0.005
# How often names are looked up again, and what is dialled is looked through.
LOOK_EVERY_S = 10.0

Serve = Callable[[Link, Stream, RequestFields, bool], None]


class Routers:
    """Every router that the worker knows of. `serve` is called for each stream of theirs, `on_joined` for each join.

    id: this process's own, random
    joined: set while a router has taken us, and means to send us requests
    """

    def __init__(self, settings: WorkerSettings, serve: Serve, on_joined: Callable[[], None] = lambda: None) -> None:
        self.settings = settings
        self.serve = serve
        self.on_joined = on_joined
        self.loop = asyncio.get_running_loop()
        self.identity = Identity(settings)
        self.capacity = CapacityShare(settings.concurrency, settings.max_tunnels)
        self.is_leaving = False
        self.joined = asyncio.Event()
        self.id = secrets.token_hex(8)
        self._links: dict[Link, RouterLink] = {}
        self.claims = Claims()
        self._targets = Targets()
        self._remembered = Remembered(settings)
        self._looking: asyncio.Task[None] | None = None
        self.pulses = Pulses(self.id, settings, self.identity)
        self._share_timer: asyncio.TimerHandle | None = None
        self._untold: set[Link] = set()

    def __repr__(self) -> str:
        return f"<Routers {[*self._links.values()]}>"

    @property
    def are_gone(self) -> bool:
        """Whether no link is left."""
        return not self._links

    @property
    def have_streams(self) -> bool:
        """Whether a router still waits for something, or we for one."""
        return any(not link.is_closed and link.session.streams for link in self._links)

    def condition(self) -> tuple[bool, str]:
        """Whether a router sends us requests, and in words: which ones, or why none does."""
        joined = {router.name for link, router in self._links.items() if router.has_joined and not link.is_suspect}
        if joined:
            return True, f"has joined {', '.join(sorted(joined))}"
        troubles = "; ".join(self._targets.troubles)
        return False, f"has joined no router ({troubles})" if troubles else "has joined no router"

    def dial(self, text: str) -> None:
        """Keep a link to this endpoint for ever, and to each of its addresses. Raises UsageError."""
        self.name(parse_endpoint(text), is_given=True)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="look at names")

    def recall(self) -> None:
        """Dial those, too, that were named when this worker ran before."""
        for text in self._remembered.recall():
            with contextlib.suppress(UsageError):
                self.name(parse_endpoint(text))

    def dial_others(self, target: Target, reply: JoinReply) -> None:
        """Keep links to whom a router names: other routers, and other processes at the same endpoint."""
        named = []
        for text in reply.routers:
            try:
                self.name(parse_endpoint(text))
                named.append(text)
            except UsageError as error:
                name = printable(reply.router.encode("latin-1"))
                logger.error("router %s names an endpoint that cannot be dialled: %r: %s", name, text, error.reason)
        self._remembered.name(named)
        for router_id in reply.processes:
            # Whoever has a link already was named by it.
            if router_id not in self.claims:
                self.name(target.endpoint, router_id)

    def leave(self) -> None:
        """Dial no more, and tell every router to send nothing new. What is under way to us or in flight goes on."""
        self.is_leaving = True
        if self._looking is not None:
            self._looking.cancel()
        for target in self._targets:
            target.dialler.stop()
        for link in list(self._links):
            link.goaway(refuses=False)

    def close(self, reason: str) -> None:
        """End every link."""
        for link in list(self._links):
            link.close(reason)

    def free_slot(self, link: Link) -> None:
        """The work for one of the link's requests has ended."""
        next_in_turn = self.capacity.free_slot(link)
        if next_in_turn is not None:
            self._call_up(next_in_turn)

    def set_apart(self, link: Link) -> bool:
        """One of the link's requests is a tunnel or a stream of events from now on. False if it counts as before."""
        if not self.capacity.set_apart(link):
            return False
        self._tell_soon(link)
        self._call_up(self.capacity.next_in_turn())
        return True

    def free_apart(self, link: Link) -> None:
        """The work for one of those has ended."""
        self.capacity.free_apart(link)
        self._tell_soon(link)

    # For links

    def add(self, router: "RouterLink", link: Link) -> None:
        """There is a connection, though nobody has said a word on it."""
        self._links[link] = router

    def give_share(self, link: Link) -> None:
        """The link's router is about to take us: its share is told before it can send anything."""
        grants = self.capacity.add(link)
        if grants.get(link) == self.settings.concurrency:
            del grants[link]  # So it says in the link's first SETTINGS.
        self._tell(grants)

    def withdraw_share(self, link: Link) -> None:
        """The link's router will send nothing new: its share is for the others."""
        self._tell(self.capacity.leave(link))

    def remove(self, link: Link) -> None:
        """A link is gone. The work for its requests may go on."""
        self._links.pop(link, None)
        self._tell(self.capacity.remove(link))
        self.pulses.remove(link)

    def drop(self, target: Target) -> None:
        """Dial it no more: whom it meant is gone, and who answers there is known."""
        self._targets.drop(target)
        self.claims.forget(target.dialler)
        target.dialler.stop()

    def note_joined(self) -> None:
        """A router has taken us, or one is gone."""
        is_joined = any(router.has_joined for router in self._links.values())
        (self.joined.set if is_joined else self.joined.clear)()

    def name(self, endpoint: Endpoint, wish: str = "", *, is_given: bool = False) -> None:
        """Dial it, unless that is done already. It counts as named just now."""
        if self.is_leaving:
            return
        target = self._targets.name(endpoint, self.loop.time(), wish, is_given=is_given)
        if target is None:
            return
        target.dialler = Dialler(
            endpoint,
            lambda dialler: self._make_link(target),
            redial_min=self.settings.redial_min,
            redial_max=self.settings.redial_max,
            redial_refused=self.settings.redial_refused,
            is_told=not self.settings.own_router,
        )
        target.dialler.start()

    # Inside

    async def _look(self) -> None:
        """Look names up, again and again: an address may come, and one may go."""
        while True:
            for target in [target for target in self._targets if is_name(target.endpoint)]:
                for endpoint in await addresses_of(target.endpoint):
                    self.name(endpoint)
            for link in self._links.values():
                link.name_others()
            # Who has no router forgets none: whichever comes back first knows of the others.
            for target in self._targets.forget(self.loop.time()) if self.joined.is_set() else ():
                self._remembered.forget(target.endpoint.text)
                logger.info("%s is dialled no more: nobody has named it for long", target.endpoint.text)
                self.drop(target)
            await asyncio.sleep(LOOK_EVERY_S)

    def _make_link(self, target: Target) -> Link:
        settings = self.settings
        return Link(
            RouterLink(self, target),
            settings,
            is_router=False,
            max_concurrent=settings.concurrency,
            mark=mark_of(target.wish),
            mechanisms=self.identity.mechanisms(),
            decode_opening=read_request_block,
        )

    def _tell(self, grants: Grants) -> None:
        """Routers hear of their grants; while there are several, capacity is shared out again and again."""
        for link in grants:
            link.set_max_concurrent(self.capacity.told(link))
        if self.capacity.is_shared and self._share_timer is None:
            self._share_timer = self.loop.call_later(SHARE_EVERY_S, self._share)

    def _call_up(self, link: Link | None) -> None:
        """Whom we refused comes again when it hears of room."""
        if link is not None:
            link.set_max_concurrent(self.capacity.told(link))

    def _tell_soon(self, link: Link) -> None:
        """How many are set apart has changed: however often that happens, it is not told more often than that."""
        if not self._untold:
            self.loop.call_later(TELL_AFTER_S, self._tell_changes)
        self._untold.add(link)

    def _tell_changes(self) -> None:
        untold, self._untold = self._untold, set()
        for link in untold:
            if link in self._links:
                link.set_max_concurrent(self.capacity.told(link))

    def _share(self) -> None:
        self._share_timer = None
        self._tell(self.capacity.share())


class RouterLink:
    """The owner of a link to one router: joining, requests, leaving."""

    def __init__(self, routers: Routers, target: Target) -> None:
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
