"""The temporary folder of `run`: gone with it, however it ends."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import children, folder, wait_gone
from tests.support.processes import Process, Site, wait_for
from zerogate.folders import PREFIX

__all__ = ["folder"]


def start_run(site: Site, app: str, folder: Path, temporary: Path, *options: str) -> Process:
    ports = ["--http", f"127.0.0.1:{site.http_port}", "--admin", f"127.0.0.1:{site.admin_port}"]
    environment = {"TMPDIR": str(temporary)}
    return site.start("run", app, "--processes", "1", *ports, *options, cwd=folder, env=environment)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary folders, with a blank in its name."""
    # Not pytest's, which is too long: the path of a Unix socket has 107 octets at most.
    with tempfile.TemporaryDirectory(prefix="zg t") as path:
        yield Path(path)


def left(temporary: Path) -> list[str]:
    return [path.name for path in temporary.iterdir() if path.name.startswith(PREFIX)]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGQUIT", "SIGUSR2", "SIGALRM"])
def test_no_signal_leaves_it_behind(site: Site, folder: Path, temporary: Path, name: str) -> None:
    process = start_run(site, "good:app", folder, temporary)
    process.wait_output("Ctrl-C stops")
    assert site.get()[2] == b"here\n"
    assert len(left(temporary)) == 1
    started = children(process.pid)
    process.send_signal(getattr(signal, name))
    assert process.popen.wait(30) == (0 if name in ("SIGINT", "SIGTERM") else 1)
    assert left(temporary) == []
    wait_gone(started)


def test_nor_does_a_second_signal(site: Site, folder: Path, temporary: Path) -> None:
    process = start_run(site, "good:app", folder, temporary)
    process.wait_output("Ctrl-C stops")
    for pid in children(process.pid):
        os.kill(pid, signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    process.wait_output("stopping")
    process.send_signal(signal.SIGINT)
    assert process.popen.wait(30) == 1
    assert left(temporary) == []


@pytest.mark.parametrize("app", ["raising:app", "nowhere:app"])
def test_nor_does_a_start_that_fails(site: Site, folder: Path, temporary: Path, app: str) -> None:
    process = start_run(site, app, folder, temporary)
    assert process.popen.wait(30) == 1
    assert left(temporary) == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_nor_does_a_signal_before_it_has_started(site: Site, folder: Path, temporary: Path, name: str) -> None:
    process = start_run(site, "good:app", folder, temporary)
    wait_for(lambda: left(temporary) or process.popen.poll() is not None, "the folder")
    process.send_signal(getattr(signal, name))
    assert process.popen.wait(30) == 0
    assert left(temporary) == []


def test_what_a_killed_one_left_is_swept_by_the_next(site: Site, folder: Path, temporary: Path) -> None:
    first = start_run(site, "good:app", folder, temporary)
    first.wait_output("Ctrl-C stops")
    killed = left(temporary)
    started = children(first.pid)
    first.kill()
    wait_gone(started)
    assert left(temporary) == killed
    other = Site()
    try:
        second = start_run(other, "good:app", folder, temporary)
        second.wait_output("Ctrl-C stops")
        assert len(left(temporary)) == 1
        assert left(temporary) != killed
        # Not what is in use: a third one leaves the second one's alone.
        third = start_run(site, "good:app", folder, temporary)
        third.wait_output("Ctrl-C stops")
        assert len(left(temporary)) == 2
        assert other.get()[2] == site.get()[2] == b"here\n"
        assert (second.terminate(), third.terminate()) == (0, 0)
    finally:
        other.close()
    assert left(temporary) == []
