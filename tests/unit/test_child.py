"""What a process and its children know of each other."""

import contextlib
import os
import sys
from collections.abc import Iterator

import pytest

from zerogate import child
from zerogate.child import PARENT_FD_VARIABLE, REPORT_FD_VARIABLE, become_child, child_command


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What this process has been handed over is read anew."""
    child._take_fd.cache_clear()
    yield
    child._take_fd.cache_clear()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        with contextlib.suppress(OSError):
            os.close(fd)


def test_a_child_is_the_same_python_without_the_current_folder() -> None:
    assert child_command("worker", "app:app") == [sys.executable, "-P", "-m", "zerogate", "worker", "app:app"]


def test_a_pipe_is_taken_once_and_kept_from_what_an_application_starts(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.set_inheritable(pipe[1], True)
    monkeypatch.setenv(REPORT_FD_VARIABLE, str(pipe[1]))
    assert child.report_pipe() == pipe[1]
    assert REPORT_FD_VARIABLE not in os.environ
    assert not os.get_inheritable(pipe[1])
    assert child.report_pipe() == pipe[1]


def test_a_seat_is_taken_the_same_way(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert child.seat_channel() is None
    child._take_fd.cache_clear()
    monkeypatch.setenv(child.SEAT_FD_VARIABLE, str(pipe[0]))
    become_child()
    assert child.SEAT_FD_VARIABLE not in os.environ
    assert child.seat_channel() == pipe[0]


@pytest.mark.parametrize("value", ["", "x", "-1", "999999"])
def test_what_is_no_pipe_is_none(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARENT_FD_VARIABLE, value)
    assert child.parent_pipe() is None
    assert PARENT_FD_VARIABLE not in os.environ


def test_a_report_goes_to_who_wants_it(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    child.report(b"to nobody")
    child._take_fd.cache_clear()
    monkeypatch.setenv(REPORT_FD_VARIABLE, str(pipe[1]))
    child.report(b"started\n")
    assert os.read(pipe[0], 100) == b"started\n"


def test_a_report_that_nobody_takes_is_not_fatal(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REPORT_FD_VARIABLE, str(pipe[1]))
    os.close(pipe[0])
    child.report(b"started\n")


def test_words_come_in_lines() -> None:
    heard = b"found a b\nstarted\njoined\nparted\nworn \nfound"
    words = []
    while (said := child.next_word(heard)) is not None:
        word, rest, heard = said
        words.append((word, rest))
    others = (child.STARTED, child.JOINED, child.PARTED, child.WORN)
    assert words == [(child.FOUND, b"a b"), *((word, b"") for word in others)]
    assert heard == b"found"


@pytest.mark.parametrize(
    "heard", [b"", b"started", b"found a", b"no module\nfound x\n", b"joined.\n", b"\n", b"\xff\n"]
)
def test_what_is_no_word_stays(heard: bytes) -> None:
    assert child.next_word(heard) is None


class KilledError(Exception):
    """Instead of SIGKILL."""


def kill(pid: int, number: int) -> None:
    assert (pid, number) == (os.getpid(), 9)
    raise KilledError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """What was asked of the kernel, which is not: this process is nobody's child."""
    asked: list[tuple[int, ...]] = []

    class Libc:
        def prctl(self, *arguments: int) -> None:
            asked.append(arguments)

    monkeypatch.setattr("ctypes.CDLL", lambda name: Libc())
    monkeypatch.setattr(os, "kill", kill)
    return asked


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked on Linux only")
def test_a_child_asks_to_be_killed_with_its_parent(
    pipe: tuple[int, int], asked: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PARENT_FD_VARIABLE, str(pipe[0]))
    become_child()
    assert asked == [(1, 9, 0, 0, 0)]
    # What the parent says is no end of it.
    child._take_fd.cache_clear()
    os.write(pipe[1], b"s")
    monkeypatch.setenv(PARENT_FD_VARIABLE, str(pipe[0]))
    become_child()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked on Linux only")
def test_a_parent_that_has_gone_before_that_is_noticed(
    pipe: tuple[int, int], asked: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PARENT_FD_VARIABLE, str(pipe[0]))
    os.close(pipe[1])
    with pytest.raises(KilledError):
        become_child()


def test_who_is_nobodys_child_asks_nothing(asked: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PARENT_FD_VARIABLE, raising=False)
    become_child()
    assert asked == []
