"""Where routers meet: a directory of their own."""

import os
import socket
from pathlib import Path

import pytest

from zerogate.router.rendezvous import call, is_private, make_directory, name_of, sweep


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own to meet."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "zerogate"


def test_its_directory_is_its_own(directory: Path) -> None:
    assert make_directory() == directory
    assert is_private(directory)
    directory.chmod(0o750)
    assert not is_private(directory)


def test_a_link_to_elsewhere_is_not_its_own(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    directory.symlink_to(tmp_path / "elsewhere")
    assert not is_private(directory)


def test_another_users_directory_is_not_its_own(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_directory()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert not is_private(directory)


def test_what_the_dead_have_left_is_swept(directory: Path) -> None:
    alive, dead, coming = (make_directory() / name for name in ("alive", "dead", "coming.7"))
    with socket.socket(socket.AF_UNIX) as living, socket.socket(socket.AF_UNIX) as bound:
        living.bind(str(alive))
        living.listen()
        bound.bind(str(coming))  # and about to listen
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(dead))
            killed.listen()
        sweep(directory)
        assert {*directory.iterdir()} == {alive, coming}
    sweep(directory / "nowhere")


def test_what_a_dead_one_left_is_removed(directory: Path) -> None:
    path = make_directory() / name_of("tcp 127.0.0.1:1")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
    assert call("tcp 127.0.0.1:1", 1.0) is None
    assert not path.exists()
