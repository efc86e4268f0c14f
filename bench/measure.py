"""The rounds: who is measured when, and what one point is."""

import os
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import load
import usage
from failure import BenchError
from service import Service
from traffic import Traffic


@dataclass(frozen=True)
class Point:
    """One contender, under one kind of traffic and number of clients, in one round.

    The peak resident size is by process, like the CPU. Shares are of the time that the point took: of one core for
    the load, of all cores for whoever else was at work.
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


@dataclass(frozen=True)
class _Books:
    """The kernel's books at one moment."""

    at_ns: int
    machine_ns: int
    clients_ns: int
    serving_ns: dict[str, dict[int, int]]

    @staticmethod
    def read(service: Service) -> "_Books":
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        own_ns = time.process_time_ns() + int((children.ru_utime + children.ru_stime) * 1e9)
        serving = {name: {pid: usage.cpu_ns(pid) for pid in pids} for name, pids in service.pids().items()}
        return _Books(time.monotonic_ns(), usage.machine_busy_ns(), own_ns, serving)


def schedule(names: Sequence[str], clients: Sequence[int], rounds: int) -> Iterator[tuple[int, int, str]]:
    """Every (round, clients, contender), interleaved: nobody is always first, or always after the same one."""
    for round_ in range(1, rounds + 1):
        for position, count in enumerate(clients):
            first = (round_ + position) % len(names)
            turns = (*names[first:], *names[:first])
            # Turning back every second round, and not every round, puts each of two names first as often as the other.
            for name in turns if round_ // 2 % 2 else reversed(turns):
                yield round_, count, name


def measure(service: Service, traffic: Traffic, clients: int, seconds: int, round_: int) -> Point:
    """Measure one point. Raises BenchError if a request failed or a process came or went."""
    try:
        before = _Books.read(service)
        seen = load.run(service.port, traffic, clients, seconds)
        after = _Books.read(service)
        service.check_alive()
        serving_ns = _spent(before, after)
        peaks = {name: sum(map(usage.peak_rss_kib, pids)) for name, pids in after.serving_ns.items()}
    except (BenchError, OSError) as problem:
        what = f"{service.name}, {traffic.kind.name}, {clients} clients, round {round_}"
        raise BenchError(f"{what}: {problem}\n{service.logs()}") from problem
    cpu_us_by_process = {name: ns / 1000 / seen.requests for name, ns in serving_ns.items()}
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
        peak_rss_kib_by_process=peaks,
        load_core_share=(after.clients_ns - before.clients_ns) / (after.at_ns - before.at_ns),
        others_cpu_share=_others_share(before, after, sum(serving_ns.values())),
    )


def _spent(before: _Books, after: _Books) -> dict[str, int]:
    """The CPU time of each serving process with its children, in nanoseconds."""
    spent = {}
    for name, pids in after.serving_ns.items():
        if pids.keys() != before.serving_ns[name].keys():
            raise BenchError(f"the processes of {name} changed: {[*before.serving_ns[name]]}, then {[*pids]}")
        spent[name] = sum(ns - before.serving_ns[name][pid] for pid, ns in pids.items())
    return spent


def _others_share(before: _Books, after: _Books, serving_ns: int) -> float:
    """The part of the machine that went to neither the contender nor wrk: noise, to be judged by the reader."""
    accounted_ns = serving_ns + after.clients_ns - before.clients_ns
    others_ns = after.machine_ns - before.machine_ns - accounted_ns
    return max(0.0, others_ns / (after.at_ns - before.at_ns) / (os.cpu_count() or 1))
