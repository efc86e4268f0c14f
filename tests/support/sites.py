"""A router with one worker for the test applications, for all tests of a module; and how to steer the applications."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.processes import Process, Site, make_site, wait_for
from tests.support.raw_http import HttpConnection

ROOT = Path(__file__).resolve().parents[2]
APPS = "tests.e2e.apps"


class ServedSite(Site):
    """`router_process` and `worker_process` are up, and the worker hosts `tests.e2e.apps`."""

    router_process: Process
    worker_process: Process

    def serve(self, *options: str, app: str = "app", worker_options: tuple[str, ...] = ()) -> None:
        # The tests speak as strangers, unless they say otherwise: loopback is believed by default.
        trust = () if "--trust" in options else ("--trust", "none")
        self.router_process = self.router("--settle", "0s", *trust, *options)
        # A call that nobody waits for any more must not hold up the end of a test.
        self.worker_process = self.app_worker(app, "app-worker", "--cancel-after", "200ms", *worker_options)

    def app_worker(self, app: str, name: str, *options: str, **keywords: Any) -> Process:
        """A worker for one of the applications in `tests.e2e.apps`."""
        return self.worker(f"{APPS}:{app}", name, *options, cwd=ROOT, **keywords)

    def open(self, *, receive_buffer: int | None = None) -> HttpConnection:
        """A raw connection to the HTTP port."""
        return HttpConnection(self.http_port, receive_buffer=receive_buffer)

    def signal(self, key: str) -> None:
        """Let a call of the application go on."""
        assert self.get(f"/signal/{key}")[0] == 200

    def app_log(self) -> list[str]:
        """What the application has noted since the last time."""
        found: list[str] = json.loads(self.get("/log")[2])
        return found

    def wait_app_log(self, text: str) -> list[str]:
        """Wait until the application notes `text`. Returns all that it noted on the way."""
        seen: list[str] = []

        def is_noted() -> bool:
            seen.extend(self.app_log())
            return text in seen

        wait_for(is_noted, f"{text!r} in the application's log")
        return seen

    def counter(self, name: str) -> Any:
        return self.status()["counters"][name]

    def wait_in_flight(self, n: int) -> None:
        """Wait until the workers have so many exchanges, by the router's account."""
        wait_for(lambda: sum(w["in_flight"] for w in self.status()["workers"]) == n, f"{n} exchanges in flight")


@contextlib.contextmanager
def make_served_site(*options: str, app: str = "app", worker_options: tuple[str, ...] = ()) -> Iterator[ServedSite]:
    site = ServedSite()
    try:
        site.serve(*options, app=app, worker_options=worker_options)
        yield site
    finally:
        site.close()


__all__ = ["APPS", "ROOT", "ServedSite", "make_served_site", "make_site"]
