"""Where nothing may be left out: what stands between strangers and applications, the short loop covers wholly."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zerogate.native import compiled

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 600

# To the last line and branch. What of the short loop covers them is enough of it.
WHOLE = ("wire/", "router/exchange/", "router/dispatcher.py", "router/holds.py", "router/rests.py", "worker/call.py")
TESTS = ("unit/native", "unit/wire", "unit/router", "unit/worker", "property", "conformance")


@pytest.mark.skipif(not os.environ.get("CI"), reason="it takes minutes: run with CI=1")
@pytest.mark.skipif(not compiled.IS_ON, reason="what calls the fast paths is not covered without them")
@pytest.mark.timeout(TIMEOUT_S + 20)
def test_nothing_is_left_out(tmp_path: Path) -> None:
    def run(*arguments: str, native: str = "0") -> None:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env={**os.environ, "COVERAGE_FILE": str(tmp_path / "coverage"), "ZEROGATE_NATIVE": native},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    tests = [f"tests/{name}" for name in TESTS]
    pytest_run = ("-m", "pytest", "-n", "0", "-m", "fast", "-q", "-p", "no:randomly", "-p", "no:cacheprovider")
    # Without the fast paths, as nothing in Python may rely on them; and then what calls them.
    run("coverage", "run", *pytest_run, *tests)
    callers = ("tests/unit/wire", "tests/unit/native", "tests/unit/router/exchange", "tests/unit/router/test_pool.py")
    run("coverage", "run", "--append", *pytest_run, *callers, native="1")
    run("coverage", "json", "-o", str(tmp_path / "coverage.json"))
    files = json.loads((tmp_path / "coverage.json").read_text())["files"]
    seen = {path.partition("zerogate/")[2]: found for path, found in files.items()}
    for part in WHOLE:
        mine = {name: found for name, found in seen.items() if name.startswith(part)}
        assert mine, part
        left_out = {
            name: (found["missing_lines"], found["missing_branches"])
            for name, found in mine.items()
            if found["missing_lines"] or found["missing_branches"]
        }
        assert left_out == {}
