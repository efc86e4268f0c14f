"""Logging in real processes: ours, and the application's beside it."""

import json
import re
from pathlib import Path

import pytest

from tests.support.commands import folder, run_command, said_by
from tests.support.processes import Process, Site, wait_for

__all__ = ["folder"]

# What an application and its framework do: the one sets up logging for all, the other has a handler of its own.
APPLICATION = """
import logging

logging.basicConfig(level=logging.INFO, format="APP %(levelname)s %(name)s %(message)s")
framework = logging.getLogger("framework.request")
framework.addHandler(logging.StreamHandler())
framework.propagate = False

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    logging.getLogger("shop").info("an order")
    try:
        1 / 0
    except ZeroDivisionError:
        framework.exception("it failed")
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body", "body": b""})
"""

OURS = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4} INFO    zerogate\.(worker|router|link): ", re.MULTILINE
)


def start_run(site: Site, app: str, cwd: Path, *options: str) -> Process:
    ports = ["--http", f"127.0.0.1:{site.http_port}", "--bind", site.endpoint]
    ports += ["--admin", f"127.0.0.1:{site.admin_port}"]
    return site.start("run", app, "--processes", "1", *ports, *options, cwd=cwd)


def test_an_applications_logging_is_its_own(site: Site, folder: Path) -> None:
    (folder / "shop.py").write_text(APPLICATION)
    site.router()
    worker = site.worker("shop:app", "w", cwd=folder)
    assert site.get()[0] == 500
    wait_for(lambda: "it failed" in worker.output(), "what the framework says")
    assert "APP INFO shop an order\n" in worker.output()
    assert worker.output().count("ZeroDivisionError: division by zero") == 1
    assert worker.output().count("joined router") == site.router_processes
    assert OURS.search(worker.output())


def log_config(folder: Path) -> Path:
    path = folder / "log.json"
    path.write_text(
        json.dumps(
            {
                "version": 1,
                "formatters": {"mark": {"format": "CONFIGURED %(process)d %(name)s %(message)s"}},
                "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "mark"}},
                "loggers": {"zerogate": {"handlers": ["out"], "level": "INFO", "propagate": False}},
            }
        )
    )
    return path


@pytest.mark.parametrize("command", ["router", "worker", "run"])
def test_a_log_config(site: Site, folder: Path, command: str) -> None:
    options = ["--log-config", str(log_config(folder))]
    match command:
        case "router":
            process = site.router(*options)
            site.hello("w")
            said = "worker w joined"
        case "worker":
            site.router()
            process = site.worker("good:app", "w", *options, cwd=folder)
            said = "w joined router"
        case _:
            process = start_run(site, "good:app", folder, *options)
            process.wait_output("Ctrl-C stops")
            said = "good joined router"
    process.wait_output(said)
    assert process.terminate() == 0
    assert re.search(rf"^CONFIGURED \d+ zerogate\.\w+ .*{said}", process.output(), re.MULTILINE)
    assert not OURS.search(process.output())
    if command == "run":
        assert len(set(re.findall(r"^CONFIGURED (\d+) ", process.output(), re.MULTILINE))) == 3


@pytest.mark.parametrize("command", ["router", "worker good:app", "run good:app"])
def test_a_log_config_that_is_not_there(folder: Path, command: str) -> None:
    result = run_command(*command.split(), "--log-config", "none.json", cwd=folder)
    assert result.returncode == 2
    assert said_by(result) == ["zerogate: --log-config none.json: No such file or directory"]
