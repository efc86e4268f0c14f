"""Every numeric option, at every edge of its range: in Python, on the command line and in the environment."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from tests.support.each import each
from zerogate.cli.commands import commands
from zerogate.cli.options import make_settings
from zerogate.errors import UsageError
from zerogate.settings import RunSettings, environment_name
from zerogate.settings.kinds import Count, Duration, Number, Percentage, Size
from zerogate.settings.option import flag_name, options_of

# It has every numeric option that there is.
COMMAND = commands.commands["run"]
APP = "app:app"

# What 0 means: a limit that is no more, a time that is none, or nothing at all.
OFF = "timeout idle_timeout head_timeout body_timeout keepalive_timeout queue_timeout max_body max_failures".split()
OFF += "max_requests max_memory max_links_per_key max_timeout max_idle_timeout ws_ping_interval ws_ping_timeout".split()
OFF += ["share", "stall_report"]
ZERO = "queue_size hold settle retries retry_bytes grace cancel_after takeover_wait min_body_rate".split()
ZERO += "max_requests_jitter reload_grace drain_delay max_tunnels own_workers own_router command_pid".split()
ZERO += ["sticky_wait"]

# What can only be together with another option.
COMPANIONS = {
    "lost_after": lambda value: {"suspect_after": min(3.0, value)},
    "suspect_after": lambda value: {"lost_after": max(15.0, value)},
    "redial_min": lambda value: {"redial_max": max(1.0, value), "redial_refused": max(30.0, value)},
    "redial_refused": lambda value: {"redial_min": min(0.05, value)},
    "redial_max": lambda value: {"redial_min": min(0.05, value)},
}


def numeric() -> Iterator[tuple[str, Number]]:
    for field, option in options_of(RunSettings):
        if isinstance(option.kind, Number):
            yield field.name, option.kind


def with_companions(name: str, value: Any) -> dict[str, Any]:
    return {**COMPANIONS.get(name, lambda value: {})(value), name: value}


def in_python(name: str, value: Any) -> Any:
    return getattr(RunSettings(**with_companions(name, value)), name)


def on_the_command_line(name: str, value: Any, text: str = "") -> Any:
    texts = {key: plain(each) for key, each in with_companions(name, value).items()} | ({name: text} if text else {})
    return made([word for key, text in texts.items() for word in (flag_name(key), text)], name)


def in_the_environment(name: str, value: Any, text: str = "") -> Any:
    texts = {key: plain(each) for key, each in with_companions(name, value).items()} | ({name: text} if text else {})
    with pytest.MonkeyPatch.context() as patch:
        for key, each in texts.items():
            patch.setenv(environment_name(key), each)
        return made([], name)


def made(words: list[str], name: str) -> Any:
    try:
        context = COMMAND.make_context("run", [*words, APP])
    except click.UsageError as error:
        raise UsageError(error.format_message()) from None
    return getattr(make_settings(RunSettings, context.params), name)


def plain(value: Any) -> str:
    """A number without a unit."""
    return f"{value:.15f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


WAYS: list[Callable[..., Any]] = [in_python, on_the_command_line, in_the_environment]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is given elsewhere."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("ZEROGATE_"):
            monkeypatch.delenv(name)


@each(("name", "kind"), numeric())
def test_both_ends_are_allowed(name: str, kind: Number) -> None:
    for way in WAYS:
        assert way(name, kind.low) == kind.low
        assert way(name, kind.high) == kind.high


@each(("name", "kind"), numeric())
def test_past_either_end_is_refused(name: str, kind: Number) -> None:
    below = kind.low - (0.0001 if isinstance(kind, Duration) else 1)
    for way in WAYS:
        with pytest.raises(UsageError, match=f"at most {kind.show(kind.high)}"):
            way(name, kind.high + 1)
        if below > 0:
            with pytest.raises(UsageError, match=f"at least {kind.show(kind.low)}"):
                way(name, below)
        with pytest.raises(UsageError):
            way(name, -1)


@each(("name", "kind"), numeric())
def test_0_is_off_or_none_or_refused(name: str, kind: Number) -> None:
    for way in WAYS:
        if name in OFF:
            assert kind.off
            assert way(name, 0) == {Duration: math.inf, Size: None, Count: 2**63 - 1, Percentage: None}[type(kind)]
        elif name in ZERO:
            assert kind.zero
            assert way(name, 0) == 0
        else:
            with pytest.raises(UsageError, match="at least"):
                way(name, 0)


@each("name", OFF)
def test_off_can_be_written_as_well(name: str) -> None:
    off = in_python(name, 0)
    assert on_the_command_line(name, 0, "off") == in_the_environment(name, 0, "off") == off


def test_a_refusal_says_what_was_given_and_where() -> None:
    for way, said in (
        (in_python, "--session-window 1k: at least 64k"),
        (on_the_command_line, "--session-window 1k: at least 64k"),
        (in_the_environment, "ZEROGATE_SESSION_WINDOW=1k: at least 64k"),
    ):
        with pytest.raises(UsageError) as caught:
            way("session_window", 1024, *([] if way is in_python else ["1k"]))
        assert caught.value.reason == said


def test_what_the_limits_are() -> None:
    """The ones that were argued about."""
    ranges = {field.name: option.kind.range() for field, option in options_of(RunSettings)}
    assert ranges["stream_window"] == ranges["session_window"] == "64k to 2147483647"
    assert ranges["suspect_after"] == "50ms to 8760h"
    assert ranges["weight"] == "1 to 1000"
    assert ranges["processes"] == "1 to 1024"
    assert ranges["max_head"] == "1k to 64k"
    assert ranges["queue_size"] == "0 to 2147483647"
    assert ranges["timeout"] == "1ms to 8760h"
