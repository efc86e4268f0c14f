"""Sockets from systemd: which are taken for what, and which are refused."""

import os
import socket
from collections.abc import Iterator

import pytest

from zerogate.errors import StartError, UsageError
from zerogate.link import systemd
from zerogate.link.systemd import inherited_listeners, is_passed_sockets


class Passed:
    """Sockets where systemd puts them, less that the first is not descriptor 3."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._socks: list[socket.socket] = []

    def __call__(self, *addresses: str, names: str = "", is_listening: bool = True) -> dict[str, str]:
        """The environment that goes with them."""
        for address in addresses:
            sock = socket.socket()
            self._socks.append(sock)
            sock.bind((address, 0))
            if is_listening:
                sock.listen()
        first = 700
        for number, sock in enumerate(self._socks, first):
            os.dup2(sock.fileno(), number)
        self._monkeypatch.setattr(systemd, "FIRST_FD", first)
        return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(addresses)), "LISTEN_FDNAMES": names}

    def close(self) -> None:
        for number, sock in enumerate(self._socks, 700):
            sock.close()
            try:
                os.close(number)
            except OSError:
                continue  # It was taken, and closed.


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Passed]:
    made = Passed(monkeypatch)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("names", "n_http"),
    [("http:bind", 1), ("bind:http", 1), ("", 1), ("zerogate.socket:zerogate.socket", 1), ("http:http", 2)],
)
def test_names(passed: Passed, names: str, n_http: int) -> None:
    found = inherited_listeners(insecure=False, environ=passed("127.0.0.1", "127.0.0.1", names=names))
    assert (len(found.http), len(found.bind)) == (n_http, 2 - n_http)
    for listener in (*found.http, *found.bind):
        listener.close()


def test_a_socket_for_tls(passed: Passed) -> None:
    found = inherited_listeners(insecure=False, environ=passed("127.0.0.1", "127.0.0.1", names="https:http"))
    assert (len(found.http), len(found.https), len(found.bind)) == (1, 1, 0)
    assert found.https[0].label == "--https (from systemd)"
    for listener in (*found.http, *found.https):
        listener.close()


def test_names_that_are_not_ours(passed: Passed) -> None:
    with pytest.raises(UsageError, match="'metrics'"):
        inherited_listeners(insecure=False, environ=passed("127.0.0.1", names="metrics"))


def test_workers_sockets_that_others_can_reach(passed: Passed) -> None:
    environ = passed("127.0.0.1", "0.0.0.0", names="http:bind")
    with pytest.raises(UsageError, match="--insecure"):
        inherited_listeners(insecure=False, environ=environ)


def test_workers_sockets_that_others_may_reach(passed: Passed) -> None:
    found = inherited_listeners(insecure=True, environ=passed("0.0.0.0", names="bind"))
    found.bind[0].close()


def test_what_does_not_listen(passed: Passed) -> None:
    with pytest.raises(StartError, match="listening"):
        inherited_listeners(insecure=False, environ=passed("127.0.0.1", names="http", is_listening=False))


def test_sockets_of_another_process(passed: Passed) -> None:
    environ = passed("127.0.0.1", names="http") | {"LISTEN_PID": "1"}
    assert inherited_listeners(insecure=False, environ=environ) == ([], [], [])


def test_whose_the_sockets_are() -> None:
    assert is_passed_sockets({"LISTEN_PID": str(os.getpid())})
    assert not is_passed_sockets({"LISTEN_PID": str(os.getppid())})
    assert not is_passed_sockets({})
