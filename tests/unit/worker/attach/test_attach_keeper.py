"""The keeper: its command's exit code, signals, and that nothing of the command's survives its parent."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import is_running, wait_gone
from tests.support.processes import wait_for
from zerogate.worker.attach import keeper


class Kept:
    """A shell command with a keeper. `fd` is our end of its pipe."""

    def __init__(self, command: list[str]) -> None:
        child_fd, self.fd = os.pipe()
        self.popen = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, str(child_fd), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(child_fd,),
            start_new_session=True,
            text=True,
        )
        os.close(child_fd)

    def let_go(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def line(self) -> str:
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    def close(self) -> None:
        self.let_go()
        self.popen.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()


@pytest.fixture
def kept() -> Iterator[list[Kept]]:
    made: list[Kept] = []
    yield made
    for each in made:
        each.close()


def start(kept: list[Kept], script: str) -> Kept:
    kept.append(Kept(["sh", "-c", script]))
    return kept[-1]


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 128 + 9)])
def test_the_exit_code_is_the_commands(kept: list[Kept], script: str, code: int) -> None:
    assert start(kept, script).popen.wait(20) == code


def test_what_cannot_be_run(kept: list[Kept], tmp_path: Path) -> None:
    kept.append(Kept(["/no/such/command"]))
    assert kept[-1].popen.wait(20) == keeper.NOT_FOUND
    assert kept[-1].line() == "zerogate: /no/such/command: No such file or directory"
    kept.append(Kept([str(tmp_path)]))
    assert kept[-1].popen.wait(20) == keeper.CANNOT_RUN
    assert kept[-1].line() == f"zerogate: {tmp_path}: Permission denied"


def test_signals_are_passed_on(kept: list[Kept]) -> None:
    each = start(kept, "trap 'echo told; exit 3' TERM; trap 'exit 4' INT; echo ready; while :; do sleep 0.05; done")
    assert each.line() == "ready"
    each.popen.send_signal(signal.SIGTERM)
    assert each.line() == "told"
    assert each.popen.wait(20) == 3


def test_nothing_survives_the_parent(kept: list[Kept]) -> None:
    each = start(kept, "trap '' TERM HUP; sleep 1000 & echo $$ $!; wait")
    pids = [int(word) for word in each.line().split()]
    each.let_go()
    assert each.popen.wait(20) == 128 + signal.SIGKILL
    wait_gone(pids)


def test_nor_the_command_its_keeper(kept: list[Kept]) -> None:
    if sys.platform != "linux":
        pytest.skip("there is no PR_SET_PDEATHSIG")
    each = start(kept, "echo $$; exec sleep 1000")
    pid = int(each.line())
    wait_for(lambda: b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes(), "it is what it will be")
    each.popen.kill()
    wait_gone([pid])


def test_nor_what_the_command_leaves_behind_the_command(kept: list[Kept]) -> None:
    each = start(kept, "sleep 1000 >/dev/null 2>&1 & echo $!; exit 5")
    pid = int(each.line())
    assert each.popen.wait(20) == 5
    wait_gone([pid])
    assert not is_running(pid)
