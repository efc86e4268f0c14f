"""Processes are replaced while they serve, and nobody notices: by SIGHUP, by their requests, by their memory."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chaos import APP, ROOT, ChaosSite
from tests.support.commands import APPLICATION, Script, children, is_running, wait_gone
from tests.support.load import Clients, Load, churn, download, get, post, upload
from tests.support.processes import Process, Site, wait_for

MIX = (Clients(get, 16), Clients(post, 8), Clients(upload, 3), Clients(churn, 3), Clients(download, 2))


@pytest.fixture
def chaos() -> Iterator[ChaosSite]:
    site = ChaosSite()
    try:
        yield site
    finally:
        site.close()


def run_chaos(chaos: ChaosSite, *options: str) -> Process:
    """`zerogate run`, whose workers note when they start and stop."""
    process = chaos.start(
        *("run", APP, "--http", f"127.0.0.1:{chaos.http_port}", "--admin", f"127.0.0.1:{chaos.admin_port}"),
        *("--access-log", "off", "--router-processes", "1", *options),
        env={"CHAOS_NAME": "a", "CHAOS_DIR": str(chaos.directory)},
        cwd=ROOT,
    )
    process.wait_output("Ctrl-C stops")
    return process


def lives(chaos: ChaosSite) -> tuple[int, int]:
    """How many processes have started, and how many have stopped in good order."""
    notes = chaos.notes()
    return notes.count("startup"), notes.count("shutdown")


def wait_lives(chaos: ChaosSite, n_started: int, n_stopped: int) -> None:
    wait_for(lambda: lives(chaos) == (n_started, n_stopped), f"{n_started} starts and {n_stopped} stops", 40)


# SIGHUP


@pytest.mark.parametrize("n", [1, 2])
def test_a_hangup_under_load_fails_nothing(chaos: ChaosSite, n: int) -> None:
    process = run_chaos(chaos, "--processes", str(n))
    chaos.wait_workers(n)
    with Load(chaos.http_port, MIX) as load:
        load.wait_ok(100)
        for number in (1, 2):
            process.send_signal(signal.SIGHUP)
            wait_lives(chaos, n * (number + 1), n * number)
        load.wait_ok(100)
    assert load.report.is_clean, load.report
    assert max(chaos.runs().values()) == 1
    chaos.wait_workers(n)
    assert chaos.status()["counters"]["lost"] == 0
    assert process.terminate() == 0
    assert lives(chaos) == (3 * n, 3 * n)


def test_an_application_that_does_not_start_any_more_leaves_the_old_one(site: Site, tmp_path: Path) -> None:
    app = tmp_path / "changing.py"
    app.write_text(APPLICATION)
    site.router("--settle", "0s")
    process = site.worker("changing:app", "w", "--processes", "2", wait=False, cwd=tmp_path)
    site.wait_workers(2)
    before = set(children(process.pid))
    app.write_text("def (\n")
    process.send_signal(signal.SIGHUP)
    process.wait_output("worker w-1 was not replaced (importing 'changing' failed: SyntaxError")
    assert set(children(process.pid)) == before
    assert {site.get()[2] for _ in range(4)} == {b"here\n"}
    # And once it does again, both are replaced.
    app.write_text(APPLICATION.replace("here", "there"))
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: not before & set(children(process.pid)), "two new ones", 40)
    site.wait_workers(2)
    assert {site.get()[2] for _ in range(4)} == {b"there\n"}
    assert process.terminate() == 0


def test_no_generation_outlives_a_parent_that_is_killed(site: Site, tmp_path: Path) -> None:
    """In the middle of a roll: one process drains, and another is about to come up."""
    (tmp_path / "slow.py").write_text(
        "import os, pathlib, time\n"
        f"if pathlib.Path({str(tmp_path / 'slowly')!r}).exists():\n"
        "    print('importing', flush=True)\n"
        "    time.sleep(60)\n" + APPLICATION
    )
    process = site.start(
        *("run", "slow:app", "--processes", "2", "--http", f"127.0.0.1:{site.http_port}", "--admin", "off"),
        cwd=tmp_path,
    )
    process.wait_output("Ctrl-C stops")
    n_before = len(children(process.pid))
    (tmp_path / "slowly").touch()
    process.send_signal(signal.SIGHUP)
    process.wait_output("importing")
    started = children(process.pid)
    assert len(started) == n_before + 1
    process.kill()
    wait_gone(started)


def test_a_stop_amid_a_roll_leaves_nobody_behind(site: Site, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(APPLICATION)
    process = site.start(
        *("run", "good:app", "--processes", "2", "--http", f"127.0.0.1:{site.http_port}", "--admin", "off"),
        cwd=tmp_path,
    )
    process.wait_output("Ctrl-C stops")
    started = set(children(process.pid))
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: set(children(process.pid)) - started, "a successor")
    started |= set(children(process.pid))
    assert process.terminate() == 0
    wait_gone(list(started))


MANY = 50
# The processes are those of a shell's: what 200 Python processes cost is nobody's news.
MANY_ROLLS = """
import sys
from zerogate.settings import ProcessSettings
from zerogate.supervisor import life
from zerogate.supervisor.children import Child
from zerogate.supervisor.command import supervise

