"""Who takes the rest of a reply too slowly is let go; who takes enough of it never is."""

import math

import pytest

from zerogate.router.clients.taking import is_taking, window_s
from zerogate.router.faces import TAKING_WINDOW_S
from zerogate.settings import RouterSettings


def test_the_window_is_never_longer_than_silence_may_be() -> None:
    assert window_s(RouterSettings(idle_timeout=1.0)) == 1.0
    assert window_s(RouterSettings(idle_timeout=math.inf)) == TAKING_WINDOW_S


@pytest.mark.parametrize(
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
