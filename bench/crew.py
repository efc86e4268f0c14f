"""Processes at work side by side."""

import subprocess
from collections.abc import Sequence

from failure import BenchError


class Crew:
    """Those that still run at the end of the block are stopped."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.communicate()

    def start(self, name: str, argv: Sequence[str]) -> None:
        """Start a process under a name."""
        self._processes[name] = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, name: str) -> str:
        """Wait for a process and return what it said on stdout. Raises BenchError if it failed."""
        process = self._processes[name]
        said, problem = process.communicate()
        if process.returncode != 0:
            first_line = (problem.strip() or said.strip()).partition("\n")[0]
            raise BenchError(f"{name}: {process.args!r} failed with exit code {process.returncode}: {first_line}")
        return said
