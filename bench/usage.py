"""CPU and memory of processes, and of the machine, from the kernel's own books (Linux only)."""

import os
import time
from pathlib import Path

PROC = Path("/proc")

# The kernel's id of a process's CPU clock, as clock_getcpuclockid(3) makes it:
# the pid's complement above three bits that say "whole process" and "exact".
CPUCLOCK_SCHED = 2
NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

# Positions in the first line of /proc/stat, after "cpu": idle and iowait are not work;
# guest and guest_nice are in user and nice already.
IDLE_FIELDS = (3, 4)
COUNTED_FIELDS = 8
# The positions of the parent's id and the session's in /proc/PID/stat, after the name in parentheses.
PARENT_FIELD = 1
SESSION_FIELD = 3


def family(pid: int) -> list[int]:
    """A child that was started in a session of its own, all of that session, and all whom one of these has started in
    another; in order of their ids."""
    kin: dict[int, list[int]] = {}
    members = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z":
            kin.setdefault(int(fields[PARENT_FIELD]), []).append(int(entry.name))
            if int(fields[SESSION_FIELD]) == pid:
                members.append(int(entry.name))
    for each in members:  # It grows meanwhile.
        members += [child for child in kin.get(each, ()) if child not in members]
    return sorted(members)


def cpu_ns(pid: int) -> int:
    """User and system time of a process, all its threads together, those that have ended too, in nanoseconds.

    This is the process's CPU clock: utime and stime in /proc/PID/stat come in ticks of 10 ms, and
    /proc/PID/schedstat is exact but speaks of the main thread alone.

    Raises OSError if the process is gone.
    """
    return time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED)


def peak_rss_kib(pid: int) -> int:
    """The most memory the process ever had resident, pages that it shares with others counted in full."""
    return _memory_kib(pid, "VmHWM")


def rss_kib(pid: int) -> int:
    """The memory that the process has resident now, counted in the same way."""
    return _memory_kib(pid, "VmRSS")


def _memory_kib(pid: int, wanted: str) -> int:
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == wanted:
            return int(value.split()[0])
    raise ProcessLookupError(pid)


def machine_busy_ns() -> int:
    """The time that all processors together were not idle since the start of the machine, in ticks of 10 ms."""
    with (PROC / "stat").open() as stat:
        fields = [int(field) for field in stat.readline().split()[1 : 1 + COUNTED_FIELDS]]
    return (sum(fields) - sum(fields[i] for i in IDLE_FIELDS)) * NS_PER_TICK
