"""Declaring options, and settings that are made of them."""

import dataclasses
import math
from dataclasses import FrozenInstanceError, dataclass

import pytest

from zerogate import settings as all_settings
from zerogate.errors import UsageError
from zerogate.settings import (
    ClientSettings,
    LinkSettings,
    ProcessSettings,
    QueueSettings,
    RouterSettings,
    RunSettings,
    Settings,
    WorkerSettings,
)
from zerogate.settings.option import count, duration, flag, heading, noun_of, nouns_of, options_of, text, texts


@dataclass(frozen=True)
class Colour(Settings):
    """What it looks like. And more than a heading needs."""

    shade: str = text("red", "Which.", metavar="SHADE")
    fades_after: float = duration(60.0, "When it fades.", off="never")


@dataclass(frozen=True)
class Shape(Settings):
    """Shape"""

    corners: int = count(4, "How many.", low=3, high=12)
    is_round: bool = flag("No corners.")
    holes: tuple[str, ...] = texts((), "Where.", metavar="PLACE")


@dataclass(frozen=True)
class Thing(Colour, Shape):
    """A thing."""

    corners: int = count(6, "How many.", low=3, high=12)


def test_settings_are_made_of_nouns() -> None:
    thing = Thing(shade="blue")
    assert (thing.shade, thing.corners, thing.is_round, thing.holes) == ("blue", 6, False, ())
    assert isinstance(thing, Colour)
    assert isinstance(thing, Shape)


def test_options_come_noun_by_noun_with_what_was_changed_where_it_belongs() -> None:
    assert [field.name for field, _ in options_of(Thing)] == ["shade", "fades_after", "corners", "is_round", "holes"]
    assert noun_of(Thing, "corners") is Shape
    assert {field.name: field.default for field, _ in options_of(Thing)}["corners"] == 6
    assert nouns_of(Thing) == [Thing, Colour, Shape]
    assert [heading(noun) for noun in (Colour, Shape)] == ["What it looks like. And more than a heading needs", "Shape"]


def test_values_are_checked_when_settings_are_made() -> None:
    with pytest.raises(UsageError, match=r"^--corners 2: at least 3$"):
        Thing(corners=2)
    with pytest.raises(UsageError, match=r"^--corners 2: not a whole number$"):
        Thing(corners="2")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^--corners 13: at most 12$"):
        Thing().changed(corners=13)
    with pytest.raises(UsageError, match=r"^--holes left: not a tuple of texts$"):
        Thing(holes="left")  # type: ignore[arg-type]


def test_values_are_put_as_they_are_to_be_used() -> None:
    thing = Thing(fades_after=0, holes=["left", "right"])  # type: ignore[arg-type]
    assert thing.fades_after == math.inf
    assert thing.holes == ("left", "right")
    assert isinstance(Thing(fades_after=3).fades_after, float)
    # Once more through the check, and the same.
    assert thing.changed() == thing


def test_a_default_is_checked_where_it_is_declared() -> None:
    with pytest.raises(UsageError):
        count(0, "None at all.")


def test_a_part_has_what_it_shares_and_its_own_defaults() -> None:
    thing = Thing(shade="blue", corners=5)
    assert thing.part(Colour) == Colour(shade="blue")
    assert thing.part(Shape, is_round=True) == Shape(corners=5, is_round=True)


def test_an_option_is_written_as_one_would_give_it() -> None:
    assert LinkSettings().written("session_window") == "--session-window 16M"


# Ours


def test_two_options_that_depend_on_each_other() -> None:
    with pytest.raises(UsageError, match=r"^--lost-after 2s: at least --suspect-after 3s$"):
        LinkSettings(lost_after=2.0)
    with pytest.raises(UsageError, match=r"^--redial-max 500ms: at least --redial-min 1s$"):
        WorkerSettings(redial_min=1.0, redial_max=0.5)
    assert LinkSettings(suspect_after=2.0, lost_after=2.0).lost_after == 2.0


def test_a_part_of_the_router_can_ask_for_the_noun_it_needs() -> None:
    router = RouterSettings(queue_timeout=1.0)
    for noun in (ClientSettings, QueueSettings, LinkSettings, ProcessSettings):
        assert isinstance(router, noun)
    assert isinstance(RunSettings(), RouterSettings | WorkerSettings)
    assert not isinstance(WorkerSettings(), QueueSettings)


def test_every_noun_has_a_heading_of_its_own() -> None:
    nouns = {
        noun
        for name in all_settings.__all__
        if isinstance(kind := getattr(all_settings, name), type)
        for noun in nouns_of(kind)
    }
    assert len(nouns) > 10
    assert len({heading(noun) for noun in nouns}) == len(nouns)
    assert all(len(heading(noun)) < 60 for noun in nouns)


def test_every_field_is_an_option() -> None:
    for kind in (RouterSettings, WorkerSettings, RunSettings):
        assert {field.name for field, _ in options_of(kind)} == {field.name for field in dataclasses.fields(kind)}


def test_settings_are_values() -> None:
    one, same, other = RouterSettings(name="a"), RouterSettings(name="a"), RouterSettings(name="b")
    assert (one == same, one == other, one == WorkerSettings(name="a")) == (True, False, False)
    assert len({one, same, other}) == 2
    assert "name='a'" in repr(one)
    with pytest.raises(FrozenInstanceError):
        one.name = "b"  # type: ignore[misc]
