"""Where an application is found, and what cannot get in the way of everybody else."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.commands import APPLICATION, clean_environment, folder, run_command
from tests.support.processes import Site, wait_for

__all__ = ["folder"]

SHADOWS = ["logging.py", "asyncio/__init__.py", "click.py", "uvloop.py", "zerogate.py", "sitecustomize.py"]


@contextmanager
def started(site: Site, command: str, cwd: Path, *options: str, app: str = "good:app") -> Iterator[None]:
    """A command as the installed script starts it: without the current folder in the path."""
    router = ["--http", f"127.0.0.1:{site.http_port}", "--admin", f"127.0.0.1:{site.admin_port}"]
    words = {
        "worker": ["worker", app, "--connect", site.endpoint],
        "several workers": ["worker", app, "--connect", site.endpoint, "--processes", "2"],
        "run": ["run", app, "--processes", "2", *router],
    }[command]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "zerogate", *words, *options],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        env=clean_environment(),
    )
    try:
        if command != "run":
            site.router()
        yield
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def answer(site: Site) -> bytes:
    def asked() -> bytes:
        try:
            return site.get()[2]
        except OSError:
            return b""

    body: bytes = wait_for(asked, "an answer")
    return body


def shadow(folder: Path) -> None:
    for name in SHADOWS:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("raise ImportError('not to be imported')\n")


@pytest.mark.parametrize("command", ["worker", "several workers", "run"])
def test_what_lies_about_is_in_nobodys_way(site: Site, folder: Path, command: str) -> None:
    shadow(folder)
    with started(site, command, folder):
        assert answer(site) == b"here\n"


@pytest.mark.parametrize("command", ["worker", "run"])
def test_an_application_in_a_folder_that_is_named(site: Site, folder: Path, command: str) -> None:
    (folder / "src").mkdir()
    # It comes before what is installed and built in, if one asks for it.
    (folder / "src" / "colorsys.py").write_text(APPLICATION.replace("here", "there"))
    with started(site, command, folder, "--app-dir", "src", app="colorsys:app"):
        assert answer(site) == b"there\n"


@pytest.mark.parametrize("command", ["worker", "run"])
def test_a_folder_that_is_not_there(folder: Path, command: str) -> None:
    ports = ["--http", "127.0.0.1:0", "--admin", "off"] if command == "run" else []
    result = run_command(command, "good:app", "--app-dir", "nowhere", *ports, cwd=folder)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == "zerogate: --app-dir nowhere: no such folder"
    assert "Traceback" not in result.stderr
