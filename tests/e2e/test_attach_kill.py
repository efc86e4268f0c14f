"""Attached servers are killed under load: what fails and what does not, by the rules."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.attached import AttachSite, make_attach_site, needs
from tests.support.load import Clients, Load, get, post
from tests.support.processes import Process, wait_for

N_KILLS = 4


@pytest.fixture
def site() -> Iterator[AttachSite]:
    with make_attach_site() as made:
        yield made


def server_of(attach: Process) -> int:
    """The process id of the server that it runs now; 0 while there is none."""
    found = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            keeper = int(stat.rpartition(")")[2].split()[1])
            if command.startswith(b"node\0") and keeper in keepers(attach):
                found = int(entry.name)
    return found


def keepers(attach: Process) -> set[int]:
    text = Path(f"/proc/{attach.pid}/task/{attach.pid}/children").read_text()
    return {int(word) for word in text.split()}


def kill_server(attach: Process) -> None:
    os.kill(wait_for(lambda: server_of(attach), "a server"), signal.SIGKILL)


@needs("node")
def test_one_of_two_is_killed_again_and_again(site: AttachSite, tmp_path: Path) -> None:
    log = tmp_path / "log"
    attached = [site.node(name, env={"LOG": str(log)}) for name in ("a", "b")]
    with Load(site.http_port, [Clients(get, 24), Clients(post, 8)]) as load:
        for turn in range(N_KILLS):
            load.wait_ok(300)
            kill_server(attached[turn % 2])
            load.wait_ok(300)
            site.wait_workers(2)
        load.wait_ok(300)
    report = load.report
    assert not report.mixed, report
    # What a server had begun and may not be asked twice is lost with it; what waited for one is not.
    assert set(report.failed) <= {"502 worker_failed"}, report
    assert report.n_failed <= 32 * N_KILLS
    runs = Counter(log.read_text().split())
    posts = {token: runs[token] for token in report.outcomes}
    assert max(posts.values()) == 1
    assert all(posts[token] == 1 for token, outcome in report.outcomes.items() if outcome == "ok")
    assert set(report.workers) == {"a", "b"}


@needs("node")
def test_the_only_one_is_killed_and_requests_wait_for_it(site: AttachSite) -> None:
    attach = site.node("only")
    with Load(site.http_port, [Clients(get, 8)]) as load:
        for _ in range(2):
            load.wait_ok(200)
            kill_server(attach)
            load.wait_ok(200)
    report = load.report
    assert set(report.failed) <= {"502 worker_failed"}, report
    assert report.n_failed <= 16
