"""Where routers meet: a directory of their own."""

import socket
from pathlib import Path

import pytest

from zerogate.router.rendezvous import call, name_of, sweep
from zerogate.runtime import make_directory


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own to meet."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "zerogate"


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
