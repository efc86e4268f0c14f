"""The kernel's books at two moments, and what was spent between them."""

import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass

import usage
from failure import BenchError
from service import Service


@dataclass(frozen=True)
class Books:
    """One moment: the whole machine, the load, and every process that serves, by service and command."""

    at_ns: int
    machine_ns: int
    load_ns: int
    serving_ns: dict[str, dict[str, dict[int, int]]]

    @staticmethod
    def read(services: Sequence[Service]) -> "Books":
        """The books of now. The load's are those of this process and of its children that have ended."""
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        load_ns = time.process_time_ns() + int((children.ru_utime + children.ru_stime) * 1e9)
        serving_ns = {
            service.name: {name: {pid: usage.cpu_ns(pid) for pid in pids} for name, pids in service.pids().items()}
            for service in services
        }
        return Books(time.monotonic_ns(), usage.machine_busy_ns(), load_ns, serving_ns)


@dataclass(frozen=True)
class Period:
    """The time between two moments."""

    before: Books
    after: Books

    def spent_ns(self, service: str) -> dict[str, int]:
        """The CPU time of each of a service's commands, its children with it. Raises BenchError if they changed."""
        spent = {}
        for name, pids in self.after.serving_ns[service].items():
            earlier = self.before.serving_ns[service][name]
            if pids.keys() != earlier.keys():
                raise BenchError(f"{service}: the processes of {name} changed: {[*earlier]}, then {[*pids]}")
            spent[name] = sum(ns - earlier[pid] for pid, ns in pids.items())
        return spent

    def load_core_share(self) -> float:
        """How much of one core went to the load."""
        return (self.after.load_ns - self.before.load_ns) / self._length_ns()

    def others_share(self) -> float:
        """The part of the machine that went to neither the services nor the load: noise, for the reader to judge."""
        serving_ns = sum(sum(self.spent_ns(service).values()) for service in self.after.serving_ns)
        others_ns = self.after.machine_ns - self.before.machine_ns - serving_ns
        others_ns -= self.after.load_ns - self.before.load_ns
        return max(0.0, others_ns / self._length_ns() / (os.cpu_count() or 1))

    def _length_ns(self) -> int:
        return self.after.at_ns - self.before.at_ns