say = 'printf "started\\\\njoined\\\\n" > /dev/fd/$ZEROGATE_REPORT_FD; exec sleep 1000'
life.child_command = lambda *arguments: ["sh", "-c", say]
children = [Child("one", ["worker"], {}, may_roll=True)]
supervise(children, ProcessSettings(), lambda: print("up", flush=True))
"""


def test_a_supervisor_does_not_grow(tmp_path: Path) -> None:
    (tmp_path / "many.py").write_text(MANY_ROLLS)
    process = Script(tmp_path / "many.py")
    n_rolled = 0

    def roll(n: int) -> None:
        nonlocal n_rolled
        for _ in range(n):
            (before,) = wait_for(lambda: len(found := children_of(process.pid)) == 1 and found, "one process")
            n_rolled += 1
            process.send_signal(signal.SIGHUP)
            wait_for(lambda before=before: before not in children_of(process.pid), "another process")  # type: ignore[misc]

    try:
        process.wait_output("up")
        roll(30)
        fds, kib = process.n_fds(), process.rss_kib()
        roll(MANY)
        assert process.output().count("takes over from") == MANY + 30
        # By the first look the last one that left may not have been forgotten yet.
        wait_for(lambda: process.n_fds() <= fds, "no more descriptors than before")
        assert process.rss_kib() - kib < 1024
        assert process.terminate() == 0
    finally:
        process.close()


def children_of(pid: int) -> list[int]:
    """As `children`, without a look at all processes that there are."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in found if is_running(int(each))]


# Requests and memory


@pytest.mark.parametrize("n", [1, 2])
def test_so_many_requests_under_load_fail_nothing(chaos: ChaosSite, n: int) -> None:
    chaos.chaos_router()
    options = ("--processes", str(n), "--max-requests", "100", "--max-requests-jitter", "50")
    process = chaos.chaos_worker("a", *options)
    chaos.wait_workers(n)
    with Load(chaos.http_port, MIX) as load:
        wait_for(lambda: lives(chaos)[1] >= 4, "four have been replaced", 60)
        load.wait_ok(100)
    assert load.report.is_clean, load.report
    assert max(chaos.runs().values()) == 1
    assert "it has taken 1" in process.output()
    assert process.terminate() == 0
    n_started, n_stopped = lives(chaos)
    assert n_started - n_stopped <= 1  # one that was about to start


LEAKING = """
import os
kept = []
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    kept.append(os.urandom(8_000_000))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""


def test_so_much_memory_fails_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "leaking.py").write_text(LEAKING)
    site.router("--settle", "0s")
    process = site.worker("leaking:app", "w", "--max-memory", "200M", cwd=tmp_path)
    seen: list[bytes] = []

    def ask() -> int:
        status, _, body = site.get()
        assert status == 200
        seen.append(body)
        time.sleep(0.01)
        return len(set(seen)) >= 2

    wait_for(ask, "one has been replaced", 60)
    assert "of memory (--max-memory 200M)" in process.output()
    assert process.terminate() == 0


def test_a_limit_that_nobody_could_keep_is_told_at_once(site: Site, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(APPLICATION)
    process = site.worker("good:app", "w", "--max-memory", "1M", wait=False, cwd=tmp_path)
    assert process.popen.wait(30) == 1
    assert "--max-memory 1M: it has " in process.output()


# Log files


def test_another_signal_is_for_log_files_alone(site: Site, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(APPLICATION)
    log = tmp_path / "access.log"
    process = site.start(
        *("run", "good:app", "--processes", "1", "--http", f"127.0.0.1:{site.http_port}", "--admin", "off"),
        *("--access-log", str(log)),
        cwd=tmp_path,
    )
    process.wait_output("Ctrl-C stops")
    assert site.get()[0] == 200
    started = children(process.pid)
    log.rename(tmp_path / "access.log.1")
    process.send_signal(signal.SIGUSR1)
    wait_for(log.exists, "a new log")
    assert site.get()[0] == 200
    wait_for(lambda: '"GET /" 200' in log.read_text(), "the request in the new log")
    assert children(process.pid) == started
    for pid in started:
        os.kill(pid, signal.SIGUSR1)
    assert site.get()[0] == 200
    assert process.terminate() == 0
