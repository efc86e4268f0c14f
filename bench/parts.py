"""What must be installed: how each part is found, which version it is, and how to get it when it is missing."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from failure import BenchError

# Debian keeps servers, and a virtual environment its programs, in directories that are not on everybody's PATH.
SEARCH_PATH = os.pathsep.join(
    (os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin")
)


@dataclass(frozen=True)
class Program:
    """A program of the system."""

    name: str
    version_option: str
    how_to_get: str

    def is_here(self) -> bool:
        """Whether it is installed."""
        return shutil.which(self.name, path=SEARCH_PATH) is not None

    def path(self) -> str:
        """Where it is. Raises BenchError if it is missing."""
        found = shutil.which(self.name, path=SEARCH_PATH)
        if found is None:
            raise BenchError(f"missing: {self.name}: {self.how_to_get}")
        return found

    def version(self) -> str:
        """The first version-like word of what the program says about itself."""
        # wrk prints its version with an exit code of 1, nginx on stderr.
        said = subprocess.run(
            [self.path(), self.version_option], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        ).stdout
        found = re.search(r"\d+\.\d+[\w.+-]*", said)
        return found.group() if found else "unknown"


@dataclass(frozen=True)
class Module:
    """A Python package of the interpreter that runs the benchmark: it runs the contenders too."""

    name: str
    entry: str
    how_to_get: str

    def is_here(self) -> bool:
        """Whether it can be imported."""
        try:
            return importlib.util.find_spec(self.entry) is not None
        except ModuleNotFoundError:
            return False

    def version(self) -> str:
        """The installed version."""
        try:
            return importlib.metadata.version(self.name)
        except importlib.metadata.PackageNotFoundError:
            return "source tree, not installed"


Part = Program | Module

WRK = Program("wrk", "--version", "apt install wrk")
NGINX = Program("nginx", "-v", "apt install nginx-light")
HAPROXY = Program("haproxy", "-v", "apt install haproxy")

PERF = Program("perf", "--version", "apt install linux-perf")

_PIP = f"{sys.executable} -m pip install"
PY_SPY = Program("py-spy", "--version", f"{_PIP} py-spy")
ZEROGATE = Module("zerogate", "zerogate.__main__", f"{_PIP} -e . (at the root of the project)")
UVICORN = tuple(Module(name, name, f"{_PIP} 'uvicorn[standard]'") for name in ("uvicorn", "uvloop", "httptools"))


def missing(parts: Iterable[Part]) -> list[str]:
    """One line for each part that is not installed, with the command that installs it."""
    return [f"{part.name}: {part.how_to_get}" for part in dict.fromkeys(parts) if not part.is_here()]
