"""A plugin of pytest's: httpbin is where the environment says, and not served by the tests themselves."""

import os
from types import SimpleNamespace

import pytest

URL_VARIABLE = "HTTPBIN_URL"


@pytest.fixture
def httpbin() -> SimpleNamespace:
    """As pytest-httpbin has it."""
    return SimpleNamespace(url=os.environ[URL_VARIABLE])


@pytest.fixture
def httpbin_secure() -> None:
    pytest.skip("no TLS here")
