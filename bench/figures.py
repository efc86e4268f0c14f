"""From raw points to figures: medians over the rounds, the spread, and the ratios."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from contenders import Contender
from measure import Point
from table import Table
from traffic import Kind

MIB_IN_KIB = 1024


@dataclass(frozen=True)
class Metric:
    """A figure of a point, by the name of its field, and how it is shown."""

    field: str
    title: str
    shape: str

    def of(self, point: Point) -> float:
        """Its value at a point."""
        return float(getattr(point, self.field))


# What a request is to the CPU, a MiB is where bodies are large: `Figures` says which.
CPU = Metric("cpu_us_per_request", "CPU µs/{unit}", "{:.1f}")
METRICS = (
    CPU,
    Metric("requests_per_s", "requests/s", "{:,.0f}"),
    Metric("p50_us", "p50 µs", "{:,.0f}"),
    Metric("p99_us", "p99 µs", "{:,.0f}"),
)
RATIO_SHAPE = "{:.2f}"
# The baseline is asked for to see a difference of a few per cent.
CPU_RATIO_SHAPE = "{:.3f}"


@dataclass(frozen=True)
class Spread:
    """The median of some values, between the lowest and the highest."""

    median: float
    low: float
    high: float

    @staticmethod
    def over(values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        return Spread(median(values), min(values), max(values))

    def show(self, shape: str) -> str:
        """`median (lowest..highest)`."""
        return f"{shape} ({shape}..{shape})".format(self.median, self.low, self.high)


class Figures:
    """What one kind of traffic came to."""

    def __init__(self, kind: Kind, points: Iterable[Point], contenders: Sequence[Contender]) -> None:
        self.kind = kind
        self._points = [point for point in points if point.traffic == kind.name]
        self._titles = {contender.name: contender.title for contender in contenders}
        # Pairs of subject and peer. A peer whose subject was left out is in no ratio.
        self._pairs = [(each, row.name) for row in contenders for each in row.subjects if each in self._titles]
        self._subjects = [row.name for row in contenders if not row.subjects]
        self._unit = "MiB" if kind.body_mib else "request"
        self._titled = [metric.title.format(unit=self._unit) for metric in METRICS]
        self._clients = sorted({point.clients for point in self._points})

    def tables(self) -> list[Table]:
        """All of it."""
        ratios = [self._ratios()] if self._pairs else []
        return [self._figures(), *ratios, self._cpu_by_process(), self._memory()]

    def in_short(self) -> list[str]:
        """For each subject and number of clients a sentence: its CPU, and what part that is of a peer's."""
        sentences = []
        for subject in self._subjects:
            for clients in self._clients:
                what = f"{self.kind.name}, {_counted(clients, 'client')}: {self._titles[subject]}"
                own = f"{self._spread(subject, clients, CPU).show(CPU.shape)} µs of CPU per {self._unit}"
                parts = (
                    f"{self._ratio(subject, peer, clients, CPU).show(CPU_RATIO_SHAPE)} of {self._titles[peer]}'s"
                    for each, peer in self._pairs
                    if each == subject
                )
                sentences.append(", ".join((f"{what} takes {own} ({self._cpu_split(subject, clients)})", *parts)) + ".")
        return sentences

    def as_json(self) -> dict[str, Any]:
        """The medians, ratios and spreads."""
        return {
            "summary": [
                {"traffic": self.kind.name, "clients": clients, "contender": name}
                | {metric.field: asdict(self._spread(name, clients, metric)) for metric in METRICS}
                for clients in self._clients
                for name in self._titles
            ],
            "ratios": [
                {"traffic": self.kind.name, "clients": clients, "subject": subject, "peer": peer}
                | {metric.field: asdict(self._ratio(subject, peer, clients, metric)) for metric in METRICS}
                for clients in self._clients
                for subject, peer in self._pairs
            ],
        }

    def _figures(self) -> Table:
        rows = [
            (str(clients), title, *(self._spread(name, clients, metric).show(metric.shape) for metric in METRICS))
            for clients in self._clients
            for name, title in self._titles.items()
        ]
        return Table("Figures", ("clients", "contender", *self._titled), rows)

    def _ratios(self) -> Table:
        rows = [
            (
                str(clients),
                f"{self._titles[subject]} / {self._titles[peer]}",
                *(
                    self._ratio(subject, peer, clients, metric).show(CPU_RATIO_SHAPE if metric is CPU else RATIO_SHAPE)
                    for metric in METRICS
                ),
            )
            for clients in self._clients
            for subject, peer in self._pairs
        ]
        return Table("Ratios", ("clients", "ratio", *self._titled), rows)

    def _cpu_by_process(self) -> Table:
        rows = [
            (str(clients), title, self._cpu_split(name, clients))
            for clients in self._clients
            for name, title in self._titles.items()
        ]
        return Table(f"CPU µs/{self._unit} by process", ("clients", "contender", "medians"), rows)

    def _memory(self) -> Table:
        rows = []
        for name, title in self._titles.items():
            peaks = [point.peak_rss_kib_by_process for point in self._points if point.contender == name]
            highest = {process: max(peak[process] for peak in peaks) / MIB_IN_KIB for process in peaks[0]}
            rows.append((title, f"{sum(highest.values()):.1f}", _sum(highest)))
        return Table("Peak memory, MiB", ("contender", "all", "by process"), rows)

    def _cpu_split(self, name: str, clients: int) -> str:
        shares = [point.cpu_us_by_process for point in self._at(name, clients)]
        return _sum({process: median(share[process] for share in shares) for process in shares[0]})

    def _at(self, name: str, clients: int) -> list[Point]:
        """The points of one contender and number of clients, round by round."""
        return [point for point in self._points if (point.contender, point.clients) == (name, clients)]

    def _spread(self, name: str, clients: int, metric: Metric) -> Spread:
        return Spread.over([metric.of(point) for point in self._at(name, clients)])

    def _ratio(self, subject: str, peer: str, clients: int, metric: Metric) -> Spread:
        pairs = zip(self._at(subject, clients), self._at(peer, clients), strict=True)
        return Spread.over([metric.of(ours) / metric.of(theirs) for ours, theirs in pairs])


def _sum(by_process: Mapping[str, float]) -> str:
    return " + ".join(f"{process} {value:.1f}" for process, value in by_process.items())


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("s" if number != 1 else "")
