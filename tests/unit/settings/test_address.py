"""An address in parts."""

import pytest

from tests.support.each import each
from zerogate.errors import UsageError
from zerogate.settings import AddressSettings, RouterSettings
from zerogate.settings.address import joined


@each(
    ("host", "address"),
    [("0.0.0.0", "0.0.0.0:80"), ("", ":80"), ("::1", "[::1]:80"), ("[::1]", "[::1]:80"), ("a.example", "a.example:80")],
)
def test_parts_are_joined(host: str, address: str) -> None:
    assert joined(host, 80) == address


def test_without_any_it_is_where_http_is() -> None:
    parts = AddressSettings()
    assert RouterSettings().http == (joined(parts.host, parts.port),)


@each("host", ["a:80", "a..b", "[::1", "a\0b"])
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(UsageError, match="not a host: write a name or an address, and its port as --port"):
        AddressSettings(host=host)


@pytest.mark.parametrize("port", [-1, 65536])
def test_what_is_no_port(port: int) -> None:
    with pytest.raises(UsageError):
        AddressSettings(port=port)
