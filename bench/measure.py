"""The rounds: who is measured when, and what one point is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import load
import usage
from books import Books, Period
from failure import BenchError
from service import Service
from traffic import Traffic


@dataclass(frozen=True)
class Point:
    """One contender, under one kind of traffic and number of clients, in one round.

    CPU is for each MiB where bodies are large (`Kind.body_mib`). The peak resident size is by process, like the CPU.
    Shares are of the time that the point took: of one core for the load, of all cores for whoever else was at work.
    """

    traffic: str
    contender: str
    clients: int
    round: int
    requests: int
    requests_per_s: float
    p50_us: int
    p99_us: int
    cpu_us_per_request: float
    cpu_us_by_process: dict[str, float]
    peak_rss_kib_by_process: dict[str, int]
    load_core_share: float
    others_cpu_share: float


def schedule(
    names: Sequence[str], clients: Sequence[int], rounds: int, is_together: bool
) -> Iterator[tuple[int, int, Sequence[str]]]:
    """Every (round, clients, contenders measured at once): all of them, or one after the other.

    Interleaved: nobody is always first, or always after the same one.
    """
    for round_ in range(1, rounds + 1):
        for position, count in enumerate(clients):
            first = (round_ + position) % len(names)
            turns = [*names[first:], *names[:first]]
            # Turning back every second round, and not every round, puts each of two names first as often as the other.
            if round_ // 2 % 2:
                turns.reverse()
            for group in [turns] if is_together else [[name] for name in turns]:
                yield round_, count, group


def measure(services: Sequence[Service], traffic: Traffic, clients: int, seconds: int, round_: int) -> list[Point]:
    """Measure a point of each service, all at once. Raises BenchError if a request failed or a process came or went."""
    try:
        before = Books.read(services)
        loads = load.run({service.name: service.port for service in services}, traffic, clients, seconds)
        period = Period(before, Books.read(services))
        for service in services:
            service.check_alive()
        return [_point(service, traffic, clients, round_, loads[service.name], period) for service in services]
    except (BenchError, OSError) as problem:
        names = ", ".join(service.name for service in services)
        logs = "\n".join(service.logs() for service in services)
        what = f"{names}, {traffic.kind.name}, {clients} clients, round {round_}"
        raise BenchError(f"{what}: {problem}\n{logs}") from problem


def _point(service: Service, traffic: Traffic, clients: int, round_: int, seen: load.Load, period: Period) -> Point:
    n_units = seen.requests * (traffic.kind.body_mib or 1)
    cpu_us_by_process = {name: ns / 1000 / n_units for name, ns in period.spent_ns(service.name).items()}
    return Point(
        traffic=traffic.kind.name,
        contender=service.name,
        clients=clients,
        round=round_,
        requests=seen.requests,
        requests_per_s=seen.requests / seen.duration_us * 1e6,
        p50_us=seen.p50_us,
        p99_us=seen.p99_us,
        cpu_us_per_request=sum(cpu_us_by_process.values()),
        cpu_us_by_process=cpu_us_by_process,
        peak_rss_kib_by_process={name: sum(map(usage.peak_rss_kib, pids)) for name, pids in service.pids().items()},
        load_core_share=period.load_core_share(),
        others_cpu_share=period.others_share(),
    )
