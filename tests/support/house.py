"""A supervisor's children in memory, on virtual time: what each of their processes does, and what happens when."""

import asyncio
import itertools
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.signals import own_signals
from tests.support.virtual_time import VirtualLoop
from zerogate import hangups
from zerogate.child import JOINED, PARENT_FD_VARIABLE, PARTED, REPORT_FD_VARIABLE, SEAT_FD_VARIABLE, STARTED, WORN
from zerogate.settings import ProcessSettings
from zerogate.supervisor import command
from zerogate.supervisor.children import Child
from zerogate.supervisor.command import supervise
from zerogate.supervisor.reload import Watch

__all__ = ["alone", "own_signals"]

GRACE_S = 3.0
SETTINGS = ProcessSettings(grace=GRACE_S)

_pids = itertools.count(1000)


class FakeProcess:
    """A child in memory. It starts at once, and ends when it is told to; other manners are options.

    starts_in, joins_in, parts_in, wears_in, ends_in: seconds; None for never. All but the last one after the other
    fails: an exit code, and what it has to say, instead of starting
    """

    def __init__(
        self,
        *,
        starts_in: float | None = 0.1,
        joins_in: float | None = None,
        parts_in: float | None = None,
        wears_in: float | None = None,
        ends_in: float | None = 0.1,
        fails: tuple[int, bytes] | None = None,
        dies_in: float | None = None,
        last_words: bytes = b"",
        found: bytes = b"",
    ) -> None:
        self.returncode: int | None = None
        self.pid = next(_pids)
        self._ended = asyncio.Event()
        self._starts_in, self._ends_in, self._fails = starts_in, ends_in, fails
        self._joins_in, self._parts_in, self._wears_in = joins_in, parts_in, wears_in
        self._dies_in, self._last_words, self._found = dies_in, last_words, found
        self.name = ""
        self.house: House

    def begin(self, name: str, house: "House", environment: dict[str, str]) -> None:
        loop = asyncio.get_running_loop()
        self.name, self.house = name, house
        self._parent_fd = int(environment[PARENT_FD_VARIABLE])
        self._report_fd = int(environment[REPORT_FD_VARIABLE])
        os.set_blocking(self._parent_fd, False)
        house.note(f"{name} begins")
        if self._fails is not None:
            loop.call_later(0.1, self._end, *self._fails)
        elif self._starts_in is not None:
            # As it may well come: in the middle of a line.
            said = self._found + STARTED
            half = len(self._found) // 2
            if half:
                os.write(self._report_fd, said[:half])
            at = self._starts_in
            loop.call_later(at, self._say, said[half:])
            words = ((self._joins_in, JOINED), (self._parts_in, PARTED), (self._wears_in, WORN + b"it is tired\n"))
            for seconds, word in words:
                if seconds is not None:
                    at += seconds
                    loop.call_later(at, self._say, word)
        if self._dies_in is not None:
            loop.call_later(self._dies_in, self._end, 1, self._last_words)

    def send_signal(self, number: int) -> None:
        self.house.note(f"{self.name} gets {signal.Signals(number).name}")
        if number == signal.SIGKILL:
            self._end(-9)
        elif number == signal.SIGTERM and self._ends_in is not None:
            asyncio.get_running_loop().call_later(self._ends_in, self._end, 0)

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def heard(self) -> bytes:
        """What the supervisor has said to it."""
        try:
            return os.read(self._parent_fd, 100)
        except BlockingIOError:
            return b""

    def _say(self, words: bytes) -> None:
        if self.returncode is None:
            os.write(self._report_fd, words)

    def _end(self, code: int, last_words: bytes = b"") -> None:
        if self.returncode is None:
            if last_words:
                os.write(self._report_fd, last_words)
            self.returncode = code
            self.house.note(f"{self.name} ends")
            self._ended.set()


class House:
    """All children of a test, each of which has several lives, and what happens at which time."""

    def __init__(self, **lives: list[dict[str, Any]]) -> None:
        self.notes: list[str] = []
        self.times: list[float] = []
        self.processes: dict[str, list[FakeProcess]] = {}
        self._lives = lives
        # Instead of another process.
        self.error: OSError | None = None

    def note(self, what: str) -> None:
        self.notes.append(what)
        self.times.append(asyncio.get_running_loop().time())

    def time_of(self, what: str, n: int = 0) -> float:
        return [at for at, note in zip(self.times, self.notes, strict=True) if note == what][n]

    async def create(self, *command: str, env: dict[str, str], **options: Any) -> FakeProcess:
        if self.error is not None:
            raise self.error
        assert options["start_new_session"]
        names = (PARENT_FD_VARIABLE, REPORT_FD_VARIABLE, *((SEAT_FD_VARIABLE,) if SEAT_FD_VARIABLE in env else ()))
        assert {int(env[name]) for name in names} == set(options["pass_fds"])
        name = command[-1]
        lives = self._lives.get(name, [{}])
        before = self.processes.setdefault(name, [])
        before.append(FakeProcess(**lives[min(len(before), len(lives) - 1)]))
        before[-1].begin(name, self, env)
        return before[-1]


def child(name: str, stage: int = 0, **options: Any) -> Child:
    """Its lives are those that the house has for the name."""
    return Child(f"child {name}", [name], {}, stage, **options)


def rolling(name: str) -> Child:
    return child(name, may_roll=True)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, own_signals: None) -> None:
    """Virtual time, and nothing of this process changed for good."""
    monkeypatch.setattr(command, "loop_factory", lambda name: VirtualLoop)
    monkeypatch.setattr(command, "set_up_logging", lambda level, config: None)
    monkeypatch.setattr(hangups, "has_terminal", lambda: False)


def run(
    house: House,
    children: list[Child],
    *script: Callable[[], object],
    every_s: float = 1.0,
    make_center: Callable[[], Any] | None = None,
    watch: Watch | None = None,
) -> int:
    """Supervise; once all have come up, the steps of the script follow, with pauses. Returns the exit code."""

    def go_on(steps: list[Callable[[], object]]) -> None:
        if steps:
            steps[0]()
            asyncio.get_running_loop().call_later(every_s, go_on, steps[1:])

    def on_started() -> None:
        house.note("all are up")
        go_on(list(script))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "create_subprocess_exec", house.create)
        try:
            supervise(children, SETTINGS, on_started, make_center, watch)
        except SystemExit as left:
            return int(left.code or 0)
    return 0


def send(number: int) -> Callable[[], None]:
    return lambda: signal.raise_signal(number)


STOP = send(signal.SIGTERM)
