"""Who may import whom (docs/rooms.md), read from the source: nothing is imported here."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.each import each

SRC = Path(__file__).resolve().parents[2] / "src"

# Who imports only from lower ranks, or from its own part. `router` and `worker` have one rank, so they never meet.
RANKS = {
    "errors": 0,
    "condition": 0,
    "lazy": 0,
    "native": 0,
    "version": 0,
    "settings": 1,
    "collector": 0,
    "table": 0,
    "notify": 1,
    "process": 1,
    "stamps": 0,
    "runtime": 1,
    "transports": 1,
    "wire": 2,
    "keys": 3,
    "link": 3,
    "router": 4,
    "worker": 4,
}
TOP_RANK = 5
TOP = {
    "",
    "__main__",
    "check",
    "check_port",
    "child",
    "cli",
    "console",
    "demo",
    "folders",
    "hangups",
    "library",
    "logs",
    "options",
    "pytest_plugin",
    "runner",
    "running",
    "self_signed",
    "signals",
    "stalls",
    "status",
    "supervisor",
    "testing",
    "waiting",
}

# What has a clock, a socket, chance or a log is no business of a protocol.
NOT_IN_WIRE = {"asyncio", "concurrent", "logging", "multiprocessing", "random", "secrets", "select", "selectors"}
NOT_IN_WIRE |= {"signal", "socket", "ssl", "subprocess", "threading", "time", "datetime", "uvloop"}

# Who may use what is installed with the package.
DEPENDENCIES = {
    "click": {"cli"},
    "cryptography": {"self_signed"},
    "dotenv": {"worker"},
    "ifaddr": {"link"},
    "httptools": {"wire"},
    "idna": {"wire"},
    "nacl": {"wire"},
    "pytest": {"pytest_plugin"},
    "starlette": {"worker"},
    "uvloop": {"runner"},
    "watchfiles": {"supervisor"},
    "websockets": {"worker"},
    "zeroconf": {"link"},
}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted((SRC / "zerogate").rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def part_of(module: str) -> str:
    """The layer's part: `wire` of `zerogate.wire.spdy.frames`, "" of `zerogate` itself."""
    return (module.split(".") + [""])[1]


def rank_of(module: str) -> int:
    return RANKS.get(part_of(module), TOP_RANK)


def imports(source: str, package: str = "zerogate") -> Iterator[str]:
    """The dotted names that a source imports, wherever it does, also for type checking only."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, base] if base else parent)
            for alias in node.names:
                # `from zerogate.router import pool` is about the file, not about the folder.
                yield full if (full := f"{base}.{alias.name}") in MODULES else base


@cache
def imports_of(module: str) -> set[str]:
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return set(imports(path.read_text(), package))


def own(module: str) -> set[str]:
    return {name for name in imports_of(module) if name.split(".")[0] == "zerogate"}


def foreign(module: str) -> set[str]:
    return {name.split(".")[0] for name in imports_of(module)} - {"zerogate"}


def test_the_walk_sees_every_kind_of_import() -> None:
    source = """
import a.b
import zerogate.wire.fields as fields
from c import d
from zerogate.router import pool
if TYPE_CHECKING:
    from zerogate.worker.asgi import AsgiCall
def late():
    import e
    from . import errors
    from .wire import fields
"""
    assert set(imports(source)) == {
        *("a.b", "c", "e", "zerogate.errors", "zerogate.router.pool", "zerogate.wire.fields", "zerogate.worker.asgi"),
    }


def test_every_part_has_a_place() -> None:
    parts = {part_of(module) for module in MODULES}
    assert parts == set(RANKS) | TOP


def test_imports_point_downward() -> None:
    upward = {
        (module, name)
        for module in MODULES
        for name in own(module)
        if part_of(name) != part_of(module) and rank_of(name) >= rank_of(module) and rank_of(module) < TOP_RANK
    }
    assert not upward


FOLDERS = sorted(module for module, path in MODULES.items() if path.name == "__init__.py")


def entry(module: str, folder: str) -> str:
    """The file or folder of `folder` that a module below it is, or is in; the folder's own `__init__` is `""`."""
    return module.removeprefix(folder).lstrip(".").partition(".")[0]


