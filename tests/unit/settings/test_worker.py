"""What a worker can set."""

import pytest

from zerogate.errors import UsageError
from zerogate.settings import DialSettings, ServeSettings
from zerogate.settings.worker import MAX_WEIGHT
from zerogate.wire.http import join


def test_the_longest_wait_is_no_shorter_than_the_shortest() -> None:
    assert DialSettings(redial_min=1.0, redial_max=1.0).redial_max == 1.0
    with pytest.raises(UsageError, match=r"^--redial-max 500ms: at least --redial-min 1s$"):
        DialSettings(redial_min=1.0, redial_max=0.5)


def test_weights_are_those_that_a_router_takes() -> None:
    assert join.MAX_WEIGHT == MAX_WEIGHT
    assert ServeSettings(weight=MAX_WEIGHT).weight == MAX_WEIGHT
