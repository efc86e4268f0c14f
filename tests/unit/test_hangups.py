"""Whose SIGHUP it is."""

import asyncio
import signal
from collections.abc import Callable

import pytest

from tests.support.signals import own_signals
from tests.support.virtual_time import run_virtually
from zerogate import hangups
from zerogate.hangups import DECIDE_S, LOOK_AGAIN_S, LOOK_EVERY_S, Hangups

__all__ = ["own_signals"]

pytestmark = pytest.mark.usefixtures("own_signals")

HUP = "hangup"
CLOSE = "the terminal is closed"


class Terminal:
    def __init__(self, is_there: bool = True) -> None:
        self.is_there = is_there

    def close(self) -> None:
        self.is_there = False


def heard(monkeypatch: pytest.MonkeyPatch, *events: tuple[float, str], is_there: bool = True) -> list[str]:
    """What was made of what happened at so many seconds."""
    terminal = Terminal(is_there)
    monkeypatch.setattr(hangups, "has_terminal", lambda: terminal.is_there)
    said: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        found = Hangups(lambda: said.append("stop"), lambda: said.append("renew"))
        happen: dict[str, Callable[[], object]] = {
            HUP: lambda: signal.raise_signal(signal.SIGHUP),
            CLOSE: terminal.close,
        }
        for at, event in events:
            loop.call_later(at, happen[event])
        await asyncio.sleep(max(at for at, _ in events) + 20.0)
        found.close()

    run_virtually(main())
    return said


def test_without_a_terminal_each_is_an_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard(monkeypatch, (1.0, HUP), (2.0, HUP), is_there=False) == ["renew", "renew"]


def test_once_it_is_closed_nothing_happens_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is about to end has more to do than to die of it."""
    monkeypatch.setattr(hangups, "has_terminal", lambda: False)
    said: list[str] = []

    async def main() -> None:
        found = Hangups(lambda: said.append("stop"), lambda: said.append("renew"))
        found.close()
        signal.raise_signal(signal.SIGHUP)
        await asyncio.sleep(1.0)

    run_virtually(main())
    signal.raise_signal(signal.SIGHUP)
    assert not said


def test_with_a_terminal_that_stays_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard(monkeypatch, (1.0, HUP), (50.0, HUP)) == ["renew", "renew"]


def test_a_terminal_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard(monkeypatch, (1.0, CLOSE), (1.0, HUP)) == ["stop"]


def test_a_shell_that_tells_its_jobs_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard(monkeypatch, (1.0, HUP), (1.0 + DECIDE_S / 2, CLOSE)) == ["stop"]


@pytest.mark.parametrize("after_s", LOOK_AGAIN_S)
def test_a_shell_that_takes_its_time(monkeypatch: pytest.MonkeyPatch, after_s: float) -> None:
    said = heard(monkeypatch, (1.0, HUP), (1.0 + after_s, CLOSE))
    assert said[:2] == ["renew", "stop"]
    assert set(said[2:]) <= {"stop"}


def test_who_was_left_behind_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard(monkeypatch, (1.0, CLOSE), (1.0 + 3 * LOOK_EVERY_S, HUP)) == ["renew"]


def test_but_is_not_taken_for_that_too_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard(monkeypatch, (LOOK_EVERY_S - 0.1, CLOSE), (LOOK_EVERY_S + 0.1, HUP)) == ["stop"]


def test_under_nohup_the_terminals_end_is_nobodys_business(monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert heard(monkeypatch, (1.0, CLOSE), (1.0, HUP), (2.0, HUP)) == ["renew", "renew"]
