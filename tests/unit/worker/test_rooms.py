"""The worker's rooms: who may know whom, read from the source."""

import ast
from functools import cache
from pathlib import Path

from tests.support.each import each

ROOM = Path(__file__).resolve().parents[3] / "src" / "zerogate" / "worker"

# Each may know those above it. What is said of one kind of application is below `host`, and nobody above knows of it.
RANKS = {
    rank: number
    for number, line in enumerate(
        (
            "errors capacity claims discovery identity joining printable remembered targets",
            "reply_block request_block pulse",
            "pulses",
            "router_link",
            "routers limits",
            "call",
            "tunnel",
            "host",
            "service asgi_types wsgi_types interface import_failure threads file_wrapper env_file small_files",
            "file_reply websocket_pings",
            "lifespan scope files hello asgi2 loader pathsend thread_call wsgi_input wsgi_reply websocket_frames",
            "websocket_handshake wsgi_environ",
            "websocket_connection wsgi",
            "websocket",
            "asgi",
            "hosts",
        )
    )
    for rank in line.split()
}
KNOW_NO_ASGI = {module for module, rank in RANKS.items() if rank <= RANKS["host"]} | {"service"}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text())


@cache
def modules() -> dict[str, Path]:
    return {path.stem: path for path in ROOM.glob("*.py") if path.stem != "__init__"}


@cache
def neighbours(module: str) -> set[str]:
    """Which modules of the worker it imports, wherever in the source, also for type checking only."""
    tree = tree_of(module)
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    prefix = "zerogate.worker."
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def test_every_room_has_a_place() -> None:
    assert set(modules()) == set(RANKS)


@each("module", RANKS)
def test_there_are_no_circles(module: str) -> None:
    assert {name for name in neighbours(module) if RANKS[name] >= RANKS[module]} == set()


@each("module", sorted(KNOW_NO_ASGI))
def test_most_know_nothing_of_asgi(module: str) -> None:
    assert not {name for name in neighbours(module) if name not in KNOW_NO_ASGI}
    code = ast.unparse(tree_of(module))
    assert "http.request" not in code
    assert "http.response" not in code


@each("module", RANKS)
def test_nobody_touches_the_root_logger(module: str) -> None:
    """Its level and handlers are the application's own."""
    calls = [node for node in ast.walk(tree_of(module)) if isinstance(node, ast.Call)]
    of_logging = [
        (node.func.attr, [ast.unparse(argument) for argument in node.args])
        for node in calls
        if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "logging"
    ]
    assert of_logging in ([], [("getLogger", ["'zerogate.worker'"])])
