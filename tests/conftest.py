"""Fixtures for all tests."""

import signal
from collections.abc import Iterator

import pytest

from tests.support.processes import Site, make_site

# Under nohup(1) SIGHUP is ignored, and in a script's background (`&`) SIGINT is; and so they would be by every process
# that a test starts.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def site() -> Iterator[Site]:
    """Free ports, and processes that end with the test."""
    with make_site() as made:
        yield made
