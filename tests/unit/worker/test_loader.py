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


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("\n\n1 / 0\n", "loader_where.py:3: 1 / 0"),
        ("import json\nSETTINGS = json.loads('{')\n", "loader_where.py:2: SETTINGS = json.loads('{')"),
        (
            "import os\n\n\ndef f():\n    return os.environ['NO_SUCH_VARIABLE']\n\n\nf()\n",
            "loader_where.py:5: return os.",
        ),
        ("\ndef broken(:\n", "loader_where.py:2: def broken(:"),
        ("import loader_helper\n", "loader_helper.py:1: raise ValueError('no')"),
        ("import loader_helper_syntax\n", "loader_helper_syntax.py:1: )"),
        ("import loader_missing_dependency\n", "loader_where.py:1: import loader_missing_dependency"),
        ("exec('1 / 0')\n", "loader_where.py:1: exec('1 / 0')"),
    ],
    ids=["here", "library", "function", "syntax", "helper", "helper-syntax", "dependency", "exec"],
)
def test_where_it_failed(project: Path, source: str, where: str) -> None:
    """The last line of the user's own, not of the library or the interpreter's machinery behind it."""
    (project / "loader_where.py").write_text(source)
    (project / "loader_helper.py").write_text("raise ValueError('no')\n")
    (project / "loader_helper_syntax.py").write_text(")\n")
    with pytest.raises(StartError) as caught:
        load_application("loader_where:app")
    assert f"({where}" in caught.value.reason
    assert "\n" not in caught.value.reason


def test_it_may_fail_where_no_user_ever_was(project: Path) -> None:
    library = project / "site-packages"
    library.mkdir()
    (library / "loader_library.py").write_text("1 / 0\n")
    sys.path.append(str(library))
    with pytest.raises(StartError, match=r"site-packages/loader_library\.py:1: 1 / 0\)"):
        load_application("loader_library:app")


def test_outside_the_current_directory_the_whole_path_is_told(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "loader_elsewhere.py").write_text("1 / 0\n")
    sys.path.append(str(elsewhere))
    with pytest.raises(StartError) as caught:
        load_application("loader_elsewhere:app")
    assert f"({elsewhere}/loader_elsewhere.py:1: 1 / 0)" in caught.value.reason


def test_a_reason_of_several_lines_is_one(project: Path) -> None:
    (project / "loader_lines.py").write_text("raise ValueError('one\\n  two\\n\\nthree')\n")
    with pytest.raises(StartError, match=r"ValueError: one two three \(loader_lines"):
        load_application("loader_lines:app")


# What is there, but is no ASGI application


@pytest.mark.parametrize(
    ("target", "written"),
    [
        ("./loader_file.py:app", "write loader_file:app"),
        ("loader_file.py:app", "write loader_file:app"),
        ("./loader_file:app", "write loader_file:app"),
        ("loader_pkg/sub.py:make.app", "write loader_pkg.sub:make.app"),
        ("./loader_file.py", "write MODULE:ATTRIBUTE, for example loader_file:app"),
        ("loader_pkg/__init__.py:app", "write loader_pkg:app"),
        ("../other/loader_file.py:app", "write loader_file:app, in the directory ../other"),
        ("/srv/site/loader_file.py:app", "write loader_file:app, in the directory /srv/site"),
    ],
)
def test_a_file_is_no_module(project: Path, target: str, written: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_application(target)
    assert caught.value.reason.endswith(written)


GOOD = """
import functools

async def function(scope, receive, send): ...
def returns_awaitable(scope, receive, send): ...
def any_arguments(*args): ...
def any_at_all(*args, **kwargs): ...
async def with_more(scope, receive, send, extra=None): ...
async def other_names(a, b, c): ...
class Instance:
    async def __call__(self, scope, receive, send): ...
    async def method(self, scope, receive, send): ...
instance = Instance()
method = instance.method
class Class:
    def __init__(self, scope, receive, send): ...
    def __await__(self): ...
partial = functools.partial(with_more, extra=1)
lambda_ = lambda scope, receive, send: None
def view(request): ...
@functools.wraps(view)
async def wrapped(scope, receive, send): ...
class Untold:
    __signature__ = "nonsense"
    def __call__(self, *args): ...
untold = Untold()
"""
GOOD_NAMES = (
    "function returns_awaitable any_arguments any_at_all with_more other_names instance method Class partial lambda_"
)


@pytest.mark.parametrize("name", [*GOOD_NAMES.split(), "wrapped", "untold"])
def test_what_may_be_an_application(project: Path, name: str) -> None:
    (project / "loader_good.py").write_text(GOOD)
    assert callable(load_application(f"loader_good:{name}"))


BAD = """
def wsgi(environ, start_response): ...
class Wsgi:
    def __call__(self, environ, start_response): ...
wsgi_instance = Wsgi()
def factory(): ...
async def async_factory(): ...
def factory_with_defaults(settings=None, debug=False, testing=False): ...
def factory_with_keywords(*, debug=False, **more): ...
class Class:
    async def __call__(self, scope, receive, send): ...
class Asgi2:
    def __init__(self, scope): ...
    async def __call__(self, receive, send): ...
def view(request): ...
async def two(receive, send): ...
async def four(scope, receive, send, extra): ...
def keywords(*, scope, receive, send): ...
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wsgi", "is a WSGI application: wrap it, for example app = a2wsgi.WSGIMiddleware(wsgi) (pip install a2wsgi)"),
        (
            "wsgi_instance",
            "is a WSGI application: wrap it, for example app = a2wsgi.WSGIMiddleware(wsgi_instance) (",
        ),
        ("factory", "is a factory: write app = factory() in loader_bad, and start loader_bad:app"),
        ("async_factory", "is a factory: write app = async_factory() in loader_bad, and start loader_bad:app"),
        ("factory_with_defaults", "is a factory: write app = factory_with_defaults() in loader_bad, and start "),
        ("factory_with_keywords", "is a factory: write app = factory_with_keywords() in loader_bad, and start "),
        ("Class", "is a class: write app = Class() in loader_bad, and start loader_bad:app"),
        ("Asgi2", "is not an ASGI application: it takes (scope), not (scope, receive, send)"),
        ("view", "is not an ASGI application: it takes (request), not (scope, receive, send)"),
        ("two", "is not an ASGI application: it takes (receive, send), not (scope, receive, send)"),
        ("four", "is not an ASGI application: it takes (scope, receive, send, extra), not (scope, receive, send)"),
        ("keywords", "is not an ASGI application: it takes (*, scope, receive, send), not (scope, receive, send)"),
    ],
)
def test_what_is_none_is_told_at_once(project: Path, name: str, said: str) -> None:
    (project / "loader_bad.py").write_text(BAD)
    with pytest.raises(StartError) as caught:
        load_application(f"loader_bad:{name}")
    assert caught.value.reason.startswith(f"loader_bad:{name} {said}")
    assert "\n" not in caught.value.reason


def test_frameworks(project: Path) -> None:
    pytest.importorskip("fastapi")
    (project / "loader_framework.py").write_text("import fastapi\napp = fastapi.FastAPI()\nApp = fastapi.FastAPI\n")
    assert callable(load_application("loader_framework:app"))
    with pytest.raises(StartError, match="is a class: write app = App"):
        load_application("loader_framework:App")
