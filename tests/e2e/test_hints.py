"""What a command says so that nobody has to wonder."""

from pathlib import Path

import pytest

from tests.support.commands import folder, run_command
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
    result = run_command("run", "good:app", "--workers", "4")
    assert result.returncode == 2
    assert (
        result.stderr == "zerogate run: no option --workers: it is --processes COUNT|auto (see zerogate run --help)\n"
    )


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
