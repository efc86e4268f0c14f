"""Binding: a place has one owner, and what cannot be one."""

import errno
import os
import shutil
import socket
import stat
from pathlib import Path

import pytest

from zerogate.errors import StartError, UsageError
from zerogate.link.bind import Place, TakenError, bind, endpoint_places, place_of, tcp_places
from zerogate.settings.endpoint import MAX_PATH_BYTES, parse_endpoint


def local_place(port: int = 0) -> Place:
    return tcp_places("127.0.0.1", port, "--http x")[0]


def test_a_port_has_one_owner() -> None:
    with bind(local_place()) as sock, pytest.raises(TakenError):
        bind(local_place(sock.getsockname()[1]))


def test_a_unix_socket_has_one_owner(tmp_path: Path) -> None:
    (place,) = endpoint_places(parse_endpoint(f"ipc://{tmp_path}/s"), "--bind x")
    with bind(place), pytest.raises(TakenError):
        bind(place)
    bind(place).close()  # The one that listened there is gone.
    assert os.listdir(tmp_path) == ["s"]


def test_a_file_is_not_a_socket_that_was_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(StartError, match="file"):
        bind(Place("--bind x", socket.AF_UNIX, str(path)))
    assert path.read_text() == "precious"


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_a_unix_sockets_mode(tmp_path: Path, mode: int) -> None:
    (place,) = endpoint_places(parse_endpoint(f"ipc://{tmp_path}/s"), "--bind x", mode)
    with bind(place):
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == mode


def test_where_no_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(UsageError, match=r"^the current folder is not there any more$"):
        endpoint_places(parse_endpoint("ipc://s"), "--bind x")


@pytest.mark.parametrize("where", ["no-such-directory/s", f"{'x' * 100}/s"])
def test_where_no_socket_can_be(tmp_path: Path, where: str) -> None:
    with pytest.raises(StartError):
        bind(Place("--bind x", socket.AF_UNIX, str(tmp_path / where)))


def test_what_does_not_listen_is_not_inherited() -> None:
    with socket.socket() as sock, pytest.raises(StartError, match="not a listening"):
        place_of(sock, "--http (from systemd)")


def test_a_place_has_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Place("a", socket.AF_UNIX, "s").key == Place("b", socket.AF_UNIX, f"{tmp_path}/s").key
    assert Place("a", socket.AF_INET6, ("::1", 80, 0, 0)).key == "tcp [::1]:80"
    assert local_place(80).key == "tcp 127.0.0.1:80"


def test_who_may_not_have_a_port_of_roots_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(sock: socket.socket, address: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse, raising=False)
    with pytest.raises(StartError) as caught:
        bind(local_place(80))
    assert caught.value.reason == (
        "--http x: no permission to listen on 127.0.0.1:80: ports below 1024 are root's. Have systemd give it "
        "AmbientCapabilities=CAP_NET_BIND_SERVICE, or say `sysctl net.ipv4.ip_unprivileged_port_start=80`, or choose "
        "another port"
    )
    with pytest.raises(StartError, match=r"no permission to listen on 127\.0\.0\.1:8080$"):
        bind(local_place(8080))
    with pytest.raises(StartError, match=r"no permission to listen on /.*/s$"):
        bind(Place("--bind x", socket.AF_UNIX, str(tmp_path / "s")))


@pytest.mark.parametrize("name", ["s", "a-longer-name"])
def test_any_path_that_a_socket_can_have(tmp_path: Path, name: str) -> None:
    """Also where that of the one beside, from which it is renamed, could not be one."""
    folder = tmp_path / ("d" * (MAX_PATH_BYTES - len(f"{tmp_path}//{name}")))
    folder.mkdir()
    (place,) = endpoint_places(parse_endpoint(f"ipc://{folder}/{name}"), "--bind x", 0o660)
    with bind(place), socket.socket(socket.AF_UNIX) as client:
        client.connect(place.address)
        assert stat.S_IMODE(os.stat(place.address).st_mode) == 0o660
        with pytest.raises(TakenError):
            bind(place)
    assert os.listdir(folder) == [name]


def test_another_process_of_our_number_is_not_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers that share a folder: each may be number 1, and bind at the same moment."""
    places = [Place("--bind x", socket.AF_UNIX, str(tmp_path / name)) for name in "ab"]
    socks = []
    chmod = os.chmod

    def bind_the_other(path: str, mode: int) -> None:
        monkeypatch.setattr(os, "chmod", chmod)
        socks.append(bind(places[1]))
        chmod(path, mode)

    monkeypatch.setattr(os, "chmod", bind_the_other)
    socks.insert(0, bind(places[0]))
    for place, sock in zip(places, socks, strict=True):
        with sock, socket.socket(socket.AF_UNIX) as client:
            client.connect(place.address)
            sock.settimeout(10)
            sock.accept()[0].close()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
