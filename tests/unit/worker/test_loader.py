"""Finding the application, and saying what is wrong with it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from zerogate.errors import StartError, UsageError
from zerogate.worker.loader import load_application


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current directory; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_from_the_current_directory(project: Path) -> None:
    (project / "loader_one.py").write_text("async def app(scope, receive, send): ...\n")
    assert load_application("loader_one:app").__name__ == "app"


def test_the_current_directory_comes_last(project: Path) -> None:
    (project / "colorsys.py").write_text("async def app(scope, receive, send): ...\n")
    with pytest.raises(StartError, match="'colorsys' has no attribute 'app'"):
        load_application("colorsys:app")
    assert sys.path[-1] == str(project)
    length = len(sys.path)
    with pytest.raises(StartError):
        load_application("colorsys:app")
    assert len(sys.path) == length


def test_a_directory_that_is_named_comes_first(project: Path) -> None:
    (project / "named").mkdir()
    (project / "named" / "loader_two.py").write_text("async def app(scope, receive, send): ...\n")
    assert load_application("loader_two:app", "named").__name__ == "app"
    assert sys.path[0] == str(project / "named")


def test_a_directory_that_is_not_there(project: Path) -> None:
    with pytest.raises(UsageError, match=r"^--app-dir named: no such folder$"):
        load_application("loader_two:app", "named")
    with pytest.raises(StartError, match=f"in {project} or installed"):
        load_application("loader_two:app")


def test_in_a_package_and_dotted(project: Path) -> None:
    (project / "loader_pkg").mkdir()
    (project / "loader_pkg" / "__init__.py").touch()
    (project / "loader_pkg" / "sub.py").write_text("class holder:\n    async def app(scope, receive, send): ...\n")
    assert callable(load_application("loader_pkg.sub:holder.app"))


@pytest.mark.parametrize("target", ["", "app", ":", "module:", ":app", "./app.py"])
def test_not_written_as_it_should_be(target: str) -> None:
    with pytest.raises(UsageError, match="MODULE:ATTRIBUTE"):
        load_application(target)


@pytest.mark.parametrize("target", ["loader_none:app", "loader_none.sub:app", "json.loader_none:app"])
def test_no_such_module(project: Path, target: str) -> None:
    with pytest.raises(StartError, match=r"no module named '(json\.)?loader_none'"):
        load_application(target)


def test_no_such_attribute(project: Path) -> None:
    with pytest.raises(StartError, match=r"module 'json' has no attribute 'app\.x'"):
        load_application("json:app.x")


def test_not_callable(project: Path) -> None:
    with pytest.raises(StartError, match="json:__name__ is 'str', not an ASGI application"):
        load_application("json:__name__")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import loader_missing_dependency\n", "ModuleNotFoundError: No module named 'loader_missing_dependency'"),
        ("\n1 / 0\n", "ZeroDivisionError: division by zero"),
        ("def broken(:\n", "SyntaxError"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("from json import nothing_of_that_name\n", "ImportError"),
    ],
    ids=["dependency", "exception", "syntax", "exit", "name"],
)
def test_a_module_that_fails_says_why_and_where(project: Path, source: str, said: str) -> None:
    (project / "loader_fails.py").write_text(source)
    with pytest.raises(StartError) as caught:
        load_application("loader_fails:app")
    assert "importing 'loader_fails' failed" in caught.value.reason
    assert said in caught.value.reason


def test_where_it_failed(project: Path) -> None:
    (project / "loader_where.py").write_text("\n\n1 / 0\n")
    with pytest.raises(StartError, match=r"loader_where\.py:3"):
        load_application("loader_where:app")
