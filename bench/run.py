"""Measure zerogate side by side with its peers: `python bench/run.py` (see README.md)."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import certificate
import contenders
import environment
import measure
import parts
import report
from contenders import CONTENDERS, Contender, Manner
from failure import BenchError, exit_code_of
from replies import FIXED
from service import running
from traffic import DEFAULT_SEED, KINDS, Kind, Traffic, prepare

DESCRIPTION = """\
Measure zerogate (router and workers) side by side with nginx and HAProxy in front of uvicorn, and with uvicorn and
Granian alone: the same ASGI application behind each, on loopback, in interleaved rounds, under traffic of several
kinds. Nothing is installed; what is missing is named with the command that gets it. Any failed request makes the run
fail.
"""

EPILOG = """\
examples:
  python bench/run.py                                           everything, a quarter of an hour
  python bench/run.py --traffic varied --clients 64             the main figure, two minutes
  taskset -c 1 python bench/run.py --traffic varied,same --clients 64 --only zerogate --baseline ../before --together
                                                                what a change costs or saves, a minute
  python bench/run.py --tls --traffic varied,same --only zerogate,nginx,uvicorn
                                                                HTTPS, two minutes
  python bench/run.py --interface wsgi --traffic same --path /10k
                                                                WSGI servers with Flask, two minutes
  python bench/run.py --interface server --traffic varied,same  zerogate attach beside nginx, to the same uvicorn
  python bench/run.py --interface files --traffic same --path /1k
  python bench/run.py --interface files --traffic replies1m     static files, 1 KiB and 1 MiB
  python bench/run.py --interface sealed --traffic varied,upload,download
                                                                CURVE, and TLS to the application, a few minutes
  python bench/run.py --json bench/results/now.json --markdown bench/RESULTS.md
"""

FORWARD = {"all": True, "none": False}


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    rounds: int
    seconds: int
    warm_up: int
    clients: tuple[int, ...]
    only: tuple[str, ...]
    skip: tuple[str, ...]
    traffic: list[str]
    seed: int
    path: str
    interface: str
    transport: str
    forward: str
    tls: bool
    baseline: Path | None
    together: bool
    json: Path | None
    markdown: Path | None

    def manner(self, certificate: Path | None) -> Manner:
        """How proxies and applications meet, and clients and proxies."""
        return Manner(self.transport, FORWARD[self.forward], certificate)

    def settings(self) -> str:
        """What was measured, in words."""
        manner = "all contenders at once" if self.together else "one contender at a time"
        return (
            f"{self.rounds} rounds, {self.seconds} s for each point, {manner}, seed {self.seed}, path {self.path}, "
            f"{self.interface}, {self.transport} between proxy and application, peers forward {self.forward}"
            f"{', TLS 1.3 to clients' if self.tls else ''}"
        )

    def kinds(self) -> list[Kind]:
        """The chosen kinds of traffic, in the table's order: what matters most comes first. The slow speak no TLS."""
        chosen = [kind for name, kind in KINDS.items() if name in (self.traffic or KINDS)]
        return [kind for kind in chosen if not (self.tls and kind.n_slow)]

    def rows(self) -> list[Contender]:
        """The chosen contenders, in the table's order; the baseline beside what it is compared with."""
        rows = [
            row
            for name, row in CONTENDERS.items()
            if row.interface == self.interface and name in (self.only or CONTENDERS) and name not in self.skip
        ]
        if self.baseline is not None:
            rows.insert(1, contenders.baseline(parts.baseline(self.baseline), self.interface))
        return rows


def positive(text: str) -> int:
    """A whole number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers above zero, with commas between."""
    return tuple(sorted({positive(each) for each in text.split(",")}))


