"""Who takes the rest of a reply too slowly is let go; who takes enough of it never is."""

import asyncio
import math

from tests.support.each import each
from tests.support.memory_transport import MemoryTransport
from zerogate.router.clients.ending import Ending, is_taking, window_s
from zerogate.router.desk import LINGER_S
from zerogate.router.faces import TAKING_WINDOW_S
from zerogate.settings import RouterSettings

SETTINGS = RouterSettings(idle_timeout=4.0, min_body_rate=500)


def test_the_window_is_never_longer_than_silence_may_be() -> None:
    assert window_s(RouterSettings(idle_timeout=1.0)) == 1.0
    assert window_s(RouterSettings(idle_timeout=math.inf)) == TAKING_WINDOW_S


@each(
    ("before", "unsent", "expected"),
    [
        (0, 100_000, True),  # asked for the first time
        (100_000, 100_000, False),
        (100_000, 100_000 - 999, False),
        (100_000, 100_000 - 1000, True),
        (500, 0, False),  # nothing is left: there is nothing to take
    ],
)
def test_enough_is_what_the_rate_says(before: int, unsent: int, expected: bool) -> None:
    assert is_taking(before, unsent, RouterSettings(idle_timeout=2.0, min_body_rate=500)) is expected


def test_without_a_rate_anything_is_enough() -> None:
    settings = RouterSettings(min_body_rate=0)
    assert is_taking(100, 99, settings)
    assert not is_taking(100, 100, settings)


def ending_with(unsent_bytes: int) -> tuple[Ending, MemoryTransport]:
    async def make() -> MemoryTransport:
        transport = MemoryTransport(asyncio.Protocol())
        transport.is_taking = False
        transport.write(bytes(unsent_bytes))
        return transport

    transport = asyncio.run(make())
    return Ending(transport, SETTINGS), transport


def test_what_is_left_may_take_a_window_and_another() -> None:
    ending, transport = ending_with(6000)
    assert ending.close() == 4.0
    assert transport.is_closing()
    assert not ending.is_lingering
    transport.take(2000)
    assert ending.look() == 4.0
    transport.take(1999)
    assert ending.look() == 0


def test_a_client_that_has_all_of_it_has_the_time_to_close() -> None:
    ending, transport = ending_with(0)
    assert ending.linger(is_half_closed=False) == LINGER_S
    assert ending.is_lingering
    assert transport.is_eof_written
    assert ending.look() == 0


def test_a_client_that_has_closed_its_half_is_not_waited_for() -> None:
    ending, transport = ending_with(1)
    assert ending.linger(is_half_closed=True) == 4.0
    assert ending.is_lingering
    assert transport.is_closing()


def test_who_has_reset_the_connection_meanwhile_is_no_error() -> None:
    """asyncio's transport raises what shutdown(2) says (ENOTCONN)."""

    class Reset(MemoryTransport):
        def write_eof(self) -> None:
            raise OSError(107, "Transport endpoint is not connected")

    async def make() -> MemoryTransport:
        return Reset(asyncio.Protocol())

    ending = Ending(asyncio.run(make()), SETTINGS)
    assert ending.linger(is_half_closed=False) == LINGER_S
    assert ending.is_lingering
