"""What all commands have in common."""

from pathlib import Path

import click
import pytest

from zerogate.cli.command import Group
from zerogate.cli.commands import commands


def test_commands_come_in_the_order_of_their_definition() -> None:
    group = Group("g")
    for name in ("zebra", "ant"):
        group.command(name)(lambda: None)
    assert group.list_commands(click.Context(group)) == ["zebra", "ant"]


def test_groups_within_have_help_made_of_settings(capfd: pytest.CaptureFixture[str]) -> None:
    commands.main(["keys", "worker", "--help"], prog_name="zerogate", standalone_mode=False)
    assert "A worker's key:" in capfd.readouterr().out


def test_a_variable_that_nobody_knows_is_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("ZEROGATE_KEYZ", "x")
    monkeypatch.setenv("ZEROGATE_KEYS", str(tmp_path))
    commands.main(["keys", "router"], prog_name="zerogate", standalone_mode=False)
    assert "ZEROGATE_KEYZ" in capfd.readouterr().err
