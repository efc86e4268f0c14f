"""The command line as its user meets it: help, settings, errors, signals, exit codes, and no process left behind."""

import concurrent.futures
import contextlib
import dataclasses
import http.client
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from tests.support.commands import children, clean_environment, run_command, wait_gone
from tests.support.processes import Process, Site, free_port, wait_for
from zerogate.cli import commands, make_settings, n_cores
from zerogate.settings import RouterSettings, WorkerSettings

APPLICATION = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here\\n"})


number = 7
"""

SETTINGS = {
    "router": (RouterSettings,),
    "worker": (WorkerSettings,),
    "hello": (WorkerSettings,),
    "run": (RouterSettings, WorkerSettings),
}
# What a command decides by itself.
NOT_SET = {"hello": {"name"}, "run": {"name", "connect"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with applications, good and bad ones."""
    (tmp_path / "good.py").write_text(APPLICATION)
    (tmp_path / "raising.py").write_text("1 / 0\n")
    (tmp_path / "missing.py").write_text("import a_module_that_is_not_there\n")
    (tmp_path / "unreadable.py").write_text("def (\n")
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(3)\n")
    return tmp_path


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
    text = " ".join(run_command(command, "--help").stdout.split())
    for settings in SETTINGS[command]:
        for field in dataclasses.fields(settings):
            if field.name in NOT_SET.get(command, set()) or field.metadata["hidden"]:
                continue
            assert f"--{field.name.replace('_', '-')}" in text
            assert field.metadata["help"] in text
    assert "[default: 60s]" in text or command in ("worker", "hello")
    assert "()" not in text


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"zerogate, version \d+\.\d+\.\d+\n", run_command("--version").stdout)


# Settings


def sample(field: "dataclasses.Field[Any]") -> tuple[list[str], Any]:
    """Words that set a field to something else than its default, and what it is then."""
    if field.metadata["choices"]:
        return [field.metadata["choices"][-1]], field.metadata["choices"][-1]
    if isinstance(field.default, tuple):
        return ["one", "two"], ("one", "two")
    if isinstance(field.default, bool):
        return [], True
    match getattr(field.metadata["parse"], "__name__", ""):
        case "parse_duration":
            return ["250ms"], 0.25
        case "parse_size":
            return ["3k"], 3 * 1024
        case "parse_count":
            return ["7"], 7
        case _:
            return ["text"], "text"


def options() -> Iterator[Any]:
    for command, classes in SETTINGS.items():
        for parameter in commands.commands[command].params:
            if isinstance(parameter, click.Option):
                yield pytest.param(command, classes, parameter, id=f"{command} {parameter.opts[0]}")


