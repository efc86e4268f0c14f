"""What many links, routes and clients cost a proxy: `python bench/scale.py` (see README.md)."""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import contenders
import crowd
import load
import parts
import stand_ins
import usage
from contenders import Manner, Site
from failure import BenchError, exit_code_of
from request import Request
from run import numbers, positive
from service import Command, Service, running
from table import Table
from traffic import DIVIDER, Kind, Traffic

DESCRIPTION = """\
Measure what the router of zerogate costs per request with many links, with many routes, and with many clients, by its
CPU clock; nginx with as many upstreams beside it. What stands behind them are workers and servers that answer at once,
all in one process: what they cost is not counted. Any failed request makes the run fail.
"""

EPILOG = """\
examples:
  python bench/scale.py                                         everything, some minutes
  python bench/scale.py --only links --links 1,100              two of the rows
  python bench/scale.py --only links --baseline ../before       what a change costs or saves
"""

SECTIONS = ("links", "routes", "idle", "steady")
FIRST = Request("GET", "/", (("Host", "127.0.0.1"),))
SAME = Traffic(Kind("same", "one small request, the same each time", None), "/", None, (FIRST,))
# As many different paths, whatever the number of routes among which they are.
N_PATHS = 10_000
# Names of routes: three letters of these, so that the routes of one JOIN fit into its 64 KiB.
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
# Connections for nginx, which takes two for each request, and keeps one to each upstream.
MORE_CONNECTIONS = 4096
ZEROGATE, BASELINE, NGINX = "zerogate", "zerogate baseline", "nginx"


@dataclass
class Row:
    """A proxy, with what stands behind it: `n` links, routes or clients."""

    section: str
    proxy: str
    n: int
    service: Service
    traffic: Traffic
    home: Path
    values: dict[str, list[float]] = field(default_factory=dict)

    def note(self, **values: float) -> None:
        """What a round has shown."""
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)

    def pids(self) -> list[int]:
        """The processes of the proxy itself."""
        return self.service.pids()["proxy"]

    def absence(self) -> str | None:
        """What is wrong if not all that stands behind the proxy is there."""
        return None if (self.home / "ready").exists() else "not all that stands behind it is there"

    def cpu_ns(self) -> int:
        return sum(map(usage.cpu_ns, self.pids()))

    def rss_kib(self) -> int:
        return sum(map(usage.rss_kib, self.pids()))


class Rows:
    """Makes them, each in a directory and on ports of its own."""

    def __init__(self, options: argparse.Namespace, directory: Path) -> None:
        self._options = options
        self._directory = directory

    def make(self) -> list[Row]:
        """Every row that was asked for."""
        options = self._options
        counts = {
            "links": options.links,
            "routes": options.routes,
            "idle": [options.idle],
            "steady": [options.steady],
        }
        trees = {ZEROGATE: parts.ZEROGATE}
        if options.baseline:
            trees[BASELINE] = parts.baseline(options.baseline)
        needs = [parts.WRK, *trees.values(), *([] if options.no_nginx else [parts.NGINX])]
        if missing := parts.missing(needs):
            raise BenchError("missing: " + "; ".join(missing))
        rows = []
        for section in options.only:
            for n in counts[section]:
                rows += [self._zerogate(section, name, tree, n) for name, tree in trees.items()]
                if not options.no_nginx and section != "routes":
                    rows.append(self._nginx(section, n))
        return rows

    def _home(self, section: str, proxy: str, n: int) -> Path:
        home = self._directory / f"{section}-{proxy.replace(' ', '-')}-{n}"
        home.mkdir()
        return home

    def _row(self, section: str, proxy: str, n: int, home: Path, port: int, commands: list[Command]) -> Row:
        traffic = SAME
        if section == "routes":
            prepared = home / "requests"
            prepared.write_bytes(DIVIDER.join(Request("GET", path, FIRST.fields).encode() for path in paths(n)))
            traffic = Traffic(SAME.kind, "/", prepared, (FIRST,))
        return Row(section, proxy, n, Service(home.name, port, commands, home), traffic, home)

    def _zerogate(self, section: str, proxy: str, tree: parts.Tree, n: int) -> Row:
        home = self._home(section, proxy, n)
        http, bind = contenders.free_ports(2)
        endpoint = f"tcp://127.0.0.1:{bind}" if self._options.transport == "tcp" else f"ipc://{home / 'links'}"
        n_links, n_routes = (n if section == each else 1 for each in ("links", "routes"))
        where = ("--http", f"127.0.0.1:{http}", "--bind", endpoint, "--admin", "off", "--access-log", "off")
        limits = ("--max-links", str(n_links + 1), "--max-routes", str(n_routes), "--max-clients", str(n + 100))
        router = (sys.executable, "-m", "zerogate", "router", *where, *limits)
        (home / "routes").write_text("\n".join(routes(n_routes)))
        workers = ("--connect", endpoint, "--links", str(n_links), "--routes", str(home / "routes"))
        commands = [Command("proxy", router, tree.variables()), _stand_ins(home, *workers)]
        return self._row(section, proxy, n, home, http, commands)

    def _nginx(self, section: str, n: int) -> Row:
        home = self._home(section, NGINX, n)
        n_upstreams = n if section == "links" else 1
        http, port = contenders.free_ports(2)
        if self._options.transport == "tcp":
            # Addresses of their own: nobody's outgoing connection has taken the port there.
            servers = [f"127.1.{n // 250}.{n % 250 + 1}:{port}" for n in range(n_upstreams)]
        else:
            servers = [f"unix:{home / str(n)}" for n in range(n_upstreams)]
        (home / "servers").write_text("\n".join(servers))
        proxy = contenders.nginx_command(
            Site(home, http, (), Manner(self._options.transport, forwards=True)),
            [f"{server} max_fails=0" for server in servers],  # Which may not be there yet when it is.
            connections=n + MORE_CONNECTIONS,
            keepalive=2 * n_upstreams + contenders.NGINX_KEEPALIVE,
        )
        commands = [Command("proxy", proxy.argv), _stand_ins(home, "--serve", str(home / "servers"))]
        return self._row(section, NGINX, n, home, http, commands)


