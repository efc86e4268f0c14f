"""Where to listen, from --http or from its parts."""

from pathlib import Path

import click
import pytest

from zerogate.cli.addresses import WORDS
from zerogate.cli.commands import commands
from zerogate.cli.options import make_settings
from zerogate.errors import UsageError
from zerogate.settings import RunSettings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "ZEROGATE_PORT", "ZEROGATE_HOST", "ZEROGATE_HTTP", "ZEROGATE_UDS", "ZEROGATE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def context(words: str) -> click.Context:
    root = click.Context(commands, info_name="zerogate")
    return commands.commands["run"].make_context("run", ["app", *words.split()], parent=root)


def http(words: str) -> str:
    (address,) = make_settings(RunSettings, context(words).params).http
    return address


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ("", "127.0.0.1:9000"),
        ("--port 80", "127.0.0.1:80"),
        ("--port 0", "127.0.0.1:0"),
        ("--host 0.0.0.0", "0.0.0.0:9000"),
        ("--host :: --port 80", "[::]:80"),
        ("--uds /run/s", "unix:/run/s"),
        ("--http a:1", "a:1"),
    ],
)
def test_parts_are_put_together(words: str, address: str) -> None:
    assert http(words) == address


def test_a_platform_that_says_the_port_comes_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "5000")
    assert http("") == ":5000"
    assert http("--host 127.0.0.1") == "127.0.0.1:5000"
    # Who comes before it.
    assert http("--port 80") == "127.0.0.1:80"
    assert http("--http a:1") == "a:1"
    assert http("--uds /run/s") == "unix:/run/s"
    monkeypatch.setenv("ZEROGATE_PORT", "6000")
    assert http("") == "127.0.0.1:6000"
    # One of its own for a service of this name (Kubernetes).
    monkeypatch.setenv("ZEROGATE_PORT", "tcp://10.0.0.1:80")
    assert http("") == ":5000"
    monkeypatch.setenv("ZEROGATE_HTTP", "b:1")
    assert http("") == "b:1"


def test_the_first_to_speak_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("zerogate.toml").write_text("http = 'file:1'\n")
    assert http("") == "file:1"
    assert http("--port 80") == "127.0.0.1:80"
    monkeypatch.setenv("PORT", "5000")
    assert http("") == ":5000"
    Path("zerogate.toml").write_text("host = 'file'\n[run]\nport = 7\n")
    assert http("") == "file:5000"
    assert http("--port 80") == "file:80"
    monkeypatch.delenv("PORT")
    assert http("") == "file:7"
    assert http("--uds /run/s") == "unix:/run/s"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--http a:1 --port 2", "--http and --port: both say where to listen, give one of them"),
        ("--http a:1 --uds s", "--http and --uds: both say where to listen, give one of them"),
        ("--uds s --host a", "--uds and --host: a path has no host and no port"),
    ],
)
def test_not_both_in_one_place(words: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        context(words)
    assert caught.value.reason == said


def test_not_both_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEROGATE_HTTP", "a:1")
    monkeypatch.setenv("ZEROGATE_HOST", "b")
    with pytest.raises(UsageError, match=r"^ZEROGATE_HTTP and ZEROGATE_HOST: both"):
        context("")


@pytest.mark.parametrize("value", ["-1", "65536", "http"])
def test_what_is_no_port_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PORT", value)
    with pytest.raises(click.UsageError, match=f"^PORT={value}: "):
        context("")


def test_it_says_where_it_is_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "5000")
    assert context("").meta[WORDS] == "PORT"
    assert context("--host a").meta[WORDS] == "--host, PORT"
    assert context("--http a:1").meta[WORDS] == ""


def test_for_a_child_it_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has all of its parent's environment."""
    monkeypatch.setenv("ZEROGATE_HTTP", "a:1")
    monkeypatch.setenv("ZEROGATE_PORT", "2")
    monkeypatch.setattr("zerogate.cli.command.report_pipe", lambda: 7)
    assert http("") == "a:1"
