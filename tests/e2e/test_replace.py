"""`--replace`: a router takes over from the one that runs, and nobody notices."""

import os
import signal
import socket
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.support.chaos import make_chaos_site
from tests.support.commands import APPLICATION, children, clean_environment, folder, run_command, said_by
from tests.support.open_loop import OpenLoop
from tests.support.processes import Process, Site, free_port, wait_for

__all__ = ["folder"]

# Little, so that a machine under load carries it: bench/replace.py is the same with much.
RATE = 150.0
N_REPLACEMENTS = 5


def router(site: Site, *options: str, wait: bool = True) -> Process:
    return site.router("--settle", "0s", "--access-log", "off", *options, wait=wait)


# What it is for


def has_more(load: OpenLoop, wanted: int) -> bool:
    return load.report.ok >= wanted


@pytest.mark.parametrize("keeps_alive", [False, True], ids=["fresh", "kept"])
def test_nothing_is_lost_however_often(site: Site, keeps_alive: bool) -> None:
    running = router(site)
    site.hello("a")
    site.hello("b")
    with OpenLoop(site.http_port, RATE, keeps_alive=keeps_alive) as load:
        for _ in range(N_REPLACEMENTS):
            wait_for(partial(has_more, load, load.report.ok + 50), "good replies")
            successor = router(site, "--replace")
            assert running.popen.wait(30) == 0
            running = successor
    assert not load.report.failed, load.report
    assert load.report.ok > 50 * N_REPLACEMENTS
    assert "will find nobody" not in running.output()
    site.wait_workers(2)


def test_who_dials_where_the_successor_is_not_is_told_of(site: Site, folder: Path) -> None:
    old = router(site)
    site.hello("a")
    ports = ("--http", f"127.0.0.1:{site.http_port}", "--admin", f"127.0.0.1:{site.admin_port}")
    successor = site.start("run", "good:app", *ports, "--replace", cwd=folder)
    successor.wait_output("took over")
    old.wait_output(f"1 worker at {site.endpoint.removeprefix('tcp://')} will find nobody there")
    # Its own workers end with it, as they must.
    again = site.start("run", "good:app", *ports, "--replace", cwd=folder)
    again.wait_output("took over")
    assert successor.popen.wait(60) == 0
    assert "will find nobody" not in successor.output()


def test_nor_are_those_of_a_program_of_ones_own_told_of(site: Site, folder: Path) -> None:
    words = "import good, zerogate; "
    words += f"zerogate.run(good.app, http=('127.0.0.1:{site.http_port}',), admin='off', access_log='off')"
    command = [sys.executable, "-c", words]
    log = folder / "log"
    with log.open("w") as output, subprocess.Popen(command, cwd=folder, stderr=output, env=clean_environment()) as old:
        wait_for(lambda: "Ctrl-C stops" in log.read_text(), "it is up")
        router(site, "--replace")
        assert old.wait(60) == 0
    assert "takes over" in log.read_text()
    assert "will find nobody" not in log.read_text()


@pytest.mark.parametrize("loops", [("asyncio", "uvloop"), ("uvloop", "asyncio"), ("asyncio", "asyncio")])
def test_whatever_the_event_loops(site: Site, loops: tuple[str, str]) -> None:
    old = router(site, "--loop", loops[0])
    site.hello("a")
    with OpenLoop(site.http_port, RATE, keeps_alive=False) as load:
        wait_for(lambda: load.report.ok >= 20, "good replies")
        router(site, "--replace", "--loop", loops[1])
        assert old.popen.wait(30) == 0
        load.wait_ok(20)
    assert not load.report.failed, load.report


def test_workers_have_come_over_before_it_takes_clients(site: Site) -> None:
    router(site)
    site.hello("a")
    site.hello("b")
    new = router(site, "--replace", "--name", "new")
    assert "with 2 of its 2 workers" in new.output()
    assert site.status()["router"] == "new"
    assert len(site.status()["workers"]) == 2


def test_the_old_one_does_not_wait_longer_than_its_grace() -> None:
    with make_chaos_site() as site:
        old = site.chaos_router("--grace", "300ms")
        site.chaos_worker("a")
        with site.open() as silent:
            silent.get("/hang/silent")
            site.wait_running(1)
            site.chaos_router("--replace")
            reply = silent.read_reply()
            assert (reply.status, reply.get("zerogate-error")) == (503, "shutting_down")
        assert old.popen.wait(30) == 0


def test_with_nobody_there_it_just_starts(site: Site) -> None:
    router(site, "--replace")
    site.hello("a")
    assert site.get()[0] == 200


def test_without_workers_nobody_waits(site: Site) -> None:
    old = router(site)
    router(site, "--replace", "--takeover-wait", "60s")  # it is waited for half as long
    assert old.popen.wait(30) == 0


def test_workers_that_do_not_come_are_waited_for_only_so_long(site: Site) -> None:
    old = router(site, "--suspect-after", "60s", "--lost-after", "60s")  # It is still its worker, however slow we are.
    worker = site.hello("frozen")
    worker.send_signal(signal.SIGSTOP)
    new = router(site, "--replace", "--takeover-wait", "300ms")
    assert "with 0 of its 1 workers" in new.output()
    worker.send_signal(signal.SIGCONT)
    assert site.get()[0] == 200
    assert old.popen.wait(30) == 0


