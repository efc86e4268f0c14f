"""From raw points to tables: medians over the rounds, the spread, and the ratios."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from contenders import SUBJECT, Contender
from measure import Point

MIB_IN_KIB = 1024
# Above this, someone else was at work on the machine and the figures deserve doubt.
NOISY_SHARE = 0.05

HOW_TO_READ = (
    "Each figure is the median over the rounds, with the lowest and the highest in parentheses.",
    "CPU is user and system time of every process and thread that serves, from the processes' CPU clocks"
    " (nanoseconds), divided by the requests that wrk counted. wrk's own CPU is not in it.",
    "A ratio is made round by round and then its median taken. Above 1 is better for requests/s,"
    " below 1 for everything else.",
    "Memory is the peak resident size (VmHWM) summed over the processes: pages that they share count in each.",
)


@dataclass(frozen=True)
class Metric:
    """A figure of a point, by the name of its field, and how it is shown."""

    field: str
    title: str
    shape: str

    def of(self, point: Point) -> float:
        return float(getattr(point, self.field))


METRICS = (
    Metric("requests_per_s", "requests/s", "{:,.0f}"),
    Metric("p50_us", "p50 µs", "{:,.0f}"),
    Metric("p99_us", "p99 µs", "{:,.0f}"),
    Metric("cpu_us_per_request", "CPU µs/request", "{:.1f}"),
)


@dataclass(frozen=True)
class Spread:
    """The median of some values, between the lowest and the highest."""

    median: float
    low: float
    high: float

    @staticmethod
    def over(values: Sequence[float]) -> "Spread":
        return Spread(median(values), min(values), max(values))

    def show(self, shape: str) -> str:
        return f"{shape} ({shape}..{shape})".format(self.median, self.low, self.high)


@dataclass(frozen=True)
class Table:
    """Rows of words under a header, for a terminal or for Markdown."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def as_text(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (self.header, *self.rows)]
        return "\n".join((self.title, lines[0], "-" * len(lines[0]), *lines[1:]))

    def as_markdown(self) -> str:
        lines = ["| " + " | ".join(row) + " |" for row in (self.header, ["---"] * len(self.header), *self.rows)]
        return "\n".join((f"## {self.title}", "", *lines))


class Results:
    """The points of a run, summed up."""

    def __init__(self, points: Sequence[Point], contenders: Sequence[Contender]) -> None:
        self._points = points
        self._titles = {contender.name: contender.title for contender in contenders}
        self._clients = sorted({point.clients for point in points})

    def tables(self) -> list[Table]:
        """Every table of the report."""
        tables = [self._figures()]
        if SUBJECT in self._titles and len(self._titles) > 1:
            tables.append(self._ratios())
        return [*tables, self._cpu_by_process(), self._memory()]

    def noise(self) -> str:
        """How much of the machine went to others while points were measured."""
        spread = Spread.over([point.others_cpu_share for point in self._points])
        said = f"CPU that went to others during the points: {spread.show('{:.1%}')} of the machine."
        if spread.high > NOISY_SHARE:
            said += " NOISY: repeat the run on a quiet machine before believing small differences."
        return said

    def as_json(self) -> dict[str, Any]:
        """The raw points, and the medians, ratios and spreads made of them."""
        return {
            "points": [asdict(point) for point in self._points],
            "summary": [
                {"clients": clients, "contender": name}
                | {metric.field: asdict(self._spread(name, clients, metric)) for metric in METRICS}
                for clients in self._clients
                for name in self._titles
            ],
            "ratios": [
                {"clients": clients, "peer": peer}
                | {metric.field: asdict(self._ratio(peer, clients, metric)) for metric in METRICS}
                for clients in self._clients
                for peer in self._peers()
            ],
        }

    def _figures(self) -> Table:
        rows = [
            (str(clients), title, *(self._spread(name, clients, metric).show(metric.shape) for metric in METRICS))
            for clients in self._clients
            for name, title in self._titles.items()
        ]
        return Table("Figures", ("clients", "contender", *(metric.title for metric in METRICS)), rows)

    def _ratios(self) -> Table:
        rows = [
            (str(clients), self._titles[peer], *(self._ratio(peer, clients, m).show("{:.2f}") for m in METRICS))
            for clients in self._clients
            for peer in self._peers()
        ]
        return Table(f"Ratios: {SUBJECT} / peer", ("clients", "peer", *(metric.title for metric in METRICS)), rows)

    def _cpu_by_process(self) -> Table:
        rows = []
        for clients in self._clients:
            for name, title in self._titles.items():
                shares = [point.cpu_us_by_process for point in self._at(name, clients)]
                split = (f"{part} {median(share[part] for share in shares):.1f}" for part in shares[0])
                rows.append((str(clients), title, " + ".join(split)))
        return Table("CPU µs/request by process", ("clients", "contender", "medians"), rows)

    def _memory(self) -> Table:
        rows = []
        for name, title in self._titles.items():
            peak = max(point.peak_rss_kib for point in self._points if point.contender == name)
            rows.append((title, f"{peak / MIB_IN_KIB:.1f}"))
        return Table("Peak memory", ("contender", "MiB"), rows)

    def _peers(self) -> list[str]:
        return [name for name in self._titles if name != SUBJECT] if SUBJECT in self._titles else []

    def _at(self, name: str, clients: int) -> list[Point]:
        """The points of one contender and number of clients, round by round."""
        return [point for point in self._points if (point.contender, point.clients) == (name, clients)]

    def _spread(self, name: str, clients: int, metric: Metric) -> Spread:
        return Spread.over([metric.of(point) for point in self._at(name, clients)])

    def _ratio(self, peer: str, clients: int, metric: Metric) -> Spread:
        pairs = zip(self._at(SUBJECT, clients), self._at(peer, clients), strict=True)
        return Spread.over([metric.of(ours) / metric.of(theirs) for ours, theirs in pairs])


def as_text(results: Results, environment: dict[str, str]) -> str:
    """The whole report for a terminal."""
    facts = "\n".join(f"{name}: {value}" for name, value in environment.items())
    tables = (table.as_text() for table in results.tables())
    return "\n\n".join((facts, *tables, results.noise()))


def as_markdown(results: Results, environment: dict[str, str]) -> str:
    """The whole report as a Markdown page."""
    facts = "\n".join(f"| {name} | {value} |" for name, value in environment.items())
    parts = (
        "# Benchmark results",
        f"Made by `{environment['command']}`; README.md beside this file says what is measured.",
        *(table.as_markdown() for table in results.tables()),
        "## How to read them",
        "\n".join(f"- {line}" for line in (*HOW_TO_READ, results.noise())),
        "## Environment",
        f"| what | which |\n| --- | --- |\n{facts}",
    )
    return "\n\n".join(parts) + "\n"