@pytest.mark.parametrize(("command", "classes", "option"), list(options()))
def test_each_option_is_a_setting_and_an_environment_variable(
    command: str, classes: tuple[Any, ...], option: click.Option, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in clean_environment().keys() ^ os.environ.keys():
        monkeypatch.delenv(name)
    arguments = [] if command == "router" else ["name"]
    flag = option.opts[0]
    variable = "ZEROGATE_" + flag.removeprefix("--").replace("-", "_").upper()
    assert option.envvar == variable
    takers = [settings for settings in classes if hasattr(settings, option.name or "") or flag == "--name"]
    assert takers, f"{flag} sets nothing"
    for settings in takers:
        field = next(f for f in dataclasses.fields(settings) if f.name == option.name)
        words, expected = sample(field)
        given = [part for word in words for part in (flag, word)] or [flag]
        by_option = commands.commands[command].make_context(command, [*given, *arguments])
        monkeypatch.setenv(variable, " ".join(words) or "1")
        by_environment = commands.commands[command].make_context(command, [*arguments])
        monkeypatch.delenv(variable)
        for context in (by_option, by_environment):
            assert getattr(make_settings(settings, context.params), field.name) == expected


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
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("zerogate")
    for word in words:
        assert word in lines[0]


WRONG_USAGE = {
    "a typo in a command": (["ruoter"], "ruoter"),
    "a typo in an option": (["router", "--htttp", "x"], "--htttp", "--http"),
    "an option without its value": (["router", "--http"], "--http"),
    "a word too many": (["router", "x"], "x"),
    "no application": (["worker"], "APP"),
    "no name": (["hello"], "NAME"),
    "a bad duration": (["router", "--timeout", "3 weeks"], "--timeout", "'3 weeks'", "ms, s, m or h"),
    "a negative duration": (["router", "--timeout", "-1"], "--timeout"),
    "a bad size": (["router", "--max-body", "1T"], "--max-body", "'1T'", "k, M or G"),
    "a bad number": (["hello", "w", "--concurrency", "many"], "--concurrency", "'many'"),
    "a bad choice": (["router", "--log-level", "loud"], "--log-level", "warning"),
    "a bad address": (["router", "--http", "nonsense"], "'nonsense'", "HOST:PORT"),
    "a port that is none": (["router", "--http", "127.0.0.1:70000"], "127.0.0.1:70000"),
    "an IPv6 address without brackets": (["router", "--http", "::1:80"], "[::1]:80"),
    "a bad endpoint to bind": (["router", "--bind", "127.0.0.1:80"], "tcp://HOST:PORT"),
    "a bad endpoint to dial": (["hello", "w", "--connect", "udp://127.0.0.1:80"], "tcp://HOST:PORT"),
    "a link port for the world": (["router", "--bind", "tcp://0.0.0.0:0"], "--insecure"),
    "a bad network": (["router", "--trust", "example.org"], "--trust", "example.org"),
    "a bad route": (["hello", "w", "--route", "a b"], "'a b'", "host/prefix"),
    "a bad name": (["hello", "a worker"], "'a worker'", "A-Z"),
    "a bad weight": (["hello", "w", "--weight", "1001"], "1001", "1 to 1000"),
    "no processes": (["hello", "w", "--processes", "0"], "--processes"),
    "an application that is not written so": (["worker", "good"], "MODULE:ATTRIBUTE"),
    "a bad address for status": (["status", "--admin", "9001"], "HOST:PORT"),
    "a bad endpoint for the demo": (["demo", "--bind", "8000"], "tcp://HOST:PORT"),
    "a bad route for run": (["run", "good:app", "--route", "a b"], "'a b'", "host/prefix"),
    "no processes for run": (["run", "good:app", "--processes", "0"], "--processes"),
    "a bad address for run": (["run", "good:app", "--http", "nonsense"], "'nonsense'", "HOST:PORT"),
}


@pytest.mark.parametrize("name", WRONG_USAGE)
def test_wrong_usage_is_one_line_and_exit_code_2(name: str, folder: Path) -> None:
    arguments, *words = WRONG_USAGE[name]
    ports = {f"ZEROGATE_{kind}": f"127.0.0.1:{free_port()}" for kind in ("HTTP", "ADMIN")}
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    environment = {**ports, "ZEROGATE_BIND": endpoint, "ZEROGATE_CONNECT": endpoint}
    assert_one_line(run_command(*arguments, cwd=folder, env=environment), 2, *words)


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
    assert_one_line(result, 1, f"--{kind}", f"127.0.0.1:{taken}", "taken by another program")


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
def test_an_application_that_cannot_be_loaded(
    command: str, name: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    if (command, name) == ("worker", "an import that leaves"):
        reason = "the loader lets SystemExit through: exit code 3, and not a word"
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
    app, *words = CANNOT_START[name]
    options = ["--http", "127.0.0.1:0", "--bind", "tcp://127.0.0.1:0", "--admin", "off"] if command == "run" else []
    assert_one_line(run_command(command, app, *options, cwd=folder), 1, *words)


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
            assert process.popen.wait(10) == 1
            assert len(process.output().splitlines()) == 1
            assert "router" in process.output()


# Signals


def start_any(site: Site, command: str, folder: Path) -> Process:
    match command:
        case "router":
            return site.router()
        case "run":
            process = site.start("run", "good:app", *run_options(site), cwd=folder)
            process.wait_output("Ctrl-C stops")
            return process
        case "worker":
            site.router()
            return site.worker("good:app", "w", cwd=folder)
        case "several workers":
            site.router()
            process = site.start("worker", "good:app", "--processes", "2", "--connect", site.endpoint, cwd=folder)
            site.wait_workers(2)
            return process
        case "a worker without a router":
            process = site.hello("w", wait=False)
            process.wait_output("dialling on")
            return process
    raise AssertionError(command)


def run_options(site: Site) -> list[str]:
    return [
        *("--http", f"127.0.0.1:{site.http_port}"),
        *("--bind", site.endpoint),
        *("--admin", f"127.0.0.1:{site.admin_port}"),
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["router", "run", "worker", "several workers", "a worker without a router"])
def test_a_stop_is_a_success(site: Site, folder: Path, command: str, number: signal.Signals) -> None:
    process = start_any(site, command, folder)
    started = children(process.pid)
    process.send_signal(number)
    assert process.popen.wait(10) == 0, process.output()
    if started:
        wait_gone(started)
    assert "Traceback" not in process.output()


def test_the_second_signal_ends_it_at_once(site: Site, folder: Path) -> None:
    process = start_any(site, "several workers", folder)
    started = children(process.pid)
    os.kill(started[0], signal.SIGSTOP)  # it will not stop by itself
    process.send_signal(signal.SIGINT)
    process.wait_output("stopping")
    process.send_signal(signal.SIGINT)
    assert process.popen.wait(10) == 1
    wait_gone(started)


def test_an_import_that_hangs_can_be_interrupted(tmp_path: Path, site: Site) -> None:
    (tmp_path / "hanging.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    process = site.worker("hanging:app", "w", wait=False, cwd=tmp_path)
    process.wait_output("importing")
    process.send_signal(signal.SIGINT)
    assert process.popen.wait(10) == 1
    assert "Traceback" not in process.output()


def test_a_terminal_that_is_closed_ends_a_router_unless_it_has_a_log(site: Site, tmp_path: Path) -> None:
    plain = site.router()
    plain.send_signal(signal.SIGHUP)
    assert plain.popen.wait(10) == -signal.SIGHUP
    logging = site.router("--access-log", str(tmp_path / "log"))
    logging.send_signal(signal.SIGHUP)
    site.hello("worker-1")
    assert site.get()[0] == 200
    assert logging.terminate() == 0


# run


def test_run_is_a_router_and_a_worker_for_each_core(site: Site, folder: Path) -> None:
    process = start_any(site, "run", folder)
    site.wait_workers(n_cores())
    assert {worker["peer"] for worker in site.status()["workers"]} == {"ipc"}
    assert len(children(process.pid)) == n_cores() + 1
    assert site.get()[2] == b"here\n"


def test_others_may_dial_in_to_run(site: Site, folder: Path) -> None:
    site.start("run", "good:app", "--processes", "1", *run_options(site), cwd=folder).wait_output("Ctrl-C stops")
    site.hello("guest")
    assert {site.get()[2] for _ in range(4)} == {b"here\n", b"Hello from guest\n"}


def test_run_restarts_a_worker_that_dies(site: Site, folder: Path) -> None:
    process = site.start("run", "good:app", "--processes", "2", *run_options(site), cwd=folder)
    site_workers(site, 2)
    before = set(children(process.pid))
    os.kill(max(before), signal.SIGKILL)  # the router was started first
    wait_for(lambda: len(set(children(process.pid)) - before) == 1, "another worker")
    site_workers(site, 2)
    assert site.get()[0] == 200
    assert "starting it again" in process.output()


def site_workers(site: Site, n: int) -> None:
    """As Site.wait_workers, also while there is no router yet."""

    def are_up() -> bool:
        with contextlib.suppress(OSError):
            return sum(worker["state"] == "up" for worker in site.status()["workers"]) == n
        return False

    wait_for(are_up, f"{n} workers up")


def test_run_leaves_nothing_behind_when_it_is_killed(site: Site, folder: Path) -> None:
    process = start_any(site, "run", folder)
    site_workers(site, n_cores())
    started = children(process.pid)
    process.kill()
    wait_gone(started)
    with pytest.raises(ConnectionRefusedError):
        site.connect()


def test_run_finishes_what_is_in_flight(site: Site, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        APPLICATION.replace("    await send", "    await __import__('asyncio').sleep(1.5)\n    await send", 1)
    )
    process = site.start("run", "slow:app", *run_options(site), cwd=tmp_path)
    process.wait_output("Ctrl-C stops")
    site_workers(site, n_cores())
    with site.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        wait_for(lambda: any(w["in_flight"] for w in site.status()["workers"]), "the request at a worker")
        process.send_signal(signal.SIGINT)
        process.wait_output("stopping")
        received = b"".join(iter(lambda: client.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"here\n" in received
    assert process.popen.wait(10) == 0


def test_run_stops_under_load_without_a_failed_request(site: Site, folder: Path) -> None:
    process = start_any(site, "run", folder)
    site_workers(site, n_cores())
    n_ok = 0

    def ask_until_refused() -> None:
        nonlocal n_ok
        connection = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=10)
        while True:
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
            is_kept = True
            while is_kept:
                connection.request("GET", "/")
                reply = connection.getresponse()
                assert (reply.status, reply.read()) == (200, b"here\n")
                is_kept = not reply.will_close
                n_ok += 1

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        clients = [threads.submit(ask_until_refused) for _ in range(8)]
        wait_for(lambda: n_ok > 500, "replies")
        process.send_signal(signal.SIGINT)
        for client in clients:
            client.result(20)
    assert process.popen.wait(10) == 0


def test_run_passes_a_hangup_on_to_its_router(site: Site, folder: Path) -> None:
    log = folder / "access.log"
    process = site.start("run", "good:app", "--access-log", str(log), *run_options(site), cwd=folder)
    process.wait_output("Ctrl-C stops")
    log.rename(folder / "access.log.1")
    process.send_signal(signal.SIGHUP)
    wait_for(log.exists, "a new log")
    assert site.get()[0] == 200
    wait_for(lambda: '"GET /" 200' in log.read_text(), "the request in the new log")


def test_what_an_application_starts_does_not_inherit_the_pipes(site: Site, folder: Path) -> None:
    (folder / "curious.py").write_text(
        "import os, subprocess, sys\n"
        "VARIABLES = [name for name in os.environ if name in ('ZEROGATE_PARENT_FD', 'ZEROGATE_REPORT_FD')]\n"
        + APPLICATION.replace('b"here\\n"', "repr(VARIABLES).encode()")
    )
    site.start("run", "curious:app", "--processes", "1", *run_options(site), cwd=folder).wait_output("Ctrl-C stops")
    assert site.get()[2] == b"[]"


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
    shown = run_command("status", "--admin", f"127.0.0.1:{site.admin_port}")
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert ": 3 workers, 0 clients, 0 requests waiting" in lines[0]
    assert [line.split()[0] for line in lines[3:6]] == ["worker-1", "worker-2", "worker-10"]
    assert re.fullmatch(r"worker-2 +up +0/5 +0 +100 +\d\.\ds +127\.0\.0\.1:\d+ +example\.org/shop", lines[4])
    assert re.fullmatch(r"worker-10 +up +0/100 +\d +50 .*\*", lines[5])
    assert re.search(r"^\* +2 +0$", shown.stdout, re.MULTILINE)
    assert "3 requests" in lines[-2]
    assert "3 2xx" in lines[-2]
    assert "3 joined" in lines[-1]


def test_status_of_a_router_without_workers(site: Site) -> None:
    site.router()
    shown = run_command("status", "--admin", f"127.0.0.1:{site.admin_port}")
    assert "No worker has joined" in shown.stdout


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


def test_either_event_loop_works_for_run(site: Site, folder: Path) -> None:
    process = site.start("run", "good:app", "--loop", "asyncio", *run_options(site), cwd=folder)
    process.wait_output("Ctrl-C stops")
    assert site.get()[2] == b"here\n"
    assert process.terminate() == 0
