"""Machines of their own: a router on one, workers on two others, and the three pastes of docs/keys.md, word for word.

Each machine is a network namespace with files of its own, and knows the router by its name alone. Needs root and `ip`.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_netns import REASON, run
from tests.support.chaos import ROOT
from tests.support.processes import wait_for

pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

NAME = "router.example.org"
PAGE = (ROOT / "docs" / "keys.md").read_text()
# The code blocks of the page, in order: the router's machine, there for each worker, the worker's machine.
ROUTER_PASTE, KEY_PASTE, WORKER_PASTE = re.findall(r"\n```\n(.*?)```", PAGE, re.DOTALL)[:3]

APP = """
import os
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": f"{os.environ['WHERE']} {scope['path']}".encode()})
"""
ASK = """
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], 80, timeout=15)
connection.request("GET", sys.argv[3], headers={"host": sys.argv[2]})
reply = connection.getresponse()
print(reply.status, reply.read().decode())
"""


class Machine:
    """One namespace: its home, its processes, and its way to the router's."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = f"zgk-{name}-{os.getpid()}"
        self.home = directory / name
        self.home.mkdir()
        (self.home / "shop.py").write_text(APP)
        self.log = self.home / "log"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.must("ip", "netns", "add", self.name)
        self.must("ip", "-n", self.name, "link", "set", "lo", "up")

    def must(self, *argv: str) -> str:
        done = run(*argv)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
        return done.stdout

    def connect(self, router: "Machine", number: int) -> None:
        """A wire to the router's machine, which is known here by its name."""
        ours, theirs = f"zgw{number}-{os.getpid()}"[:15], f"zgr{number}-{os.getpid()}"[:15]
        self.must(
            "ip", "-n", router.name, "link", "add", theirs, "type", "veth", "peer", "name", ours, "netns", self.name
        )
        for machine, interface, host in ((router, theirs, 1), (self, ours, 2)):
            self.must("ip", "-n", machine.name, "addr", "add", f"10.214.{number}.{host}/30", "dev", interface)
            self.must("ip", "-n", machine.name, "link", "set", interface, "up")
        etc = Path("/etc/netns") / self.name
        etc.mkdir(parents=True)
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n10.214.{number}.1 {NAME}\n")

    def _argv(self, line: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, "sh", "-c", line]

    @property
    def _env(self) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("ZEROGATE_", "XDG_"))}
        path = f"{Path(sys.executable).parent}:{clean['PATH']}"
        return {**clean, "HOME": str(self.home), "PATH": path, "WHERE": self.home.name}

    def paste(self, line: str) -> str:
        """Have the line typed here, and wait for its end: what it prints."""
        done = subprocess.run(
            self._argv(line), cwd=self.home, env=self._env, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    def start(self, line: str) -> None:
        """Have the line typed here; it goes on."""
        with self.log.open("ab") as log:
            self._processes.append(
                subprocess.Popen(self._argv(f"exec env {line}"), cwd=self.home, env=self._env, stdout=log, stderr=log)
            )

    def wait_output(self, text: str) -> None:
        wait_for(lambda: text in self.log.read_text(), f"{text!r}: {self.log.read_text()}", 30)

    def close(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        run("ip", "netns", "del", self.name)
        shutil.rmtree(Path("/etc/netns") / self.name, ignore_errors=True)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[list[Machine]]:
    """The router's, and two workers'."""
    with contextlib.ExitStack() as stack:
        made = []
        for name in ("router", "first", "second"):
            made.append(Machine(name, tmp_path))
            stack.callback(made[-1].close)
        for number, worker in enumerate(made[1:], 1):
            worker.connect(made[0], number)
        yield made


def ask(machine: Machine, host: str, path: str) -> str:
    return machine.must("ip", "netns", "exec", machine.name, sys.executable, "-c", ASK, NAME, host, path).strip()


def test_three_pastes_from_the_page(machines: list[Machine]) -> None:
    router, first, second = machines
    make_key, start_router = ROUTER_PASTE.strip().splitlines()
    assert "--insecure" not in PAGE.partition("## What a key is for")[0]
    router.paste(make_key)
    router.start(start_router)
    router.wait_output("Ctrl-C stops")
    line = router.paste(KEY_PASTE.strip()).strip()
    # What is printed is what the page says that it is, with keys for the dots.
    shown = re.sub(r"'?[!-&(-~]{40}'?", "'...'", line)
    assert shown.replace("ZEROGATE_KEY=...", "ZEROGATE_KEY='...'") == WORKER_PASTE.strip()
    first.start(line.replace("APP", "shop:app"))
    first.wait_output("joined router")
    other = router.paste(KEY_PASTE.strip().replace("web-1", "web-2").replace("/api", "/shop")).strip()
    second.start(other.replace("APP", "shop:app"))
    second.wait_output("joined router")
    for machine in (first, second):
        assert ask(machine, "example.org", "/api/x") == "200 first /api/x"
        assert ask(machine, "example.org", "/shop/x") == "200 second /shop/x"
        assert ask(machine, "other.example", "/api/x").startswith("404")
    secret = line.partition("ZEROGATE_KEY=")[2].split()[0].strip("'")
    assert secret not in router.log.read_text() + first.log.read_text()