def _stand_ins(home: Path, *arguments: str) -> Command:
    ready = ("--ready", str(home / "ready"))
    return Command("stand-ins", (sys.executable, stand_ins.__file__, *ready, *arguments))


def routes(n: int) -> list[str]:
    """So many: that for everything, and prefixes of one segment."""
    return ["*", *(f"/{_name(k)}" for k in range(1, n))]


def paths(n_routes: int) -> list[str]:
    """Paths below the routes, each route in its turn."""
    return [f"/{_name(k % n_routes)}/{k}" for k in range(N_PATHS)]


def _name(k: int) -> str:
    n = len(LETTERS)
    return LETTERS[k // n // n % n] + LETTERS[k // n % n] + LETTERS[k % n]


@contextmanager
def crowd_of(row: Row, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Clients of the row's proxy that are connected."""
    argv = (sys.executable, crowd.__file__, str(row.service.port), str(row.n), *arguments)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "connected\n":
                raise BenchError(f"{row.service.name}: {row.n} clients could not connect\n{row.service.logs()}")
            yield process
        finally:
            process.terminate()


def measure_load(row: Row, options: argparse.Namespace) -> None:
    """CPU of the proxy for each request of wrk's."""
    before = row.cpu_ns()
    seen = load.run({row.service.name: row.service.port}, row.traffic, options.clients, options.seconds)
    seen_one = seen[row.service.name]
    row.note(cpu_us=(row.cpu_ns() - before) / 1000 / seen_one.requests, p50_us=seen_one.p50_us, p99_us=seen_one.p99_us)


def measure_idle(row: Row, options: argparse.Namespace) -> None:
    """Memory of the proxy for each idle client, and CPU of all of them for a second."""
    load.run({row.service.name: row.service.port}, row.traffic, options.clients, 1)
    before = row.rss_kib()
    with crowd_of(row) as process:
        row.note(kib_each=(row.rss_kib() - before) / row.n)
        spent = row.cpu_ns()
        try:
            process.wait(options.seconds)
        except subprocess.TimeoutExpired:
            row.note(cpu_ms_per_s=(row.cpu_ns() - spent) / 1e6 / options.seconds)
            return
        raise BenchError(f"{row.service.name}: the idle clients ended")


def measure_steady(row: Row, options: argparse.Namespace) -> None:
    """CPU of the proxy for each request of clients that ask once a second."""
    with crowd_of(row, "--seconds", str(options.seconds)) as process:
        before = row.cpu_ns()
        said, _ = process.communicate()
        spent_us = (row.cpu_ns() - before) / 1000
        if process.returncode:
            raise BenchError(f"{row.service.name}: clients that ask once a second failed\n{row.service.logs()}")
    seen = json.loads(said)
    row.note(cpu_us=spent_us / seen["requests"], p50_us=seen["p50_us"], p99_us=seen["p99_us"])


# What is measured of each section's rows, and how it is called.
MEASURES = {"links": measure_load, "routes": measure_load, "idle": measure_idle, "steady": measure_steady}
TITLES = {
    "links": "links (nginx: upstreams)",
    "routes": "routes of one worker",
    "idle": "idle clients",
    "steady": "clients that ask once a second",
}
UNITS = {
    "cpu_us": "CPU µs per request",
    "p50_us": "p50 µs",
    "p99_us": "p99 µs",
    "kib_each": "KiB for each client",
    "cpu_ms_per_s": "CPU ms per second",
}


def measure(rows: Sequence[Row], options: argparse.Namespace) -> None:
    """The rounds, each row in its turn; each was asked once before, so that all is warm."""
    for row in rows:
        if MEASURES[row.section] is measure_load:
            load.run({row.service.name: row.service.port}, row.traffic, options.clients, 1)
    for round_ in range(options.rounds):
        turns = [*rows[round_ % len(rows) :], *rows[: round_ % len(rows)]]
        for row in turns:
            MEASURES[row.section](row, options)
            row.service.check_alive()


def tables(rows: Sequence[Row]) -> Iterator[Table]:
    """A table for each section: medians, lowest and highest, and ratios to the fewest and to nginx."""
    for section in dict.fromkeys(row.section for row in rows):
        its_own = [row for row in rows if row.section == section]
        units = list(its_own[0].values)
        lines = []
        for row in its_own:
            fewest = next(each for each in its_own if each.proxy == row.proxy)
            nginx = [each for each in its_own if each.proxy == NGINX and each.n == row.n]
            lines.append(
                [
                    f"{row.n:,}",
                    row.proxy,
                    *(_spread(row.values[unit]) for unit in units),
                    _ratio(row, fewest, units[0]),
                    _ratio(row, nginx[0], units[0]) if nginx else "",
                ]
            )
        header = [TITLES[section], "proxy", *(UNITS[unit] for unit in units), "to the fewest", "to nginx"]
        yield Table(TITLES[section].capitalize(), header, lines)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):,.1f} ({min(values):,.1f}..{max(values):,.1f})"


