"""Where the CPU goes: profile every process of a contender under load: `python bench/hotspots.py` (see README.md)."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import contenders
import load
import parts
from contenders import CONTENDERS, SUBJECT, Manner
from crew import Crew
from failure import BenchError, exit_code_of
from profilers import PROFILERS, Hotspot, Profiler
from replies import FIXED
from service import Service, running
from table import Table
from traffic import DEFAULT_SEED, KINDS, MAIN, Traffic, prepare

# Profilers take a moment to attach: the load outlasts them.
EXTRA_LOAD_S = 2

# wrk is started by hand here, and alone.
WITHOUT_SLOW = [name for name, kind in KINDS.items() if not kind.n_slow and not kind.body_mib]

DESCRIPTION = """\
Run one contender under load, record a CPU profile of each of its processes at the same time, and print the ten
functions where most samples fell. py-spy (pip install py-spy) sees Python functions and counts the C that they call
as theirs; py-spy-native tells the two apart; perf (apt install linux-perf) sees C functions and the kernel's, of any
program. They may need root, or kernel.yama.ptrace_scope=0 and kernel.perf_event_paranoid=1.
"""


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    contender: str
    profiler: str
    seconds: int
    clients: int
    traffic: str
    path: str
    transport: str


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="bench/hotspots.py", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--contender", choices=CONTENDERS, default=SUBJECT, help=f"whom to profile (default {SUBJECT})")
    add("--profiler", choices=PROFILERS, default="py-spy", help="with what (default py-spy)")
    add("--seconds", type=int, default=5, metavar="S", help="how long (default 5)")
    add("--clients", type=int, default=64, metavar="N", help="connections at once (default 64)")
    add("--traffic", choices=WITHOUT_SLOW, default=MAIN, help=f"what the clients ask for (default {MAIN})")
    add(
        "--path",
        choices=FIXED,
        default="/",
        help="what 'same' asks for: hello, JSON, 32 KiB or 1 MiB (default /)",
    )
    add("--transport", choices=contenders.TRANSPORTS, default="tcp", help="between proxy and application (default tcp)")
    return made


def profile(options: Options) -> None:
    """Record and print. Raises BenchError."""
    contender = CONTENDERS[options.contender]
    profiler = PROFILERS[options.profiler]
    if lines := parts.missing([parts.WRK, profiler.part, *contender.needs]):
        raise BenchError("\n  ".join(("missing:", *lines)))
    with tempfile.TemporaryDirectory(prefix="zerogate-bench-") as name:
        directory = Path(name)
        # nginx started by root works as nobody, who must get at the sockets here.
        directory.chmod(0o755)
        (service,) = contenders.services([contender], directory, Manner(options.transport, forwards=True))
        traffic = prepare(KINDS[options.traffic], DEFAULT_SEED, options.path, directory)
        with running([service], traffic.samples):
            load.run({service.name: service.port}, traffic, options.clients, EXTRA_LOAD_S)
            for title, hotspots in record(service, profiler, traffic, options, directory):
                print(table(title, hotspots).as_text() if hotspots else f"{title}: idle", end="\n\n")


def record(
    service: Service, profiler: Profiler, traffic: Traffic, options: Options, directory: Path
) -> list[tuple[str, Sequence[Hotspot]]]:
    """Profile every process at once under load. Raises BenchError if a profiler or a request fails."""
    processes = [(f"{name} {pid}", pid) for name, pids in service.pids().items() for pid in pids]
    recordings = {title: directory / f"{pid}.profile" for title, pid in processes}
    seconds = options.seconds + EXTRA_LOAD_S
    with Crew() as crew:
        crew.start("wrk", load.wrk_argv(service.port, traffic, options.clients, seconds))
        for title, pid in processes:
            crew.start(title, [profiler.part.path(), *profiler.argv(pid, options.seconds, recordings[title])])
        for title in recordings:
            crew.finish(title)
        load.parse(service.name, crew.finish("wrk"))
    return [(title, profiler.read(recording)) for title, recording in recordings.items()]


def table(title: str, hotspots: Sequence[Hotspot]) -> Table:
    """The hotspots of one process, to be read."""
    rows = [(f"{spot.own:.1%}", "" if spot.total is None else f"{spot.total:.1%}", spot.function) for spot in hotspots]
    return Table(title, ("own", "total", "function"), rows)


if __name__ == "__main__":
    sys.exit(exit_code_of("bench/hotspots.py", lambda: profile(Options(**vars(parser().parse_args())))))
