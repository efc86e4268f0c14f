"""Routers that were named, across restarts."""

import json
import os
import time
from pathlib import Path

import pytest

from zerogate.settings import WorkerSettings
from zerogate.worker import remembered
from zerogate.worker.remembered import MAX_AGE_S, MAX_FILE_BYTES, MAX_ROUTERS, REFRESH_S, Remembered, default_folder

A, B, C = "tcp://a:1", "tcp://b:1", "tcp://c:1"


def remember(folder: Path, *connect: str, **options: object) -> Remembered:
    return Remembered(WorkerSettings(connect=connect or (A,), state=str(folder), **options))  # type: ignore[arg-type]


def test_what_was_named_is_there_at_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "by itself"
    first = remember(folder)
    assert first.recall() == []
    first.name([A, B, C])
    assert sorted(remember(folder).recall()) == [B, C]
    # For those who are started so, whatever the order.
    assert remember(folder, B).recall() == []
    remember(folder, A, B).name([C])
    assert remember(folder, B, A).recall() == [C]
    (path, _) = sorted(folder.iterdir())
    assert oct(folder.stat().st_mode)[-3:] == "700"
    assert "routers-" in path.name


def test_two_processes_add_to_the_same(tmp_path: Path) -> None:
    one, two = remember(tmp_path), remember(tmp_path)
    one.recall()
    two.recall()
    one.name([B])
    two.name([C])
    assert sorted(remember(tmp_path).recall()) == [B, C]


def test_who_is_not_named_any_more(tmp_path: Path) -> None:
    found = remember(tmp_path)
    found.name([B, C])
    found.forget(B)
    found.forget("tcp://never:1")
    assert remember(tmp_path).recall() == [C]


def test_old_and_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    found = remember(tmp_path)
    found.name([B])
    (path,) = tmp_path.iterdir()
    before = path.read_text()
    found.name([B])
    assert path.read_text() == before
    now += REFRESH_S + 1
    found.name([B])
    assert path.read_text() != before
    now += MAX_AGE_S - 1
    assert remember(tmp_path).recall() == [B]
    now += 2
    assert remember(tmp_path).recall() == []


def test_not_more_than_any_site_has(tmp_path: Path) -> None:
    remember(tmp_path).name(f"tcp://a:{port}" for port in range(2, MAX_ROUTERS + 50))
    assert len(remember(tmp_path).recall()) == MAX_ROUTERS


@pytest.mark.parametrize(
    "text",
    [
        *("", "nonsense", "[]", '{"routers": 7}', '{"routers": {"tcp://b:1": "x"}}', "\xff"),
        f'{{"routers": {{"tcp://b:1": 1{"0" * 400}}}}}',
        "[" * 100_000,
        f'{{"routers": {{"tcp://b:1": 9e99}}{" " * MAX_FILE_BYTES}}}',
    ],
    ids=range(9),
)
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str) -> None:
    remember(tmp_path).name([B])
    (path,) = tmp_path.iterdir()
    path.write_bytes(text.encode("latin-1"))
    found = remember(tmp_path)
    assert found.recall() == []
    found.name([C])
    assert remember(tmp_path).recall() == [C]


def test_a_file_that_names_more_than_any_site_has(tmp_path: Path) -> None:
    remember(tmp_path).name([B])
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({"routers": {f"tcp://b:{port}": time.time() + port for port in range(2000)}}))
    found = remember(tmp_path).recall()
    assert found[0] == "tcp://b:1999"
    assert len(found) == MAX_ROUTERS


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    remember(tmp_path).name([B])
    (path,) = tmp_path.iterdir()
    path.unlink()
    os.mkfifo(path)
    assert remember(tmp_path).recall() == []


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = remember(tmp_path / "file")
    found.name([B])
    assert remember(tmp_path / "file").recall() == []
    assert "1 routers" in repr(found)


def test_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for settings in (WorkerSettings(connect=(A,), state="off"), WorkerSettings(connect=(A,), own_router=1)):
        Remembered(settings).name([B])
    assert not [*tmp_path.iterdir()]


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert default_folder() == tmp_path / ".local/state/zerogate"
    monkeypatch.setenv("XDG_STATE_HOME", "/var/x")
    assert default_folder() == Path("/var/x/zerogate")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/y:/var/lib/z")
    assert default_folder() == Path("/var/lib/y")
    monkeypatch.setenv("STATE_DIRECTORY", "not/absolute")
    monkeypatch.setenv("XDG_STATE_HOME", "neither")

    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", homeless)
    assert default_folder() is None
    Remembered(WorkerSettings(connect=(A,))).name([B])


def test_the_file_is_for_people_too(tmp_path: Path) -> None:
    remember(tmp_path).name([B])
    (path,) = tmp_path.iterdir()
    found = json.loads(path.read_text())
    assert found["connect"] == [A]
    assert [*found["routers"]] == [B]
    assert not [name for name in os.listdir(tmp_path) if name != path.name]
    assert remembered.FOLDER_MODE == 0o700
