"""Commands and signals, and `zerogate run`: a router and its workers in one command, with no process left behind."""

import concurrent.futures
import contextlib
import http.client
import os
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.support.commands import APPLICATION, children, folder, wait_gone
from tests.support.processes import Process, Site, wait_for
from zerogate.settings.cores import n_cores

__all__ = ["folder"]

# Signals


def start_any(site: Site, command: str, folder: Path) -> Process:
    match command:
        case "router":
            return site.router()
        case "run":
            process = site.start("run", "good:app", *run_options(site), cwd=folder)
            process.wait_output("Ctrl-C stops")
            return process
        case "worker":
            site.router()
            return site.worker("good:app", "w", cwd=folder)
        case "several workers":
            site.router()
            process = site.start("worker", "good:app", "--processes", "2", "--connect", site.endpoint, cwd=folder)
            site.wait_workers(2)
            return process
        case "a worker without a router":
            process = site.hello("w", wait=False)
            process.wait_output("dialling on")
            return process
    raise AssertionError(command)


def run_options(site: Site) -> list[str]:
    return [
        *("--http", f"127.0.0.1:{site.http_port}"),
        *("--bind", site.endpoint),
        *("--admin", f"127.0.0.1:{site.admin_port}"),
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["router", "run", "worker", "several workers", "a worker without a router"])
def test_a_stop_is_a_success(site: Site, folder: Path, command: str, number: signal.Signals) -> None:
    process = start_any(site, command, folder)
    started = children(process.pid)
    process.send_signal(number)
    assert process.popen.wait(30) == 0, process.output()
    if started:
        wait_gone(started)
    assert "Traceback" not in process.output()


def test_the_second_signal_ends_it_at_once(site: Site, folder: Path) -> None:
    process = start_any(site, "several workers", folder)
    started = children(process.pid)
    os.kill(started[0], signal.SIGSTOP)  # it will not stop by itself
    process.send_signal(signal.SIGINT)
    process.wait_output("stopping")
    process.send_signal(signal.SIGINT)
    assert process.popen.wait(30) == 1
    wait_gone(started)


