"""`zerogate config`."""

import os
from pathlib import Path

import click
import pytest

from zerogate.cli.commands import commands
from zerogate.cli.config import HIDDEN
from zerogate.cli.options import every_command, setting_options
from zerogate.errors import UsageError

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ZEROGATE_")]:
        monkeypatch.delenv(name)
    for name in ("PORT", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS"):
        monkeypatch.delenv(name, raising=False)


def shown(capfd: Output, *words: str) -> dict[str, tuple[str, str]]:
    """Value and origin by option."""
    commands.main(["config", *words], prog_name="zerogate", standalone_mode=False)
    header, *lines = capfd.readouterr().out.splitlines()
    at = header.index("VALUE"), header.index("FROM")
    return {line[: at[0]].strip(): (line[at[0] : at[1]].strip(), line[at[1] :].strip()) for line in lines}


def test_every_option_of_a_command_is_there(capfd: Output) -> None:
    for name, command in every_command(commands).items():
        if name == "config" or isinstance(command, click.Group):
            continue
        options = {
            setting.replace("_", "-")
            for setting, option in setting_options(command).items()
            if not option.option.is_hidden and setting not in ("config", "host", "port", "uds")
        }
        found = shown(capfd, *name.split())
        assert set(found) == options
        assert {where for _, where in found.values()} == {"default"}


def test_where_each_is_from(capfd: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("zerogate.toml").write_text("grace = 3\n[run]\nroute = ['a', 'b c']\nqueue-size = 7\n")
    monkeypatch.setenv("ZEROGATE_QUEUE_SIZE", "8")
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    monkeypatch.setenv("PORT", "5000")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    found = shown(capfd, "run", "app:app", "--log-level", "error", "--timeout", "off")
    assert {name: pair for name, pair in found.items() if pair[1] != "default"} == {
        "grace": ("3s", "zerogate.toml: grace"),
        "route": ("a 'b c'", "zerogate.toml: run.route"),
        "queue-size": ("8", "ZEROGATE_QUEUE_SIZE"),
        "processes": ("2", "WEB_CONCURRENCY"),
        "http": (":5000", "PORT"),
        "trust": ("'*'", "FORWARDED_ALLOW_IPS"),
        "log-level": ("error", "--log-level"),
        "timeout": ("off", "--timeout"),
    }
    assert found["keepalive-timeout"] == ("75s", "default")


def test_the_file_is_said(capfd: Output) -> None:
    commands.main(["config", "router"], prog_name="zerogate", standalone_mode=False)
    assert capfd.readouterr().err == "file: none\n"
    Path("x.toml").write_text("grace = 3\n")
    for words in (["--config", "x.toml", "router"], ["router", "--config", "x.toml"]):
        commands.main(["config", *words], prog_name="zerogate", standalone_mode=False)
        said = capfd.readouterr()
        assert said.err == "file: x.toml\n"
        assert "x.toml: grace" in said.out


def test_of_all_commands_what_is_no_default(capfd: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    commands.main(["config"], prog_name="zerogate", standalone_mode=False)
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err == "file: none\nEvery option has its default: `zerogate config COMMAND` shows them.\n"
    Path("zerogate.toml").write_text("admin = '127.0.0.1:1'\n[keys.worker]\nroute = 'a'\n")
    monkeypatch.setenv("PORT", "5000")
    commands.main(["config"], prog_name="zerogate", standalone_mode=False)
    assert [line.split(maxsplit=3) for line in capfd.readouterr().out.splitlines()[:4]] == [
        ["COMMAND", "OPTION", "VALUE", "FROM"],
        ["router", "http", ":5000", "PORT"],
        ["router", "admin", "127.0.0.1:1", "zerogate.toml: admin"],
        ["run", "http", ":5000", "PORT"],
    ]


def test_secrets_are_not_shown(capfd: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("zerogate.toml").write_text("admin-token = 'hush-1'\n")
    monkeypatch.setenv("ZEROGATE_KEY", "hush-2")
    monkeypatch.setenv("ZEROGATE_ROUTER_KEY", "public")
    for words in ([], ["router"], ["worker"], ["run"], ["status"]):
        commands.main(["config", *words], prog_name="zerogate", standalone_mode=False)
        out = capfd.readouterr().out
        assert HIDDEN in out
        assert "hush" not in out
    assert shown(capfd, "worker")["router-key"] == ("public", "ZEROGATE_ROUTER_KEY")
    assert shown(capfd, "status")["admin-token"] == (HIDDEN, "zerogate.toml: admin-token")


def test_what_could_not_start_is_told(capfd: Output) -> None:
    with pytest.raises(UsageError, match="at least --suspect-after 3s"):
        shown(capfd, "router", "--lost-after", "1")
    with pytest.raises(click.UsageError, match="No such command 'rooter'"):
        shown(capfd, "rooter")
    with pytest.raises(click.UsageError, match="which of its commands"):
        shown(capfd, "keys")
    Path("zerogate.toml").write_text("[worker]\ncolour = 1\n")
    with pytest.raises(UsageError, match=r"^zerogate\.toml: worker\.colour: is no option$"):
        shown(capfd, "router")
