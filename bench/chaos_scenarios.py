"""What `chaos.py` does to a site under load, and how it turned out."""

import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from failure import INTERRUPTS
from tests.support.chaos import ChaosSite
from tests.support.load import (
    Clients,
    Load,
    Report,
    abort_after_head,
    abort_in_download,
    abort_in_upload,
    churn,
    download,
    get,
    post,
    slow_reader,
)
from tests.support.processes import Process

N_WORKERS = 3
MIX = (Clients(get, 32), Clients(post, 16), Clients(churn, 4), Clients(download, 2))
WARM_UP_S = 3.0
MIB_IN_KIB = 1024
SAMPLE_EVERY_S = 2.0
SOAK_WARM_UP_SHARE = 0.25

# A soak has many workers that fall silent: they are suspect after 0.5 s, and lost after 3 s.
IMPATIENT = ("--suspect-after", "500ms", "--lost-after", "3s")

# What a POST may be told, and a download may suffer, when its worker is killed: there is nothing safe to repeat.
LOST_POST = "502 worker_lost"
CUT_REPLY = "truncated"

Say = Callable[[str], None]


@dataclass
class Outcome:
    """How one scenario turned out. `problems` is empty if it went as it must."""

    name: str
    what: str
    facts: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def count(self, report: Report, *, may_fail: tuple[str, ...] = ()) -> None:
        """Take over what the clients saw."""
        self.facts["replies"] = f"{report.ok:,}"
        self.facts["failed"] = f"{report.n_failed}" + (f" {dict(report.failed)}" if report.failed else "")
        self.facts["mixed up"] = str(report.mixed)
        if report.aborted:
            self.facts["clients that left"] = f"{report.aborted:,}"
        if report.mixed:
            self.problems.append(f"{report.mixed} replies mixed up: {report.examples[:3]}")
        unexpected = {kind: n for kind, n in report.failed.items() if kind not in may_fail}
        if unexpected:
            self.problems.append(f"requests failed: {unexpected}")

    def check_runs(self, site: ChaosSite) -> None:
        """No POST was ever run twice."""
        twice = sum(n > 1 for n in site.runs().values())
        self.facts["POSTs run twice"] = str(twice)
        if twice:
            self.problems.append(f"{twice} POSTs were run twice")


@contextmanager
def make_site() -> Iterator[ChaosSite]:
    """A site whose processes are gone when the block ends, however it ends."""
    site = ChaosSite()
    try:
        yield site
    finally:
        # An impatient second Ctrl-C must not leave a process behind: it is heard when all are gone.
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
        site.close()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)


def start_workers(site: ChaosSite, *options: str) -> dict[str, Process]:
    return {f"worker-{number}": site.chaos_worker(f"worker-{number}", *options) for number in range(1, N_WORKERS + 1)}


def replace(site: ChaosSite, workers: dict[str, Process], name: str, *options: str) -> None:
    """A new process for one that has ended."""
    old = workers[name]
    workers[name] = site.chaos_worker(name, *options)
    site.processes.remove(old)
    old.close()


def kill(seconds: int, kind: str, say: Say) -> Outcome:
    """One of three workers is killed every second. The p99 of GET over the kills, next to that before them."""
    is_post = kind == "POST"
    outcome = Outcome(
        f"kill -9, {kind}", f"kill -9 of one of {N_WORKERS} workers every second for {seconds} s, 64 clients"
    )
    with make_site() as site:
        site.chaos_router()
        workers = start_workers(site)
        with Load(site.http_port, [Clients(post if is_post else get, 64)]) as load:
            time.sleep(WARM_UP_S)
            quiet_from = time.monotonic()
            time.sleep(max(3.0, seconds / 3))
            kills_from = time.monotonic()
            kills = 0
            while time.monotonic() < kills_from + seconds:
                name = f"worker-{kills % N_WORKERS + 1}"
                workers[name].kill()
                kills += 1
                replace(site, workers, name)
                say(f"{kills} killed, {load.report.summary()}")
                time.sleep(max(0.0, kills_from + kills - time.monotonic()))
            kills_until = time.monotonic()
        report = load.report
        outcome.count(report, may_fail=(LOST_POST,) if is_post else ())
        quiet, during = (
            report.percentile_s(0.99, quiet_from, kills_from),
            report.percentile_s(0.99, kills_from, kills_until),
        )
        outcome.facts["kills"] = str(kills)
        outcome.facts["p99 quiet"] = f"{quiet * 1000:.1f} ms"
        outcome.facts["p99 over the kills"] = f"{during * 1000:.1f} ms"
        outcome.facts["ratio"] = f"{during / quiet:.2f}" if quiet else "-"
        outcome.facts["slowest"] = f"{max(s.took_s for s in report.samples) * 1000:.0f} ms"
        if is_post:
            outcome.check_runs(site)
    return outcome


