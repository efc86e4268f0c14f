"""Running a service: what starts and stops it."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.signals import own_signals
from tests.support.virtual_time import VirtualLoop
from zerogate import hangups, runner
from zerogate.child import STARTED, STOPPING
from zerogate.condition import Condition
from zerogate.errors import StartError, UsageError
from zerogate.runner import KILL_AFTER_S, loop_factory, run_service
from zerogate.settings import ProcessSettings

__all__ = ["own_signals"]

pytestmark = pytest.mark.usefixtures("own_signals", "alone")

SETTINGS = ProcessSettings(grace=3.0)


class ExitError(Exception):
    """Instead of the process's end."""


class FakeTimer:
    """A timer thread that ends when the test says so."""

    made: list["FakeTimer"] = []  # noqa: RUF012 (emptied by a fixture)

    def __init__(self, seconds: float, function: Callable[[], None]) -> None:
        self.seconds = seconds
        self.end = function
        self.is_cancelled = False
        FakeTimer.made.append(self)

    def start(self) -> None:
        """Time stands still."""

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of this process is changed for good, and its time is virtual."""

    def leave(code: int) -> None:
        raise ExitError(code)

    monkeypatch.setattr(runner, "loop_factory", lambda name: VirtualLoop)
    monkeypatch.setattr(runner, "set_up_logging", lambda level, config: None)
    monkeypatch.setattr(runner, "raise_fd_limit", lambda: 1024)
    monkeypatch.setattr(runner, "tune_collector", lambda: None)
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(threading, "Timer", FakeTimer)
    monkeypatch.setattr(hangups, "has_terminal", lambda: False)
    monkeypatch.setattr(runner, "parent_pipe", lambda: None)
    monkeypatch.setattr(runner, "report_pipe", lambda: None)
    levels = {name: logging.getLogger(name).level for name in runner.LINK_LOGGERS}
    FakeTimer.made.clear()
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


class Fake:
    """A service that notes what becomes of it. `script` is what happens once it has started."""

    def __init__(self, *script: Callable[[], object], start: float = 0.0, stop: float = 0.0) -> None:
        self.notes: list[str] = []
        self.replaced = asyncio.Event()
        self.grace: float | None = None
        self._script = list(script)
        self._start = start
        self._stop = stop

    async def start(self) -> None:
        if self._start:
            asyncio.get_running_loop().call_later(self._start / 2, self.go_on)
            try:
                await asyncio.sleep(self._start)
            except asyncio.CancelledError:
                self.notes.append("start interrupted")
                raise
        self.notes.append("started")

    async def stop(self, grace: float | None = None) -> None:
        self.notes.append("stopping")
        self.grace = grace
        self.go_on()
        await asyncio.sleep(self._stop)
        self.notes.append("stopped")

    async def ready(self) -> None:
        """At once."""

    def conditions(self) -> list[Condition]:
        return [Condition("fake", "f", True, "is here")]

    def requests(self, task: "asyncio.Task[Any] | None") -> tuple[list[str], list[str]]:
        return [], []

    def go_on(self, *_: object) -> None:
        """The next step of the script, and the one after it a second later."""
        if self._script:
            self._script.pop(0)()
            asyncio.get_running_loop().call_later(1.0, self.go_on)


def send(number: int) -> Callable[[], None]:
    return lambda: signal.raise_signal(number)


def run(service: Fake, **options: Any) -> list[str]:
    run_service(lambda: service, SETTINGS, on_started=service.go_on, **options)
    return service.notes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(number: int) -> None:
    assert run(Fake(send(number))) == ["started", "stopping", "stopped"]


def test_a_second_signal_ends_it_at_once() -> None:
    service = Fake(send(signal.SIGTERM), send(signal.SIGINT), stop=10.0)
    with pytest.raises(ExitError):
        run(service)
    assert service.notes == ["started", "stopping"]


def test_a_signal_interrupts_its_start() -> None:
    assert run(Fake(send(signal.SIGTERM), start=10.0)) == ["start interrupted", "stopping", "stopped"]


def test_a_start_that_fails_is_told() -> None:
    class Failing(Fake):
        async def start(self) -> None:
            raise StartError("no room")

    service = Failing()
    with pytest.raises(StartError, match="no room"):
        run(service)
    assert service.notes == []


def test_a_stop_that_takes_too_long_ends_the_process() -> None:
    service = Fake(send(signal.SIGTERM))
    run(service)
    (timer,) = FakeTimer.made
    assert timer.seconds == SETTINGS.grace + KILL_AFTER_S
    assert timer.is_cancelled  # it was in time
    with pytest.raises(ExitError):
        timer.end()


def test_a_supervisor_sees_to_that_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    monkeypatch.setattr(runner, "report_pipe", lambda: theirs)
    monkeypatch.setattr(runner, "report", lambda message: os.write(theirs, message))

    def make() -> Fake:
        asyncio.get_running_loop().call_later(1.0, send(signal.SIGTERM))
        return Fake()

    run_service(make, SETTINGS, on_started=lambda service: pytest.fail("a child greets nobody"))
    assert os.read(ours, 100) == STARTED
    assert FakeTimer.made == []
    for fd in (ours, theirs):
        os.close(fd)


def test_a_hangup_is_a_wish_for_new_logs() -> None:
    reopened: list[object] = []
    service = Fake(send(signal.SIGHUP), send(signal.SIGHUP), send(signal.SIGTERM))
    run(service, on_hangup=reopened.append)
    assert reopened == [service, service]


@pytest.mark.parametrize("is_nohup", [False, True])
def test_a_hangup_with_the_terminal_gone_is_a_stop(monkeypatch: pytest.MonkeyPatch, is_nohup: bool) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN if is_nohup else signal.SIG_DFL)
    terminals = [True]
    monkeypatch.setattr(hangups, "has_terminal", lambda: bool(terminals))
    reopened: list[object] = []
    service = Fake(send(signal.SIGHUP), terminals.clear, send(signal.SIGHUP), send(signal.SIGTERM), stop=0.5)
    assert run(service, on_hangup=reopened.append) == ["started", "stopping", "stopped"]
    assert len(reopened) == (2 if is_nohup else 1)


def test_another_signal_is_a_wish_for_new_log_files_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    reopened: list[str] = []
    monkeypatch.setattr(runner, "reopen_log_files", lambda: reopened.append("ours"))
    service = Fake(send(signal.SIGUSR1), send(signal.SIGHUP), send(signal.SIGTERM))
    run(
        service,
        on_hangup=lambda found: reopened.append(f"hangup {found is service}"),
        on_reopen=lambda found: reopened.append(f"reopen {found is service}"),
    )
    assert reopened == ["ours", "reopen True", "ours", "hangup True"]


def test_that_signal_is_an_applications_if_it_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    service = Fake(send(signal.SIGUSR1), send(signal.SIGTERM))

    def make() -> Fake:
        # While it is imported it does no harm either.
        signal.raise_signal(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
        return service

    run_service(make, SETTINGS, on_started=service.go_on, on_reopen=lambda service: pytest.fail("not ours"))
    assert heard == [signal.SIGUSR1]


def test_a_parent_that_is_gone_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    monkeypatch.setattr(runner, "parent_pipe", lambda: ours)
    assert run(Fake(lambda: os.close(theirs))) == ["started", "stopping", "stopped"]
    os.close(ours)


def test_a_parent_that_stops_us_later_has_us_complain_less(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    monkeypatch.setattr(runner, "parent_pipe", lambda: ours)
    levels = []

    def look() -> None:
        levels.append([logging.getLogger(name).level for name in runner.LINK_LOGGERS])

    service = Fake(look, lambda: os.write(theirs, STOPPING), look, send(signal.SIGTERM))
    assert run(service) == ["started", "stopping", "stopped"]
    assert levels == [[logging.NOTSET] * 2, [logging.ERROR] * 2]
    # Its own stop begins two seconds later: so much less is left.
    assert service.grace == pytest.approx(SETTINGS.grace - 2.0)
    for fd in (ours, theirs):
        os.close(fd)


def test_a_service_that_is_replaced_stops() -> None:
    service = Fake()
    service._script.append(service.replaced.set)
    assert service.grace is None
    assert run(service, replaced=lambda service: service.replaced) == ["started", "stopping", "stopped"]


@pytest.mark.parametrize("name", ["asyncio", "auto", "uvloop"])
def test_event_loops_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uvloop = pytest.importorskip("uvloop")
    factory = loop_factory(name)
    assert factory is (None if name == "asyncio" else uvloop.new_event_loop)


def test_uvloop_need_not_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loop_factory("auto") is None
    with pytest.raises(UsageError, match="not installed"):
        loop_factory("uvloop")
