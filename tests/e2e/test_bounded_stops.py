"""Every stop has a bound, whatever hangs, and nobody outlives who started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.commands import children, clean_environment, folder, wait_gone
from tests.support.processes import Process, Site, wait_for
from zerogate.router.service import LAST_WORDS_S
from zerogate.runner import KILL_AFTER_S
from zerogate.worker import service
from zerogate.worker.lifespan import END_TIMEOUT_S

__all__ = ["folder"]

GRACE_S = 0.3

BLOCKING = """
import time

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    print("blocked", flush=True)
    time.sleep(600)
"""

HANGING = """
import time
print("importing", flush=True)
time.sleep(600)
"""


def start_run(site: Site, app: str, folder: Path) -> Process:
    return site.start(
        "run",
        app,
        *("--processes", "1", "--grace", f"{GRACE_S}s"),
        *("--http", f"127.0.0.1:{site.http_port}"),
        *("--bind", site.endpoint),
        *("--admin", f"127.0.0.1:{site.admin_port}"),
        cwd=folder,
    )


def block(site: Site, process: Process) -> None:
    """Have the application block its worker's event loop."""
    with site.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        process.wait_output("blocked")


def n_threads(process: Process) -> int:
    return len(os.listdir(f"/proc/{process.pid}/task"))


def test_a_child_that_hangs_is_killed_when_its_time_is_up(site: Site, folder: Path) -> None:
    (folder / "blocking.py").write_text(BLOCKING)
    process = start_run(site, "blocking:app", folder)
    process.wait_output("Ctrl-C stops")
    started = children(process.pid)
    block(site, process)
    began_at = time.monotonic()
    process.send_signal(signal.SIGTERM)
    # Something was cut off: that is no clean stop.
    assert process.popen.wait(30) == 1
    assert time.monotonic() - began_at > KILL_AFTER_S
    assert "worker blocking has not ended within" in process.output()
    wait_gone(started)


def test_a_stop_is_not_hurried_without_need(site: Site, folder: Path) -> None:
    process = start_run(site, "good:app", folder)
    process.wait_output("Ctrl-C stops")
    assert process.terminate() == 0
    assert "has not ended within" not in process.output()
    assert "killed" not in process.output()


@pytest.mark.parametrize("how", ["blocked", "stopped"])
def test_no_child_outlives_a_supervisor_that_is_killed(site: Site, folder: Path, how: str) -> None:
    (folder / "blocking.py").write_text(BLOCKING)
    process = start_run(site, "blocking:app", folder)
    process.wait_output("Ctrl-C stops")
    started = children(process.pid)
    assert len(started) == 2
    if how == "blocked":
        block(site, process)
    else:
        for pid in started:
            os.kill(pid, signal.SIGSTOP)
    process.kill()
    wait_gone(started)


def test_nor_does_one_that_still_imports(site: Site, folder: Path) -> None:
    (folder / "hanging.py").write_text(HANGING)
    process = start_run(site, "hanging:app", folder)
    process.wait_output("importing")
    started = children(process.pid)
    process.kill()
    wait_gone(started)


def test_nor_does_one_of_the_demos(site: Site) -> None:
    ports = [
        *("--http", f"127.0.0.1:{site.http_port}"),
        *("--bind", site.endpoint),
        *("--admin", f"127.0.0.1:{site.admin_port}"),
    ]
    process = site.start("demo", *ports)
    process.wait_output("Ctrl-C here ends it all", 40)  # until then, some may have been started this very moment
    started = children(process.pid)
    for pid in started:
        os.kill(pid, signal.SIGSTOP)
    process.kill()
    wait_gone(started)


def test_where_the_system_does_not_tell_the_pipe_does(site: Site) -> None:
    """The parent itself lives on here, so that its end of the pipe is all that a child can see."""
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "zerogate", "hello", "orphan", "--connect", site.endpoint],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=clean_environment(ZEROGATE_PARENT_FD=str(ours)),
        pass_fds=(ours,),
    )
    with process:
        assert process.stdout is not None
        assert b"dials" in process.stdout.readline()
        os.close(ours)
        os.close(theirs)
        assert process.wait(30) == 0


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_second_signal_ends_a_worker_that_is_blocked(site: Site, folder: Path, loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    (folder / "blocking.py").write_text(BLOCKING)
    site.router()
    process = site.worker("blocking:app", "w", "--loop", loop, cwd=folder)
    block(site, process)
    before = n_threads(process)
    process.send_signal(signal.SIGINT)
    # It has heard the first one when somebody waits for the end of its grace; two that come together are one.
    wait_for(lambda: n_threads(process) > before, "the first signal is heard")
    assert process.popen.poll() is None  # it finishes what is in flight, as far as it knows
    process.send_signal(signal.SIGINT)
    assert process.popen.wait(30) == 1
    assert "stopped at once" in process.output()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_one_signal_ends_a_service_that_waits(site: Site, loop: str) -> None:
    """Its event loop has nothing to do, and has to wake up for it."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    router = site.router("--loop", loop)
    wait_for(lambda: site.status()["workers"] == [], "a quiet router")
    assert router.terminate() == 0


def test_a_worker_of_its_own_ends_as_well(site: Site, folder: Path) -> None:
    """Without a supervisor who would kill it."""
    (folder / "blocking.py").write_text(BLOCKING)
    site.router()
    process = site.worker("blocking:app", "w", "--grace", f"{GRACE_S}s", cwd=folder)
    block(site, process)
    process.send_signal(signal.SIGTERM)
    assert process.popen.wait(30) == 1
    assert "not done within" in process.output()


def test_nor_do_threads_of_its_own_keep_a_worker(site: Site, folder: Path) -> None:
    """The interpreter would wait for them, for as long as they like: for a pool's, too, as frameworks have them."""
    (folder / "threaded.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "async def app(scope, receive, send):\n"
        "    raise NotImplementedError\n"
    )
    site.router("--settle", "0s")
    process = site.worker("threaded:app", "w", "--grace", f"{GRACE_S}s", cwd=folder)
    process.send_signal(signal.SIGTERM)
    assert process.popen.wait(30) == 1
    assert "threads are still at work" in process.output()


def test_who_bounds_its_own_steps_has_time_for_them() -> None:
    worker = service.CANCEL_TIMEOUT_S + service.CLOSE_TIMEOUT_S + service.SHUTDOWN_TIMEOUT_S + END_TIMEOUT_S
    assert max(worker, 2 * LAST_WORDS_S) < KILL_AFTER_S