def roll(rounds: int, say: Say) -> Outcome:
    """Every worker is stopped by SIGTERM and started again, in turn."""
    outcome = Outcome(
        "rolling restarts", f"{rounds} rounds of SIGTERM and a new process for each of {N_WORKERS} workers"
    )
    with make_site() as site:
        site.chaos_router()
        workers = start_workers(site)
        with Load(site.http_port, MIX) as load:
            load.wait_ok(200)
            for number in range(1, rounds + 1):
                for name, worker in list(workers.items()):
                    code = worker.terminate(60)
                    if code:
                        outcome.problems.append(f"{name} ended with exit code {code}")
                    replace(site, workers, name)
                    load.wait_ok(50)
                say(f"round {number}, {load.report.summary()}")
        outcome.count(load.report)
        outcome.check_runs(site)
        shutdowns = site.notes().count("shutdown")
        outcome.facts["lifespan shutdowns"] = f"{shutdowns} of {rounds * N_WORKERS}"
        if shutdowns != rounds * N_WORKERS:
            outcome.problems.append("a lifespan shutdown did not run")
    return outcome


def replace_router(rounds: int, say: Say) -> Outcome:
    """A new router that takes over from the old one."""
    outcome = Outcome("router replacements", f"{rounds} times a new router with --replace")
    with make_site() as site:
        router = site.chaos_router()
        start_workers(site)
        with Load(site.http_port, MIX) as load:
            for number in range(1, rounds + 1):
                load.wait_ok(200)
                successor = site.chaos_router("--replace")
                load.wait_ok(100)
                code = router.popen.wait(60)
                if code:
                    outcome.problems.append(f"a router ended with exit code {code}")
                site.processes.remove(router)
                router.close()
                router = successor
                say(f"router {number} replaced, {load.report.summary()}")
            load.wait_ok(200)
        outcome.count(load.report)
        outcome.facts["connections"] = f"{load.report.connections:,}"
        outcome.check_runs(site)
    return outcome


class Sampler:
    """Resident memory of some processes over time."""

    def __init__(self, processes: dict[str, Process]) -> None:
        self._processes = processes
        self._samples: dict[str, list[tuple[float, float]]] = {name: [] for name in processes}

    def sample(self) -> None:
        now = time.monotonic()
        for name, process in self._processes.items():
            self._samples[name].append((now, process.rss_kib() / MIB_IN_KIB))

    def facts(self, warm_up_s: float) -> dict[str, str]:
        """First, last, and the slope after warm-up, by least squares."""
        found = {}
        for name, samples in self._samples.items():
            settled = [point for point in samples if point[0] >= samples[0][0] + warm_up_s]
            slope = slope_per_s(settled) * 600
            found[f"RSS of {name}"] = (
                f"{samples[0][1]:.1f} MiB at first, {samples[-1][1]:.1f} MiB at last,"
                f" {slope:+.2f} MiB in 10 minutes after {warm_up_s:.0f} s of warm-up"
            )
        return found


