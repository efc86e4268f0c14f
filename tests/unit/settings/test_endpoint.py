"""Endpoints and addresses, as people write them."""

import pytest

from tests.support.each import each
from zerogate.errors import UsageError
from zerogate.settings.endpoint import MAX_PATH_BYTES, is_loopback, parse_address, parse_endpoint, parse_listening


@each(
    ("text", "host", "port"),
    [
        ("localhost:80", "localhost", 80),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("[::1]:65535", "::1", 65535),
        ("*:9000", "", 9000),
        (":9000", "", 9000),
        ("a-b.example:1", "a-b.example", 1),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)
    endpoint = parse_endpoint(f"tcp://{text}")
    assert (endpoint.host, endpoint.port, endpoint.path) == (host, port, "")
    assert endpoint.text == f"tcp://{text}"


@each(
    "text",
    ["", "localhost", "localhost:", "a:b", "a:-1", "a:65536", "a:99999999999", "a: 1", "a:1 ", "a:\u0661", "::1:80"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)
    with pytest.raises(UsageError):
        parse_endpoint(f"tcp://{text}")


@each("host", ["a..b", ".a", "a\0b", f"{'x' * 64}.example", "\u00e4..b", "\ud800"])
def test_what_no_host_can_be_called(host: str) -> None:
    """The resolver raises for these what is no OSError, and whoever dials on would never notice."""
    with pytest.raises(UsageError, match="no host can be called"):
        parse_address(f"{host}:1")
    with pytest.raises(UsageError):
        parse_endpoint(f"tcp://{host}:1")


@each("path", ["a\0b", "x" * 108, "\u00e4" * 54])
def test_where_no_socket_can_be(path: str) -> None:
    with pytest.raises(UsageError):
        parse_endpoint(f"ipc://{path}")


def test_a_port_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="ports end at 65535"):
        parse_address("a:65536")


def test_an_ipv6_address_belongs_in_brackets() -> None:
    with pytest.raises(UsageError, match=r"\[::1\]:80"):
        parse_address("::1:80")


@each("path", ["/tmp/a", "relative/a", "@abstract", "a b:1"])
def test_ipc(path: str) -> None:
    endpoint = parse_endpoint(f"ipc://{path}")
    assert (endpoint.path, endpoint.host, endpoint.port) == (path, "", 0)
    assert endpoint.is_local


@each("text", ["", "tcp", "tcp:", "tcp:/a:1", "localhost:80", "ipc://", "inproc://a", "TCP://a:1", "http://a:1"])
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(UsageError):
        parse_endpoint(text)


@each(
    ("host", "expected"),
    [(host, True) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1")]
    + [(host, False) for host in ("", "0.0.0.0", "::", "::2", "10.0.0.1", "localhost.example")],
)
def test_what_only_this_machine_can_reach(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@each(
    ("text", "path"),
    [
        ("unix:/run/a", "/run/a"),
        ("unix:///run/a", "/run/a"),
        ("unix:relative", "relative"),
        ("unix:./80", "./80"),
    ],
)
def test_where_clients_connect_to_by_path(text: str, path: str) -> None:
    endpoint = parse_listening(text)
    assert (endpoint.text, endpoint.path) == (text, path)


@each("text", ["[::1]:80", "*:80", "unix:80"])
def test_where_clients_connect_to_by_address(text: str) -> None:
    endpoint = parse_listening(text)
    assert (endpoint.host, endpoint.port, endpoint.path) == (*parse_address(text), "")


@each("text", ["", "unix:", "unix://", "unix:a\0b", f"unix:{'x' * (MAX_PATH_BYTES + 1)}", "/run/a"])
def test_where_no_client_can_connect_to(text: str) -> None:
    with pytest.raises(UsageError):
        parse_listening(text)
