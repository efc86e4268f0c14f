"""The router: wires its parts together, starts them, and stops without losing anything."""

import asyncio
import logging
import math
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from zerogate.condition import Condition
from zerogate.errors import StartError, UsageError
from zerogate.link.listen import MakeProtocol
from zerogate.link.mdns import Announcement
from zerogate.notify import main_pid, notify
from zerogate.router.access_log import AccessLog
from zerogate.router.admin import Admin
from zerogate.router.announcing import announcement
from zerogate.router.clients.http1_clients import Http1Clients
from zerogate.router.counters import Counters
from zerogate.router.desk import Answer, Desk
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.entrance import Entrance, MakeClient, ProxyReader
from zerogate.router.exchange import make_exchange
from zerogate.router.links import Links
from zerogate.router.listeners import Addresses, Crew, Kind, Listeners, Makers
from zerogate.router.redirect import Redirect
from zerogate.router.room import client_room
from zerogate.router.seat import Seat
from zerogate.router.status import status_of
from zerogate.router.takeover import Predecessor, Successor
from zerogate.router.tls.certificates import Certificates
from zerogate.router.tls.transport import TlsClients
from zerogate.settings import RouterSettings
from zerogate.settings.endpoint import parse_endpoint
from zerogate.wire.http.errors import BAD_REQUEST, HttpError

logger = logging.getLogger("zerogate.router")

# What can be spoken over TLS, the dearest first (RFC 7301).
ALPN = ("http/1.1",)
# How often a router that waits for something looks whether it is there. Clients wait for a takeover.
POLL_S = 0.005
# When the grace is over: to get the last error replies out, and then the last frames.
LAST_WORDS_S = 1.0
# Who has connected and is about to say who it is.
NEWCOMERS_S = 1.0

# Of a port that the successor does not open.
KEEP = "the router that takes over has no --bind for it"


