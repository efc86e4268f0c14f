"""Half-open connections: the network between worker and router goes away without a word.

Two network namespaces of our own, a veth pair between them, and every address inside. Needs root, `ip`, `iptables`.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.chaos import APP, ROOT
from tests.support.processes import wait_for

ROUTER_ADDRESS = "10.213.77.1"
WORKER_ADDRESS = "10.213.77.2"
QUICK = ("--suspect-after", "500ms", "--lost-after", "2500ms", "--handshake-timeout", "2500ms")
# Silence is noticed as soon, and nothing is lost of it before a test has looked.
PATIENT = ("--suspect-after", "500ms", "--lost-after", "60s")

# Run inside the router's namespace: its loopback is not ours.
ASK = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=float(sys.argv[3]))
connection.request(sys.argv[4], sys.argv[2], body=b"x" if sys.argv[4] == "POST" else None)
reply = connection.getresponse()
print(reply.status, reply.getheader("zerogate-error") or "-", reply.read().decode())
"""


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)


def why_not() -> str:
    """Why namespaces cannot be used here; empty if they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in ("ip", "iptables") if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    name = f"zg-try-{os.getpid()}"
    tried = run("ip", "netns", "add", name)
    if tried.returncode:
        return f"ip netns add: {tried.stderr.strip()}"
    filtered = run("ip", "netns", "exec", name, "iptables", "-A", "INPUT", "-j", "ACCEPT")
    run("ip", "netns", "del", name)
    return f"iptables: {filtered.stderr.strip()}" if filtered.returncode else ""


REASON = why_not()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)


class Net:
    """A router and a worker in a namespace each, and the wire between them."""

    def __init__(self, directory: Path, times: tuple[str, ...]) -> None:
        self._times = times
        serial = f"{os.getpid()}{time.monotonic_ns() % 1000}"
        self.router_ns, self.worker_ns = f"zg-r-{serial}", f"zg-w-{serial}"
        self.router_if, self.worker_if = f"zgr{serial}"[:15], f"zgw{serial}"[:15]
        self.directory = directory
        self._processes: list[subprocess.Popen[bytes]] = []

    def make(self) -> None:
        ends = (
            (self.router_ns, self.router_if, ROUTER_ADDRESS),
            (self.worker_ns, self.worker_if, WORKER_ADDRESS),
        )
        for namespace, _, _ in ends:
            self._must("ip", "netns", "add", namespace)
        self._must(
            *("ip", "-n", self.router_ns, "link", "add", self.router_if),
            *("type", "veth", "peer", "name", self.worker_if, "netns", self.worker_ns),
        )
        for namespace, interface, address in ends:
            self._must("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", interface)
            self._must("ip", "-n", namespace, "link", "set", interface, "up")
            self._must("ip", "-n", namespace, "link", "set", "lo", "up")

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for namespace in (self.router_ns, self.worker_ns):
            run("ip", "netns", "del", namespace)

    def start(self, namespace: str, name: str, *arguments: str) -> None:
        argv = ["ip", "netns", "exec", namespace, sys.executable, "-m", "zerogate", *arguments]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ZEROGATE_")}
        with self._log(name).open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    argv,
                    cwd=ROOT,
                    env={**clean, "CHAOS_NAME": name, "CHAOS_DIR": str(self.directory)},
                    stdout=log,
                    stderr=log,
                )
            )

    def start_router(self, *options: str) -> None:
        self.start(
            *(self.router_ns, "router", "router", "--insecure", "--settle", "0s", "--access-log", "off"),
            *("--bind", f"tcp://{ROUTER_ADDRESS}:8000", *self._times, *options),
        )
        self.wait_output("router", "Ctrl-C stops")

    def start_worker(self, name: str = "far", *, local: bool = False) -> None:
        namespace = self.router_ns if local else self.worker_ns
        endpoint = f"tcp://{ROUTER_ADDRESS}:8000"
        self.start(namespace, name, "worker", APP, "--name", name, "--connect", endpoint, *self._times)
        self.wait_output(name, "joined router")

    def output(self, name: str) -> str:
        return self._log(name).read_text(errors="replace")

    def wait_output(self, name: str, text: str, times: int = 1, seconds: float = 40.0) -> None:
        wait_for(lambda: self.output(name).count(text) >= times, f"{text!r} from {name}: {self.output(name)}", seconds)

    def ask(self, path: str, method: str = "GET", seconds: float = 15.0) -> list[str]:
        """Status, error code and body, from inside the router's namespace."""
        return self.begin_asking(path, method, seconds)()

    def begin_asking(self, path: str, method: str = "GET", seconds: float = 15.0) -> "Asking":
        argv = ["ip", "netns", "exec", self.router_ns, sys.executable, "-c", ASK, "9000", path, str(seconds), method]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._processes.append(process)
        return Asking(process, seconds)

    def filter(self, *rule: str) -> None:
        """An iptables rule of the worker's namespace."""
        self._must("ip", "netns", "exec", self.worker_ns, "iptables", *rule)

    def set_wire(self, state: str) -> None:
        """Both ends, as when a cable is pulled: `up` or `down`."""
        self._must("ip", "-n", self.worker_ns, "link", "set", self.worker_if, state)
        self._must("ip", "-n", self.router_ns, "link", "set", self.router_if, state)

    def signal_worker(self, number: int) -> None:
        self._processes[-1].send_signal(number)

    @staticmethod
    def _must(*argv: str) -> None:
        done = run(*argv)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"


