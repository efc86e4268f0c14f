"""Command-line options from settings."""

from dataclasses import dataclass
from typing import Any

import click
import pytest

from zerogate.cli.options import SettingOption, format_sections, make_settings, settings_options
from zerogate.settings import Settings
from zerogate.settings.option import choice, count, duration, flag, size, text, texts


@dataclass(frozen=True)
class Paint(Settings):
    """Paint."""

    colour: str = choice("red", "Which one.", words=("red", "blue"))
    dries_in: float = duration(60.0, "When it is dry.", off="never")
    coats: int = count(2, "How many.", high=9)


@dataclass(frozen=True)
class Fence(Settings):
    """Fence."""

    where: tuple[str, ...] = texts(("garden",), "Where it stands.", metavar="PLACE")
    is_high: bool = flag("Higher than usual.")
    bucket: int = size(64 * 1024, "How much paint.", zero="none")
    owner: str = text(lambda: "me", "Whose it is.", metavar="NAME", default_words="you")
    secret: int = count(1, "Nobody knows.", is_hidden=True)


@dataclass(frozen=True)
class Painting(Paint, Fence):
    """Painting."""


@dataclass(frozen=True)
class Posts(Settings):
    """Posts."""

    posts: tuple[str, ...] = texts((), "What holds it.", metavar="POST", variable="OTHERS_POSTS")


class Command(click.Command):
    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        format_sections(self, ctx, formatter)


COMMAND = Command("paint", params=settings_options(Painting, without=("coats",)))


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for option in settings_options(Painting):
        for name in option.envvar or ():
            monkeypatch.delenv(name, raising=False)


def read(*words: str) -> Painting:
    return make_settings(Painting, COMMAND.make_context("paint", list(words)).params)


def test_what_is_not_given_keeps_its_default() -> None:
    assert read() == Painting()


def test_what_is_given_is_read_as_it_was_declared() -> None:
    words = "--colour blue --dries-in 2m --where here --where there --is-high --bucket 3k --owner you"
    expected = Painting(colour="blue", dries_in=120.0, where=("here", "there"), is_high=True, bucket=3072, owner="you")
    assert read(*words.split()) == expected


def test_the_environment_does_as_well_and_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COLOUR": "blue", "WHERE": "here 'and there'", "IS_HIGH": "1", "DRIES_IN": "off"}.items():
        monkeypatch.setenv(f"ZEROGATE_{name}", value)
    assert read() == Painting(colour="blue", where=("here", "and there"), is_high=True, dries_in=0.0)
    assert read("--colour", "red", "--where", "nowhere") == Painting(where=("nowhere",), is_high=True, dries_in=0.0)
    monkeypatch.setenv("ZEROGATE_IS_HIGH", "0")
    assert not read().is_high


def test_a_variable_that_others_have_made_known(monkeypatch: pytest.MonkeyPatch) -> None:
    command = click.Command("posts", params=settings_options(Posts))
    monkeypatch.setenv("OTHERS_POSTS", "theirs 'and more'")
    assert command.make_context("posts", []).params["posts"] == ("theirs", "and more")
    monkeypatch.setenv("ZEROGATE_POSTS", "ours")
    assert command.make_context("posts", []).params["posts"] == ("ours",)
    assert command.make_context("posts", ["--posts", "given"]).params["posts"] == ("given",)
    assert "OTHERS_POSTS in the environment is heeded, too." in " ".join(
        command.get_help(click.Context(command)).split()
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--colour green", "--colour green: one of red, blue"),
        ("--dries-in soon", "--dries-in soon: not a duration: write seconds, or a number with ms, s, m or h"),
        ("--bucket 2T", "--bucket 2T: not a size: write bytes, or a number with k, M or G"),
        ("--coats 1", "No such option"),
    ],
)
def test_what_cannot_be_is_refused_as_it_was_given(words: str, said: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        read(*words.split())
    assert said in caught.value.format_message()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ZEROGATE_COLOUR", "green", "ZEROGATE_COLOUR=green: one of red, blue"),
        ("ZEROGATE_WHERE", "it's", "ZEROGATE_WHERE=it's: write it as words in a shell (No closing quotation)"),
    ],
)
def test_and_so_it_is_in_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(click.UsageError) as caught:
        read()
    assert caught.value.format_message() == said


def test_help_is_in_sections_and_tells_default_range_and_what_0_means() -> None:
    shown = COMMAND.get_help(click.Context(COMMAND, info_name="paint", max_content_width=90, terminal_width=90))
    assert shown.splitlines()[2:] == [
        "Paint:",
        "  --colour [red|blue]  Which one.  [default: red]",
        "  --dries-in DURATION  When it is dry.  [default: 60s; 0: never]",
        "",
        "Fence:",
        "  --where PLACE  Where it stands. Repeatable.  [default: garden]",
        "  --is-high      Higher than usual.",
        "  --bucket SIZE  How much paint.  [default: 64k; 0: none]",
        "  --owner NAME   Whose it is.  [default: you]",
        "",
        "Help:",
        "  --help  Show this message and exit.",
    ]


def test_a_range_of_its_own_is_told() -> None:
    options: dict[str, Any] = {option.name: option for option in settings_options(Paint)}
    assert isinstance(options["coats"], SettingOption)
    assert options["coats"].help == "How many.  [default: 2; at most 9]"
