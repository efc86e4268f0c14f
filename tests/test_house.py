"""The house rules: linted, formatted, typed, and no file too long to read at one sitting."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("src", "tests", "examples", "bench")
MAX_LINES = 400


def run(module: str, *arguments: str) -> None:
    """Run a tool as its configuration in pyproject.toml has it; its findings are the failure."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def folders() -> list[str]:
    return [folder for folder in FOLDERS if (ROOT / folder).is_dir()]


def test_lint() -> None:
    run("ruff", "check", "--no-cache", *folders())


def test_format() -> None:
    run("ruff", "format", "--check", "--no-cache", *folders())


def test_types() -> None:
    run("mypy")


def test_no_file_is_too_long() -> None:
    lengths = {path: path.read_text().count("\n") for path in (ROOT / "src").rglob("*.py")}
    assert len(lengths) > 50
    assert {str(path): length for path, length in lengths.items() if length > MAX_LINES} == {}