class Asking:
    """A request on its way: call it for what came of it."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._process = process
        self._seconds = seconds

    def __call__(self) -> list[str]:
        out, err = self._process.communicate(timeout=self._seconds + 5)
        assert self._process.returncode == 0, err.decode()
        return out.decode().split()


@contextlib.contextmanager
def make_net(directory: Path, times: tuple[str, ...]) -> Iterator[Net]:
    made = Net(directory, times)
    with contextlib.ExitStack() as stack:
        stack.callback(made.close)
        made.make()
        made.start_router()
        made.start_worker()
        yield made


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    with make_net(tmp_path, QUICK) as made:
        yield made


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Net]:
    with make_net(tmp_path, PATIENT) as made:
        yield made


def drop(net: Net) -> None:
    net.filter("-A", "INPUT", "-j", "DROP")
    net.filter("-A", "OUTPUT", "-j", "DROP")


def heal(net: Net) -> None:
    net.filter("-F", "INPUT")
    net.filter("-F", "OUTPUT")


@pytest.mark.parametrize("how", ["wire", "drop"])
def test_silence_is_noticed_at_both_ends(net: Net, how: str) -> None:
    """A GET goes to another worker, a POST is answered 502; when the network is back, so is the worker."""
    net.start_worker("near", local=True)
    wait_both_answer(net)
    # One at a time, so that each worker gets as many of both kinds.
    asked = []
    for number, method in enumerate(("POST", "POST", "GET", "GET")):
        asked.append(net.begin_asking(f"/echo/{number}?until=lost", method, 60))
        wait_for(partial(lambda n: in_flight(net) == n, number + 1), "it is under way")
    (net.set_wire("down") if how == "wire" else drop(net))
    net.wait_output("router", "worker far is silent")
    net.wait_output("router", "worker far lost")
    (net.directory / "go-lost").touch()
    answers = [each() for each in asked]
    assert sorted(answer[0] for answer in answers[:2]) == ["200", "502"]
    assert [answer[0] for answer in answers[2:]] == ["200", "200"]
    assert net.ask("/echo/after")[-1] == "near"
    net.wait_output("far", "ended: silent for")
    (net.set_wire("up") if how == "wire" else heal(net))
    net.wait_output("far", "joined router", times=2)
    wait_both_answer(net)


def wait_both_answer(net: Net) -> None:
    """One that is slow just now has no turn."""
    seen = set()

    def have_both() -> bool:
        seen.add(net.ask("/echo/x")[-1])
        return seen == {"far", "near"}

    wait_for(have_both, "both answer")


def in_flight(net: Net) -> int:
    """Exchanges in flight, by the router's account."""
    script = "import urllib.request as u, json; s=json.load(u.urlopen('http://127.0.0.1:9001/status'));"
    script += "print(sum(w['in_flight'] for w in s['workers']))"
    done = run("ip", "netns", "exec", net.router_ns, sys.executable, "-c", script)
    return int(done.stdout)


def test_a_short_silence_loses_nothing(patient: Net) -> None:
    """What was sent meanwhile is sent again by the kernel."""
    slow = patient.begin_asking("/echo/slow?until=silent", "GET", 60)
    wait_for(lambda: in_flight(patient) == 1, "it is under way")
    drop(patient)
    patient.wait_output("router", "worker far is silent")
    (patient.directory / "go-silent").touch()
    heal(patient)
    assert slow()[-1] == "far"
    assert "lost" not in patient.output("router")


def test_resets_end_a_link_at_once(patient: Net) -> None:
    """A firewall that has forgotten the connection: its end is not waited for as that of a silent one."""
    slow = patient.begin_asking("/hang/slow", "POST", 40)
    wait_for(lambda: in_flight(patient) == 1, "it is under way")
    patient.filter("-A", "INPUT", "-p", "tcp", "--sport", "8000", "-j", "REJECT", "--reject-with", "tcp-reset")
    assert slow()[0] == "502"
    patient.filter("-F", "INPUT")
    patient.wait_output("far", "joined router", times=2)
    assert patient.ask("/echo/after")[-1] == "far"


def test_a_worker_that_nobody_hears_can_still_be_stopped(net: Net) -> None:
    drop(net)
    net.wait_output("router", "worker far lost")
    net.signal_worker(signal.SIGTERM)
    assert net._processes[-1].wait(30) == 0
