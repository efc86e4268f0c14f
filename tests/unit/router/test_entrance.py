"""Before a connection is a client's: the PROXY header, from whom it is expected, and how long it may take."""

import asyncio
import logging
from typing import Any

import pytest

from tests.support.each import each
from tests.support.memory_transport import MemoryTransport
from tests.support.virtual_time import run_virtually
from zerogate.router.entrance import ENTRANCE_S, Entrance, ProxyReader
from zerogate.router.forwarding import parse_trust
from zerogate.router.sockets import Ends

PROXY = ("10.0.0.1", 5)
STRANGER = ("203.0.113.9", 5)
LINE = b"PROXY TCP4 198.51.100.7 192.0.2.80 4711 443\r\n"


class Heard(asyncio.Protocol):
    """What came of a connection: a client's protocol, which notes its ends and what it is told."""

    def __init__(self, ends: Ends) -> None:
        self.ends = ends
        self.octets = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.octets += data


class Arrival:
    """One connection to an entrance of its own that trusts 10.0.0.0/8. `clients` is who came of it."""

    def __init__(self, peername: Any = PROXY, *trust: str) -> None:
        self.entrance = Entrance()
        self.clients: list[Heard] = []
        reader = ProxyReader(self.entrance, parse_trust(trust or ["10.0.0.0/8"]), self._make)
        self.transport = MemoryTransport(reader, peername)

    def _make(self, ends: Ends | None = None) -> asyncio.Protocol:
        assert ends is not None
        self.clients.append(Heard(ends))
        return self.clients[-1]


def test_the_header_says_who_the_client_is() -> None:
    async def main() -> None:
        arrival = Arrival()
        assert len(arrival.entrance) == 1
        arrival.transport.say(LINE[:20])
        assert not arrival.clients
        arrival.transport.say(LINE[20:] + b"GET")
        arrival.transport.say(b" /")
        (client,) = arrival.clients
        assert client.ends == Ends("198.51.100.7", 4711, b"192.0.2.80:443")
        assert (client.octets, client.transport) == (b"GET /", arrival.transport)
        assert not len(arrival.entrance)
        arrival.entrance.close()

    run_virtually(main())


@each(
    ("line", "ends"),
    [
        (b"PROXY UNKNOWN\r\n", Ends(*PROXY, b"192.0.2.1:80")),
        (b"PROXY TCP6 ::ffff:1.2.3.4 ::1 7 8\r\n", Ends("1.2.3.4", 7, b"[::1]:8")),
        # A proxy that listens on [::] says so of each client of IPv4.
        (b"PROXY TCP6 ::ffff:102:304 ::ffff:506:708 7 8\r\n", Ends("1.2.3.4", 7, b"5.6.7.8:8")),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" + 2 * (bytes(10) + b"\xff\xff\1\2\3\4") + b"\0\7\0\10",
            Ends("1.2.3.4", 7, b"1.2.3.4:8"),
        ),
    ],
)
def test_what_else_it_can_say(line: bytes, ends: Ends) -> None:
    async def main() -> None:
        arrival = Arrival()
        arrival.transport.say(line)
        assert arrival.clients[0].ends == ends
        arrival.entrance.close()

    run_virtually(main())


def test_from_strangers_none_is_expected_nor_believed() -> None:
    async def main() -> None:
        arrival = Arrival(STRANGER)
        (client,) = arrival.clients
        arrival.transport.say(LINE)
        assert client.ends == Ends(*STRANGER, b"192.0.2.1:80")
        assert client.octets == LINE
        arrival.entrance.close()

    run_virtually(main())


def test_a_unix_socket_s_peer_is_trusted_where_that_is_said() -> None:
    async def main() -> None:
        arrival = Arrival("", "unix")
        arrival.transport.say(LINE)
        assert arrival.clients[0].ends.address == "198.51.100.7"
        arrival.entrance.close()
        assert Arrival("").clients

    run_virtually(main())


def test_a_proxy_that_sends_none_is_turned_away(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        arrival = Arrival()
        arrival.transport.say(b"GET / HTTP/1.1\r\n")
        assert arrival.transport.is_closing()
        assert not arrival.clients
        assert not len(arrival.entrance)
        arrival.entrance.close()

    with caplog.at_level(logging.WARNING):
        run_virtually(main())
    assert caplog.messages == [
        "10.0.0.1 was turned away: it does not begin with a PROXY header (--proxy-protocol)",
    ]


def test_who_says_nothing_is_turned_away_in_time(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        arrival = Arrival()
        await asyncio.sleep(ENTRANCE_S - 1)
        assert not arrival.transport.is_closing()
        await asyncio.sleep(1.5)
        assert arrival.transport.is_closing()
        assert not len(arrival.entrance)
        arrival.entrance.close()

    run_virtually(main())
    assert "has not said in 10 s" in caplog.text


def test_who_leaves_is_forgotten() -> None:
    async def main() -> None:
        arrival = Arrival()
        arrival.transport.say(LINE[:5])
        arrival.transport.say_eof()
        await asyncio.sleep(0)
        assert arrival.transport.is_lost
        assert not len(arrival.entrance)
        arrival.entrance.close()

    run_virtually(main())


def test_a_stop_ends_whoever_is_there(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        arrival = Arrival()
        arrival.entrance.close()
        assert arrival.transport.is_closing()
        assert not len(arrival.entrance)

    run_virtually(main())
    assert "10.0.0.1 was turned away: the router stops" in caplog.text
