"""Break zerogate on purpose, under load, and count what clients see of it: `python bench/chaos.py`."""

import argparse
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import chaos_scenarios as scenarios
from chaos_scenarios import Outcome, Say
from failure import BenchError, exit_code_of

DESCRIPTION = """\
Break zerogate on purpose, under load, and count what clients see of it. Every reply is compared with what was asked:
whole, and nobody else's. Router and workers are real processes on free ports of 127.0.0.1; none is left behind.
The exit code is 1 if anything failed that must not.
"""

EPILOG = """\
examples:
  python bench/chaos.py                                   every scenario but the soak, about five minutes
  python bench/chaos.py --only kill --seconds 20
  python bench/chaos.py --only soak --soak 30             half an hour of everything, with the memory's slope
  python bench/chaos.py --only replace --processes 2      with routers of two processes
  python bench/chaos.py --soak 20 --markdown docs/chaos.md
"""


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def minutes(text: str) -> float:
    number = float(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not more than 0")
    return number


SCENARIOS: dict[str, Callable[[argparse.Namespace, Say], Outcome]] = {
    "kill": lambda o, say: scenarios.kill(o.seconds, "GET", say),
    "kill-post": lambda o, say: scenarios.kill(o.seconds, "POST", say),
    "roll": lambda o, say: scenarios.roll(o.rounds, say),
    "replace": lambda o, say: scenarios.replace_router(o.rounds, say),
    "soak": lambda o, say: scenarios.soak(o.soak or 5.0, o.seed, say),
}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=SCENARIOS, action="append", help="this scenario (repeatable)")
    parser.add_argument("--seconds", type=positive, default=60, help="how long kills go on, one a second [60]")
    parser.add_argument("--rounds", type=positive, default=10, help="rolling restarts and router replacements [10]")
    parser.add_argument("--soak", type=minutes, metavar="MINUTES", help="also soak for so long [5 with --only soak]")
    parser.add_argument("--processes", type=positive, default=1, help="processes of each router [1]")
    parser.add_argument("--seed", type=int, default=1, help="of the soak's dice [1]")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report there as well")
    return parser.parse_args(arguments)


def environment(arguments: Sequence[str]) -> dict[str, str]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(("python", "bench/chaos.py", *arguments)),
        "cores in use": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
    }


def markdown(facts: dict[str, str], outcomes: Sequence[Outcome]) -> str:
    lines = [
        "# Breaking it on purpose",
        "",
        "Made by `bench/chaos.py`; the clients share the machine with what they ask.",
        "",
    ]
    lines += ["| run | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in facts.items())]
    for outcome in outcomes:
        verdict = "as it must be" if not outcome.problems else "; ".join(outcome.problems)
        lines += ["", f"## {outcome.name}", "", f"{outcome.what}: **{verdict}**.", "", "| | |", "| --- | --- |"]
        lines += [f"| {name} | {value} |" for name, value in outcome.facts.items()]
    return "\n".join(lines) + "\n"


def progress(name: str) -> Say:
    """One line that is written over, on a terminal; else a line every ten seconds."""
    is_terminal = sys.stderr.isatty()
    said_at = 0.0

    def say(text: str) -> None:
        nonlocal said_at
        if is_terminal:
            print(f"\r\x1b[K{name}: {text}"[:160], end="", file=sys.stderr, flush=True)
        elif time.monotonic() - said_at > 10:
            said_at = time.monotonic()
            print(f"{name}: {text}", file=sys.stderr, flush=True)

    return say


def run(arguments: Sequence[str]) -> None:
    """Raises BenchError if anything failed that must not."""
    options = parse(arguments)
    scenarios.ChaosSite.router_processes = options.processes
    names = options.only or [name for name in SCENARIOS if name != "soak" or options.soak]
    facts = environment(arguments)
    outcomes = []
    for name in names:
        outcome = SCENARIOS[name](options, progress(name))
        outcomes.append(outcome)
        print(f"\n{outcome.name}: {outcome.what}")
        for key, value in outcome.facts.items():
            print(f"  {key}: {value}")
        for problem in outcome.problems:
            print(f"  PROBLEM: {problem}")
        # After each: an interrupted run leaves what it has found.
        if options.markdown is not None:
            options.markdown.parent.mkdir(parents=True, exist_ok=True)
            options.markdown.write_text(markdown(facts, outcomes))
    broken = [outcome.name for outcome in outcomes if outcome.problems]
    if broken:
        raise BenchError(f"not as it must be: {', '.join(broken)}")


if __name__ == "__main__":
    sys.exit(exit_code_of("chaos.py", lambda: run(sys.argv[1:])))
