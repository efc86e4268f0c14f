"""What is dialled, and when it is forgotten."""

import asyncio
from typing import Any

import pytest

from tests.support.each import each
from zerogate.settings.endpoint import parse_endpoint
from zerogate.worker.targets import FORGET_AFTER_S, Target, Targets, addresses_of, at_address, is_name

ONE = parse_endpoint("tcp://one.example:8000")
TWO = parse_endpoint("tcp://two.example:8000")


def named(targets: Targets, *arguments: Any, **options: Any) -> Target:
    target = targets.name(*arguments, **options)
    assert target is not None
    return target


def test_each_is_dialled_once() -> None:
    targets = Targets()
    given = named(targets, ONE, 0.0, is_given=True)
    assert targets.name(ONE, 1.0) is None
    other = named(targets, ONE, 1.0, "id")
    assert targets.name(ONE, 2.0, "id") is None
    third = named(targets, TWO, 2.0)
    assert list(targets) == [given, other, third]
    assert len(targets) == 3


def test_what_nobody_names_is_forgotten_unless_it_was_given_or_has_a_link() -> None:
    targets = Targets()
    given = named(targets, ONE, 0.0, is_given=True)
    linked = named(targets, ONE, 0.0, "id")
    linked.link = object()  # type: ignore[assignment] # any will do
    named_once = named(targets, TWO, 0.0)
    assert targets.forget(FORGET_AFTER_S) == []
    assert targets.forget(FORGET_AFTER_S + 1) == [named_once]
    assert list(targets) == [given, linked]


def test_what_is_named_again_is_kept() -> None:
    targets = Targets()
    kept = named(targets, TWO, 0.0)
    targets.name(TWO, 100.0)
    assert targets.forget(FORGET_AFTER_S + 1) == []
    assert targets.forget(FORGET_AFTER_S + 101) == [kept]
    targets.drop(kept)  # once more does no harm
    assert len(targets) == 0


@each(
    ("endpoint", "answer"),
    [
        ("tcp://routers.example:8000", True),
        ("tcp://localhost:8000", False),
        ("tcp://127.0.0.1:8000", False),
        ("tcp://[::1]:8000", False),
        ("tcp://*:8000", False),
        ("ipc:///run/link", False),
    ],
)
def test_names(endpoint: str, answer: bool) -> None:
    assert is_name(parse_endpoint(endpoint)) is answer


def looked_up(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> list[str]:
    async def main() -> list[str]:
        async def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
            if not hosts:
                raise OSError("no such name")
            return [(2, 1, 6, "", (host, port)) for host in hosts]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        return [endpoint.text for endpoint in await addresses_of(ONE)]

    return asyncio.run(main())


def test_the_addresses_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = looked_up(monkeypatch, "192.0.2.2", "192.0.2.1", "2001:db8::1", "192.0.2.1")
    assert found == ["tcp://192.0.2.1:8000", "tcp://192.0.2.2:8000", "tcp://[2001:db8::1]:8000"]


def test_one_address_is_no_more_than_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked_up(monkeypatch, "192.0.2.1") == []


def test_a_name_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked_up(monkeypatch) == []


def test_an_address_can_be_dialled() -> None:
    assert at_address(ONE, "192.0.2.1") == parse_endpoint("tcp://192.0.2.1:8000")
    assert at_address(ONE, "2001:db8::1") == parse_endpoint("tcp://[2001:db8::1]:8000")
