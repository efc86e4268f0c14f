"""`zerogate check`: the one line that a container's probe has."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import run_command
from tests.support.processes import Site, make_site, wait_for


class CheckedSite(Site):
    """Its processes find each other in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.env = {"XDG_RUNTIME_DIR": str(folder)}

    def check(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_command("check", *arguments, env=self.env)

    def wait_check(self, code: int, words: str, *arguments: str) -> None:
        """Wait until it says that, in one line."""
        found: list[str] = []

        def is_said() -> bool:
            done = self.check(*arguments)
            found[:] = [f"{done.returncode}: {done.stdout}{done.stderr}"]
            return done.returncode == code and words in done.stdout + done.stderr

        try:
            wait_for(is_said, f"{code}: {words}")
        except AssertionError as error:
            raise AssertionError(f"{error}, but {found}") from None
        assert found[0].count("\n") == 1


@pytest.fixture
def site(tmp_path: Path) -> Iterator[CheckedSite]:
    with make_site():
        made = CheckedSite(tmp_path)
        try:
            yield made
        finally:
            made.close()


def test_a_worker(site: CheckedSite) -> None:
    # By name: other processes of this user may run meanwhile.
    site.wait_check(1, "nobody here is called w-1", "w-1")
    worker = site.hello("w-1", wait=False, env=site.env)
    site.wait_check(
        1, f"worker w-1 has joined no router ({site.endpoint}: Connection refused: nobody listens there)", "w-1"
    )
    router = site.router("--name", "r", env=site.env)
    site.wait_check(0, "ok: router r listens at", "r")
    site.wait_check(0, "ok: worker w-1 has joined r", "w-1")
    site.wait_check(0, "ok: worker w-1 has joined r", "w")
    worker.send_signal(signal.SIGSTOP)
    site.wait_check(1, f"process {worker.pid} does not answer", "w-1")
    worker.send_signal(signal.SIGCONT)
    site.wait_check(0, "worker w-1 has joined r", "w-1")
    assert router.terminate() == 0
    site.wait_check(1, "worker w-1 has joined no router", "w-1")
    worker.kill()
    site.wait_check(1, "nobody here is called w-1", "w-1")


def test_a_whole_run(site: CheckedSite, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'here']\n"
    )
    run = site.start(
        *("run", "good", "--app-dir", str(tmp_path), "--processes", "2", "--http", f"127.0.0.1:{site.http_port}"),
        *("--admin", "off"),
        env=site.env,
    )
    run.wait_output("Ctrl-C stops")
    site.wait_check(0, "worker good-1 has joined", "good-1")
    site.wait_check(0, "worker good-2 has joined", "good")
    assert run.terminate() == 0
    site.wait_check(1, "nobody here is called good", "good")


def test_what_is_wrong_is_told_as_it_is(site: CheckedSite) -> None:
    """An attached server that is down."""
    site.router(env=site.env)
    attached = site.start("attach", "http://127.0.0.1:1", "--connect", site.endpoint, "--name", "a", env=site.env)
    attached.wait_output("dials")
    site.wait_check(1, "worker a has no server: http://127.0.0.1:1 is down (nobody listens there)", "a")
