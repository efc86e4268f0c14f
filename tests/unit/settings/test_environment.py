"""Settings as environment variables: a child reads what its parent has."""

import math
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.each import each
from zerogate.cli.commands import commands
from zerogate.cli.options import make_settings
from zerogate.settings import RouterSettings, RunSettings, Settings, WorkerSettings, environment_name, to_environment
from zerogate.settings.environment import is_of_kubernetes, variables
from zerogate.settings.option import options_of

UNUSUAL: list[tuple[str, Settings]] = [
    ("router", RouterSettings()),
    (
        "router",
        RouterSettings(bind=("ipc:///tmp/a folder/link", "tcp://[::1]:8000"), max_body=0, timeout=0, insecure=True),
    ),
    ("router", RouterSettings(name="a \"name\" with 'quotes' $HOME \\", trust=("none",), queue_timeout=0.123456789)),
    ("router", RouterSettings(max_failures=0, max_body=12345, session_window=65537)),
    ("worker", WorkerSettings(route=("*", "/a b", "x/ü"), connect=("ipc:///tmp/a folder/link",), root_path="/a b")),
    ("worker", WorkerSettings(redial_min=1 / 3, redial_max=2 / 3, grace=0)),
]


def read(command: str, kind: type[Settings]) -> Settings:
    arguments = ["app:app"] if command == "worker" else []
    return make_settings(kind, commands.commands[command].make_context(command, arguments).params)


@pytest.mark.parametrize(("command", "settings"), UNUSUAL)
def test_a_child_reads_what_its_parent_has(command: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ZEROGATE_")]:
        monkeypatch.delenv(name)
    # What the parent's own environment says is overruled.
    monkeypatch.setenv("ZEROGATE_MAX_BODY", "7")
    monkeypatch.setenv("ZEROGATE_GRACE", "7")
    for name, value in to_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert read(command, type(settings)) == settings


def test_every_setting_is_told() -> None:
    environment = to_environment(RouterSettings())
    assert environment["ZEROGATE_QUEUE_TIMEOUT"] == "30s"
    assert environment["ZEROGATE_MAX_BODY"] == "off"
    assert environment["ZEROGATE_INSECURE"] == "false"
    assert environment[environment_name("bind")] == "tcp://127.0.0.1:8000"


def test_several_values_are_words_as_in_a_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZEROGATE_ROUTE", "/one '/two three'")
    settings: Any = read("worker", WorkerSettings)
    assert settings.route == ("/one", "/two three")
    assert settings.cancel_after != math.inf


def test_which_variables_an_option_is_read_from() -> None:
    options = {field.name: option for field, option in options_of(RunSettings)}
    assert variables("grace", options["grace"]) == ["ZEROGATE_GRACE"]
    assert variables("processes", options["processes"]) == ["ZEROGATE_PROCESSES", "WEB_CONCURRENCY"]


@each(
    ("name", "value", "expected"),
    [
        ("ZEROGATE_PORT", "80", False),
        ("ZEROGATE_PORT", "tcp://10.0.0.1:80", True),
        ("ZEROGATE_PORT_80_TCP_ADDR", "10.0.0.1", True),
        ("ZEROGATE_SERVICE_HOST", "10.0.0.1", True),
        ("ZEROGATE_HOST", "10.0.0.1", False),
    ],
)
def test_what_kubernetes_says_is_not_for_us(name: str, value: str, expected: bool) -> None:
    assert is_of_kubernetes(name, value) is expected
