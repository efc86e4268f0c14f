"""Where and with what a run was made."""

import os
import platform
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import parts


def describe(script: str, arguments: Iterable[str], used: Iterable[parts.Part]) -> dict[str, str]:
    """The date, the command line, the machine, and the version of everything that took part."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(("python", script, *arguments)),
        "cpu": _cpu_model(),
        "cores in use": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}",
        "kernel": f"{platform.system()} {platform.release()}",
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{part.name: part.version() for part in dict.fromkeys((parts.WRK, *used))},
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
