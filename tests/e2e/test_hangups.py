"""SIGHUP: a terminal that is closed ends what it started, in good order; any other one renews what can be renewed."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import children, clean_environment, folder, wait_gone
from tests.support.processes import Site, wait_for

__all__ = ["folder"]

# A shell in a terminal window: leads a session of its own, and becomes the command.
ON_A_TERMINAL = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
if sys.argv[1] == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", "zerogate", *sys.argv[2:]])
"""

# A shell that has a job, in the foreground or not, which it tells to go when it is told so itself. Then it ends, and
# its terminal goes with it, though the window is still there.
A_SHELL = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if not job:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.executable, [sys.executable, "-m", "zerogate", *sys.argv[2:]])
os.setpgid(job, job)
if sys.argv[1] == "foreground":
    os.tcsetpgrp(0, job)
os.write(1, b"%d\\n" % job)
def go(*_):
    os.killpg(job, signal.SIGHUP)
    os._exit(0)
signal.signal(signal.SIGHUP, go)
while True:
    signal.pause()
"""

COMMANDS = ["router", "worker", "several workers", "run"]


def arguments(site: Site, command: str) -> list[str]:
    ports = ["--http", f"127.0.0.1:{site.http_port}", "--admin", f"127.0.0.1:{site.admin_port}"]
    match command:
        case "router":
            return ["router", *ports, "--bind", site.endpoint]
        case "run":
            return ["run", "good:app", "--processes", "1", *ports, "--bind", site.endpoint]
        case "worker":
            return ["worker", "good:app", "--connect", site.endpoint]
    return ["worker", "good:app", "--connect", site.endpoint, "--processes", "2"]


def surroundings(site: Site, command: str) -> None:
    """Who else is needed for an answer."""
    if command == "router":
        site.hello("w", wait=False)
    elif "worker" in command:
        site.router()


def answers(site: Site) -> bool:
    with contextlib.suppress(OSError):
        return site.get()[0] == 200
    return False


@contextlib.contextmanager
def on_a_terminal(*words: str, cwd: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """The command, and our end of its terminal: to be closed by whoever wants to."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, *words],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
        cwd=cwd,
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            os.close(ours)


@pytest.mark.parametrize("command", COMMANDS)
def test_it_ends_nothing_that_has_no_terminal(site: Site, folder: Path, command: str) -> None:
    surroundings(site, command)
    process = site.start(*arguments(site, command), cwd=folder)
    wait_for(lambda: answers(site), "an answer")
    started = set(children(process.pid))
    for _ in range(3):
        process.send_signal(signal.SIGHUP)
        assert site.get()[0] == 200
    if command == "worker":
        process.wait_output("a lone process cannot be replaced")
    if started:
        # Workers are replaced, and a router is not.
        stays = {min(started)} if command == "run" else set()
        wait_for(lambda: set(children(process.pid)) & started == stays, "new processes in place of the old ones")
        assert site.get()[0] == 200
    assert process.terminate() == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminal_that_is_closed_ends_it_in_good_order(site: Site, folder: Path, command: str) -> None:
    surroundings(site, command)
    with on_a_terminal("plain", *arguments(site, command), cwd=folder) as (process, terminal):
        wait_for(lambda: answers(site), "an answer")
        started = children(process.pid)
        # As from another terminal: this one is still there.
        process.send_signal(signal.SIGHUP)
        assert site.get()[0] == 200
        os.close(terminal)
        assert process.wait(30) == 0
        if started:
            wait_gone(started)


def test_but_not_under_nohup(site: Site, folder: Path) -> None:
    with on_a_terminal("nohup", *arguments(site, "run"), cwd=folder) as (process, terminal):
        wait_for(lambda: answers(site), "an answer")
        os.close(terminal)
        for _ in range(3):
            assert site.get()[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_log_is_opened_anew_under_nohup_as_well(site: Site, folder: Path) -> None:
    log = folder / "access.log"
    with on_a_terminal("nohup", *arguments(site, "run"), "--access-log", str(log), cwd=folder) as (process, _):
        wait_for(lambda: answers(site), "an answer")
        log.rename(folder / "access.log.1")
        process.send_signal(signal.SIGHUP)
        wait_for(log.exists, "a new log")


@pytest.mark.parametrize("where", ["foreground", "background"])
def test_a_shell_that_goes_takes_its_jobs_along(site: Site, folder: Path, where: str) -> None:
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        [sys.executable, "-c", A_SHELL, where, *arguments(site, "run")],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
        cwd=folder,
    )
    os.close(theirs)
    try:
        assert shell.stdout is not None
        job = int(shell.stdout.readline())
        wait_for(lambda: answers(site), "an answer")
        started = [job, *children(job)]
        shell.send_signal(signal.SIGHUP)
        wait_gone(started, 30)
    finally:
        shell.kill()
        shell.communicate()
        os.close(ours)
