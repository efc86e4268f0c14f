"""`zerogate demo`: every step shown, true, and nothing left behind."""

import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.commands import children, clean_environment, run_command, wait_gone
from tests.support.processes import Process, Site, wait_for

STAYS_UP = "Ctrl-C here ends it all"

N_PROCESSES_AT_THE_END = 7  # the router and six workers


def options(site: Site) -> list[str]:
    return [
        *("--http", f"127.0.0.1:{site.http_port}"),
        *("--bind", site.endpoint),
        *("--admin", f"127.0.0.1:{site.admin_port}"),
    ]


def start_demo(site: Site) -> Process:
    process = site.start("demo", *options(site))
    process.wait_output(STAYS_UP, 40)
    return process


def test_each_step_is_shown_with_what_came_back(site: Site) -> None:
    result = run_command("demo", "--once", *options(site), seconds=60)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    steps = re.split(r"^\d\. ", result.stdout, flags=re.MULTILINE)
    assert len(steps) == 6
    url = re.escape(f"  $ curl http://localhost:{site.http_port}/\n")
    workers, router, turns, kill, more = steps[1:]
    assert [line for line in workers.splitlines() if "dialling on" in line] == [
        f"  no router at {site.endpoint} yet: dialling on"
    ] * 2
    assert re.findall(r"\$ zerogate hello (worker-\d)", workers) == ["worker-1", "worker-2"]
    assert "$ zerogate router" in router
    assert sorted(re.findall(r"(worker-\d) joined", router)) == ["worker-1", "worker-2"]
    answers = re.findall(url + r"  Hello from (.*)\n", turns)
    assert answers == [*answers[:2], *answers[:2]]
    assert sorted(answers[:2]) == ["worker-1", "worker-2"]
    assert re.search(r"\$ kill -9 \d+ +# worker-1\n", kill)
    assert re.findall(url + r"  Hello from (.*)\n", kill) == ["worker-2"] * 3
    assert sorted(re.findall(url + r"  Hello from (.*)\n", more)) == [f"worker-{n}" for n in range(2, 8)]


def test_it_fits_a_plain_terminal(site: Site) -> None:
    result = run_command("demo", "--once", *options(site), seconds=60)
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stdout
    assert result.stdout.isascii()


@pytest.mark.parametrize(
    ("variables", "has_colour"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["a terminal", "NO_COLOR", "a dumb terminal"],
)
def test_colour_is_for_terminals_that_want_it(site: Site, variables: dict[str, str], has_colour: bool) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "zerogate", "demo", *options(site)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**clean_environment(), "NO_COLOR": "", **variables},
    )
    os.close(theirs)
    shown = b""
    try:
        give_up = time.monotonic() + 20
        while b"Two workers" not in shown:
            assert select.select([ours], [], [], max(0.0, give_up - time.monotonic()))[0]
            shown += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # the terminal's end
            while piece := os.read(ours, 4096):
                shown += piece
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert (b"\x1b[" in shown) is has_colour


def test_it_stays_up_for_the_readers_own_requests(site: Site) -> None:
    process = start_demo(site)
    assert f"$ curl http://localhost:{site.http_port}/" in process.output().rpartition("Your turn")[2]
    assert {site.get()[2] for _ in range(6)} == {b"Hello from worker-%d\n" % n for n in range(2, 8)}
    # The commands that it suggests are true, too.
    suggested = process.output().rpartition("Your turn")[2]
    hello = re.search(r"\$ zerogate (hello worker-8 .*?)  #", suggested)
    assert hello is not None
    site.start(*hello[1].split()).wait_output("joined router")
    site.wait_workers(7)
    kill = re.search(r"\$ kill -9 (\d+) +# one fewer: worker-2", suggested)
    assert kill is not None
    os.kill(int(kill[1]), signal.SIGKILL)
    site.wait_workers(6)
    status = re.search(r"\$ zerogate (status .*?)  #", suggested)
    assert status is not None
    assert "worker-8" in run_command(*status[1].split()).stdout
    assert process.popen.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_all_it_started(site: Site, number: signal.Signals) -> None:
    process = start_demo(site)
    started = children(process.pid)
    assert len(started) == N_PROCESSES_AT_THE_END
    process.send_signal(number)
    assert process.popen.wait(30) == 0
    wait_gone(started)
    assert "Traceback" not in process.output()


def test_a_signal_amid_its_steps_ends_it_as_well(site: Site) -> None:
    process = site.start("demo", *options(site))
    process.wait_output("dialling on")
    started = children(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.popen.wait(30) == 0
    wait_gone(started)
    assert "Traceback" not in process.output()


def test_its_processes_die_with_it_however_it_ends(site: Site) -> None:
    process = start_demo(site)
    started = children(process.pid)
    assert len(started) == N_PROCESSES_AT_THE_END
    process.kill()
    wait_gone(started)


@pytest.mark.parametrize("kind", ["http", "bind", "admin"])
def test_a_port_that_is_taken_is_one_line(site: Site, kind: str) -> None:
    port = {"http": site.http_port, "bind": site.link_port, "admin": site.admin_port}[kind]
    with socket.create_server(("127.0.0.1", port)):
        result = run_command("demo", "--once", *options(site))
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert f"--{kind} " in result.stderr
    assert f":{port} is taken by another program" in result.stderr


def test_a_router_that_runs_already_is_in_the_way(site: Site) -> None:
    site.router()
    result = run_command("demo", "--once", *options(site))
    assert (result.returncode, result.stdout) == (1, "")
    assert "taken by another program" in result.stderr


def test_workers_that_run_already_are_named(site: Site) -> None:
    site.hello("stranger", wait=False, env={"ZEROGATE_REDIAL_MAX": "0.05"}).wait_output("dialling on")
    result = run_command("demo", "--once", *options(site), seconds=60)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "(stranger)" in result.stderr


def test_a_unix_socket_does_as_well(site: Site, tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/link"
    ports = ("--http", f"127.0.0.1:{site.http_port}", "--admin", f"127.0.0.1:{site.admin_port}")
    result = run_command("demo", "--once", "--bind", endpoint, *ports, seconds=60)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("Hello from") == 13


def test_a_step_that_fails_shows_the_logs(site: Site, tmp_path: Path) -> None:
    ports = ("--http", f"127.0.0.1:{site.http_port}", "--admin", f"127.0.0.1:{site.admin_port}")
    result = run_command("demo", "--once", "--bind", f"ipc://{tmp_path}/no/such/link", *ports)
    assert result.returncode == 1
    assert f"no such directory for {tmp_path}/no/such/link" in result.stderr.splitlines()[-1]


def test_nobody_reading_is_no_reason_to_stay(site: Site) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "zerogate", "demo", *options(site)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        wait_for(lambda: len(children(process.pid)) > 0, "the first worker")
        started = children(process.pid)
        process.stdout.close()
        assert process.wait(30) == 1
        assert b"Traceback" not in process.stderr.read()
    wait_gone(started)
