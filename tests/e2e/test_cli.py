"""The command line as its user meets it: help, settings, errors in one line, exit codes, status."""

import contextlib
import dataclasses
import os
import re
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import clean_environment, folder, run_command, said_by
from tests.support.processes import Process, Site, free_port, wait_for
from zerogate.cli.commands import NOT_FOR_HELLO, commands
from zerogate.cli.options import SettingOption, make_settings
from zerogate.errors import UsageError
from zerogate.settings import DemoSettings, RouterSettings, RunSettings, StatusSettings, WorkerSettings
from zerogate.settings.cores import n_cores
from zerogate.settings.kinds import Choice, Flag, Kind, Number, Texts
from zerogate.settings.option import flag_name, heading, noun_of, options_of

__all__ = ["folder"]

SETTINGS = {
    "router": RouterSettings,
    "worker": WorkerSettings,
    "hello": WorkerSettings,
    "run": RunSettings,
    "demo": DemoSettings,
    "status": StatusSettings,
}
# What a command decides by itself.
NOT_SET = {"hello": set(NOT_FOR_HELLO), "run": {"name", "connect"}}


# Help


@pytest.mark.parametrize("command", [[], ["router"], ["worker"], ["hello"], ["run"], ["demo"], ["status"]])
def test_help_fits_a_terminal(command: list[str]) -> None:
    result = run_command(*command, "--help", env={"COLUMNS": "80"})
    assert result.returncode == 0
    assert result.stderr == ""
    assert result.stdout.startswith("Usage: zerogate")
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_without_a_command_it_helps() -> None:
    result = run_command()
    assert result.returncode == 2
    for name in commands.commands:
        assert f"  {name} " in result.stderr


@pytest.mark.parametrize("command", SETTINGS)
def test_each_setting_is_in_the_help_with_its_default(command: str) -> None:
    shown = run_command(command, "--help").stdout
    text = unwrapped(shown)
    for field, option in options_of(SETTINGS[command]):
        if field.name in NOT_SET.get(command, set()) or option.is_hidden:
            assert f"{flag_name(field.name)} " not in text
            continue
        assert f"{flag_name(field.name)} {option.kind.metavar()}".rstrip() in text
        assert unwrapped(option.help) in text
        assert f"\n{heading(noun_of(SETTINGS[command], field.name))}:\n" in shown
    assert "default: ()" not in text


def unwrapped(text: str) -> str:
    """Whatever width it was broken to: at blanks, and behind hyphens."""
    return re.sub(r"-\s+", "-", " ".join(text.split()))


def test_the_help_tells_defaults_ranges_and_what_0_means() -> None:
    text = " ".join(run_command("router", "--help").stdout.split())
    for notes in (
        "[default: 60s; 0: no limit]",
        "[default: 16M; 64k to 2147483647]",
        "[default: 2; at most 100; 0: never]",
        "[default: off; 0: no limit]",
        "[default: tcp://127.0.0.1:8000]",
        "[default: HOST-PID]",
    ):
        assert notes in text


def test_run_tells_its_own_default_of_processes() -> None:
    assert "[default: auto, the number of cores" in " ".join(run_command("run", "--help").stdout.split())
    assert "[default: 1;" in " ".join(run_command("worker", "--help").stdout.split())
    assert make_settings(RunSettings, {}).processes == n_cores()


def test_the_version_is_told() -> None:
    assert re.fullmatch(
        r"zerogate, version \d+\.\d+\.\d+ \((native|pure Python: .+)\)\n", run_command("--version").stdout
    )
    off = run_command("--version", env={"ZEROGATE_NATIVE": "0"}).stdout
    assert off.endswith("(pure Python: ZEROGATE_NATIVE=0)\n")


# Settings


def sample(kind: Kind) -> tuple[list[str], Any]:
    """Words that set an option to something else than its default, and what it is then."""
    match kind:
        case Choice(words):
            return [words[-1]], words[-1]
        case Texts():
            texts = next(texts for texts in SAMPLES if accepts(kind, texts))
            return list(texts), texts
        case Flag():
            return [], True
        case Number():
            return [kind.show(kind.high)], kind.high
        case _:
            text = next(texts[0] for texts in SAMPLES if accepts(kind, texts[0]))
            return [text], text


# Any text, addresses, endpoints, paths; and what else there is.
SAMPLES = (("one", "two and"), ("a:1", "unix:/two and"), ("ipc:///one", "ipc:///two and"), ("a:1",), ("/one",))


def accepts(kind: Kind, value: Any) -> bool:
    try:
        kind.check(value)
    except UsageError:
        return False
    return True


