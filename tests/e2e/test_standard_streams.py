"""Commands whose standard streams are closed, full or gone."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.commands import clean_environment, folder
from tests.support.processes import Site, wait_for

__all__ = ["folder"]

CLOSED = ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"]
FULL = ["1>/dev/full", "2>/dev/full", "1>/dev/full 2>/dev/full"]


@contextmanager
def started(redirections: str, *arguments: str, cwd: Path | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """A command that a shell has started with these redirections."""
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$0" -m zerogate "$@" {redirections}', sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
        cwd=cwd,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ports(site: Site) -> list[str]:
    return [
        *("--http", f"127.0.0.1:{site.http_port}"),
        *("--bind", site.endpoint),
        *("--admin", f"127.0.0.1:{site.admin_port}"),
    ]


def answers(site: Site) -> bool:
    try:
        return site.get()[0] == 200
    except OSError:
        return False


@pytest.mark.parametrize("redirections", CLOSED + FULL)
@pytest.mark.parametrize("command", ["router", "worker", "run"])
def test_it_works_and_stops_in_good_order(site: Site, folder: Path, command: str, redirections: str) -> None:
    match command:
        case "router":
            site.hello("worker-1", wait=False)
            arguments = ["router", *ports(site)]
        case "worker":
            site.router()
            arguments = ["worker", "good:app", "--connect", site.endpoint]
        case _:
            arguments = ["run", "good:app", "--processes", "1", *ports(site)]
    with started(redirections, *arguments, cwd=folder) as process:
        wait_for(lambda: answers(site), "an answer")
        process.terminate()
        assert process.wait(30) == 0


def test_a_status_that_cannot_be_written_is_an_error(site: Site, tmp_path: Path) -> None:
    site.router()
    said = tmp_path / "said"
    with started(f"1>/dev/full 2>'{said}'", "status", "--admin", f"127.0.0.1:{site.admin_port}") as process:
        assert process.wait(30) == 1
    assert said.read_text().splitlines() == ["zerogate: cannot write to standard output: No space left on device"]


def test_an_error_that_nobody_reads_is_an_error_all_the_same() -> None:
    with started("2>/dev/full", "router", "--timeout", "nonsense") as process:
        assert process.wait(30) == 2


def test_a_demo_that_nobody_can_read_ends(site: Site) -> None:
    with started("1>/dev/full", "demo", "--once", *ports(site)) as process:
        assert process.wait(30) == 1
