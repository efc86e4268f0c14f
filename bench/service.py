"""The processes of one contender: started, waited for, counted and stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import probe
import usage
from failure import INTERRUPTS, BenchError
from request import Request
from surroundings import surroundings

HERE = Path(__file__).resolve().parent

READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.02
LOG_TAIL_LINES = 15


@dataclass(frozen=True)
class Command:
    """One process to start, by the name that logs and reports give it; `environment` is set on top of our own."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Service:
    """What serves one contender on `port`: every command runs in a session of its own, its output in a log file."""

    def __init__(
        self, name: str, port: int, commands: Sequence[Command], directory: Path, scheme: str = "http"
    ) -> None:
        self.name = name
        self._scheme = scheme
        self.port = port
        self._commands = commands
        self._directory = directory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __repr__(self) -> str:
        return f"<Service {self.name} :{self.port} {self.pids()}>"

    def start(self) -> None:
        """Start every process, in any order that the table gives: they wait for each other by themselves."""
        for command in self._commands:
            with self._log(command.name).open("wb") as log:
                self._processes[command.name] = subprocess.Popen(
                    command.argv,
                    cwd=HERE,
                    env=surroundings(command.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    def wait_ready(self, samples: Sequence[Request]) -> None:
        """Return once every sample is answered as it should be. Raises BenchError if that does not come about."""
        self.wait_until(lambda: probe.problem(self.port, samples, self._scheme))

    def wait_until(self, problem: Callable[[], str | None]) -> None:
        """Return once there is no problem any more. Raises BenchError if that does not come about."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while (what := problem()) is not None:
            self.check_alive()
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} is not ready after {READY_TIMEOUT_S:.0f} s: {what}\n{self.logs()}")
            time.sleep(POLL_S)

    def check_alive(self) -> None:
        """Raises BenchError if a process has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise BenchError(f"{self.name}: {name} ended with exit code {process.returncode}\n{self.logs()}")

    def pids(self) -> dict[str, list[int]]:
        """The processes behind each command: the one that was started and all that it started."""
        return {name: usage.family(process.pid) for name, process in self._processes.items()}

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
            for pid in usage.family(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()

    def _log(self, name: str) -> Path:
        return self._directory / f"{self.name}-{name}.log"


@contextmanager
def running(services: Sequence[Service], samples: Sequence[Request]) -> Iterator[None]:
    """Start the services and wait until all are ready; stop every process however the block ends."""
    try:
        for service in services:
            service.start()
        for service in services:
            service.wait_ready(samples)
        yield
    finally:
        # An impatient second Ctrl-C must not leave a process behind: it is heard when all are gone.
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
        for service in services:
            service.terminate()
        for service in services:
            service.reap()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