def options() -> Iterator[Any]:
    for command in SETTINGS:
        for parameter in commands.commands[command].params:
            if isinstance(parameter, SettingOption) and parameter.kind is SETTINGS[command]:
                yield pytest.param(command, parameter, id=f"{command} {parameter.opts[0]}")


@pytest.mark.parametrize(("command", "option"), list(options()))
def test_each_option_is_a_setting_and_an_environment_variable(
    command: str, option: SettingOption, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in clean_environment().keys() ^ os.environ.keys():
        monkeypatch.delenv(name)
    arguments = [] if command in ("router", "demo", "status") else ["name"]
    name, *_ = option.opts
    assert option.setting in {field.name for field in dataclasses.fields(SETTINGS[command])}
    variable = "ZEROGATE_" + name.removeprefix("--").replace("-", "_").upper()
    assert option.envvar == [variable, *filter(None, [option.option.variable])]
    words, expected = sample(option.option.kind)
    given = [part for word in words for part in (name, word)] or [name]
    by_option = commands.commands[command].make_context(command, [*given, *arguments])
    monkeypatch.setenv(variable, shlex.join(words) or "1")
    by_environment = commands.commands[command].make_context(command, [*arguments])
    for context in (by_option, by_environment):
        assert context.params[option.setting] == expected


def test_the_command_line_wins_over_the_environment(site: Site) -> None:
    port = free_port()
    environment = {"ZEROGATE_HTTP": f"127.0.0.1:{port}", "ZEROGATE_ACCESS_LOG": "off"}
    router = site.router(env=environment)
    site.hello("worker-1")
    assert site.get()[0] == 200
    assert "GET /" not in router.output()
    assert f":{port}" not in router.output()


def test_everything_can_come_from_the_environment(site: Site) -> None:
    environment = {
        "ZEROGATE_HTTP": f"127.0.0.1:{site.http_port}",
        "ZEROGATE_BIND": site.endpoint,
        "ZEROGATE_CONNECT": site.endpoint,
        "ZEROGATE_ADMIN": f"127.0.0.1:{site.admin_port}",
        "ZEROGATE_ROUTE": "/one /two",
        "ZEROGATE_WEIGHT": "200",
        "ZEROGATE_CONCURRENCY": "3",
    }
    site.start("router", env=environment).wait_output("Ctrl-C stops")
    site.start("hello", "worker-1", env=environment).wait_output("joined router")
    assert site.get("/two/x")[2] == b"Hello from worker-1\n"
    (worker,) = site.status()["workers"]
    assert (worker["routes"], worker["weight"], worker["capacity"]) == (["/one", "/two"], 200, 3)
    shown = run_command("status", env=environment)
    assert "/one, /two" in shown.stdout


# Errors: one line that says what to do


def assert_one_line(result: Any, code: int, *words: str) -> None:
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    lines = said_by(result)
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("zerogate")
    for word in words:
        assert word in lines[0]


WRONG_USAGE: dict[str, tuple[Any, ...]] = {
    "a typo in a command": (["ruoter"], "ruoter"),
    "a typo in an option": (["router", "--htttp", "x"], "--htttp", "--http"),
    "an option without its value": (["router", "--http"], "--http"),
    "a word too many": (["router", "x"], "x"),
    "no application": (["worker"], "APP"),
    "no name": (["hello"], "NAME"),
    "a bad duration": (["router", "--timeout", "3 weeks"], "--timeout", "--timeout 3 weeks", "ms, s, m or h"),
    "a negative duration": (["router", "--timeout", "-1"], "--timeout"),
    "a bad size": (["router", "--max-body", "1T"], "--max-body 1T", "k, M or G"),
    "a bad number": (["hello", "w", "--concurrency", "many"], "--concurrency many"),
    "a bad choice": (["router", "--log-level", "loud"], "--log-level", "warning"),
    "a bad address": (["router", "--http", "nonsense"], "--http nonsense:", "HOST:PORT"),
    "a port that is none": (["router", "--http", "127.0.0.1:70000"], "127.0.0.1:70000"),
    "an IPv6 address without brackets": (["router", "--http", "::1:80"], "[::1]:80"),
    "a bad endpoint to bind": (["router", "--bind", "127.0.0.1:80"], "tcp://HOST:PORT"),
    "a bad endpoint to dial": (["hello", "w", "--connect", "udp://127.0.0.1:80"], "tcp://HOST:PORT"),
    "a link port for the world": (["router", "--bind", "tcp://0.0.0.0:0"], "--insecure"),
    "a bad network": (["router", "--trust", "example.org"], "--trust", "example.org"),
    "a bad route": (["hello", "w", "--route", "a b"], "'a b'", "host/prefix"),
    "a bad name": (["hello", "a worker"], "'a worker'", "A-Z"),
    "a bad weight": (["hello", "w", "--weight", "1001"], "--weight 1001: at most 1000"),
    "no processes": (["hello", "w", "--processes", "0"], "--processes 0: at least 1"),
    "too small a window": (["router", "--session-window", "1k"], "--session-window 1k: at least 64k"),
    "no time at all": (["hello", "w", "--suspect-after", "0"], "--suspect-after 0: at least 50ms"),
    "one time that is longer than another": (["router", "--lost-after", "2s"], "--lost-after 2s", "--suspect-after"),
    "an application that is not written so": (["worker", "good:"], "MODULE:ATTRIBUTE"),
    "a bad address for status": (["status", "--admin", "9001"], "HOST:PORT"),
    "a bad endpoint for the demo": (["demo", "--bind", "8000"], "tcp://HOST:PORT"),
    "a bad route for run": (["run", "good:app", "--route", "a b"], "'a b'", "host/prefix"),
    "no processes for run": (["run", "good:app", "--processes", "0"], "--processes"),
    "a bad address for run": (["run", "good:app", "--http", "nonsense"], "--http nonsense:", "HOST:PORT"),
}


@pytest.mark.parametrize("name", WRONG_USAGE)
def test_wrong_usage_is_one_line_and_exit_code_2(name: str, folder: Path) -> None:
    arguments, *words = WRONG_USAGE[name]
    ports = {f"ZEROGATE_{kind}": f"127.0.0.1:{free_port()}" for kind in ("HTTP", "ADMIN")}
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    environment = {**ports, "ZEROGATE_BIND": endpoint, "ZEROGATE_CONNECT": endpoint}
    assert_one_line(run_command(*arguments, cwd=folder, env=environment), 2, *words)


RUN = ("--processes", "1", "--admin", "off")


@pytest.mark.parametrize("kind", ["http", "bind", "admin"])
@pytest.mark.parametrize("command", [["router"], ["run", "good:app"]], ids=["router", "run"])
def test_a_port_that_is_taken(kind: str, command: list[str], folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        ports = {name: taken if name == kind else free_port() for name in ("http", "bind", "admin")}
        result = run_command(
            *command,
            *("--http", f"127.0.0.1:{ports['http']}"),
            *("--bind", f"tcp://127.0.0.1:{ports['bind']}"),
            *("--admin", f"127.0.0.1:{ports['admin']}"),
            cwd=folder,
        )
    assert_one_line(result, 1, f"--{kind}", f"127.0.0.1:{taken}", f"(process {os.getpid()})")


def test_a_port_that_a_run_has_is_taken_by_that_command(site: Site, folder: Path) -> None:
    """Not by one of its processes: it is the command that one would stop."""
    running = site.start("run", "good:app", *RUN, "--http", f"127.0.0.1:{site.http_port}", cwd=folder)
    running.wait_output("Ctrl-C stops")
    result = run_command("run", "good:app", *RUN, "--http", f"127.0.0.1:{site.http_port}", cwd=folder)
    assert_one_line(result, 1, f"127.0.0.1:{site.http_port} is taken by the router", f"(process {running.pid})")


def test_a_run_that_is_replaced_says_what_matters(site: Site, folder: Path) -> None:
    command = ["run", "good:app", *RUN, "--http", f"127.0.0.1:{site.http_port}"]
    old = site.start(*command, cwd=folder)
    old.wait_output("Ctrl-C stops")
    new = site.start(*command, "--replace", cwd=folder)
    new.wait_output("Ctrl-C stops")
    assert old.popen.wait(30) == 0
    assert f"(process {old.pid})" in new.output()
    assert "the router was replaced" in old.output()
    for process in (old, new):
        assert "dialling on" not in process.output()


def test_help_has_no_section_for_what_has_no_words() -> None:
    shown = run_command("run", "--help").stdout
    assert shown.startswith("Usage: zerogate run [OPTIONS] APP\n")
    assert shown.rpartition("\nHelp:\n")[2].split() == ["-h,", "--help", "Show", "this", "message", "and", "exit."]


CANNOT_START = {
    "no such module": ("nowhere:app", "no module named 'nowhere'"),
    "no such package": ("nowhere.at.all:app", "no module named 'nowhere'"),
    "no such attribute": ("good:ap", "'good'", "'ap'"),
    "not an application": ("good:number", "good:number", "'int'"),
    "an import that raises": ("raising:app", "ZeroDivisionError", "raising.py:1"),
    "an import of what is not there": ("missing:app", "a_module_that_is_not_there", "missing.py:1"),
    "a syntax error": ("unreadable:app", "SyntaxError", "unreadable.py"),
    "an import that leaves": ("leaving:app", "leaving"),
}


@pytest.mark.parametrize("name", CANNOT_START)
@pytest.mark.parametrize("command", ["worker", "run"])
def test_an_application_that_cannot_be_loaded(command: str, name: str, folder: Path) -> None:
    app, *words = CANNOT_START[name]
    options = ["--http", "127.0.0.1:0", "--bind", "tcp://127.0.0.1:0", "--admin", "off"] if command == "run" else []
    assert_one_line(run_command(command, app, *options, cwd=folder), 1, *words)


def test_a_ctrl_c_amid_our_own_imports_needs_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    result = run_command("--version", env={"PYTHONPATH": str(tmp_path)})
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "")


def test_several_processes_that_cannot_start_say_so_once(folder: Path) -> None:
    result = run_command("worker", "raising:app", "--processes", "3", cwd=folder)
    assert_one_line(result, 1, "ZeroDivisionError")


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    ports = ("--http", "127.0.0.1:0", "--bind", "tcp://127.0.0.1:0", "--admin", "off")
    result = run_command("router", *ports, "--access-log", str(tmp_path / "no" / "such" / "log"))
    assert_one_line(result, 1, "--access-log", "no/such/log")


def test_status_when_nobody_answers() -> None:
    port = free_port()
    assert_one_line(run_command("status", "--admin", f"127.0.0.1:{port}"), 1, f"127.0.0.1:{port}", "--admin")


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", b"220 smtp.example.org\r\n", b""]
)
def test_status_when_somebody_else_answers(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        process = Process("status", "--admin", f"127.0.0.1:{other.getsockname()[1]}")
        with contextlib.closing(process):
            connection, _ = other.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)
            assert process.popen.wait(30) == 1
            assert len(process.output().splitlines()) == 1
            assert "router" in process.output()


