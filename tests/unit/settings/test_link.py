"""What both ends can set."""

from typing import Any

import pytest

from zerogate.errors import UsageError
from zerogate.settings import LinkSettings, ProcessSettings
from zerogate.wire.spdy.windows import DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES


def test_a_link_is_suspect_before_it_is_lost() -> None:
    assert LinkSettings(suspect_after=2.0, lost_after=2.0).lost_after == 2.0
    with pytest.raises(UsageError, match=r"^--lost-after 2s: at least --suspect-after 3s$"):
        LinkSettings(lost_after=2.0)


@pytest.mark.parametrize("name", ["stream_window", "session_window"])
def test_windows_are_those_that_the_protocol_has(name: str) -> None:
    def made(size: int) -> LinkSettings:
        options: dict[str, Any] = {name: size}
        return LinkSettings(**options)

    for size in (DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES):
        assert getattr(made(size), name) == size
    for size in (DEFAULT_WINDOW_BYTES - 1, MAX_WINDOW_BYTES + 1):
        with pytest.raises(UsageError):
            made(size)


def test_no_time_to_stop_in_is_a_time() -> None:
    assert ProcessSettings(grace=0).grace == 0.0
