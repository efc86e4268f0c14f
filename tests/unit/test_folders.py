"""Temporary folders that go with their process."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from zerogate.folders import PREFIX, temporary_folder

HOLD = (
    "from zerogate.folders import temporary_folder\nwith temporary_folder() as path: print(path, flush=True); input()"
)


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_for_this_user_alone_and_goes_with_what_is_in_it(parent: Path) -> None:
    with temporary_folder() as path:
        assert path.parent == parent
        assert path.stat().st_mode & 0o777 == 0o700
        (path / "link").touch()
        (path / "sub").mkdir()
    assert list(parent.iterdir()) == []


def test_it_goes_with_an_error_as_well(parent: Path) -> None:
    with pytest.raises(KeyboardInterrupt), temporary_folder():
        raise KeyboardInterrupt
    assert list(parent.iterdir()) == []


def test_two_at_once(parent: Path) -> None:
    with temporary_folder() as one, temporary_folder() as two:
        assert one != two
        assert one.exists()


def test_what_a_killed_process_left_is_swept(parent: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(parent)}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )
    with holder:
        assert holder.stdout is not None
        held = Path(holder.stdout.readline().strip())
        (held / "link").touch()
        with temporary_folder():
            assert (held / "link").exists()
        holder.kill()
        holder.wait()
    assert held.exists()
    with temporary_folder() as path:
        assert list(parent.iterdir()) == [path]


def test_nothing_else_is_swept(parent: Path) -> None:
    elsewhere = parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (parent / f"{PREFIX}file").touch()
    (parent / f"{PREFIX}link").symlink_to(elsewhere)
    (parent / "zerogate-other").mkdir()
    with temporary_folder():
        pass
    assert {path.name for path in parent.iterdir()} == {
        "elsewhere",
        f"{PREFIX}file",
        f"{PREFIX}link",
        "zerogate-other",
    }
    assert (elsewhere / "kept").exists()


def test_a_sweep_that_is_quicker_than_the_lock(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = tempfile.mkdtemp

    def make_and_lose(**keywords: str) -> str:
        made.append(make(**keywords))
        if len(made) == 1:
            # Another process sweeps between the two steps; it opens the folder only after we have.
            monkeypatch.setattr(os, "open", open_and_lose)
        return made[-1]

    really_open = os.open

    def open_and_lose(path: Path, flags: int) -> int:
        fd = really_open(path, flags)
        monkeypatch.setattr(os, "open", really_open)
        os.rmdir(path)
        return fd

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_lose)
    with temporary_folder() as path:
        assert str(path) == made[1]
        assert path.exists()
    assert list(parent.iterdir()) == []
