"""Settings as keyword arguments of a function."""

import inspect

import pytest

from zerogate.errors import UsageError
from zerogate.options import takes_more_options, takes_options
from zerogate.settings import DialSettings


@takes_options(DialSettings)
def one(first: int, settings: DialSettings) -> tuple[int, DialSettings]:
    """What it does."""
    return first, settings


@takes_more_options(DialSettings)
def two(first: int, second: str, settings: DialSettings) -> tuple[int, str, DialSettings]:
    return first, second, settings


def test_options_become_settings() -> None:
    assert one(1) == (1, DialSettings())
    assert one(1, redial_max=7.0) == (1, DialSettings(redial_max=7.0))
    assert two(1, "x", connect=("tcp://a:1",)) == (1, "x", DialSettings(connect=("tcp://a:1",)))


def test_what_they_cannot_be() -> None:
    with pytest.raises(UsageError, match=r"^--redial-max "):
        one(1, redial_max=0.0)


def test_what_is_none_of_them() -> None:
    with pytest.raises(TypeError, match=r"^no option redial_maxx: did you mean redial_max\?$"):
        one(1, redial_maxx=0.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^no option colour$"):
        two(1, "x", colour="red")  # type: ignore[call-arg]


def test_help_shows_all_of_them() -> None:
    assert one.__doc__ == "What it does."
    names = [*inspect.signature(DialSettings).parameters]
    assert [*inspect.signature(one).parameters] == ["first", *names]
    assert [*inspect.signature(two).parameters] == ["first", "second", *names]
