"""The routers of a worker: dials them all, joins each, and keeps its one capacity honest across them."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable

from zerogate.errors import UsageError
from zerogate.link.dial import Dialler
from zerogate.link.link import Link
from zerogate.link.marks import mark_of
from zerogate.settings import WorkerSettings
from zerogate.settings.endpoint import Endpoint, parse_endpoint
from zerogate.wire.http.join import JoinReply
from zerogate.worker.capacity import CapacityShare, Grants
from zerogate.worker.claims import Claims
from zerogate.worker.identity import Identity
from zerogate.worker.printable import printable
from zerogate.worker.pulses import Pulses
from zerogate.worker.remembered import Remembered
from zerogate.worker.request_block import read_request_block
from zerogate.worker.router_link import RouterLink, Serve
from zerogate.worker.targets import Target, Targets, addresses_of, is_name

logger = logging.getLogger("zerogate.worker")

# How often capacity is shared out anew among several routers.
SHARE_EVERY_S = 0.1
# How soon it is when one of them has used up its part.
SHARE_EARLY_S = 0.005
# How long tunnels that open and end are counted before a router is told: there is an allowance (link/allowance.py).
TELL_AFTER_S = 0.005
# How often names are looked up again, and what is dialled is looked through.
LOOK_EVERY_S = 10.0


class Routers:
    """Every router that the worker knows of. `serve` is called for each stream of theirs, `on_joined` for each join,
    `on_leaving` for each link whose router is about to end.

    `on_parted` is called when the last that had taken us is gone, or sends nothing new.

    id: this process's own, random
    joined: set while a router has taken us, and means to send us requests
    """

    def __init__(
        self,
        settings: WorkerSettings,
        serve: Serve,
        on_joined: Callable[[], None] = lambda: None,
        on_leaving: Callable[[Link], None] = lambda link: None,
        on_parted: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.serve = serve
        self.on_joined = on_joined
        self.on_leaving = on_leaving
        self._on_parted = on_parted
        self.loop = asyncio.get_running_loop()
        self.identity = Identity(settings)
        self.capacity = CapacityShare(settings.concurrency, settings.max_tunnels, self._share_soon)
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

    # For links (router_link.py, RouterLinkOwner)

    def add(self, router: RouterLink, link: Link) -> None:
        self._links[link] = router

    def give_share(self, link: Link) -> None:
        grants = self.capacity.add(link)
        if grants.get(link) == self.settings.concurrency:
            del grants[link]  # So it says in the link's first SETTINGS.
        self._tell(grants)

    def withdraw_share(self, link: Link) -> None:
        self._tell(self.capacity.leave(link))

    def remove(self, link: Link) -> None:
        self._links.pop(link, None)
        self._tell(self.capacity.remove(link))
        self.pulses.remove(link)

    def drop(self, target: Target) -> None:
        self._targets.drop(target)
        self.claims.forget(target.dialler)
        target.dialler.stop()

    def note_joined(self) -> None:
        if any(router.has_joined for router in self._links.values()):
            self.joined.set()
        elif self.joined.is_set():
            self.joined.clear()
            self._on_parted()

    def dial_others(self, target: Target, reply: JoinReply) -> None:
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

    def _share_soon(self) -> None:
        self.loop.call_later(SHARE_EARLY_S, lambda: self._tell(self.capacity.share_early()))

    def _share(self) -> None:
        self._share_timer = None
        self._tell(self.capacity.share())
