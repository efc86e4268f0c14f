"""Makes the clients of one desk: each has a connection of its own, with the limits of the settings."""

from typing import Any, cast

from tests.support.memory_transport import MemoryTransport
from tests.support.virtual_time import run_virtually
from zerogate.router.clients.http1_clients import Http1Clients
from zerogate.router.counters import Counters
from zerogate.router.desk import Desk
from zerogate.settings import RouterSettings
from zerogate.wire.http.errors import TOO_MANY_CLIENTS, HttpError


def test_limits_are_those_of_the_settings_and_a_refusal_is_told() -> None:
    async def main() -> None:
        desk = Desk(RouterSettings(max_head=1024), Counters(), cast(Any, None))
        clients = Http1Clients(desk)
        long, refused = clients(), clients(refusal=HttpError(TOO_MANY_CLIENTS))
        transport, other = MemoryTransport(long), MemoryTransport(refused)
        transport.say(b"GET /" + b"a" * 1024)
        assert transport.octets.startswith(b"HTTP/1.1 431 ")
        assert other.octets.startswith(b"HTTP/1.1 503 ")
        desk.close()

    run_virtually(main())
