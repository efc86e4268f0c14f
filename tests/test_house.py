"""The house rules: linted, formatted, typed, each module with a test file, and none too long to read at one sitting."""

import ast
import importlib.util
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src" / "zerogate"
UNIT_TESTS = ROOT / "tests" / "unit"
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


@pytest.mark.fast
def test_no_file_is_too_long() -> None:
    lengths = {path: path.read_text().count("\n") for path in SOURCES.rglob("*.py")}
    assert len(lengths) > 50
    assert {str(path): length for path, length in lengths.items() if length > MAX_LINES} == {}


# A test file for each module: that of a/b.py is tests/unit/a/test_b.py, or test_<what>_b.py there


def does_something(source: str) -> bool:
    """Whether any function in it has a body: names, constants and faces (Protocol) have nothing that could fail."""
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return any(
        not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)) for f in functions for line in f.body
    )


def has_test_file(module: Path) -> bool:
    folder = UNIT_TESTS / module.parent
    return any(path.stem.endswith(f"_{module.stem}") for path in folder.glob("test_*.py"))


@pytest.mark.fast
def test_who_does_something() -> None:
    assert does_something("class A:\n def f(self):\n  'x'\n  return 1")
    assert does_something("async def f(): await g()")
    assert not does_something("A = 1\nclass B(Protocol):\n x: int\n def f(self): ...\n async def g(self):\n  'x'")


@pytest.mark.fast
def test_each_module_has_a_test_file() -> None:
    modules = [path.relative_to(SOURCES) for path in SOURCES.rglob("*.py")]
    untested = [module for module in modules if not has_test_file(module)]
    assert len(modules) - len(untested) > 50
    missing = {str(module) for module in untested if does_something((SOURCES / module).read_text())}
    assert sorted(missing) == [], "write their test files"


@pytest.mark.fast
def test_no_two_test_files_have_one_name() -> None:
    """Where there is no `__init__.py` pytest would take one for the other."""
    names = Counter(
        path.name for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists()
    )
    assert [name for name, n in names.items() if n > 1] == []
