"""What a command says when it has started."""

import pytest

import zerogate
from zerogate.cli.greetings import addresses, greet, patience, served, statics, worker_names
from zerogate.settings import RouterSettings, RunSettings, WorkerSettings


def test_a_greeting_is_said_in_one_piece(capfd: pytest.CaptureFixture[str]) -> None:
    greet("router r", "  one", "two")
    assert capfd.readouterr().err == f"zerogate {zerogate.__version__} router r\n  one\ntwo\n"


def test_where_a_router_is() -> None:
    settings = RouterSettings(http=(":80", "[::1]:81"), bind=("ipc://link",), admin="127.0.0.1:9")
    assert addresses(settings) == [
        "  http    http://localhost:80/ (every address)",
        "  http    http://[::1]:81/",
        "  workers ipc://link",
        "  status  http://127.0.0.1:9/status",
    ]
    assert addresses(RouterSettings(http=(), bind=(), admin="off")) == []
    assert addresses(RouterSettings(http=("off",), bind=(), admin="off")) == []
    assert addresses(RouterSettings(http=("unix:/s",), bind=(), admin="off")) == ["  http    unix:/s"]


def test_folders_beside_the_application() -> None:
    assert statics(RunSettings(static=("/static=assets", "/m=a=b"))) == [
        "  static  /static from assets",
        "  static  /m from a=b",
    ]
    assert statics(RunSettings()) == []


UNDERSTOOD = {
    "*": "everything",
    "api": "host api (any path); for a path write /api",
    "/api": "path /api (of any host)",
    "example.org": "host example.org, any path",
    "example.org/shop": "host example.org, path /shop",
    "localhost/shop": "host localhost, path /shop",
    "*.example.org": "hosts below example.org, any path",
    "*.example.org/shop": "hosts below example.org, path /shop",
}


def test_how_routes_were_understood() -> None:
    lines = served(WorkerSettings(route=tuple(UNDERSTOOD)))
    assert lines == [f"  serves  {understood}" for understood in UNDERSTOOD.values()]


def test_who_serves_everything_need_not_say_so() -> None:
    assert served(WorkerSettings()) == []


def test_names_of_several_workers() -> None:
    assert worker_names(WorkerSettings(name="w")) == "w"
    assert worker_names(WorkerSettings(name="w", processes=3)) == "w-1 to -3"


def test_a_time_out_is_no_end_of_a_worker() -> None:
    assert patience(RunSettings()) == []
    assert patience(RunSettings(timeout=2.5)) == [
        "  timeout 504 for a request whose reply has not begun within 2.5 s; its worker lives on"
    ]
