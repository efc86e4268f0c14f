"""Finding the application, and saying what is wrong with it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.each import each
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
    assert load_application("loader_one:app").application.__name__ == "app"


def test_a_slip_of_the_pen(project: Path) -> None:
    (project / "loader_slip.py").write_text("class shop:\n    async def app(scope, receive, send): ...\n")
    with pytest.raises(StartError, match=r"has no attribute 'shop.ap': did you mean app\?$"):
        load_application("loader_slip:shop.ap")
    with pytest.raises(StartError, match=r"has no attribute 'x'$"):
        load_application("loader_slip:x")


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
    assert load_application("loader_two:app", "named").target == "loader_two:app"
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
    assert callable(load_application("loader_pkg.sub:holder.app").application)


@each("target", ["", ":", "module:", ":app", "()", "module()", "module:()"])
def test_not_written_as_it_should_be(target: str) -> None:
    with pytest.raises(UsageError, match="MODULE:ATTRIBUTE"):
        load_application(target)


@pytest.mark.parametrize("target", ["loader_none:app", "loader_none.sub:app", "json.loader_none:app"])
def test_no_such_module(project: Path, target: str) -> None:
    with pytest.raises(StartError, match=r"no module named '(json\.)?loader_none'"):
        load_application(target)


def test_a_dot_that_should_have_been_a_colon(project: Path) -> None:
    (project / "loader_dotted.py").write_text(f"{APP}\n")
    with pytest.raises(StartError, match=r"or installed: write loader_dotted:app$"):
        load_application("loader_dotted.app")
    with pytest.raises(StartError, match=r"or installed$"):
        load_application("loader_dotted.other")


def test_no_such_attribute(project: Path) -> None:
    with pytest.raises(StartError, match=r"module 'json' has no attribute 'app\.x'"):
        load_application("json:app.x")


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


# What is there, but is no application


@pytest.mark.parametrize(
    ("target", "written"),
    [
        ("./loader_file.py:app", "write loader_file:app"),
        ("loader_file.py:app", "write loader_file:app"),
        ("./loader_file:app", "write loader_file:app"),
        ("loader_pkg/sub.py:make.app", "write loader_pkg.sub:make.app"),
        ("./loader_file.py", "write loader_file"),
        ("loader_pkg/__init__.py:app", "write loader_pkg:app"),
        ("../other/loader_file.py:app", "write loader_file:app, in the directory ../other"),
        ("/srv/site/loader_file.py:app", "write loader_file:app, in the directory /srv/site"),
    ],
)
def test_a_file_is_no_module(project: Path, target: str, written: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_application(target)
    assert caught.value.reason.endswith(written)


BAD = """
def factory(): ...
async def async_factory(): ...
def factory_with_defaults(settings=None, debug=False, testing=False): ...
class Class:
    async def __call__(self, scope, receive, send): ...
class Named:
    def __init__(self, name): ...
    def __call__(self, environ, start_response): ...
def view(request): ...
async def two(receive, send): ...
def keywords(*, scope, receive, send): ...
def any_arguments(*args): ...
class Untold:
    __signature__ = "nonsense"
    def __call__(self, *args): ...
untold = Untold()
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("factory", "is a factory: add --factory"),
        ("async_factory", "is an async function: name what it returns"),
        ("factory_with_defaults", "is a factory: add --factory"),
        ("Class", "is a class: write app = Class() and name that, or add --factory"),
        ("Named", "is a class: make one of it, app = Named(...), and name that"),
        ("view", "is no application: it takes (request), not (scope, receive, send) as ASGI or (environ, start_resp"),
        ("two", "is no application: it takes (receive, send), not "),
        ("keywords", "is no application: it takes (*, scope, receive, send), not "),
        ("any_arguments", "does not tell how it is called: say --interface asgi3 or --interface wsgi"),
        ("untold", "does not tell how it is called: say --interface asgi3 or --interface wsgi"),
        ("__name__", "is 'str', not an application"),
    ],
)
def test_what_is_none_is_told_at_once(project: Path, name: str, said: str) -> None:
    (project / "loader_bad.py").write_text(BAD)
    with pytest.raises(StartError) as caught:
        load_application(f"loader_bad:{name}")
    assert caught.value.reason.startswith(f"loader_bad:{name} {said}")
    assert "\n" not in caught.value.reason


def test_who_says_so_is_believed(project: Path) -> None:
    (project / "loader_bad.py").write_text(BAD)
    for interface in ("asgi3", "asgi2", "wsgi"):
        assert load_application("loader_bad:any_arguments", interface=interface).interface == interface
    with pytest.raises(StartError, match="is 'str', not an application"):
        load_application("loader_bad:__name__", interface="wsgi")


@pytest.mark.parametrize("interface", ["asgi3", "wsgi"])
def test_who_says_what_cannot_be_is_told_at_once(project: Path, interface: str) -> None:
    """Not with each request, in a traceback."""
    (project / "loader_bad.py").write_text(BAD)
    with pytest.raises(StartError, match=rf"takes \(request\), which is not how --interface {interface} calls it"):
        load_application("loader_bad:view", interface=interface)