def chosen_from(table: Mapping[str, object], what: str) -> Callable[[str], tuple[str, ...]]:
    """What reads names of a table's rows, with commas between."""

    def names(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if unknown := [name for name in chosen if name not in table]:
            raise argparse.ArgumentTypeError(f"no {what} {', '.join(unknown)}: there are {', '.join(table)}")
        return chosen

    return names


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="bench/run.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--rounds", type=positive, default=5, metavar="N", help="rounds over all points (default 5)")
    add("--seconds", type=positive, default=2, metavar="S", help="seconds of load for each point (default 2)")
    add("--warm-up", type=positive, default=2, metavar="S", help="seconds of load for each contender first (default 2)")
    add("--clients", type=numbers, default=(1, 8, 64), metavar="N,...", help="connections at once (default 1,8,64)")
    rows = chosen_from(CONTENDERS, "contender")
    add("--only", type=rows, default=(), metavar="NAME,...", help=f"only these of {', '.join(CONTENDERS)}")
    add("--skip", type=rows, default=(), metavar="NAME,...", help="all but these")
    add(
        "--traffic",
        type=chosen_from(KINDS, "traffic"),
        action="extend",
        default=[],
        metavar="NAME,...",
        help=f"only these of {', '.join(KINDS)}; repeatable",
    )
    add("--seed", type=int, default=DEFAULT_SEED, metavar="N", help=f"of the requests' dice (default {DEFAULT_SEED})")
    add(
        "--path",
        choices=FIXED,
        default="/",
        help="what 'same' asks for: hello, JSON, 10 KB of JSON, 1 KiB, 32 KiB or 1 MiB (default /)",
    )
    add(
        "--interface",
        choices=contenders.INTERFACES,
        default=contenders.ASGI,
        help="the rows of ASGI servers with a plain application, those of WSGI servers with Flask, those of what "
        "stands before one and the same HTTP server, those that serve static files, or those whose way to the "
        "application is sealed, beside the same in the clear (default asgi)",
    )
    add(
        "--baseline",
        type=Path,
        metavar="DIR",
        help="also measure the zerogate of the source tree DIR, as one more contender in the same rounds",
    )
    add(
        "--together",
        action="store_true",
        help="measure all contenders at the same time, each with its own load: noise hits all alike, so the ratios of "
        "CPU repeat best, most of all on one core; the other figures then say little",
    )
    add(
        "--transport",
        choices=contenders.TRANSPORTS,
        default="tcp",
        help="between proxy and application: loopback TCP, or a Unix socket (default tcp)",
    )
    add(
        "--forward",
        choices=FORWARD,
        default="all",
        help="what the peers tell the application about the client: all that zerogate always does "
        "(x-forwarded-for, -proto and -host, x-real-ip, x-request-id), or none, their cheapest (default all)",
    )
    add("--tls", action="store_true", help="clients speak TLS 1.3 to every contender, with one certificate (P-256)")
    add("--json", type=Path, metavar="PATH", help="write the raw rounds, summary and environment here")
    add("--markdown", type=Path, metavar="PATH", help="write the report here as Markdown")
    return made


def run(options: Options, arguments: Sequence[str]) -> None:
    """Measure, and report on stdout and into the files asked for. Raises BenchError."""
    rows = options.rows()
    used = [part for row in rows for part in row.needs]
    refuse_if_missing(options, used)
    where = {"settings": options.settings(), **environment.describe("bench/run.py", arguments, used)}
    results = report.Results(collect(options, rows), options.kinds(), rows)
    print(report.as_text(results, where))
    if options.json:
        write(options.json, json.dumps({"environment": where, **results.as_json()}, indent=1) + "\n")
    if options.markdown:
        write(options.markdown, report.as_markdown(results, where))


def refuse_if_missing(options: Options, used: Sequence[parts.Part]) -> None:
    """Raises BenchError, with every missing part and how to get it: no row is left out unless asked for."""
    if not options.rows():
        raise BenchError("--only and --skip leave no contender")
    if lines := parts.missing([parts.WRK, *used]):
        raise BenchError("\n  ".join(("missing:", *lines)) + "\nOr leave rows out with --only or --skip.")


def collect(options: Options, rows: Sequence[Contender]) -> list[measure.Point]:
    """Every point of every kind of traffic; all processes are gone when this returns or raises."""
    points: list[measure.Point] = []
    for kind in options.kinds():
        with tempfile.TemporaryDirectory(prefix="zerogate-bench-") as name:
            directory = Path(name)
            # nginx started by root works as nobody, who must get at the sockets here.
            directory.chmod(0o755)
            traffic = prepare(kind, options.seed, options.path, directory)
            if options.tls:
                traffic = replace(traffic, scheme="https")
            points += collect_kind(options, rows, traffic, directory)
    return points


def collect_kind(
    options: Options, rows: Sequence[Contender], traffic: Traffic, directory: Path
) -> Iterator[measure.Point]:
    """Start everything, warm it up, and measure every point under one kind of traffic."""
    counts = traffic.kind.clients or options.clients
    total = options.rounds * len(counts) * len(rows)
    manner = options.manner(certificate.make(directory) if options.tls else None)
    by_name = {each.name: each for each in contenders.services(rows, directory, manner)}
    with running([*by_name.values()], traffic.samples):
        for each in by_name.values():
            progress(f"{traffic.kind.name}: warming up {each.name}")
            measure.measure([each], traffic, max(counts), options.warm_up, round_=0)
        n_done = 0
        for round_, clients, group in measure.schedule([*by_name], counts, options.rounds, options.together):
            services = [by_name[name] for name in group]
            for point in measure.measure(services, traffic, clients, options.seconds, round_):
                n_done += 1
                progress(
                    f"{traffic.kind.name} [{n_done}/{total}] round {round_}, {clients} clients, {point.contender}: "
                    f"{point.requests_per_s:,.0f} requests/s, {point.cpu_us_per_request:.1f} µs CPU/request"
                )
                yield point


def progress(line: str) -> None:
    """Tell what goes on, beside the report."""
    print(line, file=sys.stderr, flush=True)


def write(path: Path, text: str) -> None:
    """Write a file, and the directories it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def main() -> int:
    """The command: 0 after a whole run, 1 when anything failed, 2 for wrong usage."""
    arguments = sys.argv[1:]
    options = Options(**vars(parser().parse_args(arguments)))
    return exit_code_of("bench/run.py", lambda: run(options, arguments))


if __name__ == "__main__":
    sys.exit(main())
