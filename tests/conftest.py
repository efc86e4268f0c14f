"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest

from tests.support.processes import Site, make_site


@pytest.fixture
def site() -> Iterator[Site]:
    """Free ports, and processes that end with the test."""
    with make_site() as made:
        yield made