# A module alone


APP = "async def app(scope, receive, send): ..."
APPLICATION = "def application(environ, start_response): ..."
CREATE = "def create_app(name='x'):\n    def made(environ, start_response): ...\n    return made"
MAKE = "def make_app():\n    async def made(scope, receive, send): ...\n    return made"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([APP, APPLICATION, CREATE], "loader_alone:app, ASGI"),
        ([APPLICATION, CREATE, MAKE], "loader_alone:application, WSGI"),
        ([MAKE, CREATE], "loader_alone:create_app(), WSGI"),
        ([MAKE], "loader_alone:make_app(), ASGI"),
        (["import json as app", APPLICATION], "loader_alone:application, WSGI"),
        (["app = None", "application = 7", MAKE], "loader_alone:make_app(), ASGI"),
    ],
)
def test_a_module_alone_is_searched(project: Path, parts: list[str], words: str) -> None:
    (project / "loader_alone.py").write_text("\n".join(parts) + "\n")
    assert load_application("loader_alone").words == words


def test_a_module_alone_with_a_factory(project: Path) -> None:
    (project / "loader_alone.py").write_text(f"{APP}\n{MAKE}\n")
    assert load_application("loader_alone", factory=True).words == "loader_alone:make_app(), ASGI"


def test_a_module_alone_without_any(project: Path) -> None:
    (project / "loader_alone.py").touch()
    with pytest.raises(StartError) as caught:
        load_application("loader_alone")
    assert caught.value.reason == (
        "module 'loader_alone' has none of app, application, create_app() and make_app(): write loader_alone:ATTRIBUTE"
    )
    with pytest.raises(StartError, match=r"has none of create_app\(\) and make_app\(\): write"):
        load_application("loader_alone", factory=True)


def test_a_project_of_django_s_is_told_of_its_wsgi(project: Path) -> None:
    (project / "loader_site").mkdir()
    for name in ("__init__", "wsgi"):
        (project / "loader_site" / f"{name}.py").touch()
    with pytest.raises(StartError, match=r"and make_app\(\): write loader_site\.wsgi$"):
        load_application("loader_site")


# Factories


FACTORIES = """
def good(name="x"):
    async def made(scope, receive, send): ...
    return made
class Class:
    def __call__(self, environ, start_response): ...
def needs(config, debug=False) -> None: ...
def fails():
    raise ValueError("no")
def leaves():
    raise SystemExit(3)
async def waits(): ...
def nothing(): ...
def untold(): ...
untold.__signature__ = "nonsense"
number = 7
"""


@pytest.mark.parametrize(("name", "interface"), [("good", "asgi3"), ("Class", "wsgi")])
def test_a_factory_is_called(project: Path, name: str, interface: str) -> None:
    (project / "loader_made.py").write_text(FACTORIES)
    for found in (
        load_application(f"loader_made:{name}()"),
        load_application(f"loader_made:{name}", factory=True),
    ):
        assert (found.interface, found.target) == (interface, f"loader_made:{name}()")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("needs", " takes (config, debug=False): a factory is called without anything to make the application"),
        ("fails", "() failed: ValueError: no (loader_made.py:9: raise ValueError("),
        ("leaves", "() failed: SystemExit: 3 (loader_made.py:11: "),
        ("waits", " is async: a factory is called before there is anything to await, and returns at once"),
        ("nothing", "() is 'NoneType', not an application"),
        ("untold", "() is 'NoneType', not an application"),
        ("number", " is 'int': no factory, which is called to make the application"),
    ],
)
def test_a_factory_that_makes_none(project: Path, name: str, said: str) -> None:
    (project / "loader_made.py").write_text(FACTORIES)
    with pytest.raises(StartError) as caught:
        load_application(f"loader_made:{name}()")
    assert caught.value.reason.startswith(f"loader_made:{name}{said}")
    assert "\n" not in caught.value.reason


def test_frameworks(project: Path) -> None:
    for name in ("fastapi", "flask", "bottle"):
        pytest.importorskip(name)
    (project / "loader_framework.py").write_text(
        """
import bottle, fastapi, flask
from werkzeug.middleware.proxy_fix import ProxyFix
fast, flask_, bottle_ = fastapi.FastAPI(), flask.Flask(__name__), bottle.Bottle()
fixed = ProxyFix(flask_)
Fast, Flask = fastapi.FastAPI, flask.Flask
"""
    )
    for interface, names in {"asgi3": "fast", "wsgi": "flask_ bottle_ fixed"}.items():
        for name in names.split():
            assert load_application(f"loader_framework:{name}").interface == interface, name
    for name in ("Fast", "Flask"):
        with pytest.raises(StartError, match="is a class: "):
            load_application(f"loader_framework:{name}")