def graph(folder: str) -> dict[str, set[str]]:
    """Whom each file or folder of a folder imports there: what is in a folder counts as the folder's."""
    found: dict[str, set[str]] = {}
    for module in MODULES:
        if f"{module}.".startswith(f"{folder}."):
            inside = {entry(name, folder) for name in own(module) if f"{name}.".startswith(f"{folder}.")}
            found.setdefault(entry(module, folder), set()).update(inside)
    return {name: names - {name} for name, names in found.items()}


@each("folder", FOLDERS)
def test_no_circles(folder: str) -> None:
    """Of each folder, files and folders in a row, each importing only from those before: so no two files do either."""
    order = graph(folder)
    assert set(order) - {""}
    try:
        TopologicalSorter(order).prepare()
    except CycleError as error:
        pytest.fail(f"{folder}: a circle of imports: {' <- '.join(error.args[1])}")


def test_what_is_compiled_needs_nothing() -> None:
    assert not own("zerogate.native")
    for path in (SRC / "zerogate" / "native").glob("*.pyx"):
        named = re.findall(r"^\s*(?:from|c?import)\s+(zerogate[\w.]*)", path.read_text(), re.MULTILINE)
        assert {name for name in named if not name.startswith("zerogate.native")} == set(), path


def test_the_whole_package_is_one_graph() -> None:
    assert {"errors", "link", "settings", "wire"} <= graph("zerogate")["router"]
    assert {"clients", "exchange"} <= graph("zerogate.router")["service"]


def test_errors_need_nothing() -> None:
    assert not imports_of("zerogate.errors")
    for module in MODULES:
        if part_of(module) == "settings":
            assert {part_of(name) for name in own(module)} <= {"", "errors", "settings"}, module


@each("module", [module for module in MODULES if part_of(module) == "wire"])
def test_the_wire_knows_no_sockets_and_no_clock(module: str) -> None:
    assert not foreign(module) & NOT_IN_WIRE
    assert part_of(module) == "wire"
    assert {part_of(name) for name in own(module)} <= {"", "errors", "native", "wire"}


# What a protocol may use besides itself.
ALLOWED = {
    "zmtp": {"zerogate.errors", "zerogate.native", "zerogate.wire.fields", "zerogate.wire.pieces"},
    "spdy": {"zerogate.errors", "zerogate.native", "zerogate.wire.fields", "zerogate.wire.pieces"},
    "http": {"zerogate.errors", "zerogate.native", "zerogate.wire.fields"},
    "http1": {"zerogate.errors", "zerogate.native", "zerogate.wire.fields", "zerogate.wire.http"},
}


@each("protocol", ALLOWED)
def test_each_protocol_stands_alone(protocol: str) -> None:
    inside = f"zerogate.wire.{protocol}"
    allowed = {inside, *ALLOWED[protocol]}
    mine = [module for module in MODULES if f"{module}.".startswith(f"{inside}.")]
    assert len(mine) > 2
    for module in mine:
        others = own(module) - {"zerogate.wire"}
        assert {name for name in others if not any(f"{name}.".startswith(f"{room}.") for room in allowed)} == set()


def test_few_files_know_how_http1_is_framed() -> None:
    framing = {
        module for module in MODULES if any(f"{name}.".startswith("zerogate.wire.http1.") for name in own(module))
    }
    # Those of clients, and those of servers that are attached.
    assert {module for module in framing if part_of(module) != "wire"} == {
        "zerogate.router.clients.http1",
        "zerogate.router.clients.http1_clients",
        "zerogate.router.clients.replies",
        "zerogate.worker.attach.connection",
        "zerogate.worker.attach.exchange",
        "zerogate.worker.attach.health",
    }


def test_router_and_worker_never_meet() -> None:
    for one, other in (("router", "worker"), ("worker", "router")):
        for module in MODULES:
            if part_of(module) == one:
                assert not {name for name in own(module) if part_of(name) == other}, module


def test_nothing_else_is_needed() -> None:
    outside = {(module, name) for module in MODULES for name in foreign(module) - set(sys.stdlib_module_names)}
    assert {(module, name) for module, name in outside if part_of(module) not in DEPENDENCIES.get(name, set())} == set()


def test_zmq_is_nowhere() -> None:
    assert len(MODULES) > 50
    assert not [module for module in MODULES if {"zmq", "pyzmq"} & foreign(module)]
