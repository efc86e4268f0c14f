"""How values are written, read and shown."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.each import each
from zerogate.errors import UsageError
from zerogate.settings.kinds import (
    GIB,
    KIB,
    MIB,
    AnnouncedDuration,
    AutoCount,
    Choice,
    Count,
    Duration,
    Flag,
    Kind,
    Percentage,
    Size,
    Text,
    Texts,
)

DURATION = Duration(0.0, 1e9)
SIZE = Size(0, 10**18)
COUNT = Count(0, 2**31)
PERCENTAGE = Percentage(0.0001, 100, "none")

WRITTEN = [
    (DURATION, "30", 30.0),
    (DURATION, "30s", 30.0),
    (DURATION, " 1.5 s ", 1.5),
    (DURATION, "700ms", 0.7),
    (DURATION, "2m", 120.0),
    (DURATION, "1h", 3600.0),
    (SIZE, "65536", 65536),
    (SIZE, "64k", 64 * KIB),
    (SIZE, "64 KiB", 64 * KIB),
    (SIZE, "16M", 16 * MIB),
    (SIZE, "1GB", GIB),
    (SIZE, "7b", 7),
    (COUNT, "7", 7),
    (PERCENTAGE, "5%", 5.0),
    (PERCENTAGE, " 0.25 % ", 0.25),
    (PERCENTAGE, "100", 100.0),
    (PERCENTAGE, "off", None),
    (PERCENTAGE, PERCENTAGE.show(12.3456789), 12.3456789),
    (PERCENTAGE, PERCENTAGE.show(5.0), 5.0),
    (Flag(), "1", True),
    (Flag(), "no", False),
    (Texts("X"), "one 'two words' ipc:///tmp/x", ("one", "two words", "ipc:///tmp/x")),
    (Text("X"), " as it is ", " as it is "),
]


@each(("kind", "text", "value"), WRITTEN)
def test_reading(kind: Kind, text: str, value: Any) -> None:
    assert kind.parse(text) == value


def test_a_count_that_is_found_out() -> None:
    kind = AutoCount(1, 64, auto=lambda: 200)
    assert (kind.parse("Auto"), kind.parse("7")) == (64, 7)
    assert kind.parse(kind.show(64)) == 64
    assert AutoCount(1, 64, auto=lambda: 3).parse("auto") == 3
    with pytest.raises(UsageError, match="not a whole number"):
        kind.parse("automatic")
    assert AutoCount(1, 64).parse("auto") == 1


UNREADABLE = [
    (DURATION, ["", "s", "-1", "1e3", "3 weeks", "1d", "nan", "inf", "off", "٣", "1" * 5000], "not a duration"),
    (SIZE, ["", "k", "-1", "1.5k", "1T", "off", "٣", "1" * 5000], "not a size"),
    (COUNT, ["", "-1", "1.0", "1k", "many", "off", "٣", "1" * 5000], "not a whole number"),
    (Choice(("one", "two")), ["", "on", "three"], "one of one, two"),
    (Flag(), ["", "maybe", "2"], "write true or false"),
    (Texts("X"), ["'", "a 'b"], "words in a shell"),
]


@each(("kind", "text", "said"), [(kind, text, said) for kind, texts, said in UNREADABLE for text in texts])
def test_what_cannot_be_read(kind: Kind, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        kind.parse(text)


@each(("kind", "value"), [(Text("X"), "a\0b"), (Texts("X"), ("a", "b\0"))])
def test_no_text_has_a_nul(kind: Kind, value: Any) -> None:
    """A file of options may have one: neither the environment of a child nor a path can."""
    with pytest.raises(UsageError, match="a NUL among its characters"):
        kind.check(value)


OF_ANOTHER_TYPE: list[tuple[Kind, list[Any]]] = [
    (DURATION, ["1", None, True, [1]]),
    (SIZE, ["1", None, True, 1.0]),
    (COUNT, ["1", None, True, 1.0]),
    (Choice(("one",)), [1, None]),
    (Flag(), [1, None, "yes"]),
    (Text("X"), [1, None, b"x"]),
    (Texts("X"), ["one", None, (1,), {"one"}]),
]


@each(("kind", "value"), [(kind, value) for kind, values in OF_ANOTHER_TYPE for value in values])
def test_what_is_of_another_type(kind: Kind, value: Any) -> None:
    with pytest.raises(UsageError):
        kind.check(value)


@each(
    ("kind", "value", "text"),
    [
        (DURATION, 60.0, "60s"),
        (DURATION, 0.25, "250ms"),
        (DURATION, 0.0, "0s"),
        (DURATION, 365 * 86400.0, "8760h"),
        (DURATION, 1.2345678, "1.2345678"),
        (SIZE, 64 * KIB, "64k"),
        (SIZE, 3 * MIB, "3M"),
        (SIZE, 2 * GIB, "2G"),
        (SIZE, 1000, "1000"),
        (SIZE, 0, "0"),
        (Texts("X"), ("a b", "c"), "'a b' c"),
        (Flag(), True, "true"),
    ],
)
def test_showing(kind: Kind, value: Any, text: str) -> None:
    assert kind.show(value) == text


@given(st.floats(0.0, 1e9))
def test_a_duration_is_shown_so_that_it_can_be_read(value: float) -> None:
    shown = DURATION.show(value)
    if "e" not in shown:  # no option is as short as that
        assert DURATION.parse(shown) == value


@given(st.integers(0, 10**18 - 1))
def test_a_size_is_shown_so_that_it_can_be_read(value: int) -> None:
    assert SIZE.parse(SIZE.show(value)) == value


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"))).map(tuple))
def test_texts_are_shown_so_that_they_can_be_read(value: tuple[str, ...]) -> None:
    assert Texts("X").parse(Texts("X").show(value)) == value


@each(
    ("kind", "off"),
    [(Duration(1.0, 2.0, "no limit"), math.inf), (Size(1, 2, "no limit"), None), (Count(1, 2, "never"), 2**63 - 1)],
)
def test_0_is_off_where_that_means_something(kind: Kind, off: Any) -> None:
    assert kind.parse("0") == kind.parse("off") == kind.parse(" OFF ") == kind.check(0) == kind.check(off) == off
    assert kind.show(off) == "off"
    assert kind.parse("2") == 2
    with pytest.raises(UsageError, match="at most 2"):
        kind.parse("3")


def test_too_little_says_what_0_would_mean() -> None:
    with pytest.raises(UsageError, match=r"^at least 1s, or 0: no limit$"):
        Duration(1.0, 2.0, "no limit").parse("500ms")


def test_neither_nan_nor_infinity_is_a_time() -> None:
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(UsageError):
            DURATION.check(value)


def test_an_announced_duration_may_be_left_to_others() -> None:
    kind = AnnouncedDuration(1.0, 20.0, "no limit")
    for nothing in (None, "", " "):
        value = kind.check(nothing) if nothing is None else kind.parse(nothing)
        assert value is None
    assert kind.show(None) == ""
    for text, value in (("5s", 5.0), ("off", math.inf), ("0", math.inf)):
        assert kind.parse(text) == value
        assert kind.parse(kind.show(value)) == value
    with pytest.raises(UsageError, match="at most 20s"):
        kind.parse("21s")


# In a file that has types of its own

TAKEN: list[tuple[Kind, Any, Any]] = [
    (DURATION, 30, 30.0),
    (DURATION, 1.5, 1.5),
    (DURATION, "2m", 120.0),
    (SIZE, 7, 7),
    (SIZE, "7k", 7 * KIB),
    (COUNT, 7, 7),
    (AutoCount(1, 64, auto=lambda: 3), "auto", 3),
    (Count(1, 9, off="never"), "off", Count.OFF),
    (Count(1, 9, off="never"), 0, Count.OFF),
    (Choice(("one",)), "one", "one"),
    (Choice(("one",)), " One ", "one"),
    (Text("X"), "as it is", "as it is"),
    (Flag(), True, True),
    (Texts("X"), "one 'alone'", ("one 'alone'",)),
    (Texts("X"), ["one", "two"], ("one", "two")),
]


@each(("kind", "value", "taken"), TAKEN)
def test_what_is_taken_from_a_file(kind: Kind, value: Any, taken: Any) -> None:
    assert kind.take(value) == taken


NOT_TAKEN: list[tuple[Kind, Any]] = [
    *((DURATION, value) for value in ("soon", True, [1])),
    *((SIZE, value) for value in ("much", True, 1.5)),
    *((COUNT, value) for value in ("7", True, 1.5, "many")),
    *((Choice(("one",)), value) for value in ("two", 1)),
    *((Text("X"), value) for value in (1, True, ["x"])),
    *((Flag(), value) for value in (1, "yes", "true")),
    *((Texts("X"), value) for value in (1, [], [1], {"x": 1})),
]


@each(("kind", "value"), NOT_TAKEN)
def test_what_is_not_taken_from_a_file(kind: Kind, value: Any) -> None:
    with pytest.raises(UsageError):
        kind.take(value)


def refuse_no(text: str) -> None:
    if text == "no":
        raise UsageError("not that")


def test_a_text_may_be_refused() -> None:
    assert Text("X", refuse_no).parse("yes") == "yes"
    assert Texts("X", refuse_no).check(["yes", "yes"]) == ("yes", "yes")
    for kind, value, said in (
        (Text("X", refuse_no), "no", "^not that$"),
        (Texts("X", refuse_no), ["no"], "^not that$"),
        (Texts("X", refuse_no), ["yes", "no"], "^'no': not that$"),
    ):
        with pytest.raises(UsageError, match=said):
            kind.check(value)
