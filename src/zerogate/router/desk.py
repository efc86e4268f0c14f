"""The desk: what every client needs of the router, whatever version of HTTP it speaks.

Limits and time-outs, the date, request ids, deadlines, who is connected; and who answers (`Answer`). The router has two
desks: one for the public, where workers answer, and one for its own people, where it answers itself.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import Protocol

from zerogate.link.sparse_log import SparseLog
from zerogate.router.access_log import AccessLog, Entry
from zerogate.router.counters import Counters
from zerogate.router.crossing import Crossing
from zerogate.router.date import HttpDate
from zerogate.router.deadlines import Deadlines, Timed
from zerogate.router.departures import Departures
from zerogate.router.faces import Client, ClientExchange, Connection
from zerogate.router.forwarding import Forwarding, parse_trust
from zerogate.router.request_block import has_claims
from zerogate.router.state import DeskState
from zerogate.settings import RouterSettings
from zerogate.wire.http.errors import SPEAKS_TLS, HttpError
from zerogate.wire.http.request import RequestHead

logger = logging.getLogger("zerogate.router")

# Silence amid a reply to a half-closed client, after which it is taken to have gone.
HALF_CLOSED_S = 5.0

# After the last reply what the client still sends is read and dropped for so long: a reset would take the reply away
# before the client has read it (RFC 9112, 9.6).
LINGER_S = 2.0

# How long idle connections live on when the router stops.
STOP_IDLE_S = 1.0


class ConnectedClient(Connection, Timed, Protocol):
    """A client's connection, with its deadline."""


class Answer(Protocol):
    """What makes an exchange of a request."""

    def __call__(
        self, desk: "Desk", client: Client, head: RequestHead, forwarding: Forwarding, request_id: bytes
    ) -> ClientExchange: ...


class _EarlyError:
    """A request that came to no exchange, as the access log sees it."""

    worker_name = ""
    worker_labels = ""
    retries = 0

    def __init__(self, error: HttpError, request_id: bytes) -> None:
        self.head = RequestHead()
        self.request_id = request_id
        self.arrived = time.monotonic()
        self.status = error.status
        self.error_code = error.code


class Desk(DeskState):
    """See the module. `date` is the Date field's; `deadlines` are the clients'; `clients` is who is connected.

    `trust` says whose word on its own client is believed. `on_left` is called whenever a client is gone.
    """

    def __init__(
        self,
        settings: RouterSettings,
        counters: Counters,
        answer: Answer,
        access_log: AccessLog | None = None,
        on_left: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.keepalive_timeout = settings.keepalive_timeout  # each reply asks for it
        self.counters = counters
        self.loop = asyncio.get_running_loop()
        self.deadlines = Deadlines(_shortest_timeout(settings))
        self.departures = Departures(self.loop)
        self.date = HttpDate(self.loop)
        self.is_stopping = False
        self.clients: set[ConnectedClient] = set()
        self._answer = answer
        self._on_left = on_left
        self._mistaken = SparseLog(logger, "connections like it")
        self._access_log = access_log
        self.trust = parse_trust(settings.trust)
        self._crossing = Crossing(keeps_underscores=settings.underscores)
        self._id_prefix = secrets.token_hex(8).encode()
        self._n_ids = 0
        self._idle_timer: asyncio.TimerHandle | None = None

    # Connections

    def add(self, client: ConnectedClient) -> bool:
        """A client has connected. False if there are too many."""
        self.counters.connections += 1
        self.clients.add(client)
        self.deadlines.add(client)
        return len(self.clients) <= self.settings.max_clients

    def remove(self, client: ConnectedClient) -> None:
        self.clients.discard(client)
        self.deadlines.remove(client)
        self._on_left()

    def forwarding(
        self, address: str, port: int = 0, local_host: bytes = b"", is_tls: bool = False, subject: bytes = b""
    ) -> Forwarding:
        """Who sends the requests of a connection (`sockets.Ends`)."""
        return Forwarding(
            address,
            b"https" if is_tls else b"http",
            self.trust,
            port=port,
            local_host=local_host,
            subject=subject,
            crossing=self._crossing,
        )

    # Exchanges

    def make_exchange(self, client: Client, head: RequestHead, forwarding: Forwarding) -> ClientExchange:
        """What answers a request; to be begun."""
        self.counters.requests += 1
        is_told = forwarding.is_trusted and has_claims(head, forwarding)
        request_id = forwarding.request_id(head) if is_told else b""
        return self._answer(self, client, head, forwarding, request_id or self.new_request_id())

    def new_request_id(self) -> bytes:
        """Unique among all routers: 64 random bits of this process, then a count."""
        self._n_ids += 1
        return b"%b-%x" % (self._id_prefix, self._n_ids)

    def note(self, entry: Entry, client: Client) -> None:
        """An exchange is over: it is counted and logged."""
        if entry.status:
            self.counters.replies[entry.status // 100] += 1
        if self._access_log is not None:
            self._access_log.write(client.address, entry, client.bytes_out, time.monotonic())

    def note_early_error(self, error: HttpError, client: Client, request_id: bytes) -> None:
        """A client was told of an error that came before any exchange: it is counted and logged as one."""
        self.counters.count_error(error.code)
        if error.kind is SPEAKS_TLS:
            self._mistaken.warning("%s speaks TLS to a port for plain HTTP (--https is for that)", client.address)
        self.note(_EarlyError(error, request_id), client)

    @property
    def n_log_dropped(self) -> int:
        """Lines of the access log that nobody took."""
        return 0 if self._access_log is None else self._access_log.n_dropped

    def reopen_log(self) -> None:
        if self._access_log is not None:
            self._access_log.reopen()

    # The end

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

    def shut_down(self) -> None:
        """The grace is over: who waits is told so, what is half sent is cut."""
        for client in list(self.clients):
            client.shut_down()

    def close(self) -> None:
        """Drop whoever is left."""
        for client in list(self.clients):
            client.abort()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self.departures.close()
        self._mistaken.close()
        self.date.close()
        self.deadlines.close()
        if self._access_log is not None:
            self._access_log.close()


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
