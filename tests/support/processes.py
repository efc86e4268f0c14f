"""Real processes of the command line, on free ports, ended whatever happens."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from zerogate.native import compiled

# For what has to happen, on a machine that is busy with other things.
DEADLINE_S = 30.0

# Options too, by names that are not only ours.
FOREIGN_VARIABLES = ("FORWARDED_ALLOW_IPS", "PORT", "WEB_CONCURRENCY")


_reserved: deque[socket.socket] = deque()
MAX_RESERVED = 256


def free_port() -> int:
    """A port that nobody gets but who asks for it.

    It stays bound, though nobody listens: else the system could give it to the next connection that goes out. Sockets
    with SO_REUSEADDR may bind it as well, and listen.
    """
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    _reserved.append(sock)
    if len(_reserved) > MAX_RESERVED:
        _reserved.popleft().close()
    return int(sock.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str, seconds: float = DEADLINE_S) -> Any:
    """Poll until `condition` returns something true, and return it. Raises AssertionError after `seconds`."""
    give_up = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < give_up, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment without any variable that is an option, but these; and the one that is about the whole run."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if (not k.startswith("ZEROGATE_") and k not in FOREIGN_VARIABLES) or k == compiled.VARIABLE
    }
    return {**kept, **variables}


def rss_kib(pid: int, *, peak: bool = False) -> int:
    """Resident memory, or its peak."""
    key = "VmHWM" if peak else "VmRSS"
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(key))


def n_fds(pid: int) -> int:
    """Open descriptors."""
    return len(os.listdir(f"/proc/{pid}/fd"))


class Process:
    """One `zerogate` command. What it prints is in `output()`."""

    def __init__(self, *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
        # Open for as long as the process is.
        self._log = tempfile.NamedTemporaryFile(prefix="zerogate-test-", suffix=".log", delete=False)  # noqa: SIM115
        self.arguments = arguments
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "zerogate", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=clean_environment(**{"PYTHONUNBUFFERED": "1", **(env or {})}),
        )

    def __repr__(self) -> str:
        return f"<Process {' '.join(self.arguments)}>"

    @property
    def pid(self) -> int:
        return self.popen.pid

    def output(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    def wait_output(self, text: str, seconds: float = DEADLINE_S, times: int = 1) -> None:
        """Wait until the process has printed `text`, so many times."""

        def has_printed() -> bool:
            # In this order: what it says last, and then ends, has been said.
            ended = self.popen.poll()
            if self.output().count(text) >= times:
                return True
            assert ended is None, f"{self} ended with {ended}:\n{self.output()}"
            return False

        wait_for(has_printed, f"{text!r} from {self}", seconds)

    def send_signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def terminate(self, seconds: float = DEADLINE_S) -> int:
        """SIGTERM, and the exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(seconds)

    def rss_kib(self, *, peak: bool = False) -> int:
        """Resident memory, or its peak."""
        return rss_kib(self.pid, peak=peak)

    def n_fds(self) -> int:
        return n_fds(self.pid)

    def close(self) -> None:
        if self.popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.popen.send_signal(signal.SIGCONT)
                self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self._log.close()
        os.unlink(self._log.name)


# How many processes each router of the tests has: `TEST_ROUTER_PROCESSES=2 pytest tests/e2e` is all of it with two.
ROUTER_PROCESSES = int(os.environ.get("TEST_ROUTER_PROCESSES", "1"))


class Site:
    """A router's ports and the processes of one test. `router_processes` is how many each of its routers has."""

    router_processes = ROUTER_PROCESSES

    def __init__(self) -> None:
        self.http_port = free_port()
        self.link_port = free_port()
        self.admin_port = free_port()
        self.processes: list[Process] = []

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self.link_port}"

    def start(self, *arguments: str, **keywords: Any) -> Process:
        """Any command."""
        process = Process(*arguments, **keywords)
        self.processes.append(process)
        return process

    def router(self, *options: str, wait: bool = True, **keywords: Any) -> Process:
        """A router on this site's ports; returns when it listens."""
        process = self.start(
            "router",
            *("--http", f"127.0.0.1:{self.http_port}"),
            *("--bind", self.endpoint),
            *("--admin", f"127.0.0.1:{self.admin_port}"),
            *self.router_options(*options),
            **keywords,
        )
        if wait:
            process.wait_output("Ctrl-C stops")
        return process

    def router_options(self, *options: str) -> tuple[str, ...]:
        """As many processes as are said there, or as each router of the tests has."""
        if "--processes" in options:
            self.router_processes = int(options[options.index("--processes") + 1])
            return options
        return ("--processes", str(self.router_processes), *options)

    def hello(self, name: str, *options: str, wait: bool = True, **keywords: Any) -> Process:
        """An example worker; returns when it has joined."""
        process = self.start("hello", name, "--connect", self.endpoint, *options, **keywords)
        if wait:
            self.wait_joined(process)
        return process

    def worker(self, app: str, name: str, *options: str, wait: bool = True, **keywords: Any) -> Process:
        """A worker for an application; returns when it has joined."""
        process = self.start("worker", app, "--connect", self.endpoint, "--name", name, *options, **keywords)
        if wait:
            self.wait_joined(process)
        return process

    def wait_joined(self, worker: Process) -> None:
        """Wait until it has joined each process of the router: a client may come to any of them."""
        worker.wait_output("joined router", times=self.router_processes)

    def get(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        body: Any = None,
        headers: dict[str, str] | None = None,
        timeout: float = DEADLINE_S,
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, fields with lower-case names, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
        finally:
            connection.close()

    def connect(self, timeout: float = DEADLINE_S) -> socket.socket:
        """A raw connection to the HTTP port."""
        return socket.create_connection(("127.0.0.1", self.http_port), timeout=timeout)

    def status(self) -> dict[str, Any]:
        """The router's status, from its admin port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=DEADLINE_S)
        try:
            connection.request("GET", "/status")
            found: dict[str, Any] = json.loads(connection.getresponse().read())
            return found
        finally:
            connection.close()

    def router_pids(self, router: Process) -> tuple[int, ...]:
        """Of all its processes: the command, and those that it has started if it has several."""
        return (router.pid, *(process["pid"] for process in self.status().get("processes", ())))

    def router_fds(self, router: Process) -> int:
        """Open descriptors of all its processes."""
        return sum(map(n_fds, self.router_pids(router)))

    def router_kib(self, router: Process) -> int:
        """Resident memory of all its processes."""
        return sum(map(rss_kib, self.router_pids(router)))

    def wait_silent(self, router: Process, name: str) -> None:
        """Wait until the worker has been silent for too long, by each process's own account."""
        router.wait_output(f"worker {name} is silent", times=self.router_processes)

    def wait_workers(self, n: int, seconds: float = DEADLINE_S) -> None:
        """Wait until `n` workers are up."""
        wait_for(
            lambda: sum(worker["state"] == "up" for worker in self.status()["workers"]) == n, f"{n} workers up", seconds
        )

    def close(self) -> None:
        for process in reversed(self.processes):
            process.close()


@contextlib.contextmanager
def make_site() -> Iterator[Site]:
    site = Site()
    try:
        yield site
    finally:
        site.close()
