"""What systemd is told (sd_notify), by real processes, on a socket of the test's own."""

import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Site, wait_for


class Manager:
    """Hears what is said. `env` is for whom it starts."""

    def __init__(self, path: Path) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(str(path))
        self._sock.setblocking(False)
        self.env = {"NOTIFY_SOCKET": str(path)}
        self._heard: list[str] = []

    def heard(self) -> list[str]:
        """All lines so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._heard += self._sock.recv(4096).decode().split("\n")
        return self._heard

    def wait(self, line: str) -> None:
        wait_for(lambda: line in self.heard(), f"{line} among {self._heard}")

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_a_router(site: Site, manager: Manager) -> None:
    router = site.router(env=manager.env)
    manager.wait("READY=1")
    manager.wait(f"MAINPID={router.pid}")
    assert "STOPPING=1" not in manager.heard()
    assert router.terminate() == 0
    manager.wait("STOPPING=1")
    assert "WATCHDOG=1" not in manager.heard()


def test_a_worker_is_ready_when_a_router_has_taken_it(site: Site, manager: Manager) -> None:
    worker = site.hello("w", wait=False, env={**manager.env, "WATCHDOG_USEC": "100000"})
    worker.wait_output("no router at")
    for _ in range(3):
        manager.wait("WATCHDOG=1")
        manager.heard().clear()
    assert "READY=1" not in manager.heard()
    # Who is told so much, and reads nothing while it waits for a router, has no room for more.
    router = site.router(wait=False)
    manager.wait("READY=1")
    router.wait_output("Ctrl-C stops")
    assert worker.terminate() == 0
    manager.wait("STOPPING=1")


@pytest.mark.parametrize("name", ["NOTIFY_SOCKET", "WATCHDOG_USEC"])
def test_the_application_finds_no_variable(site: Site, manager: Manager, tmp_path: Path, name: str) -> None:
    (tmp_path / "told.py").write_text(
        "import os\n"
        f"found = os.environ.get({name!r}, 'nothing').encode()\n"
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [found]\n"
    )
    site.router()
    site.worker("told", "w", "--app-dir", str(tmp_path), env={**manager.env, "WATCHDOG_USEC": "100000"})
    assert site.get()[2] == b"nothing"


def test_a_whole_run_is_one(site: Site, manager: Manager, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import asyncio, os\n"
        "async def app(scope, receive, send):\n"
        "    assert scope['type'] == 'lifespan'\n"
        "    await receive()\n"
        f"    while not os.path.exists({str(tmp_path / 'go')!r}):\n"
        "        await asyncio.sleep(0.01)\n"
        "    await send({'type': 'lifespan.startup.complete'})\n"
        "    await receive()\n"
        "    await send({'type': 'lifespan.shutdown.complete'})\n"
    )
    run = site.start(
        *("run", "slow", "--app-dir", str(tmp_path), "--processes", "2", "--http", f"127.0.0.1:{site.http_port}"),
        *("--admin", f"127.0.0.1:{site.admin_port}"),
        env=manager.env,
    )
    # The router is up, and no worker is.
    wait_for(lambda: site_is_up(site), "the router")
    assert "READY=1" not in manager.heard()
    (tmp_path / "go").touch()
    manager.wait("READY=1")
    assert [line for line in manager.heard() if line.startswith("MAINPID")] == [f"MAINPID={run.pid}"]
    assert manager.heard().count("READY=1") == 1
    # From the signal until all have been replaced, it is reloading.
    run.send_signal(signal.SIGHUP)
    manager.wait("RELOADING=1")
    assert any(line.startswith("MONOTONIC_USEC=") for line in manager.heard())
    wait_for(lambda: manager.heard().count("READY=1") == 2, "the end of the reload")
    assert run.output().count("takes over from") == 2
    run.send_signal(signal.SIGTERM)
    assert run.popen.wait(20) == 0
    manager.wait("STOPPING=1")
    assert manager.heard().count("STOPPING=1") == 1


def site_is_up(site: Site) -> bool:
    try:
        return bool(site.status())
    except OSError:
        return False


def test_a_router_that_is_replaced_says_whom_by(site: Site, manager: Manager) -> None:
    old = site.router(env=manager.env)
    manager.wait("READY=1")
    manager.heard().clear()
    # One that nobody told of the manager, as from a shell.
    new = site.router("--replace")
    assert old.popen.wait(20) == 0
    manager.wait(f"MAINPID={new.pid}")
    assert "STOPPING=1" not in manager.heard()


def test_a_router_of_several_processes(site: Site, manager: Manager) -> None:
    router = site.router("--processes", "2", env=manager.env)
    manager.wait("READY=1")
    assert router.terminate() == 0
    manager.wait("STOPPING=1")
    assert manager.heard().count("READY=1") == 1


@pytest.mark.parametrize("options", [(), ("--processes", "2")], ids=str)
def test_a_router_that_reads_its_certificates_anew(site: Site, manager: Manager, options: tuple[str, ...]) -> None:
    router = site.router(*options, env=manager.env)
    manager.wait("READY=1")
    router.send_signal(signal.SIGHUP)
    manager.wait("RELOADING=1")
    wait_for(lambda: manager.heard().count("READY=1") == 2, "the end of the reload")
    assert router.terminate() == 0
