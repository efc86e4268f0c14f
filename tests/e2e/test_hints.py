"""What a command says so that nobody has to wonder."""

import re
from pathlib import Path

import pytest

from tests.support.commands import folder, run_command, said_by
from tests.support.processes import Process, Site

__all__ = ["folder"]

TYPO = {"ZEROGATE_QUEUE_TIMOUT": "1"}
HINT = "zerogate: ZEROGATE_QUEUE_TIMOUT is no option: did you mean ZEROGATE_QUEUE_TIMEOUT?\n"


def start(site: Site, command: str, folder: Path) -> Process:
    ports = ["--http", f"127.0.0.1:{site.http_port}", "--bind", site.endpoint]
    ports += ["--admin", f"127.0.0.1:{site.admin_port}"]
    match command:
        case "router":
            process = site.start("router", *ports, env=TYPO)
        case "run":
            process = site.start("run", "good:app", "--processes", "2", *ports, env=TYPO, cwd=folder)
        case _:
            site.router()
            process = site.start(
                "worker", "good:app", "--processes", "2", "--connect", site.endpoint, env=TYPO, cwd=folder
            )
            process.wait_output("dials")
            return process
    process.wait_output("Ctrl-C stops")
    return process


@pytest.mark.parametrize("command", ["router", "run", "several workers"])
def test_a_variable_that_is_no_option_is_warned_of_once(site: Site, folder: Path, command: str) -> None:
    process = start(site, command, folder)
    assert process.terminate() == 0
    assert process.output().count(HINT) == 1
    assert process.output().count("TIMOUT") == 1


def test_help_says_nothing_of_it() -> None:
    assert run_command("router", "--help", env=TYPO).stderr == ""


def test_an_option_by_another_name() -> None:
    result = run_command("run", "good:app", "--limit-concurrency", "4")
    assert result.returncode == 2
    assert result.stderr == (
        "zerogate run: no option --limit-concurrency: it is --concurrency COUNT (see zerogate run --help)\n"
    )


# By their names, and in the way of others.
OTHERWISE = {
    "--bind 0.0.0.0:80": "--bind 0.0.0.0:80: not an endpoint: write tcp://HOST:PORT or ipc://PATH (gunicorn's --bind",
    "--http h11": "--http h11: not an address: write HOST:PORT (uvicorn's --http chooses a parser",
    "--access-log": "--access-log has no value (uvicorn's",
    "-t 30": "no option -t: it is --timeout DURATION (gunicorn's ends a worker",
    "--config gunicorn.conf.py": "gunicorn.conf.py: not TOML (gunicorn's is Python",
    # And what is no address is told with its option.
    "--http 9000x": "--http 9000x: not an address: write HOST:PORT",
    "--admin 9000x": "--admin 9000x: not an address: write HOST:PORT",
}


@pytest.mark.parametrize("words", OTHERWISE)
def test_an_option_that_others_mean_otherwise(words: str, folder: Path) -> None:
    (folder / "gunicorn.conf.py").write_text("import multiprocessing\nworkers = 4\n")
    result = run_command("run", "good:app", *words.split(), cwd=folder)
    assert result.returncode == 2
    assert OTHERWISE[words] in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_time_out_is_explained_where_it_is_given(site: Site, folder: Path) -> None:
    ports = ["--http", f"127.0.0.1:{site.http_port}", "--admin", "off"]
    process = site.start("run", "good:app", "-w", "1", *ports, "--timeout", "30", cwd=folder)
    process.wait_output("Ctrl-C stops")
    assert (
        "  timeout 504 for a request whose reply has not begun within 30 s; its worker lives on\n" in process.output()
    )


def test_run_says_at_once_what_is_being_started(site: Site, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    ports = ["--http", f"127.0.0.1:{site.http_port}", "--admin", "off"]
    process = site.start("run", "slow:app", "-w", "2", *ports, cwd=tmp_path)
    process.wait_output("importing")
    assert " starts a router and 2 workers for slow:app\n" in process.output()


def test_to_redirect_there_must_be_somewhere(folder: Path) -> None:
    for command in (["router"], ["run", "good:app"]):
        result = run_command(*command, "--redirect-https", "--http", "127.0.0.1:0", "--admin", "off", cwd=folder)
        assert result.returncode == 2
        assert said_by(result)[-1].startswith("zerogate: --redirect-https needs --https: ")


def test_the_times_of_all_lines_are_written_alike(site: Site, folder: Path) -> None:
    ports = ["--http", f"127.0.0.1:{site.http_port}", "--admin", "off"]
    process = site.start("run", "good:app", "-w", "1", *ports, cwd=folder)
    process.wait_output("Ctrl-C stops")
    assert site.get()[0] == 200
    process.wait_output('"GET /" 200')
    process.wait_output("joined")
    stamped = [line.split(" ")[0] for line in process.output().splitlines() if line[:2] == "20"]
    assert len(stamped) > 1
    assert {re.sub(r"\d", "0", stamp).replace("-0000", "+0000") for stamp in stamped} == {
        "0000-00-00T00:00:00.000+0000"
    }


def test_a_failed_start_up_ends_where_its_words_end(folder: Path) -> None:
    (folder / "failing.py").write_text("""
from contextlib import asynccontextmanager
from starlette.applications import Starlette

@asynccontextmanager
async def lifespan(app):
    raise RuntimeError("no database")
    yield

app = Starlette(lifespan=lifespan)
""")
    result = run_command("worker", "failing:app", cwd=folder)
    assert result.returncode == 1
    assert result.stderr.endswith("RuntimeError: no database\n")


ROUTES = {
    "api": "host api (any path); for a path write /api",
    "/api": "path /api (of any host)",
    "example.org": "host example.org, any path",
    "example.org/shop": "host example.org, path /shop",
    "*.example.org": "hosts below example.org, any path",
    "*": "everything",
}


@pytest.mark.parametrize("command", ["worker", "several workers", "run"])
def test_how_routes_were_understood(site: Site, folder: Path, command: str) -> None:
    routes = [word for route in ROUTES for word in ("--route", route)]
    ports = ["--http", f"127.0.0.1:{site.http_port}", "--bind", site.endpoint, "--admin", "off"]
    match command:
        case "run":
            process = site.start("run", "good:app", "--processes", "1", *ports, *routes, cwd=folder)
        case "worker":
            process = site.start("worker", "good:app", *routes, cwd=folder)
        case _:
            process = site.start("worker", "good:app", "--processes", "2", *routes, cwd=folder)
    process.wait_output("serves  everything")
    lines = process.output().splitlines()
    for understood in ROUTES.values():
        assert lines.count(f"  serves  {understood}") == 1


def test_who_serves_everything_need_not_say_so(site: Site, folder: Path) -> None:
    site.router()
    worker = site.worker("good:app", "w", cwd=folder)
    assert "  serves" not in worker.output()
