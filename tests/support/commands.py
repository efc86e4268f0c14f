"""Commands that end by themselves, and what they leave behind."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.processes import DEADLINE_S, Process, wait_for
from tests.support.processes import clean_environment as clean_environment

ROOT = Path(__file__).resolve().parents[2]

APPLICATION = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here\\n"})


number = 7
"""

# Modules by name. All but `good` cannot be loaded.
MODULES = {
    "good": APPLICATION,
    "raising": "1 / 0\n",
    "missing": "import a_module_that_is_not_there\n",
    "unreadable": "def (\n",
    "leaving": "import sys\nsys.exit(3)\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with MODULES in it."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def run_command(
    *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None, seconds: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run one `zerogate` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "zerogate", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=clean_environment(**(env or {})),
        timeout=seconds,
        check=False,
    )


def said_by(result: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines on standard error, without the one by which `run` tells what it is about to start."""
    return [line for line in result.stderr.splitlines() if " starts a router and " not in line]


def is_running(pid: int) -> bool:
    """Not when it has ended but nobody has taken notice."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def children(pid: int) -> list[int]:
    """The processes that it started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and is_running(int(entry.name)):
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def wait_gone(pids: list[int], seconds: float = DEADLINE_S) -> None:
    """Wait until none of the processes runs any more."""
    assert pids
    wait_for(lambda: not any(map(is_running, pids)), f"the end of {pids}", seconds)


class Script(Process):
    """A Python program other than `zerogate` itself."""

    def __init__(self, script: Path, *arguments: str) -> None:
        self._log = tempfile.NamedTemporaryFile(prefix="zerogate-test-", suffix=".log", delete=False)  # noqa: SIM115
        self.arguments = (script.name, *arguments)
        self.popen = subprocess.Popen(
            [sys.executable, "-W", "error", str(script), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=clean_environment(PYTHONUNBUFFERED="1"),
        )
