"""The entry point: what is said of errors, and exit codes."""

from typing import Any

import click
import pytest

from zerogate.cli import entry
from zerogate.cli.commands import commands
from zerogate.console import OutputError
from zerogate.errors import StartError, UsageError


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is nobody's child, and its streams are pytest's."""
    for name in ("open_standard_streams", "become_child", "flush_output"):
        monkeypatch.setattr(entry, name, lambda: None)
    monkeypatch.setattr(entry, "report_pipe", lambda: None)


def leave(monkeypatch: pytest.MonkeyPatch, outcome: BaseException | None) -> int:
    def run(*_: Any, **__: Any) -> None:
        if outcome is not None:
            raise outcome

    monkeypatch.setattr(commands, "main", run)
    with pytest.raises(SystemExit) as left:
        entry.main()
    assert isinstance(left.value.code, int)
    return left.value.code


CONTEXT = click.Context(click.Command("router"), info_name="zerogate router")

OUTCOMES = {
    "a clean stop": (None, 0, ""),
    "help": (click.exceptions.Exit(0), 0, ""),
    "a supervisor that has killed": (SystemExit(1), 1, ""),
    "somebody's sys.exit()": (SystemExit(), 0, ""),
    "somebody's sys.exit(reason)": (SystemExit("bye"), 1, "zerogate: bye\n"),
    "wrong usage, by click": (
        click.UsageError("no such thing", CONTEXT),
        2,
        "zerogate router: no such thing (see zerogate router --help)\n",
    ),
    "wrong usage, by click, of no command": (click.UsageError("no"), 2, "zerogate: no (see zerogate --help)\n"),
    "wrong usage": (UsageError("--timeout 1w: no"), 2, "zerogate: --timeout 1w: no\n"),
    "a start that failed": (StartError("no room"), 1, "zerogate: no room\n"),
    "a disk that is full": (OutputError("cannot write"), 1, "zerogate: cannot write\n"),
    "a reader who has had enough": (BrokenPipeError(), 1, ""),
    "Ctrl-C": (KeyboardInterrupt(), 1, ""),
    "Ctrl-C, by click": (click.Abort(), 1, ""),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_exit_codes(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str) -> None:
    outcome, code, said = OUTCOMES[name]
    assert leave(monkeypatch, outcome) == code
    assert capfd.readouterr() == ("", said)


def test_without_a_command_it_helps(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    error = click.exceptions.NoArgsIsHelpError(CONTEXT)
    assert leave(monkeypatch, error) == 2
    assert capfd.readouterr().err.startswith("Usage: zerogate router")


def test_a_child_tells_its_supervisor_who_has_the_last_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[bytes] = []
    monkeypatch.setattr(entry, "report_pipe", lambda: 7)
    monkeypatch.setattr(entry, "report", told.append)
    assert leave(monkeypatch, StartError("no roöm")) == 1
    assert told == ["no roöm".encode()]
    assert capfd.readouterr().err == ""
