"""A site whose workers host `tests.e2e.chaos_app`, and what its files and tables say afterwards."""

import collections
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.processes import DEADLINE_S, Process, Site, wait_for
from tests.support.raw_http import HttpConnection

ROOT = Path(__file__).resolve().parents[2]
APP = "tests.e2e.chaos_app:app"

# Short, so that tests need not wait for a worker to be suspect; and it is not lost before a test has looked.
SOON_SUSPECT = ("--suspect-after", "500ms", "--lost-after", "60s")


class ChaosSite(Site):
    """`directory` is where the applications keep their accounts."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="zerogate-chaos-")
        self.directory = Path(self._directory.name)

    def close(self) -> None:
        super().close()
        self._directory.cleanup()

    def chaos_router(self, *options: str, **keywords: Any) -> Process:
        return self.router("--settle", "0s", "--access-log", "off", *options, **keywords)

    def chaos_worker(self, name: str, *options: str, wait: bool = True, env: dict[str, str] | None = None) -> Process:
        """A worker whose application knows its name and where to write."""
        environment = {"CHAOS_NAME": name, "CHAOS_DIR": str(self.directory), **(env or {})}
        return self.worker(APP, name, *options, wait=wait, cwd=ROOT, env=environment)

    def open(self, *, receive_buffer: int | None = None) -> HttpConnection:
        return HttpConnection(self.http_port, receive_buffer=receive_buffer)

    def let_go(self, name: str) -> None:
        """Let the calls of the applications go on that wait for NAME (`?until=`, `?block_until=`)."""
        (self.directory / f"go-{name}").touch()

    def stats(self) -> dict[str, Any]:
        """What the application says of itself. Only for sites with one worker."""
        found: dict[str, Any] = json.loads(self.get("/stats")[2])
        return found

    def wait_running(self, n: int, seconds: float = DEADLINE_S) -> None:
        """Wait until the application has `n` calls: the router sends a request some time before it gets there."""
        wait_for(lambda: self.stats()["running"] == n, f"{n} calls of the application", seconds)

    def notes(self, name: str = "*") -> list[str]:
        """What the workers of that name have noted."""
        return [line for path in sorted(self.directory.glob(f"{name}.*")) for line in path.read_text().splitlines()]

    def runs(self) -> collections.Counter[str]:
        """How often an application was called for each POST."""
        return collections.Counter(line.removeprefix("run ") for line in self.notes() if line.startswith("run "))

    def worker_status(self, name: str) -> dict[str, Any]:
        """The newest link of the worker, by the router's account; {} if there is none."""
        found = [worker for worker in self.status()["workers"] if worker["name"] == name]
        return found[-1] if found else {}

    def wait_state(self, name: str, state: str, seconds: float = DEADLINE_S) -> None:
        """Wait until the worker is `up`, `suspect`, ... or `` (not there)."""
        wait_for(lambda: self.worker_status(name).get("state", "") == state, f"{name} is {state or 'gone'}", seconds)

    def wait_in_flight(self, n: int, seconds: float = DEADLINE_S) -> None:
        wait_for(lambda: sum(w["in_flight"] for w in self.status()["workers"]) == n, f"{n} in flight", seconds)

    def wait_waiting(self, n: int, seconds: float = DEADLINE_S) -> None:
        wait_for(lambda: self.status()["waiting"] == n, f"{n} requests wait", seconds)

    def wait_quiet(self, seconds: float = DEADLINE_S) -> None:
        """Wait until the router holds nothing of anybody any more."""

        def is_quiet() -> bool:
            found = self.status()
            return not (found["clients"] or found["waiting"] or any(w["in_flight"] for w in found["workers"]))

        wait_for(is_quiet, "nothing in flight, nobody waits, no client", seconds)


@contextlib.contextmanager
def make_chaos_site(router_processes: int | None = None) -> Iterator[ChaosSite]:
    site = ChaosSite()
    if router_processes is not None:
        site.router_processes = router_processes
    try:
        yield site
    finally:
        site.close()


def pids_of(*fragments: str) -> list[int]:
    """Processes whose command line or environment has all the fragments."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and int(directory.name) != os.getpid():
            with contextlib.suppress(OSError):
                text = (directory / "cmdline").read_bytes() + (directory / "environ").read_bytes()
                if text and all(fragment.encode() in text for fragment in fragments):
                    found.append(int(directory.name))
    return found


__all__ = ["APP", "ROOT", "SOON_SUSPECT", "ChaosSite", "make_chaos_site", "pids_of"]