# The rest


def test_the_access_log_goes_to_a_file(site: Site, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    router = site.router("--access-log", str(log))
    site.hello("worker-1")
    assert site.get("/some/path?q=1")[0] == 200
    wait_for(lambda: log.exists() and log.read_text(), "a line in the log")
    assert '"GET /some/path?q=1" 200' in log.read_text()
    assert " worker-1 " in log.read_text()
    assert "/some/path" not in router.output()


def test_status_is_a_table_for_people(site: Site) -> None:
    site.router()
    site.hello("worker-2", "--route", "example.org/shop", "--concurrency", "5")
    site.hello("worker-10", "--weight", "50")
    site.hello("worker-1")
    for _ in range(3):
        site.get()
    wait_for(lambda: site.status()["clients"] == 0, "the router has seen them leave")
    shown = run_command("status", "--admin", f"127.0.0.1:{site.admin_port}")
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert ": 3 workers, 0 clients, 0 requests waiting" in lines[0]
    assert [line.split()[0] for line in lines[3:6]] == ["worker-1", "worker-2", "worker-10"]
    assert re.fullmatch(r"worker-2 +up +0/5 +0 +100 +[\d.]+s +127\.0\.0\.1:\d+ +example\.org/shop", lines[4])
    assert re.fullmatch(r"worker-10 +up +0/100 +\d +50 .*\*", lines[5])
    assert re.search(r"^\* +2 +0$", shown.stdout, re.MULTILINE)
    assert "3 requests" in lines[-2]
    assert "3 2xx" in lines[-2]
    assert "3 joined" in lines[-1]


def test_status_of_a_router_without_workers(site: Site) -> None:
    site.router()
    shown = run_command("status", "--admin", f"127.0.0.1:{site.admin_port}")
    assert "No worker is here" in shown.stdout


def test_status_as_json(site: Site) -> None:
    site.router()
    site.hello("worker-1")
    shown = run_command("status", "--json", "--admin", f"127.0.0.1:{site.admin_port}")
    assert '"name": "worker-1"' in shown.stdout
    assert shown.stdout.startswith("{")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_either_event_loop_works(site: Site, loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    router = site.router("--loop", loop)
    worker = site.hello("worker-1", "--loop", loop)
    assert site.get()[2] == b"Hello from worker-1\n"
    assert site.get(method="POST", body=b"x" * 300_000)[0] == 200
    assert worker.terminate() == 0
    assert router.terminate() == 0
