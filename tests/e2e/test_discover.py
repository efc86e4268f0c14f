"""`--discover`: a worker that was told of no router finds one, on this machine's loopback."""

from pathlib import Path

import pytest

from tests.support.commands import run_command
from tests.support.processes import Site, free_port

pytest.importorskip("zeroconf")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_worker_finds_a_router(site: Site, processes: str) -> None:
    router = site.router("--discover", "--processes", processes)
    router.wait_output(f"announced {site.endpoint}")
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    worker = site.start("hello", "w", "--connect", nowhere, "--discover")
    worker.wait_output(f"a router is announced at {site.endpoint}")
    site.wait_workers(1)
    assert site.get()[2] == b"Hello from w\n"
    assert worker.terminate() == 0
    assert router.terminate() == 0


def test_one_with_another_key_is_not_dialled(site: Site, tmp_path: Path) -> None:
    other = run_command("keys", "router", "--keys", str(tmp_path / "b")).stdout.strip()
    run_command("keys", "router", "--keys", str(tmp_path / "a"))
    line = run_command("keys", "worker", "w", "--keys", str(tmp_path / "a")).stdout
    secret = line.split()[0].partition("=")[2].strip("'")
    site.router("--discover", "--keys", str(tmp_path / "a"))
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    options = ("--connect", nowhere, "--discover", "--router-key", other)
    worker = site.start("hello", "w", *options, env={"ZEROGATE_KEY": secret})
    worker.wait_output(f"a router at {site.endpoint} is announced, and not dialled: it has another key")
