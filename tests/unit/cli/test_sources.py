"""Where the value of an option is from."""

from pathlib import Path

import click
import pytest

from zerogate.cli.commands import commands
from zerogate.cli.options import setting_options
from zerogate.cli.sources import Rank, file_of, rank, words


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PROCESSES", "CONFIG"):
        monkeypatch.delenv(f"ZEROGATE_{name}", raising=False)
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)


def source(*arguments: str, command: str = "run") -> tuple[Rank, str, object]:
    root = click.Context(commands, info_name="zerogate")
    context = commands.commands[command].make_context(command, ["app", *arguments], parent=root)
    option = setting_options(context.command)["processes"]
    return rank(context, option), words(context, option), context.params["processes"]


def test_who_goes_before_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    assert source() == (Rank.DEFAULT, "default", None)
    Path("zerogate.toml").write_text("processes = 1\n")
    assert source() == (Rank.FILE, "zerogate.toml: processes", 1)
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    assert source() == (Rank.FOREIGN_VARIABLE, "WEB_CONCURRENCY", 2)
    monkeypatch.setenv("ZEROGATE_PROCESSES", "3")
    assert source() == (Rank.VARIABLE, "ZEROGATE_PROCESSES", 3)
    assert source("--workers", "4") == (Rank.OPTION, "--workers", 4)


def test_which_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("zerogate.toml").write_text("[worker]\nprocesses = 5\n")
    Path("other.toml").write_text("[run]\nprocesses = 6\n")
    assert source(command="worker")[1:] == ("zerogate.toml: worker.processes", 5)
    assert source()[1] == "default"
    assert source("--config", "other.toml")[1:] == ("other.toml: run.processes", 6)
    assert source("-c", "off", command="worker")[1] == "default"
    monkeypatch.setenv("ZEROGATE_CONFIG", "other.toml")
    assert source()[1:] == ("other.toml: run.processes", 6)


def test_the_file_is_known() -> None:
    root = click.Context(commands, info_name="zerogate")
    assert file_of(commands.commands["router"].make_context("router", [], parent=root)) is None
    Path("zerogate.toml").write_text("")
    found = file_of(commands.commands["router"].make_context("router", [], parent=root))
    assert found is not None
    assert found.path == "zerogate.toml"