class Router:
    """`start`, then `stop`. Runs in the running event loop. `replaced` is set when a successor has taken over."""

    def __init__(
        self,
        settings: RouterSettings,
        seat: Seat | None = None,
        crew: Crew | None = None,
        *,
        is_guest: bool = False,
    ) -> None:
        """`seat` and `crew`: this process is one of several that are a router together (sibling.py).

        is_guest: the process is somebody else's program: what systemd passes is that one's, and no successor is let in
        """
        room = client_room(settings, is_told=not is_guest)
        self._is_guest = is_guest
        self.settings = settings = settings.changed(max_clients=room.max_clients)
        self._loop = asyncio.get_running_loop()
        self._started_at = self._loop.time()
        counters = Counters()
        access_log = None if settings.access_log == "off" else AccessLog(settings.access_log)
        self._dispatcher = Dispatcher(settings, counters, self._loop)
        answer: Answer = partial(make_exchange, self._dispatcher)
        if settings.redirect_https:
            answer = Redirect(answer, lambda: self.listeners.tls_port)
        on_left = _on_left(crew, Kind.CLIENTS)
        self._desk = Desk(settings, counters, answer, access_log, on_left)
        shorten_horizon = self._desk.deadlines.shorten_horizon
        self.links = Links(settings, self._dispatcher, counters, seat, shorten_horizon, _on_left(crew, Kind.LINKS))
        answer = Admin(self.status, lambda: not self._is_draining, settings.admin, settings.admin_token)
        self._admin_desk = Desk(settings, Counters(), answer)
        clients, admin = Http1Clients(self._desk), Http1Clients(self._admin_desk)
        self._entrance = Entrance(on_left)
        self._certificates = Certificates(settings, ALPN)
        refuse = partial(clients, refusal=HttpError(BAD_REQUEST, "this is plain HTTP: the port speaks TLS, https://"))
        tls_clients = TlsClients(self._entrance, self._certificates, dict.fromkeys(ALPN, clients), refuse)
        makers: Makers = {
            Kind.CLIENTS: lambda key: self._behind_proxy(clients),
            Kind.TLS_CLIENTS: lambda key: self._behind_proxy(tls_clients),
            Kind.LINKS: lambda key: partial(self.links.make_link, key),
            Kind.ADMIN: lambda key: admin,
        }
        self.listeners = Listeners(
            settings,
            makers,
            lambda n: self.n_clients + n < room.max_connections,
            crew,
            has_keys=self.links.admission.has_keys,
            environ={} if is_guest else os.environ,
        )
        self._predecessor = Predecessor(settings.name, self, settings.command_pid)
        self._moving: frozenset[str] = frozenset()
        self._is_draining = False
        self._is_hurried = False
        self._announcement: Announcement | None = None
        self.replaced = asyncio.Event()

    @property
    def n_clients(self) -> int:
        """How many are connected."""
        return len(self._desk.clients) + len(self._entrance)

    @property
    def addresses(self) -> Addresses:
        """Where it can be reached, once it has started."""
        return self.listeners.addresses

    async def start(self) -> None:
        """Listen at every address, or take it over. Raises UsageError or StartError, with nothing left open."""
        successor = None
        try:
            keys = self.listeners.find()
            self.read_certificates()
            if self.settings.replace:
                successor = await Successor.find(keys)
            if successor is None:
                self.listeners.bind({})
                self.listeners.accept()
            else:
                await self._take_over(successor)
            if not self._is_guest:
                self._predecessor.open(self.listeners.descriptors())
            self._announcement = announcement(self.settings, self.addresses.bind)
            if self._announcement is not None:
                self._announcement.start()
        except BaseException:
            if successor is not None:
                successor.close()
            self.listeners.close()
            self._close()
            self._admin_desk.close()
            raise

    def read_certificates(self) -> None:
        """Where TLS will be spoken. Raises UsageError or StartError."""
        if self.listeners.wants_tls:
            self._certificates.load()
        elif self.settings.redirect_https:
            raise UsageError("--redirect-https needs --https: there is nothing to send clients to")

    async def _take_over(self, successor: Successor) -> None:
        """Have the predecessor's workers first, and then its clients."""
        moving = frozenset(successor.sockets)
        wait_s = self.settings.takeover_wait
        self.listeners.bind(successor.sockets)
        self.listeners.accept_links()
        # Our own have to come up. Until they have, the predecessor goes on as ever.
        await self.wait_workers(self.settings.own_workers)
        n_workers = await successor.go(wait_s, self.settings.command_pid)
        self.listeners.accept_all_links()
        await self.wait_workers(n_workers, moving, wait_s)
        self.listeners.accept()
        try:
            await successor.done()
        except StartError:
            await self.stop()  # Whom we have accepted is ours.
            raise
        self.listeners.adopt()
        logger.info(
            "took over from %s, with %d of its %d workers", successor.label, self.links.n_workers(moving), n_workers
        )

    async def wait_workers(self, n: int, keys: frozenset[str] | None = None, seconds: float = math.inf) -> None:
        """Wait, no longer than that, for so many workers at the places of these keys, or at any."""
        await self._wait(lambda: self.links.n_workers(keys) >= n, seconds)

    # What a successor asks (takeover.py, Replaceable)

    def descriptors(self) -> dict[str, int]:
        return self.listeners.descriptors()

    async def stand_by(self, keys: frozenset[str]) -> int:
        self._moving = keys
        self.listeners.pause(keys)
        n_workers = self.links.n_workers(keys)
        self.links.send_away(keys)
        return n_workers

    def carry_on(self) -> None:
        self._moving = frozenset()
        self.links.take_back()
        self.listeners.resume()

    async def hand_over(self) -> None:
        # Those at the first place of a command that has workers of its own end with it.
        own = parse_endpoint(self.settings.bind[0]).path if self.settings.command_pid else ""
        for key, n in self.links.left_behind(self._moving).items():
            where = key.partition(" ")[2]
            if where != own:
                logger.warning("%d worker%s at %s will find nobody there: %s", n, "s" if n > 1 else "", where, KEEP)
        await self.listeners.stop(self._moving)
        notify(main_pid(self._predecessor.successor_pid))
        self.replaced.set()

    # The end

    async def stop(self, grace: float | None = None) -> None:
        """Take nothing new, finish what is in flight within `grace`, send the workers away.

        `grace`: seconds, and no drain delay; without it those of the settings
        """
        self._is_draining = True
        if grace is None:
            grace = self.settings.grace
            await self._wait(lambda: self._is_hurried or self.replaced.is_set(), self.settings.drain_delay)
        await self._predecessor.stop()
        if self._announcement is not None:
            await self._announcement.stop()
        await self.listeners.stop(self._moving)
        self._desk.stop()
        self.links.stop()
        self._dispatcher.stop()
        await self._wait(lambda: not self._entrance, NEWCOMERS_S)
        self._entrance.close()
        await self._wait(lambda: self._is_hurried or not self._desk.clients, grace)
        self._desk.shut_down()
        await self._wait(lambda: not self._desk.clients, LAST_WORDS_S)
        self._close()
        self.links.close()
        await self._wait(lambda: self.links.are_gone, LAST_WORDS_S)
        self.listeners.close()
        self._admin_desk.close()

    def hurry(self) -> None:
        """Have `stop` wait no longer for what is in flight."""
        self._is_hurried = True

    def reopen_log(self) -> None:
        """After the access log was moved away."""
        self._desk.reopen_log()

    def look_at_certificates(self) -> None:
        """Now, and not only now and then."""
        self._certificates.look()

    async def ready(self) -> None:
        """It is, when it has started."""

    def conditions(self) -> list[Condition]:
        where = ", ".join([*self.addresses.http, *self.addresses.https])
        n = self.links.n_workers()
        words = f"listens at {where}, {n} worker{'s' if n != 1 else ''}" if where else "is starting"
        if self._is_draining:
            words = "is stopping"
        return [Condition("router", self.settings.name, bool(where) and not self._is_draining, words)]

    def requests(self, task: "asyncio.Task[Any] | None") -> tuple[list[str], list[str]]:
        """None is held up by another one: what a router does for each is short."""
        return [], []

    def status(self) -> dict[str, Any]:
        """What `/status` says."""
        now = self._loop.time()
        found = status_of(self.settings.name, self._started_at, now, self._desk, self._dispatcher, self.links)
        found["counters"]["connections_waited"] = self.listeners.n_pauses
        return found

    async def _wait(self, is_done: Callable[[], bool], seconds: float = math.inf) -> None:
        give_up = self._loop.time() + seconds
        while not is_done() and self._loop.time() < give_up:
            await asyncio.sleep(POLL_S)

    def _behind_proxy(self, clients: MakeClient) -> MakeProtocol:
        if not self.settings.proxy_protocol:
            return clients
        return partial(ProxyReader, self._entrance, self._desk.trust, clients)

    def _close(self) -> None:
        self._certificates.close()
        self.links.admission.close()
        self._entrance.close()
        self._desk.close()
        self._dispatcher.close()


def _on_left(crew: Crew | None, kind: Kind) -> Callable[[], None]:
    """What is called whenever one of this kind is gone: the other processes know how many we have."""
    turn = None if crew is None else crew.turn(kind)
    return (lambda: None) if turn is None else turn.left
