"""The front end: the clients' connections, and what they have in common."""

import asyncio
import secrets
import time
from email.utils import formatdate

from zerogate.router.access_log import AccessLog
from zerogate.router.client import Client
from zerogate.router.counters import Counters
from zerogate.router.deadlines import Deadlines
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.exchange import Exchange
from zerogate.router.http1_client import HALF_CLOSED_S, LINGER_S, Http1Client
from zerogate.router.request_block import Forwarding, parse_networks
from zerogate.settings import RouterSettings
from zerogate.wire.http.request import RequestHead
from zerogate.wire.http1 import HttpLimits, KnownHeads

STOP_IDLE_S = 1.0


class Frontend:
    """Makes clients and their exchanges."""

    def __init__(self, settings: RouterSettings, dispatcher: Dispatcher, counters: Counters) -> None:
        self.settings = settings
        self.dispatcher = dispatcher
        self.counters = counters
        self.loop = asyncio.get_running_loop()
        self.limits = HttpLimits(
            max_head_bytes=settings.max_head,
            max_fields=settings.max_fields,
            max_target_bytes=settings.max_target,
            max_body_bytes=settings.max_body,
        )
        self.known_heads = KnownHeads()
        self.is_stopping = False
        self.clients: set[Http1Client] = set()
        self.deadlines = Deadlines(_shortest_timeout(settings))
        self._trusted = parse_networks(settings.trust)
        self._access_log = None if settings.access_log == "off" else AccessLog(settings.access_log)
        self._id_prefix = secrets.token_hex(8).encode()
        self._n_ids = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._tick()

    def make_client(self) -> Http1Client:
        return Http1Client(self)

    def make_exchange(self, client: Client, head: RequestHead, forwarding: Forwarding) -> Exchange:
        self.counters.requests += 1
        request_id = forwarding.request_id(head) if forwarding.is_trusted else b""
        request_id = request_id or self.new_request_id()
        return Exchange(self.dispatcher, client, head, forwarding, request_id, time.monotonic())

    def new_request_id(self) -> bytes:
        """Unique among all routers: 64 random bits of this process, then a count."""
        self._n_ids += 1
        return b"%b-%x" % (self._id_prefix, self._n_ids)

    def forwarding(self, address: str) -> Forwarding:
        return Forwarding(address, b"http", self._trusted)

    def add(self, client: Http1Client) -> bool:
        """A client has connected. False if there are too many."""
        self.counters.connections += 1
        self.clients.add(client)
        self.deadlines.add(client)
        return len(self.clients) <= self.settings.max_clients

    def remove(self, client: Http1Client) -> None:
        self.clients.discard(client)
        self.deadlines.remove(client)

    def note(self, address: str, exchange: Exchange, n_bytes: int) -> None:
        """An exchange is over."""
        if exchange.status:
            self.counters.replies[exchange.status // 100] += 1
        if self._access_log is not None:
            self._access_log.write(address, exchange, n_bytes, time.monotonic())

    def reopen_log(self) -> None:
        if self._access_log is not None:
            self._access_log.reopen()

    def stop(self) -> None:
        """From now on each reply closes its connection. Idle connections have STOP_IDLE_S left.

        A client may be sending its next request this very moment, and would see it fail if its connection were closed;
        so it gets the time to send it, and hears `connection: close` with the reply.
        """
        self.is_stopping = True
        self._idle_timer = self.loop.call_later(STOP_IDLE_S, self._close_idle)

    def _close_idle(self) -> None:
        for client in list(self.clients):
            client.close_if_idle()

    def give_up(self) -> None:
        """The grace is over: who waits is told so, what is half sent is cut."""
        for client in list(self.clients):
            client.give_up()

    def close(self) -> None:
        """Drop whoever is left."""
        for client in list(self.clients):
            client.abort()
        self._date_timer.cancel()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self.deadlines.close()
        if self._access_log is not None:
            self._access_log.close()

    def _tick(self) -> None:
        self.date = formatdate(usegmt=True).encode()
        self._date_timer = self.loop.call_later(1.0, self._tick)


def _shortest_timeout(settings: RouterSettings) -> float:
    return min(
        settings.timeout,
        settings.idle_timeout,
        settings.head_timeout,
        settings.body_timeout,
        settings.keepalive_timeout,
        settings.queue_timeout,
        HALF_CLOSED_S,
        LINGER_S,
    )
