"""A folder for sockets, which nobody else may enter."""

import os
import socket
from pathlib import Path

import pytest

from zerogate.runtime import is_private, make_directory, peer_of


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


def test_who_is_at_the_other_end() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peer_of(one) == (os.getpid(), os.geteuid())
