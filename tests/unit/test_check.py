"""What `zerogate check` makes of what processes say."""

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from tests.support.each import each
from zerogate.check import Answer, check, judge
from zerogate.check_port import PREFIX
from zerogate.condition import Condition
from zerogate.errors import StartError

ROUTER = Condition("router", "r", True, "listens")
WELL = Condition("worker", "w-1", True, "has joined r")
ILL = Condition("worker", "w-2", False, "has joined no router")


@each(
    ("answers", "well", "wrong"),
    [
        ([Answer(1, 1, conditions=[WELL])], ["worker w-1 has joined r"], []),
        ([Answer(1, 1, conditions=[ILL])], [], ["worker w-2 has joined no router"]),
        # Of one command one is enough; of two each has to be well.
        ([Answer(1, 9, conditions=[WELL]), Answer(2, 9, conditions=[ILL])], ["worker w-1 has joined r"], []),
        (
            [Answer(1, 1, conditions=[WELL]), Answer(2, 2, conditions=[ILL])],
            ["worker w-1 has joined r"],
            ["worker w-2 has joined no router"],
        ),
        # A router without any of its workers.
        (
            [Answer(9, 9, children=["router", "worker"]), Answer(1, 9, conditions=[ROUTER])],
            ["router r listens"],
            ["no worker of process 9 is up"],
        ),
        ([Answer(9, 9, children=["files"])], [], ["no worker of process 9 is up"]),
        # One that hangs, alone, and beside one that does not.
        ([Answer(1, 1, is_silent=True)], [], ["process 1 does not answer: it hangs, or is busy"]),
        (
            [Answer(9, 9, children=["worker"]), Answer(1, 9, is_silent=True), Answer(2, 9, conditions=[WELL])],
            ["worker w-1 has joined r"],
            [],
        ),
        (
            [Answer(9, 9, children=["worker"]), Answer(1, 9, is_silent=True)],
            [],
            ["no worker of process 9 is up", "process 1 does not answer: it hangs, or is busy"],
        ),
        # Whose parent is none of ours is a command of its own.
        ([Answer(1, 7, is_silent=True)], [], ["process 1 does not answer: it hangs, or is busy"]),
    ],
)
def test_judging(answers: list[Answer], well: list[str], wrong: list[str]) -> None:
    assert judge(answers) == (well, wrong)


class Process:
    """Says something to the first who asks, or nothing (None) for as long as it is."""

    def __init__(self, directory: Path, pid: int, words: object) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.bind(str(directory / f"{PREFIX}{pid}"))
        self._sock.listen()
        if words is not None:
            text = words if isinstance(words, bytes) else json.dumps(words).encode()
            threading.Thread(target=self._answer, args=(text,), daemon=True).start()

    def _answer(self, text: bytes) -> None:
        sock, _ = self._sock.accept()
        with sock:
            sock.sendall(text)

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own, and no other."""
    found = [tmp_path / "zerogate", tmp_path / "none"]
    monkeypatch.setattr("zerogate.check.candidate_directories", lambda: iter(found))
    return found[0]


def said(*conditions: Condition, command: int = 1) -> dict[str, object]:
    return {"pid": 1, "command": command, "children": [], "conditions": [each._asdict() for each in conditions]}


def test_all_is_well(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    processes = [Process(directory, 1, said(ROUTER)), Process(directory, 2, said(*[WELL] * 4, command=2))]
    check("", 10.0)
    shown = "ok: router r listens, worker w-1 has joined r, worker w-1 has joined r and 2 more\n"
    assert capsys.readouterr().out == shown
    for process in processes:
        process.close()


@pytest.mark.parametrize("name", ["w-1", "w"])
def test_by_name(directory: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    process = Process(directory, 1, said(WELL, Condition("worker", "other", False, "is stopping")))
    check(name, 10.0)
    assert capsys.readouterr().out == "ok: worker w-1 has joined r\n"
    process.close()


def test_what_is_wrong(directory: Path) -> None:
    with pytest.raises(StartError, match="no router and no worker of this user runs here"):
        check("", 10.0)
    process = Process(directory, 1, said(ILL))
    with pytest.raises(StartError, match="worker w-2 has joined no router"):
        check("", 10.0)
    process.close()


def test_nobody_is_called_so(directory: Path) -> None:
    processes = [Process(directory, os.getpid(), None), Process(directory, 2, said(WELL))]
    with pytest.raises(StartError, match=f"nobody here is called x; process {os.getpid()} does not answer"):
        check("x", 0.05)
    for process in processes:
        process.close()


@pytest.mark.parametrize("words", [b"nonsense", b"[]", b'{"pid": 1}', None])
def test_who_talks_nonsense_or_nothing_does_not_answer(directory: Path, words: bytes | None) -> None:
    process = Process(directory, os.getpid(), words)
    with pytest.raises(StartError, match="does not answer"):
        check("", 0.2 if words is None else 10.0)
    process.close()


def test_what_a_dead_one_has_left_is_removed(directory: Path) -> None:
    Process(directory, 1, None).close()
    with pytest.raises(StartError, match="no router and no worker"):
        check("", 10.0)
    assert not [*directory.iterdir()]