def _ratio(row: Row, other: Row, unit: str) -> str:
    """Made within each round first."""
    ratios = [ours / theirs for ours, theirs in zip(row.values[unit], other.values[unit], strict=True) if theirs]
    return f"{statistics.median(ratios):.2f}" if ratios else ""


def sections(text: str) -> tuple[str, ...]:
    """Names of sections, with commas between."""
    chosen = tuple(text.split(","))
    if unknown := set(chosen) - set(SECTIONS):
        raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}: there are {', '.join(SECTIONS)}")
    return chosen


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="bench/scale.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--only", type=sections, default=SECTIONS, metavar="NAME,...", help=f"of {', '.join(SECTIONS)}")
    add("--links", type=numbers, default=(1, 10, 100, 1000), metavar="N,...", help="links [1,10,100,1000]")
    add("--routes", type=numbers, default=(1, 100, 10_000), metavar="N,...", help="routes [1,100,10000]")
    add("--idle", type=positive, default=10_000, metavar="N", help="idle clients [10000]")
    add("--steady", type=positive, default=5_000, metavar="N", help="clients that ask once a second [5000]")
    add("--clients", type=positive, default=64, metavar="N", help="connections of wrk [64]")
    add("--rounds", type=positive, default=5, metavar="N", help="rounds over all rows [5]")
    add("--seconds", type=positive, default=2, metavar="S", help="seconds for each row in a round [2]")
    add("--baseline", type=Path, metavar="DIR", help="measure the zerogate of another source tree, too")
    add("--transport", choices=("tcp", "ipc"), default="tcp", help="links and upstreams by TCP or Unix sockets [tcp]")
    add("--no-nginx", action="store_true", help="zerogate only")
    add("--markdown", type=Path, metavar="FILE", help="write the tables to a file, too")
    return made


def wait_ready(rows: Sequence[Row]) -> None:
    """All that stands behind each proxy is there."""
    for row in rows:
        row.service.wait_until(row.absence)


def run(arguments: Sequence[str]) -> None:
    options = parser().parse_args(arguments)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="zerogate-scale-") as directory:
        Path(directory).chmod(0o755)  # nginx is another user when it connects
        rows = Rows(options, Path(directory)).make()
        with running([row.service for row in rows], (FIRST,)):
            wait_ready(rows)
            measure(rows, options)
    made = list(tables(rows))
    print("\n\n".join(table.as_text() for table in made))
    if options.markdown:
        options.markdown.write_text("\n\n".join(table.as_markdown() for table in made) + "\n")


if __name__ == "__main__":
    sys.exit(exit_code_of("scale.py", lambda: run(sys.argv[1:])))
