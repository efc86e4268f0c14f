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
from pathlib import Path

from failure import BenchError
from surroundings import surroundings

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


@dataclass(frozen=True)
class Tree:
    """zerogate itself: the one that this Python imports or, with a `root`, the one in another source tree.

    is_native: with what is compiled, if that is there
    """

    name: str
    root: Path | None
    how_to_get: str
    is_native: bool = True

    def variables(self) -> dict[str, str]:
        """What makes a process import this zerogate and no other."""
        kind = {} if self.is_native else {"ZEROGATE_NATIVE": "0"}
        if self.root is None:
            return kind
        paths = (str(self._package().parent), os.environ.get("PYTHONPATH", ""))
        return {"PYTHONPATH": os.pathsep.join(filter(None, paths)), **kind}

    def is_here(self) -> bool:
        """Whether it can be run."""
        return (self._package() / "__main__.py").is_file()

    def version(self) -> str:
        """What it says of itself and, where its files are kept by git, which commit they are of."""
        said = subprocess.run(
            [sys.executable, "-m", "zerogate", "--version"],
            capture_output=True,
            text=True,
            check=False,
            env=surroundings(self.variables()),
        ).stdout
        own = said.strip().removeprefix("zerogate, version ") or "unknown"
        commit = self._git("describe", "--always", "--dirty") if self._git("ls-files", "__main__.py") else ""
        return f"{own}, commit {commit}" if commit else own

    def _package(self) -> Path:
        if self.root is not None:
            return self.root.resolve() / "src" / "zerogate"
        spec = importlib.util.find_spec("zerogate")
        return Path(spec.origin).parent if spec is not None and spec.origin else Path("nowhere")

    def _git(self, *arguments: str) -> str:
        """What git says about the directory; nothing if it knows nothing, or is not installed."""
        if shutil.which("git") is None:
            return ""
        argv = ("git", "-C", str(self._package()), *arguments)
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


Part = Program | Module | Tree

WRK = Program("wrk", "--version", "apt install wrk")
NGINX = Program("nginx", "-v", "apt install nginx-light")
HAPROXY = Program("haproxy", "-v", "apt install haproxy")

PERF = Program("perf", "--version", "apt install linux-perf")

_PIP = f"{sys.executable} -m pip install"
PY_SPY = Program("py-spy", "--version", f"{_PIP} py-spy")
ZEROGATE = Tree("zerogate", None, f"{_PIP} -e . (at the root of the project)")
ZEROGATE_IN_PYTHON = Tree("zerogate in Python", None, ZEROGATE.how_to_get, is_native=False)
_UVLOOP = Module("uvloop", "uvloop", f"{_PIP} uvloop")
UVICORN = (*(Module(name, name, f"{_PIP} 'uvicorn[standard]'") for name in ("uvicorn", "httptools")), _UVLOOP)
GUNICORN = Module("gunicorn", "gunicorn", f"{_PIP} gunicorn")
FLASK = Module("flask", "flask", f"{_PIP} flask")
STARLETTE = Module("starlette", "starlette", f"{_PIP} starlette")
GRANIAN = (Module("granian", "granian", f"{_PIP} granian"), _UVLOOP)


def baseline(root: Path) -> Tree:
    """The zerogate of another source tree."""
    return Tree("zerogate-baseline", root, f"there is no src/zerogate in {root}: --baseline wants a source tree's root")


def missing(parts: Iterable[Part]) -> list[str]:
    """One line for each part that is not installed, with the command that installs it."""
    return [f"{part.name}: {part.how_to_get}" for part in dict.fromkeys(parts) if not part.is_here()]
