"""Ports that the system chooses."""

import socket

from zerogate.cli.ports import with_ports
from zerogate.settings import RouterSettings


def test_what_says_a_port_or_a_path_stays() -> None:
    settings = RouterSettings(
        http=("127.0.0.1:8080", "unix:/run/s:0"), https=(":443",), bind=("ipc:///run/l:0",), admin="off"
    )
    assert with_ports(settings) == settings


def test_where_anybody_can_listen() -> None:
    settings = with_ports(
        RouterSettings(
            http=("127.0.0.1:0", ":0", "[::1]:0"), https=("localhost:0",), bind=("tcp://*:0",), admin="127.0.0.1:0"
        )
    )
    texts = [*settings.http, *settings.https, *settings.bind, settings.admin]
    before = ["127.0.0.1", "", "[::1]", "localhost", "tcp://*", "127.0.0.1"]
    assert [text.rpartition(":")[0] for text in texts] == before
    for text in texts:
        port = int(text.rpartition(":")[2])
        with socket.create_server(("127.0.0.1", port)):
            assert port


def test_where_nobody_can_listen_it_is_left_to_who_tries() -> None:
    settings = RouterSettings(http=("192.0.2.1:0", "nobody.invalid:0"))
    assert with_ports(settings).http == settings.http
