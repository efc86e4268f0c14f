"""The commands: what each of them hands to whom."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from tests.support.signals import own_signals
from zerogate.cli import command
from zerogate.cli import commands as module
from zerogate.cli.commands import LONE, commands
from zerogate.cli.services import has_given_up
from zerogate.errors import UsageError
from zerogate.running import SIGNALS
from zerogate.settings import AttachSettings, FilesSettings, RouterSettings, RunSettings, WorkerSettings
from zerogate.signals import note_signals
from zerogate.supervisor.children import Child
from zerogate.supervisor.reload import Watch
from zerogate.worker.interface import WSGI
from zerogate.worker.loader import Found

__all__ = ["own_signals"]

pytestmark = pytest.mark.usefixtures("own_signals")


class Calls:
    """Instead of services and supervisors."""

    def __init__(self) -> None:
        self.settings: Any = None
        self.children: list[Child] = []
        self.greet: Callable[..., None] = lambda *_: None
        self.make: Callable[[], Any] = lambda: None
        self.options: dict[str, Any] = {}
        self.watch: Watch | None = None

    def run_service(self, make: Callable[[], Any], settings: Any, on_started: Any, **options: Any) -> None:
        self.make, self.settings, self.greet, self.options = make, settings, on_started, options

    def supervise(self, children: list[Child], settings: Any, on_started: Any, watch: Any = None) -> None:
        self.children, self.settings, self.greet, self.watch = children, settings, on_started, watch


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls()
    for name in [name for name in os.environ if name.startswith("ZEROGATE_")]:
        monkeypatch.delenv(name)
    for name in ("run_service", "supervise"):
        monkeypatch.setattr(module, name, getattr(made, name))
    return made


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    yield Path("/the/folder")


def call(*words: str) -> None:
    commands.main(list(words), prog_name="zerogate", standalone_mode=False)


def test_commands_come_in_the_order_in_which_one_meets_them() -> None:
    words = "router worker hello attach files run demo status check config keys"
    assert commands.list_commands(None) == words.split()  # type: ignore[arg-type]


@pytest.mark.parametrize("words", ["", "keys"])
def test_each_command_is_said_whole(words: str, capfd: pytest.CaptureFixture[str]) -> None:
    call(*words.split(), "--help")
    listed = capfd.readouterr().out.partition("Commands:")[2]
    assert listed
    assert "..." not in listed


def test_a_run_leaves_no_socket_of_systemd_without_an_owner(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    with pytest.raises(UsageError, match="takes no sockets from systemd"):
        call("run", "app:app")
    assert not calls.children


def test_a_router(calls: Calls, capfd: pytest.CaptureFixture[str]) -> None:
    call("router", "--name", "r", "--http", ":80", "--timeout", "7")
    assert calls.settings == RouterSettings(name="r", http=(":80",), timeout=7.0)
    calls.greet(None)
    assert capfd.readouterr().err.splitlines()[1:] == [
        "  http    http://localhost:80/ (every address)",
        "  workers tcp://127.0.0.1:8000",
        "  status  http://127.0.0.1:9001/status",
        "Workers may come and go: `zerogate hello worker-1` is one. Ctrl-C stops.",
    ]


def test_an_attached_server(calls: Calls, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(module, "make_attached", lambda *words: made.append(words))
    call("attach", "http://a:1", "--name", "w", "--route", "/x", "--health", "/up", "--", "node", "s.js", "--port", "1")
    assert calls.settings == AttachSettings(name="w", route=("/x",), health="/up")
    calls.make()
    assert made == [(calls.settings, "http://a:1", ("node", "s.js", "--port", "1"))]
    assert calls.options.pop("replaced") is has_given_up
    assert list(calls.options) == ["on_hangup"]
    calls.greet(None)
    assert capfd.readouterr().err.splitlines()[0].endswith(" worker w (http://a:1) dials tcp://127.0.0.1:8000")
    with pytest.raises(click.UsageError, match="no option --threads here"):
        call("attach", "http://a:1", "--threads", "1")
    with pytest.raises(UsageError, match="--processes 2 goes without a COMMAND"):
        call("attach", "http://a:1", "--processes", "2", "--", "node")
    assert not calls.children
    call("attach", "http://a:1", "--name", "w", "--processes", "2")
    assert [child.arguments for child in calls.children] == [["attach", "http://a:1"]] * 2
    calls.greet()
    assert " worker w-1 to -2 (http://a:1) dials " in capfd.readouterr().err


def test_static_files(calls: Calls, tmp_path: Path) -> None:
    call("files", str(tmp_path), "--name", "w", "--route", "/static", "--cache-control", "no-cache")
    made = {"name": "w", "route": ("/static",), "cache_control": "no-cache", "lifespan": "off"}
    assert calls.settings == FilesSettings(**made)  # type: ignore[arg-type]
    call("files", str(tmp_path), "--name", "w", "--processes", "2")
    assert [child.arguments for child in calls.children] == [["files", str(tmp_path)]] * 2


def test_a_worker(calls: Calls, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    reports: list[bytes] = []

    def load(*words: Any, **more: Any) -> Found:
        asked.append((*words, more))
        return Found(None, WSGI, "shop:make()")

    monkeypatch.setattr("zerogate.worker.loader.load_application", load)
    monkeypatch.setattr(module, "make_worker", lambda settings, found: None)
    monkeypatch.setattr(module, "report", reports.append)
    call("worker", "shop:make", "--name", "w", "--app-dir", "src", "--route", "shop", "--factory", "--threads", "7")
    assert calls.settings == WorkerSettings(name="w", app_dir="src", route=("shop",), factory=True, threads=7)
    calls.make()
    assert asked == [("shop:make", "src", {"interface": "auto", "factory": True})]
    assert reports == [b"found shop:make(), WSGI, 7 threads\n"]
    calls.greet(None)
    said = capfd.readouterr().err.splitlines()
    assert said[0].endswith("worker w (shop:make(), WSGI, 7 threads) dials tcp://127.0.0.1:8000")
    assert said[1:] == ["  serves  host shop (any path); for a path write /shop"]


def test_several_workers_are_supervised(calls: Calls, capfd: pytest.CaptureFixture[str]) -> None:
    call("hello", "w", "--processes", "2")
    assert [child.arguments for child in calls.children] == [["hello", "w-1"], ["hello", "w-2"]]
    calls.children[0].found = "hello, ASGI"
    calls.greet()
    assert "worker w-1 to -2 (hello, ASGI) dials" in capfd.readouterr().err


@pytest.mark.parametrize("words", ["--max-requests 9", "--max-memory 1G", "--processes 2"])
def test_one_whose_processes_are_replaced_has_a_supervisor(
    calls: Calls, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("worker", "shop:app", "--name", "w", *words.split())
    assert [child.may_roll for child in calls.children] == [True] * calls.settings.processes
    assert calls.watch is None
    # Which is not one more supervisor itself.
    calls.children.clear()
    monkeypatch.setattr(module, "report_pipe", lambda: 7)
    call("worker", "shop:app", "--name", "w", *words.split())
    assert not calls.children


def test_a_hangup_of_one_that_has_none_is_told(calls: Calls, caplog: pytest.LogCaptureFixture) -> None:
    call("worker", "shop:app", "--name", "w")
    calls.options["on_hangup"](None)
    assert "--max-requests and `zerogate run` have a supervisor" in caplog.text


def test_a_worker_that_is_reloaded(calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("watchfiles")
    monkeypatch.chdir(tmp_path)
    call("worker", "shop:app", "--reload", "--reload-grace", "3s")
    assert calls.watch is not None
    assert calls.watch.grace_s == 3.0
    with pytest.raises(UsageError, match="no such folder"):
        call("worker", "shop:app", "--reload", "--reload-dir", "nowhere")


@pytest.mark.parametrize(("words", "processes"), [("", 1), ("--processes 2", 2)])
def test_a_run_that_is_reloaded_has_one_worker_unless_told(
    calls: Calls, words: str, processes: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("watchfiles")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "temporary_folder", folder)
    call("run", "shop:app", "--reload", *words.split())
    router, *workers = calls.children
    assert len(workers) == processes
    assert not router.may_roll
    assert calls.watch is not None
    # Who is about to correct a slip of the pen must not find his pages gone.
    assert router.environment["ZEROGATE_HOLD"] == "24h"


def test_the_example_worker_has_its_own_application(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(module, "make_worker", lambda settings, found: made.append((settings.name, found.words)))
    call("hello", "w")
    calls.make()
    assert made == [("w", "hello, ASGI")]


@pytest.mark.parametrize("is_open", [False, True])
def test_a_router_and_workers_in_one_go(
    calls: Calls, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    monkeypatch.setattr(module, "temporary_folder", folder)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    bind = ["--bind", "tcp://127.0.0.1:1"] if is_open else []
    call("run", "shop:app", "--processes", "1", "--admin", "off", *bind)
    assert isinstance(calls.settings, RunSettings)
    router, worker = calls.children
    assert worker.environment["ZEROGATE_CONNECT"] == "ipc:///the/folder/link"
    assert router.environment["ZEROGATE_BIND"].split()[1:] == bind[1:]
    # At once, and when it is up.
    (starting,) = capfd.readouterr().err.splitlines()
    assert starting.endswith(" starts a router and 1 worker for shop:app")
    worker.found = "shop:app, ASGI"
    calls.greet()
    said = capfd.readouterr().err.splitlines()
    assert said[0].endswith("router and 1 worker (shop:app, ASGI)")
    assert said[2:-1] == (["  workers tcp://127.0.0.1:1"] if is_open else [])
    assert said[-1].startswith("More workers may come and go" if is_open else LONE)
    # A signal before the event loop runs is noted: it is for whoever heeds signals first. The second is not.
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    note_signals()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_unknown_variables_are_told_by_who_has_no_parent(
    calls: Calls, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEROGATE_QUEUE_TIMOUT", "1")
    call("router")
    assert "did you mean ZEROGATE_QUEUE_TIMEOUT?" in capfd.readouterr().err
    monkeypatch.setattr(command, "report_pipe", lambda: 7)
    call("router")
    assert capfd.readouterr().err == ""


def test_demo_and_status_hand_over_what_they_were_given(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    played: list[Any] = []

    class Demo:
        def __init__(self, settings: Any) -> None:
            played.append(settings)

        def play(self) -> None:
            played.append("played")

    monkeypatch.setattr("zerogate.status.show_status", lambda admin, token, as_json: shown.append((admin, as_json)))
    monkeypatch.setattr("zerogate.demo.Demo", Demo)
    call("status", "--admin", ":1", "--json")
    call("demo", "--once", "--http", ":2")
    assert shown == [(":1", True)]
    assert (played[0].http, played[0].once, played[1]) == (":2", True, "played")
