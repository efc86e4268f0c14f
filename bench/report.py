"""The report of a run: for a terminal, as Markdown, as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from contenders import Contender
from figures import Figures, Spread
from measure import Point
from traffic import Kind

# Above this, someone else was at work on the machine and the figures deserve doubt.
NOISY_SHARE = 0.05
# Above this, wrk had no time left: what serves could have done more.
BUSY_SHARE = 0.95

HOW_TO_READ = (
    "Traffic that varies is what users send. Requests that are all the same flatter whoever remembers the last one.",
    "Each figure is the median over the rounds, with the lowest and the highest in parentheses.",
    "CPU is user and system time of every process and thread that serves, from the processes' CPU clocks"
    " (nanoseconds), divided by the requests that wrk counted. wrk's own CPU is not in it.",
    "A ratio is made round by round and then its median taken. Above 1 is better for requests/s,"
    " below 1 for everything else.",
    "Memory is the peak resident size (VmHWM) of each process: pages that they share count in each."
    " Every kind of traffic has processes of its own.",
)


class Results:
    """The points of a run, summed up for each kind of traffic, in the order in which they were asked for."""

    def __init__(self, points: Sequence[Point], kinds: Sequence[Kind], contenders: Sequence[Contender]) -> None:
        self._points = points
        self.figures = [Figures(kind, points, contenders) for kind in kinds]

    def in_short(self) -> list[str]:
        """Sentences about the first kind of traffic."""
        return self.figures[0].in_short()

    def doubts(self) -> list[str]:
        """How much of the machine went to others while points were measured, and how much wrk needed."""
        noise = Spread.over([point.others_cpu_share for point in self._points])
        others = f"CPU that went to others during the points: {noise.show('{:.1%}')} of the machine."
        if noise.high > NOISY_SHARE:
            others += " NOISY: repeat the run on a quiet machine before believing small differences."
        busy = Spread.over([point.load_core_share for point in self._points])
        load = f"The load itself took {busy.show('{:.0%}')} of one core."
        if busy.high > BUSY_SHARE:
            load += " BUSY: where it took a whole core, requests/s are the load's limit; CPU per request holds."
        return [others, load]

    def as_json(self) -> dict[str, Any]:
        """The raw points, and the medians, ratios and spreads made of them."""
        made = [figures.as_json() for figures in self.figures]
        return {
            "points": [asdict(point) for point in self._points],
            **{name: [each for part in made for each in part[name]] for name in ("summary", "ratios")},
        }


def as_text(results: Results, environment: dict[str, str]) -> str:
    """The whole report for a terminal."""
    parts = ["\n".join(f"{name}: {value}" for name, value in environment.items())]
    for figures in results.figures:
        parts.append(f"=== {figures.kind.name}: {figures.kind.title}")
        parts += (table.as_text() for table in figures.tables())
    # Last is what is still to be seen when all has scrolled by.
    return "\n\n".join((*parts, "\n".join((*results.in_short(), *results.doubts()))))


def as_markdown(results: Results, environment: dict[str, str]) -> str:
    """The whole report as a Markdown page."""
    parts = [
        "# Benchmark results",
        f"Made by `{environment['command']}`; README.md beside this file says what is measured.",
    ]
    if in_short := results.in_short():
        parts += ("## In short", _listed(in_short))
    for figures in results.figures:
        parts.append(f"## {figures.kind.name}: {figures.kind.title}")
        parts += (table.as_markdown() for table in figures.tables())
    facts = "\n".join(f"| {name} | {value} |" for name, value in environment.items())
    parts += ("## How to read them", _listed((*HOW_TO_READ, *results.doubts())))
    parts += ("## Environment", f"| what | which |\n| --- | --- |\n{facts}")
    return "\n\n".join(parts) + "\n"


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