def test_an_import_that_hangs_can_be_interrupted(tmp_path: Path, site: Site) -> None:
    (tmp_path / "hanging.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    process = site.worker("hanging:app", "w", wait=False, cwd=tmp_path)
    process.wait_output("importing")
    process.send_signal(signal.SIGINT)
    assert process.popen.wait(30) == 1
    assert "Traceback" not in process.output()


# A router and its workers in one command


def test_run_is_a_router_and_a_worker_for_each_core(site: Site, folder: Path) -> None:
    process = start_any(site, "run", folder)
    site.wait_workers(n_cores())
    assert {worker["peer"] for worker in site.status()["workers"]} == {"ipc"}
    assert len(children(process.pid)) == n_cores() + 1
    assert site.get()[2] == b"here\n"


def test_others_may_dial_in_to_run(site: Site, folder: Path) -> None:
    options = ("--processes", "1", "--router-processes", str(site.router_processes), *run_options(site))
    site.start("run", "good:app", *options, cwd=folder).wait_output("Ctrl-C stops")
    site.hello("guest")
    assert {site.get()[2] for _ in range(4)} == {b"here\n", b"Hello from guest\n"}


def test_run_restarts_a_worker_that_dies(site: Site, folder: Path) -> None:
    process = site.start("run", "good:app", "--processes", "2", *run_options(site), cwd=folder)
    site_workers(site, 2)
    before = set(children(process.pid))
    os.kill(max(before), signal.SIGKILL)  # the router was started first
    wait_for(lambda: len(set(children(process.pid)) - before) == 1, "another worker")
    site_workers(site, 2)
    assert site.get()[0] == 200
    assert "starting it again" in process.output()


def site_workers(site: Site, n: int) -> None:
    """As Site.wait_workers, also while there is no router yet."""

    def are_up() -> bool:
        with contextlib.suppress(OSError):
            return bool(sum(worker["state"] == "up" for worker in site.status()["workers"]) == n)
        return False

    wait_for(are_up, f"{n} workers up")


def test_run_leaves_nothing_behind_when_it_is_killed(site: Site, folder: Path) -> None:
    process = start_any(site, "run", folder)
    site_workers(site, n_cores())
    started = children(process.pid)
    process.kill()
    wait_gone(started)
    with pytest.raises(ConnectionRefusedError):
        site.connect()


def test_run_finishes_what_is_in_flight(site: Site, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = (
        f"    while not __import__('os').path.exists({str(go)!r}):\n        await __import__('asyncio').sleep(0.01)\n"
    )
    (tmp_path / "slow.py").write_text(APPLICATION.replace("    await send", f"{wait}    await send", 1))
    process = site.start("run", "slow:app", *run_options(site), cwd=tmp_path)
    process.wait_output("Ctrl-C stops")
    site_workers(site, n_cores())
    with site.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        wait_for(lambda: any(w["in_flight"] for w in site.status()["workers"]), "the request at a worker")
        process.send_signal(signal.SIGINT)
        process.wait_output("stopping")
        go.touch()
        received = b"".join(iter(lambda: client.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"here\n" in received
    assert process.popen.wait(30) == 0


def test_run_stops_under_load_without_a_failed_request(site: Site, folder: Path) -> None:
    process = start_any(site, "run", folder)
    site_workers(site, n_cores())
    n_ok = 0

    def ask_until_refused() -> None:
        nonlocal n_ok
        connection = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=30)
        while True:
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
            is_kept = True
            while is_kept:
                connection.request("GET", "/")
                reply = connection.getresponse()
                assert (reply.status, reply.read()) == (200, b"here\n")
                is_kept = not reply.will_close
                n_ok += 1

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        clients = [threads.submit(ask_until_refused) for _ in range(8)]
        wait_for(lambda: n_ok > 500, "replies")
        process.send_signal(signal.SIGINT)
        for client in clients:
            client.result(20)
    assert process.popen.wait(30) == 0


def test_run_passes_a_hangup_on_to_its_router(site: Site, folder: Path) -> None:
    log = folder / "access.log"
    process = site.start("run", "good:app", "--access-log", str(log), *run_options(site), cwd=folder)
    process.wait_output("Ctrl-C stops")
    log.rename(folder / "access.log.1")
    process.send_signal(signal.SIGHUP)
    wait_for(log.exists, "a new log")
    assert site.get()[0] == 200
    wait_for(lambda: '"GET /" 200' in log.read_text(), "the request in the new log")


def test_what_an_application_starts_does_not_inherit_the_pipes(site: Site, folder: Path) -> None:
    (folder / "curious.py").write_text(
        "import os, subprocess, sys\n"
        "VARIABLES = [name for name in os.environ if name in ('ZEROGATE_PARENT_FD', 'ZEROGATE_REPORT_FD')]\n"
        + APPLICATION.replace('b"here\\n"', "repr(VARIABLES).encode()")
    )
    site.start("run", "curious:app", "--processes", "1", *run_options(site), cwd=folder).wait_output("Ctrl-C stops")
    assert site.get()[2] == b"[]"


def test_either_event_loop_works_for_run(site: Site, folder: Path) -> None:
    process = site.start("run", "good:app", "--loop", "asyncio", *run_options(site), cwd=folder)
    process.wait_output("Ctrl-C stops")
    assert site.get()[2] == b"here\n"
    assert process.terminate() == 0


# Where it listens


def listening(pids: list[int]) -> set[int]:
    """The TCP ports on which these processes listen."""
    inodes = set()
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(fd).removeprefix("socket:[").removesuffix("]"))
    tables = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in inodes}


def test_run_has_no_link_port_unless_asked(site: Site, folder: Path) -> None:
    ports = ["--http", f"127.0.0.1:{site.http_port}", "--admin", f"127.0.0.1:{site.admin_port}"]
    process = site.start("run", "good:app", "--processes", "1", *ports, cwd=folder)
    process.wait_output("Ctrl-C stops")
    assert site.get()[2] == b"here\n"
    assert listening(children(process.pid)) == {site.http_port, site.admin_port}
    assert "  workers " not in process.output()
    assert "--bind ENDPOINT lets more workers dial in" in process.output()


def test_run_has_one_if_asked(site: Site, folder: Path) -> None:
    process = start_any(site, "run", folder)
    assert listening(children(process.pid)) == {site.http_port, site.admin_port, site.link_port}
    assert f"  workers {site.endpoint}\n" in process.output()
    assert "More workers may come and go" in process.output()


def test_a_stop_says_no_more_than_that(site: Site, folder: Path) -> None:
    """No worker cries about the router that goes before it."""
    process = site.start("run", "good:app", "--processes", "3", *run_options(site), cwd=folder)
    process.wait_output("Ctrl-C stops")
    site_workers(site, 3)
    said = len(process.output())
    process.send_signal(signal.SIGINT)
    assert process.popen.wait(30) == 0
    lines = process.output()[said:].splitlines()
    begun = next(n for n, line in enumerate(lines) if "stopping: finishing what is in flight" in line)
    assert [line for line in lines[begun + 1 :] if " has left" not in line] == []


def test_a_router_that_dies_is_still_news(site: Site, folder: Path) -> None:
    process = site.start("run", "good:app", "--processes", "1", *run_options(site), cwd=folder)
    process.wait_output("Ctrl-C stops")
    site_workers(site, 1)
    os.kill(min(children(process.pid)), signal.SIGKILL)  # the router was started first
    process.wait_output("the router ended")
    process.wait_output("zerogate.worker: link to router")


@pytest.mark.parametrize("command", ["run", "router"])
def test_ports_that_the_system_chooses_are_told(site: Site, folder: Path, command: str) -> None:
    ports = ("--port", "0", "--admin", "127.0.0.1:0", "--bind", "tcp://127.0.0.1:0")
    process = site.start(command, *(["good:app"] if command == "run" else []), *ports, cwd=folder)
    process.wait_output("Ctrl-C stops")
    told = dict(line.split()[:2] for line in process.output().splitlines() if line.startswith("  "))
    assert not [address for address in told.values() if address.rstrip("/").endswith(":0")]
    if command == "router":
        site.hello("w", "--connect", told["workers"])
    with urllib.request.urlopen(told["http"], timeout=30) as reply:
        assert reply.status == 200
    with urllib.request.urlopen(told["status"], timeout=30) as reply:
        assert reply.status == 200
