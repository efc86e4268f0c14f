"""More clients than descriptors: they wait, and workers and the admin port are not among those who do."""

import contextlib
import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Script
from tests.support.processes import Site, wait_for
from tests.support.raw_http import HttpConnection
from zerogate.check_port import PREFIX
from zerogate.runtime import make_directory

# Descriptors are what one process runs out of.
pytestmark = pytest.mark.one_process

N_FDS = 200
N_CLIENTS = 150

LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
os.execv(sys.executable, [sys.executable, "-m", "zerogate", *sys.argv[2:]])
"""


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as made:
        yield made


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_a_while(pid: int) -> float:
    before = cpu_s(pid)
    time.sleep(0.5)
    return cpu_s(pid) - before


def site_options(site: Site) -> tuple[str, ...]:
    return (
        *("--http", f"127.0.0.1:{site.http_port}", "--bind", site.endpoint),
        *("--admin", f"127.0.0.1:{site.admin_port}", "--settle", "0s", "--access-log", "off"),
    )


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_workers_and_people_have_descriptors_left(
    site: Site, loop: str, tmp_path: Path, stack: contextlib.ExitStack
) -> None:
    script = tmp_path / "limited.py"
    script.write_text(LIMITED)
    router = Script(script, str(N_FDS), "router", *site_options(site), "--loop", loop)
    site.processes.append(router)
    router.wait_output("Ctrl-C stops")
    assert "--max-clients 10000: " in router.output()
    first = stack.enter_context(HttpConnection(site.http_port))
    crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", site.http_port))) for _ in range(N_CLIENTS)]
    router.wait_output("connections have to wait")
    site.hello("a")
    router.wait_output("worker a joined")
    status = site.status()
    assert status["clients"] < N_FDS - 64
    assert status["counters"]["connections_waited"] > 0
    first.get("/")
    assert first.read_reply().status == 200
    before, lines = cpu_s(router.pid), len(router.output())
    time.sleep(1.0)
    assert cpu_s(router.pid) - before < 0.3
    assert len(router.output()) == lines
    last = crowd.pop()
    for sock in crowd:
        sock.close()
    last.settimeout(30)
    last.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert last.recv(100).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_without_any_descriptor_left_it_waits(site: Site, loop: str, stack: contextlib.ExitStack) -> None:
    router = site.router("--loop", loop)
    site.hello("a")
    # Lowered behind its back: what it has reckoned with does not hold.
    resource.prlimit(router.pid, resource.RLIMIT_NOFILE, (router.n_fds() + 5,) * 2)
    crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", site.http_port))) for _ in range(20)]
    router.wait_output("connections have to wait: Too many open files")
    # So has who asks how it is.
    asking = stack.enter_context(socket.socket(socket.AF_UNIX))
    asking.settimeout(30.0)
    asking.connect(os.path.join(make_directory(), f"{PREFIX}{router.pid}"))
    # Who spins does so all the time.
    assert min(cpu_of_a_while(router.pid) for _ in range(3)) < 0.15
    # Once for each port.
    assert router.output().count(f"--http 127.0.0.1:{site.http_port}: connections have to wait") == 1
    for sock in crowd:
        sock.close()
    wait_for(lambda: site.get()[0] == 200, "it goes on")
    assert json.loads(asking.recv(65536))["pid"] == router.pid
    assert "Traceback" not in router.output()
