"""The processes of one contender: started, waited for, counted and stopped."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import usage
from failure import INTERRUPTS, BenchError

HERE = Path(__file__).resolve().parent

READY_TIMEOUT_S = 20.0
PROBE_TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.02
LOG_TAIL_LINES = 15

# Settings from the outside that would change what is measured.
FOREIGN_SETTINGS = ("ZEROGATE_", "UVICORN_", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS")


@dataclass(frozen=True)
class Command:
    """One process to start, by the name that logs and reports give it."""

    name: str
    argv: tuple[str, ...]


class Service:
    """What serves one contender on `port`: every command runs in a session of its own, its output in a log file."""

    def __init__(self, name: str, port: int, commands: Sequence[Command], directory: Path) -> None:
        self.name = name
        self.port = port
        self._commands = commands
        self._directory = directory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __repr__(self) -> str:
        return f"<Service {self.name} :{self.port} {self.pids()}>"

    def start(self) -> None:
        """Start every process, in any order that the table gives: they wait for each other by themselves."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN_SETTINGS)}
        for command in self._commands:
            with self._log(command.name).open("wb") as log:
                self._processes[command.name] = subprocess.Popen(
                    command.argv,
                    cwd=HERE,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    def wait_ready(self, path: str, body: bytes) -> None:
        """Return once `path` is answered as it should be. Raises BenchError if that does not come about."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while (problem := probe(self.port, path, body)) is not None:
            self.check_alive()
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} is not ready after {READY_TIMEOUT_S:.0f} s: {problem}\n{self.logs()}")
            time.sleep(POLL_S)

    def check_alive(self) -> None:
        """Raises BenchError if a process has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise BenchError(f"{self.name}: {name} ended with exit code {process.returncode}\n{self.logs()}")

    def pids(self) -> dict[str, list[int]]:
        """The processes behind each command: the one that was started and all that it started."""
        return {name: usage.session_members(process.pid) for name, process in self._processes.items()}

    def logs(self) -> str:
        """How each process fares, and the last lines that it wrote."""
        parts = []
        for name, process in self._processes.items():
            code = process.poll()
            lines = self._log(name).read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            parts.append(f"--- {self.name}: {name}, {'running' if code is None else f'exit code {code}'}")
            parts += lines or ["(no output)"]
        return "\n".join(parts)

    def terminate(self) -> None:
        """Ask every process to stop."""
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()

    def reap(self) -> None:
        """Wait for every process to be gone; what does not go in time is killed."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for name, process in self._processes.items():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                print(f"{self.name}: {name} did not stop within {STOP_TIMEOUT_S:.0f} s: killed", file=sys.stderr)
            for pid in usage.session_members(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()

    def _log(self, name: str) -> Path:
        return self._directory / f"{self.name}-{name}.log"


@contextmanager
def running(services: Sequence[Service], path: str, body: bytes) -> Iterator[None]:
    """Start the services and wait until all are ready; stop every process however the block ends."""
    try:
        for service in services:
            service.start()
        for service in services:
            service.wait_ready(path, body)
        yield
    finally:
        # An impatient second Ctrl-C must not leave a process behind: it is heard when all are gone.
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
        for service in services:
            service.terminate()
        for service in services:
            service.reap()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)


def probe(port: int, path: str, body: bytes) -> str | None:
    """Ask for `path` twice over one connection; None if both replies are as they should be, or what is wrong."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_S)
    try:
        for _ in range(2):
            connection.request("GET", path)
            reply = connection.getresponse()
            received = reply.read()
            if reply.status != 200 or received != body:
                return f"GET {path}: status {reply.status}, {len(received)} of {len(body)} bytes, {received[:80]!r}"
            if reply.getheader("content-length") != str(len(body)):
                return f"GET {path}: the reply has no content-length"
            if reply.will_close:
                return f"GET {path}: the connection is not kept alive"
    except (OSError, http.client.HTTPException) as problem:
        return f"GET {path}: {problem!r}"
    finally:
        connection.close()
    return None
