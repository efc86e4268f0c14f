"""Replace a running router again and again under an open loop of requests: `python bench/replace.py`."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.open_loop import OpenLoop, OpenLoopReport
from tests.support.processes import Process, Site, make_site

DESCRIPTION = """\
Replace a running router again and again (`zerogate router --replace`), under an open loop of requests: they come when
they are due, whether or not those before them are answered. First each on a new connection, then on connections that
are kept until the router says `connection: close`. The exit code is 1 if one failed or took longer than a second.

Router, workers and clients share this machine. So each round of replacements is followed by as long without any: the
same load, the same machine, as its own control. If that has failures or late replies, the machine does not carry the
rate, and the run says nothing of replacements: exit code 2.
"""

# Nobody should notice more of a replacement than of a slow request.
LONGEST_S = 1.0
EXIT_TIMEOUT_S = 60.0
# Replacements before their control.
ROUND = 20
WORKERS = ("a", "b")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replacements", type=positive, default=200, help="how many, for each kind of client [200]")
    parser.add_argument("--rate", type=positive, default=2000, help="requests a second [2000]")
    parser.add_argument("--seconds", type=positive, default=600, help="stop after so long, for each kind [600]")
    parser.add_argument("--only", choices=("fresh", "kept"), help="this kind of client only")
    return parser.parse_args(arguments)


def start_router(site: Site, *options: str) -> Process:
    return site.router("--settle", "0s", "--access-log", "off", *options)


def n_late(report: OpenLoopReport) -> int:
    return sum(took_s > LONGEST_S for took_s in report.took_s)


class Sum:
    """The reports of one phase, of all rounds."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.reports: list[OpenLoopReport] = []

    def run(self, load: OpenLoop, phase: Callable[[], None]) -> None:
        self.reports.append(load.begin_report())
        began_at = time.monotonic()
        phase()
        self.seconds += time.monotonic() - began_at

    @property
    def whole(self) -> OpenLoopReport:
        whole = OpenLoopReport()
        for report in self.reports:
            whole.failed += report.failed
            whole.took_s += report.took_s
            whole.connections += report.connections
            whole.late_s = max(whole.late_s, report.late_s)
        return whole

    @property
    def is_clean(self) -> bool:
        return not self.whole.failed and not n_late(self.whole)

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s: {self.whole}, over {LONGEST_S:g} s: {n_late(self.whole)}"


class Replacing:
    """Routers that follow each other on one site."""

    def __init__(self, site: Site) -> None:
        self.n_replaced = 0
        self.codes: list[int] = []
        self._site = site
        self._running = start_router(site)

    def replace(self) -> None:
        successor = start_router(self._site, "--replace")
        code = self._running.popen.wait(EXIT_TIMEOUT_S)
        if code:
            self.codes.append(code)
        self._site.processes.remove(self._running)
        self._running.close()
        self._running = successor
        self.n_replaced += 1

    def replace_many(self, n: int, give_up: float) -> None:
        for _ in range(n):
            if time.monotonic() < give_up:
                self.replace()


def run(options: argparse.Namespace, kind: str) -> int:
    """Returns an exit code."""
    replacing, control = Sum(), Sum()
    give_up = time.monotonic() + options.seconds
    with make_site() as site:
        routers = Replacing(site)
        for name in WORKERS:
            site.hello(name)
        with OpenLoop(site.http_port, options.rate, keeps_alive=kind == "kept") as load:
            while (left := options.replacements - routers.n_replaced) and time.monotonic() < give_up:
                before_s = replacing.seconds
                replacing.run(load, partial(routers.replace_many, min(ROUND, left), give_up))
                control.run(load, partial(time.sleep, replacing.seconds - before_s))
                print(f"{kind}: {routers.n_replaced} of {options.replacements}", file=sys.stderr, flush=True)
    print(f"{kind}, {options.rate}/s, {routers.n_replaced} replacements in {replacing}")
    print(f"{kind}, {options.rate}/s, control without any in {control}")
    if routers.codes:
        print(f"{kind}: routers ended with {routers.codes}")
    if not control.is_clean:
        print(f"{kind}: this machine does not carry the rate, also without replacements")
        return 2
    return int(not replacing.is_clean or bool(routers.codes) or routers.n_replaced < options.replacements)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    return max(run(options, kind) for kind in ((options.only,) if options.only else ("fresh", "kept")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
