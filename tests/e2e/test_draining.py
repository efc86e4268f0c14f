"""Leaving in good order: workers restarted one by one, routers replaced, and what a second signal does."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chaos import APP, ROOT, ChaosSite, make_chaos_site, pids_of
from tests.support.load import Clients, Load, churn, download, get, post, stream_body
from tests.support.processes import Process, wait_for

MIX = (Clients(get, 24), Clients(post, 12), Clients(churn, 4), Clients(download, 2))

# Puts sockets where systemd puts them (sd_listen_fds(3)) and becomes the command: LISTEN_PID must be its own.
AS_SYSTEMD = """
import os, sys
fds = [int(text) for text in sys.argv[1].split(",")]
copies = [os.dup(os.dup(os.dup(fd))) for fd in fds]
for number, fd in enumerate(copies, 3):
    os.dup2(fd, number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.executable, [sys.executable, "-m", "zerogate", *sys.argv[3:]])
"""


@pytest.fixture
def chaos() -> Iterator[ChaosSite]:
    with make_chaos_site() as site:
        yield site


@pytest.fixture(params=[1, 2], ids=["one process", "two processes"])
def several(request: pytest.FixtureRequest) -> Iterator[ChaosSite]:
    """A router of so many processes."""
    with make_chaos_site(request.param) as site:
        yield site


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


# Workers


def test_rolling_restarts_of_every_worker_fail_nothing(several: ChaosSite) -> None:
    several.chaos_router()
    workers = {name: several.chaos_worker(name) for name in ("a", "b", "c")}
    with Load(several.http_port, MIX) as load:
        for _ in range(2):
            for name, worker in workers.items():
                load.wait_ok(100)
                assert worker.terminate() == 0
                workers[name] = several.chaos_worker(name)
        load.wait_ok(100)
    assert load.report.is_clean, load.report
    assert max(several.runs().values()) == 1
    notes = several.notes()
    assert (notes.count("startup"), notes.count("shutdown")) == (9, 6)
    counters = several.status()["counters"]
    assert (counters["drained"], counters["lost"]) == (6, 0)


def test_the_only_worker_is_replaced_and_nothing_fails(several: ChaosSite) -> None:
    """The new one comes after the old one has gone: requests wait."""
    several.chaos_router()
    worker = several.chaos_worker("only")
    with Load(several.http_port, [Clients(get, 16), Clients(post, 16)]) as load:
        for _ in range(4):
            load.wait_ok(100)
            assert worker.terminate() == 0
            worker = several.chaos_worker("only")
        load.wait_ok(100)
    assert load.report.is_clean, load.report
    assert max(several.runs().values()) == 1


def test_a_stopping_worker_finishes_what_it_has_and_takes_nothing_new(chaos: ChaosSite) -> None:
    chaos.chaos_router()
    leaving = chaos.chaos_worker("leaving")
    with chaos.open() as slow, chaos.open() as other:
        size = 300_000
        slow.get(f"/stream/slow?bytes={size}&until=next")
        chaos.wait_running(1)
        leaving.send_signal(signal.SIGTERM)
        chaos.wait_state("leaving", "draining")
        other.get("/echo/other")
        chaos.wait_waiting(1)
        chaos.chaos_worker("next")
        assert other.read_reply().body.split()[2] == b"next"
        chaos.let_go("next")
        assert slow.read_reply().body == stream_body("slow", size)
    assert leaving.popen.wait(30) == 0
    assert chaos.notes("leaving") == ["startup", "shutdown"]
    assert "Traceback" not in leaving.output()


def test_a_streams_worth_of_a_large_reply_arrives_whole_from_a_worker_that_ends(chaos: ChaosSite) -> None:
    """The last octets are with the kernel when the worker has nothing left to do: they must not be lost."""
    chaos.chaos_router()
    chaos.chaos_worker("b")
    for number in range(5):
        leaving = chaos.chaos_worker("leaving")
        with Load(chaos.http_port, [Clients(download, 6), Clients(get, 6)]) as load:
            load.wait_ok(20)
            assert leaving.terminate() == 0, number
            load.wait_ok(5)
        assert load.report.is_clean, load.report


def test_grace_has_an_end(chaos: ChaosSite) -> None:
    chaos.chaos_router()
    worker = chaos.chaos_worker("hasty", "--grace", "300ms")
    with chaos.open() as deaf, chaos.open() as begun:
        deaf.post("/deaf/forever", b"x")
        begun.get("/begin/begun")
        begun.read_head()
        chaos.wait_running(2)
        began_at = time.monotonic()
        assert worker.terminate() == 0
        assert time.monotonic() - began_at >= 0.3
        assert deaf.read_reply().status in (500, 502)
        assert not begun.read_rest().endswith(b"0\r\n\r\n")
    assert chaos.notes("hasty") == ["startup", "shutdown"]


# Routers


def test_a_router_is_replaced_under_load(several: ChaosSite) -> None:
    router = several.chaos_router()
    several.chaos_worker("a")
    several.chaos_worker("b")
    with Load(several.http_port, MIX) as load:
        for _ in range(3):
            load.wait_ok(150)
            successor = several.chaos_router("--replace")
            assert router.popen.wait(30) == 0
            router = successor
        load.wait_ok(150)
        several.wait_workers(2)
    assert load.report.is_clean, load.report
    assert max(several.runs().values()) == 1


def test_nobody_who_connects_is_lost_between_two_routers(chaos: ChaosSite) -> None:
    """Also who is not accepted yet when the old one leaves."""
    router = chaos.chaos_router()
    chaos.chaos_worker("a")
    with Load(chaos.http_port, [Clients(churn, 64)]) as load:
        for _ in range(6):
            load.wait_ok(200)
            successor = chaos.chaos_router("--replace")
            assert router.popen.wait(30) == 0
            router = successor
        load.wait_ok(200)
    assert load.report.is_clean, load.report


def test_a_long_download_ends_on_the_old_router(chaos: ChaosSite) -> None:
    old = chaos.chaos_router()
    chaos.chaos_worker("a")
    size = 400_000
    with chaos.open() as slow, chaos.open() as idle:
        slow.get(f"/stream/slow?bytes={size}&until=replaced")
        slow.read_head()
        new = chaos.chaos_router("--replace", wait=False)
        # An idle client that asks in time is answered, and told that this was the last time.
        while True:
            idle.get("/echo/idle")
            reply = idle.read_reply()
            assert reply.status == 200
            if reply.get("connection") == "close":
                break
        idle.assert_ends()
        new.wait_output("Ctrl-C stops")
        new.wait_output("worker a joined")
        with chaos.open() as fresh:
            fresh.get("/echo/fresh")
            assert fresh.read_reply().get("connection") == ""
        assert old.popen.poll() is None
        chaos.let_go("replaced")
        body = b""
        while piece := slow.read_chunk():
            body += piece
        assert body == stream_body("slow", size)
    assert old.popen.wait(30) == 0


def test_a_router_takes_its_sockets_from_systemd(chaos: ChaosSite) -> None:
    with socket.create_server(("127.0.0.1", 0)) as http, socket.create_server(("127.0.0.1", 0)) as bind:
        chaos.http_port, chaos.link_port = http.getsockname()[1], bind.getsockname()[1]

        def start(order: str) -> subprocess.Popen[bytes]:
            fds = {"http": http.fileno(), "bind": bind.fileno()}
            names = order.split(":")
            options = ("router", "--settle", "0s", "--admin", "off", "--access-log", "off", *chaos.router_options())
            argv = [sys.executable, "-c", AS_SYSTEMD, ",".join(str(fds[name]) for name in names), order, *options]
            return subprocess.Popen(argv, pass_fds=tuple(fds.values()), stderr=subprocess.DEVNULL)

        old = start("http:bind")
        try:
            chaos.chaos_worker("a")
            with Load(chaos.http_port, [Clients(get, 8), Clients(post, 4), Clients(churn, 2)]) as load:
                load.wait_ok(100)
                # What `systemctl restart` does with a socket unit: stop, then start. The sockets stay open meanwhile.
                old.send_signal(signal.SIGTERM)
                assert old.wait(30) == 0
                old = start("bind:http")
                load.wait_ok(100)
            assert load.report.is_clean, load.report
        finally:
            old.kill()
            old.wait()


def test_a_router_that_was_killed_has_its_workers_back_at_once(chaos: ChaosSite) -> None:
    router = chaos.chaos_router()
    for name in ("a", "b", "c"):
        chaos.chaos_worker(name)
    with Load(chaos.http_port, [Clients(get, 16), Clients(post, 8)]) as load:
        load.wait_ok(100)
        router.kill()
        router = chaos.chaos_router()
        chaos.wait_workers(3)
        load.wait_ok(100)
    report = load.report
    assert not report.mixed, report
    assert set(report.failed) <= {
        "reset",
        "closed before the reply",
        "cut amid the head",
        "truncated",
        "connect: ConnectionRefusedError",
    }, report
    assert max(chaos.runs().values()) == 1


def test_who_waits_for_a_worker_is_told_that_the_router_stops(chaos: ChaosSite) -> None:
    router = chaos.chaos_router()
    with chaos.open() as client:
        client.get("/echo/early")
        chaos.wait_waiting(1)
        router.send_signal(signal.SIGTERM)
        reply = client.read_reply()
        assert (reply.status, reply.get("zerogate-error"), reply.get("connection")) == (503, "shutting_down", "close")
    assert router.popen.wait(30) == 0


def test_the_routers_grace_has_an_end(chaos: ChaosSite) -> None:
    router = chaos.chaos_router("--grace", "300ms")
    chaos.chaos_worker("a")
    with chaos.open() as silent, chaos.open() as begun:
        silent.get("/hang/silent")
        begun.get("/begin/begun")
        begun.read_head()
        chaos.wait_running(2)
        router.send_signal(signal.SIGTERM)
        reply = silent.read_reply()
        assert (reply.status, reply.get("zerogate-error")) == (503, "shutting_down")
        assert not begun.read_rest().endswith(b"0\r\n\r\n")
        assert router.popen.wait(30) == 0


# Signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("which", ["router", "worker"])
def test_a_second_signal_ends_router_and_worker_at_once(chaos: ChaosSite, which: str, number: signal.Signals) -> None:
    processes = {
        "router": chaos.chaos_router("--grace", "100s"),
        "worker": chaos.chaos_worker("busy", "--grace", "100s"),
    }
    with chaos.open() as client:
        client.get("/deaf/forever")
        chaos.wait_running(1)
        process = processes[which]
        process.send_signal(number)
        process.wait_output("stopping")
        assert process.popen.poll() is None
        process.send_signal(number)
        assert process.popen.wait(30) == 1
        assert "Traceback" not in process.output()


def start_run(chaos: ChaosSite, *options: str) -> tuple[Process, str]:
    """`zerogate run` with two workers, and a mark in the environment of all its processes."""
    mark = f"CHAOS_MARK={os.urandom(8).hex()}"
    name, _, value = mark.partition("=")
    run = chaos.start(
        "run",
        APP,
        *("--http", f"127.0.0.1:{chaos.http_port}"),
        *("--bind", chaos.endpoint),
        *("--admin", f"127.0.0.1:{chaos.admin_port}"),
        *("--processes", "2", "--access-log", "off"),
        *options,
        cwd=ROOT,
        env={name: value, "CHAOS_DIR": str(chaos.directory)},
    )
    run.wait_output("Ctrl-C stops")
    chaos.wait_workers(2)
    return run, mark


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_leaves_no_process_behind(chaos: ChaosSite, number: signal.Signals) -> None:
    run, mark = start_run(chaos)
    assert len(pids_of(mark)) == 4
    assert chaos.get("/echo/one")[0] == 200
    run.send_signal(number)
    assert run.popen.wait(30) == 0
    assert pids_of(mark) == []
    assert sorted(chaos.notes()) == ["shutdown", "shutdown", "startup", "startup"]


def test_a_second_signal_ends_run_at_once(chaos: ChaosSite) -> None:
    run, mark = start_run(chaos)
    with chaos.open() as client:
        client.get("/deaf/forever")
        chaos.wait_in_flight(1)
        run.send_signal(signal.SIGTERM)
        run.wait_output("stopping")
        run.send_signal(signal.SIGTERM)
        assert run.popen.wait(30) == 1
    wait_for(lambda: not pids_of(mark), "no process of it is left")


def test_a_run_that_was_killed_leaves_no_process_behind(chaos: ChaosSite) -> None:
    run, mark = start_run(chaos)
    run.kill()
    wait_for(lambda: not pids_of(mark), "no process of it is left")


def test_run_replaces_a_worker_that_was_killed(chaos: ChaosSite) -> None:
    _, mark = start_run(chaos)
    with Load(chaos.http_port, [Clients(get, 16)]) as load:
        load.wait_ok(100)
        victim = next(pid for pid in pids_of(mark, "zerogate\0worker"))
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: is_gone(victim), "it is gone")
        chaos.wait_workers(2)
        load.wait_ok(100)
    assert load.report.is_clean, load.report
