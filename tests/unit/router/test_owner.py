"""Who has an address, by the system's account."""

import os
import socket
from pathlib import Path

import pytest

from zerogate.link.bind import Place, tcp_places
from zerogate.router.owner import owner_of

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells")


@pytest.mark.parametrize("wanted", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("has", ["127.0.0.1", "0.0.0.0"])
def test_of_a_port(has: str, wanted: str) -> None:
    with socket.create_server((has, 0)) as sock:
        (place,) = tcp_places(wanted, sock.getsockname()[1], "--http x")
        assert owner_of(place) == "this command itself"


def test_of_an_ipv6_port() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as sock:
        place = Place("--http x", socket.AF_INET6, sock.getsockname())
        assert owner_of(place) == "this command itself"


def test_of_a_path(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen()
        assert owner_of(Place("--bind x", socket.AF_UNIX, path)) == "this command itself"


def test_of_another_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        (place,) = tcp_places("127.0.0.1", sock.getsockname()[1], "--http x")
        child = os.fork()
        if not child:
            sock.close()  # Else it has it, too, and who is found first depends on whose number is lower.
            os._exit(owner_of(place).endswith(f"(process {os.getppid()})") - 1)
        assert os.waitpid(child, 0)[1] == 0


def test_of_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    assert owner_of(tcp_places("127.0.0.1", port, "--http x")[0]) == "another program"
