"""A campaign: bent conversations on every port of a real router and a real worker, and what must hold all along.

All along: no process ends, no traceback is in any log, and each good request is answered rightly. In the end: nobody
waits, nothing is in flight, no descriptor is left, and memory is where it was.
"""

import collections
import contextlib
import dataclasses
import hashlib
import http.client
import itertools
import json
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.support.fuzz.players import dice_of, play_client, play_router, play_worker
from tests.support.processes import DEADLINE_S, Process, Site, wait_for

ROOT = Path(__file__).resolve().parents[3]
APP = "tests.support.fuzz.app:app"
HONEST = "honest"
GOOD_HOST = "good.example"
# Short: whoever is held up by a liar is soon let go.
ROUTER = (
    *("--settle", "0s", "--access-log", "off", "--hold", "1s", "--timeout", "2s", "--idle-timeout", "2s"),
    *("--head-timeout", "2s", "--body-timeout", "2s", "--keepalive-timeout", "2s", "--queue-timeout", "8s"),
)
# Of the threads that play, for each kind.
CROWD = {"client": 3, "worker": 2, "router": 2}
GOOD_EVERY_S = 0.05
GOOD_TIMEOUT_S = 15.0
GOOD_BODY = bytes(10_000)
LOOK_EVERY_S = 0.5
# What a process may have grown by between the second fifth of a campaign and the last.
MAX_GROWTH_KIB = 12 * 1024
SPARE_DESCRIPTORS = 2
MAX_TOLD_CHARS = 2500


