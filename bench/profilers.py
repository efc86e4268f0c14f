"""The profilers: one row each. How a process is recorded, and how the recording is read."""

import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import parts

SAMPLES_PER_S = 250
TOP = 10


@dataclass(frozen=True)
class Hotspot:
    """A function, its part of the samples, and the part that it and all that it called have."""

    function: str
    own: float
    total: float | None


@dataclass(frozen=True)
class Profiler:
    """A tool that records one process into a file, and how its file is read."""

    part: parts.Program
    argv: Callable[[int, int, Path], list[str]]
    read: Callable[[Path], list[Hotspot]]


def _py_spy_argv(pid: int, seconds: int, recording: Path) -> list[str]:
    what = ["--pid", str(pid), "--duration", str(seconds), "--rate", str(SAMPLES_PER_S)]
    return ["record", *what, "--function", "--format", "raw", "--output", str(recording)]


def _py_spy_native_argv(pid: int, seconds: int, recording: Path) -> list[str]:
    return [*_py_spy_argv(pid, seconds, recording), "--native"]


def _read_py_spy(recording: Path) -> list[Hotspot]:
    """Read lines of `outermost;...;innermost count`."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in recording.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        functions = stack.split(";")
        own[functions[-1]] += int(count)
        total.update(dict.fromkeys(functions, int(count)))
    samples = own.total()
    return [Hotspot(name, count / samples, total[name] / samples) for name, count in own.most_common(TOP)]


def _perf_argv(pid: int, seconds: int, recording: Path) -> list[str]:
    # cpu-clock is there on virtual machines too, which seldom have a cycle counter.
    how = ["--event", "cpu-clock", "--freq", str(SAMPLES_PER_S), "--quiet", "--output", str(recording)]
    return ["record", *how, "--pid", str(pid), "--", "sleep", str(seconds)]


def _read_perf(recording: Path) -> list[Hotspot]:
    """Read lines of `percentage|object|[k] or [.] symbol`."""
    shape = ["--stdio", "--no-children", "--fields", "overhead,dso,symbol", "--field-separator", "|"]
    said = subprocess.run(
        [parts.PERF.path(), "report", *shape, "--input", str(recording)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    rows = [line.split("|", 2) for line in said.splitlines() if line.strip() and not line.startswith("#")]
    return [
        Hotspot(f"{symbol.strip()} ({shared.strip()})", float(share.strip().rstrip("%")) / 100, None)
        for share, shared, symbol in rows[:TOP]
    ]


PROFILERS = {
    "py-spy": Profiler(parts.PY_SPY, _py_spy_argv, _read_py_spy),
    "py-spy-native": Profiler(parts.PY_SPY, _py_spy_native_argv, _read_py_spy),
    "perf": Profiler(parts.PERF, _perf_argv, _read_perf),
}