# Addresses


def test_addresses_need_not_be_the_same(site: Site) -> None:
    """What the old one lacks is bound anew, what the new one does not want is closed."""
    old_admin, extra = site.admin_port, free_port()
    old = router(site)
    site.hello("a")
    site.admin_port = free_port()
    router(site, "--replace", "--http", f"127.0.0.1:{extra}")
    assert old.popen.wait(30) == 0
    assert site.status()["workers"]
    assert site.get()[0] == 200
    site.http_port = extra
    assert site.get()[0] == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", old_admin))


def test_two_routers_cannot_be_replaced_by_one(site: Site) -> None:
    router(site)
    other = Site()
    other.http_port, other.link_port = site.http_port, site.link_port
    try:
        other.http_port, other.link_port = free_port(), free_port()
        router(other)
        result = run_command(
            *("router", "--replace", "--admin", "off", "--bind", site.endpoint),
            *("--http", f"127.0.0.1:{site.http_port}", "--http", f"127.0.0.1:{other.http_port}"),
        )
    finally:
        other.close()
    assert result.returncode == 1
    assert "share these addresses" in result.stderr
    assert site.status()["router"]


@pytest.mark.parametrize("kind", ["http", "bind", "admin"])
def test_who_has_a_port_is_said(site: Site, kind: str) -> None:
    running = router(site, "--name", "holder")
    ports = {name: free_port() for name in ("http", "bind", "admin")}
    ports[kind] = {"http": site.http_port, "bind": site.link_port, "admin": site.admin_port}[kind]
    result = run_command(
        *("router", "--http", f"127.0.0.1:{ports['http']}", "--bind", f"tcp://127.0.0.1:{ports['bind']}"),
        *("--admin", f"127.0.0.1:{ports['admin']}"),
    )
    assert result.returncode == 1
    assert len(said_by(result)) == 1
    for word in (f"--{kind} ", f"the router holder (process {running.pid})", "--replace"):
        assert word in result.stderr
    assert running.popen.poll() is None


# Unix sockets


def ipc_router(site: Site, path: Path, *options: str, wait: bool = True) -> Process:
    return router(site, "--bind", f"ipc://{path}", *options, wait=wait)


def test_a_unix_socket_is_handed_over_too(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "link"
    old = ipc_router(site, path)
    inode = path.stat().st_ino
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    site.start("hello", "near", "--connect", f"ipc://{path}").wait_output("joined")
    new = ipc_router(site, path, "--replace")
    assert "with 1 of its 1 workers" in new.output()
    assert old.popen.wait(30) == 0
    assert path.stat().st_ino == inode
    assert site.get()[0] == 200
    assert new.terminate() == 0
    assert not path.exists()


def test_a_unix_sockets_mode_can_be_set(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "link"
    ipc_router(site, path, "--ipc-mode", "660")
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_unix_socket_has_an_owner(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "link"
    running = ipc_router(site, path)
    options = ("--http", f"127.0.0.1:{free_port()}", "--admin", "off", "--bind", f"ipc://{path}")
    result = run_command("router", *options)
    assert result.returncode == 1
    assert f"(process {running.pid})" in result.stderr
    running.kill()
    other = site.start("router", *options)  # what a dead one left behind is in nobody's way
    other.wait_output("Ctrl-C stops")


# Run


def start_run(site: Site, folder: Path, module: str, *options: str) -> Process:
    return site.start(
        *("run", f"{module}:app", "--http", f"127.0.0.1:{site.http_port}", "--admin", f"127.0.0.1:{site.admin_port}"),
        *("--processes", "2", "--access-log", "off", *options),
        cwd=folder,
    )


def test_a_run_is_replaced_as_a_whole(site: Site, folder: Path) -> None:
    (folder / "better.py").write_text(APPLICATION.replace("here", "there"))
    old = start_run(site, folder, "good")
    old.wait_output("Ctrl-C stops")
    assert site.get()[2] == b"here\n"
    with OpenLoop(site.http_port, RATE, keeps_alive=False) as load:
        wait_for(lambda: load.report.ok >= 20, "good replies")
        new = start_run(site, folder, "better", "--replace")
        new.wait_output("Ctrl-C stops")
        assert site.get()[2] == b"there\n"
        assert old.popen.wait(30) == 0, old.output()
    assert not load.report.failed, load.report
    assert "starting it again" not in old.output()
    assert len(children(new.pid)) == 3


def test_a_run_that_cannot_start_leaves_the_old_one_alone(site: Site, folder: Path) -> None:
    old = start_run(site, folder, "good")
    old.wait_output("Ctrl-C stops")
    new = start_run(site, folder, "raising", "--replace")
    assert new.popen.wait(30) == 1
    assert "ZeroDivisionError" in new.output()
    assert site.get()[2] == b"here\n"
    assert old.popen.poll() is None
    assert os.getpid() not in children(old.pid)