@dataclasses.dataclass
class Report:
    """What came of it. `faults` is empty if all held."""

    seed: int
    played: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    good: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)
    memory_kib: dict[str, list[int]] = dataclasses.field(default_factory=lambda: collections.defaultdict(list))

    def __str__(self) -> str:
        played = ", ".join(f"{n} {kind}s" for kind, n in sorted(self.played.items()))
        grown = ", ".join(f"{name} {self.growth_kib(name):+d} KiB" for name in self.memory_kib)
        return f"seed {self.seed}: {played}; {self.good} good requests; {grown}; {len(self.faults)} faults"

    def growth_kib(self, name: str) -> int:
        """By how much a process has grown, behind its beginning."""
        seen = self.memory_kib[name]
        fifth = max(1, len(seen) // 5)
        return int(statistics.median(seen[-fifth:]) - statistics.median(seen[fifth : 2 * fifth] or seen))


class Campaign:
    """See the module. `play` for some time, then `check_accounts`; `report` is what came of it."""

    def __init__(self, site: Site, seed: int) -> None:
        self.report = Report(seed)
        self._site = site
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._numbers = {kind: itertools.count() for kind in CROWD}
        # Where the worker finds the router that lies.
        self._trap = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._trap.settimeout(0.2)
        trap = f"tcp://127.0.0.1:{self._trap.getsockname()[1]}"
        self.router = site.router(*ROUTER)
        self.worker = site.worker(
            *(APP, HONEST, "--route", GOOD_HOST, "--route", "plain.example", "--connect", trap),
            *("--redial-min", "10ms", "--redial-max", "50ms", "--cancel-after", "1s"),
            cwd=ROOT,
        )
        self.ask_well()
        self._before = {process: process.n_fds() for process in (self.router, self.worker)}

    @property
    def processes(self) -> dict[str, Process]:
        return {"router": self.router, "worker": self.worker}

    def play(self, seconds: float) -> None:
        """Let them all loose for so long, or until something is wrong."""
        work: list[Callable[[], None]] = [partial(self._play, kind) for kind, n in CROWD.items() for _ in range(n)]
        threads = [threading.Thread(target=each, daemon=True) for each in [*work, self._ask_on]]
        for thread in threads:
            thread.start()
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up and not self.report.faults:
            self._look()
            time.sleep(LOOK_EVERY_S)
        self._over.set()
        for thread in threads:
            thread.join(DEADLINE_S)
        if not self.report.faults:
            self._look()

    def check_accounts(self) -> None:
        """Nobody is left, and nothing of them."""
        self._trap.close()
        for what, holds in self._accounts().items():
            try:
                wait_for(holds, what)
            except AssertionError:
                status = json.dumps(
                    {key: self._site.status()[key] for key in ("clients", "waiting", "workers", "routes")}
                )
                self._fault(f"not in the end: {what}; {status}")
        for name in self.report.memory_kib:
            if self.report.growth_kib(name) > MAX_GROWTH_KIB:
                self._fault(f"the {name} has grown: {self.report.memory_kib[name]}")

    def ask_well(self) -> None:
        """A good request, whose reply must be right. Raises AssertionError, OSError, HTTPException."""
        for body in (b"", GOOD_BODY):
            with contextlib.closing(self._connect()) as connection:
                connection.request("POST" if body else "GET", "/", body, {"host": GOOD_HOST})
                reply = connection.getresponse()
                told = reply.read()
                assert (reply.status, told.decode()) == (200, hashlib.sha256(body).hexdigest()), (reply.status, told)

    def play_again(self, kind: str, number: int) -> None:
        """One conversation, as it was."""
        self._play_one(kind, number)
        self._look()

    # Inside

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._site.http_port, timeout=GOOD_TIMEOUT_S)

    def _fault(self, what: str) -> None:
        with self._lock:
            self.report.faults.append(what)

    def _play(self, kind: str) -> None:
        while not self._over.is_set():
            with self._lock:
                number = next(self._numbers[kind])
            try:
                self._play_one(kind, number)
            except Exception as error:  # a bug of the players', which would go unnoticed otherwise
                self._fault(f"{kind} {number}: {error!r}")

    def _play_one(self, kind: str, number: int) -> None:
        dice = dice_of(self.report.seed, kind, number)
        match kind:
            case "client":
                play_client(self._site.http_port, dice)
            case "worker":
                play_worker(self._site.link_port, dice)
            case _:
                try:
                    sock, _ = self._trap.accept()
                except OSError:
                    return
                play_router(sock, dice)
        with self._lock:
            self.report.played[kind] += 1

    def _ask_on(self) -> None:
        while not self._over.wait(GOOD_EVERY_S):
            try:
                self.ask_well()
                self.report.good += 1
            except (AssertionError, OSError, http.client.HTTPException) as error:
                self._fault(f"a good request after {dict(self.report.played)}: {error!r}")

    def _look(self) -> None:
        for name, process in self.processes.items():
            if process.popen.poll() is not None:
                self._fault(f"the {name} has ended with {process.popen.returncode}: {process.output()[-2000:]}")
                return
            self.report.memory_kib[name].append(process.rss_kib())
            output = process.output()
            if "Traceback" in output:
                at = output.index("Traceback")
                self._fault(f"the {name} has failed: {output[max(0, at - 300) : at + MAX_TOLD_CHARS]}")
                return

    def _accounts(self) -> dict[str, Callable[[], bool]]:
        status = self._site.status
        accounts: dict[str, Callable[[], bool]] = {
            "no client": lambda: not status()["clients"],
            "nobody waits": lambda: not status()["waiting"] and not status()["collecting"],
            "no worker but the honest one": lambda: {worker["name"] for worker in status()["workers"]} == {HONEST},
            "nothing in flight": lambda: not any(worker["in_flight"] for worker in status()["workers"]),
            "no route but its own": lambda: len(status()["routes"]) == 2,
            "no call but the one that asks": self._has_no_calls,
        }
        for name, process in self.processes.items():
            n = self._before[process] + SPARE_DESCRIPTORS
            accounts[f"as many descriptors as before: {name}"] = partial(_has_at_most, process, n)
        return accounts

    def _has_no_calls(self) -> bool:
        with contextlib.closing(self._connect()) as connection:
            connection.request("GET", "/running", headers={"host": GOOD_HOST})
            return bool(json.loads(connection.getresponse().read()) == {"running": 1})


def _has_at_most(process: Process, n: int) -> bool:
    return process.n_fds() <= n


@contextlib.contextmanager
def make_campaign(seed: int) -> Iterator[Campaign]:
    site = Site()
    try:
        yield Campaign(site, seed)
    finally:
        site.close()
