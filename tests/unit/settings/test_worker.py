"""What a worker can set."""

import re
from typing import Any

import pytest

from tests.support.each import each
from zerogate.errors import UsageError
from zerogate.settings import DialSettings, ServeSettings
from zerogate.settings.worker import MAX_LABELS, MAX_WEIGHT, ApplicationSettings
from zerogate.wire.http import join, terms


def test_the_longest_wait_is_no_shorter_than_the_shortest() -> None:
    assert DialSettings(redial_min=1.0, redial_max=1.0).redial_max == 1.0
    with pytest.raises(UsageError, match=r"^--redial-max 500ms: at least --redial-min 1s$"):
        DialSettings(redial_min=1.0, redial_max=0.5)


def test_a_root_path_is_a_text() -> None:
    """What a shell hands over may be octets that are none."""
    assert ApplicationSettings(root_path="/caf\xe9").root_path == "/caf\xe9"
    with pytest.raises(UsageError, match=r"^--root-path .*: not a text in UTF-8$"):
        ApplicationSettings(root_path="/\udcff")


def test_weights_are_those_that_a_router_takes() -> None:
    assert join.MAX_WEIGHT == MAX_WEIGHT
    assert ServeSettings(weight=MAX_WEIGHT).weight == MAX_WEIGHT


@each(
    ("options", "reason"),
    [
        ({"label": ("version",)}, "--label version: NAME=VALUE"),
        ({"label": ("a=1", "a=2")}, "each name once"),
        ({"label": tuple(f"l{n}=x" for n in range(17))}, "at most 16"),
        ({"sticky": "ip"}, "--sticky ip: cookie, client or header:NAME"),
        ({"sticky": "header:"}, "--sticky header:"),
    ],
)
def test_terms_that_no_router_would_take(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=re.escape(reason)):
        ServeSettings(**options)


def test_terms_are_those_that_a_router_takes() -> None:
    settings = ServeSettings(label=("version=2",), share=5.0, sticky="header:X-User")
    assert terms.make_terms(settings.label, settings.share, settings.sticky).names == ["label", "share", "sticky"]
    assert terms.MAX_LABELS == MAX_LABELS


def test_a_root_path_is_the_beginning_of_one() -> None:
    assert [ApplicationSettings(root_path=text).root_path for text in ("", "/", "/api")] == ["", "/", "/api"]
    with pytest.raises(UsageError, match=r"^--root-path api/v1: a path begins with /: write /api/v1$"):
        ApplicationSettings(root_path="api/v1")