def slope_per_s(points: list[tuple[float, float]]) -> float:
    """Of the straight line that fits best; 0 for less than two points."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


class Soak:
    """Whatever may happen to a site, at random. The router and two workers live through it all: they are weighed."""

    def __init__(self, site: ChaosSite, seed: int) -> None:
        self.site = site
        self.events: dict[str, int] = {}
        self._random = random.Random(seed)
        self._router = site.chaos_router(*IMPATIENT)
        survivors = {name: site.chaos_worker(name, *IMPATIENT) for name in ("survivor-1", "survivor-2")}
        self.sampler = Sampler({"router": self._router, **survivors})
        self._survivors = list(survivors.values())
        self._guests: list[Process] = []
        self._n_guests = 0

    def step(self) -> None:
        """Do one thing to the site."""
        choices = [self.join, self.stop_for_a_moment]
        if self._guests:
            choices += [self.leave, self.kill, self.stop_for_long]
        if len(self._guests) >= N_WORKERS:
            choices.remove(self.join)
        act = self._random.choice(choices)
        act()
        self.events[act.__name__] = self.events.get(act.__name__, 0) + 1

    def join(self) -> None:
        self._n_guests += 1
        self._guests.append(self.site.chaos_worker(f"guest-{self._n_guests}", *IMPATIENT))

    def leave(self) -> None:
        guest = self._pop()
        guest.terminate(60)
        self._forget(guest)

    def kill(self) -> None:
        guest = self._pop()
        guest.kill()
        self._forget(guest)

    def stop_for_a_moment(self) -> None:
        self._pause(self._random.choice([*self._survivors, *self._guests]), self._random.uniform(0.1, 1.5))

    def stop_for_long(self) -> None:
        """Long enough to be lost."""
        self._pause(self._random.choice(self._guests), 4.0)

    @staticmethod
    def _pause(process: Process, seconds: float) -> None:
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)

    def _pop(self) -> Process:
        return self._guests.pop(self._random.randrange(len(self._guests)))

    def _forget(self, guest: Process) -> None:
        self.site.processes.remove(guest)
        guest.close()


def soak(minutes: float, seed: int, say: Say) -> Outcome:
    """Joins, leaves, kills, stops, aborts and slow readers, at random."""
    outcome = Outcome(
        "soak", f"{minutes:g} minutes of joins, leaves, kills, stops, aborts and slow readers (seed {seed})"
    )
    gets = [Clients(get, 8, pause_s=0.02), Clients(churn, 2, pause_s=0.02)]
    others = [
        Clients(post, 4, pause_s=0.03),
        Clients(download, 2, pause_s=0.1),
        Clients(slow_reader, 3),
        Clients(abort_after_head, 2, pause_s=0.1),
        Clients(abort_in_upload, 2, pause_s=0.1),
        Clients(abort_in_download, 2, pause_s=0.1),
    ]
    seconds = minutes * 60
    with make_site() as site:
        running = Soak(site, seed)
        ends_at = time.monotonic() + seconds
        with Load(site.http_port, gets) as safe, Load(site.http_port, others) as unsafe:
            sample_at = 0.0
            while (now := time.monotonic()) < ends_at:
                running.step()
                if now >= sample_at:
                    sample_at = now + SAMPLE_EVERY_S
                    running.sampler.sample()
                    say(f"{(ends_at - now) / 60:.1f} minutes left, {safe.report.summary()}, {unsafe.report.summary()}")
                time.sleep(0.2)
        outcome.count(unsafe.report, may_fail=(LOST_POST, CUT_REPLY))
        others_facts = {f"{name} (POST, streams, aborts)": fact for name, fact in outcome.facts.items()}
        outcome.facts = {}
        outcome.count(safe.report)
        outcome.facts = {f"{name} (GET)": fact for name, fact in outcome.facts.items()} | others_facts
        outcome.check_runs(site)
        outcome.facts["events"] = ", ".join(f"{name} {count}" for name, count in sorted(running.events.items()))
        outcome.facts.update(running.sampler.facts(seconds * SOAK_WARM_UP_SHARE))
        try:
            site.wait_quiet()
        except AssertionError as left:
            outcome.problems.append(f"something is left: {left}")
    return outcome
