"""Where connections are until they are clients': as long as it has yet to be said who they come from."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, cast

from zerogate.link.sparse_log import SparseLog
from zerogate.router.forwarding import Trust
from zerogate.router.sockets import Ends, ends_of, host_and_port, unmapped
from zerogate.wire.proxy_header import ProxyHeader, ProxyHeaderError, parse_proxy_header

logger = logging.getLogger("zerogate.router")

# How long it may take until the first request can be sent. Long for a handshake over a bad line, and short against what
# somebody who means no good could wait.
ENTRANCE_S = 10.0
# So many of those who are turned away are told of one by one.
LOG_BURST = 5


class MakeClient(Protocol):
    """Makes what a client's connection speaks. Its ends are told where it is not the transport that knows them."""

    def __call__(self, ends: Ends | None = None) -> asyncio.Protocol: ...


class Newcomer(Protocol):
    """A connection that is no client's yet."""

    def turn_away(self, reason: str) -> None:
        """It has not become one: end it."""


class Entrance:
    """Every newcomer of a router. Each has ENTRANCE_S. `on_left` is called whenever one is none any more."""

    def __init__(self, on_left: Callable[[], None] = lambda: None) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_left = on_left
        self._timers: dict[Newcomer, asyncio.TimerHandle] = {}
        self._log = SparseLog(logger, "connections turned away", burst=LOG_BURST)

    def __len__(self) -> int:
        return len(self._timers)

    def admit(self, newcomer: Newcomer) -> None:
        reason = f"it has not said in {ENTRANCE_S:g} s who it is"
        self._timers[newcomer] = self._loop.call_later(ENTRANCE_S, newcomer.turn_away, reason)

    def leave(self, newcomer: Newcomer) -> None:
        """It is a client's from now on, or gone."""
        if (timer := self._timers.pop(newcomer, None)) is not None:
            timer.cancel()
            self._on_left()

    def note(self, address: str, reason: str) -> None:
        """Somebody was turned away."""
        self._log.warning("%s was turned away: %s", address or "a Unix socket's client", reason)

    def close(self) -> None:
        """Nobody gets in any more."""
        for newcomer in list(self._timers):
            newcomer.turn_away("the router stops")
        self._log.close()


class ProxyReader(asyncio.Protocol):
    """Reads the PROXY header of a connection from a proxy that is trusted, and hands over to its client's protocol.

    From others none is expected, and so none believed: whoever connects says in the same way who it is, or is not
    there ("MUST not try to guess", proxy-protocol.txt, 2).
    """

    def __init__(self, entrance: Entrance, trust: Trust, make: MakeClient) -> None:
        self._entrance = entrance
        self._trust = trust
        self._make = make
        self._ends: Ends
        self._transport: asyncio.Transport
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ends = ends_of(self._transport)
        if self._trust.includes(self._ends.address):
            self._entrance.admit(self)
        else:
            self._hand_over(self._ends, b"")

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            header = parse_proxy_header(self._received)
        except ProxyHeaderError as error:
            self.turn_away(f"{error.reason} (--proxy-protocol)")
            return
        if header is not None:
            self._entrance.leave(self)
            ends = _told_ends(header) if header.is_told else self._ends
            self._hand_over(ends, self._received[header.size :])

    def connection_lost(self, exc: Exception | None) -> None:
        self._entrance.leave(self)

    def turn_away(self, reason: str) -> None:
        self._entrance.leave(self)
        self._entrance.note(self._ends.address, reason)
        self._transport.abort()

    def _hand_over(self, ends: Ends, data: bytes) -> None:
        protocol = self._make(ends)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if data:
            protocol.data_received(data)


def _told_ends(header: ProxyHeader) -> Ends:
    local_host = host_and_port(unmapped(header.local_address), header.local_port) if header.local_address else b""
    return Ends(unmapped(header.address), header.port, local_host, header.is_tls)
