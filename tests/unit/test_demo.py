"""The demo, with a crew that is none."""

import io
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.signals import own_signals
from zerogate import demo as module
from zerogate.demo import Demo, DemoError
from zerogate.errors import StartError
from zerogate.settings import DemoSettings

__all__ = ["own_signals"]

pytestmark = pytest.mark.usefixtures("own_signals")

SETTINGS = DemoSettings(http="127.0.0.1:0", bind="tcp://127.0.0.1:0", admin="127.0.0.1:0", once=True)


class Crew:
    """Workers in memory, who take turns. `unruly` is what goes wrong."""

    def __init__(self, unruly: str = "") -> None:
        self.unruly = unruly
        self.members: list[str] = []
        self.gone: list[str] = []
        self.is_closed = False
        self._turn = 0

    def start(self, name: str, arguments: list[str]) -> None:
        assert arguments[0] == ("router" if name == "router" else "hello")
        self.members.append(name)

    @property
    def names(self) -> set[str]:
        return set(self.members)

    @property
    def workers(self) -> list[str]:
        return [name for name in self.members if name != "router" and name not in self.gone]

    def pid(self, name: str) -> int:
        return self.members.index(name)

    def output(self, name: str) -> str:
        if self.unruly == "no router":
            return "zerogate: no room\n" if name == "router" else "dialling on"
        return "dialling on" if name != "router" else "Ctrl-C stops"

    def outputs(self) -> Iterator[tuple[str, str]]:
        for name in self.members:
            yield name, f"what {name} said\n"

    def kill(self, name: str) -> int:
        self.gone.append(name)
        return self.pid(name)

    def ended(self) -> Iterator[tuple[str, int]]:
        if self.unruly == "no router":
            yield "router", 1

    def close(self) -> None:
        self.is_closed = True

    def fetch_status(self, admin: str) -> dict[str, Any]:
        strangers = ["stranger"] if self.unruly == "strangers" else []
        return {"workers": [{"name": name} for name in [*self.workers, *strangers]]}

    def get(self) -> tuple[int, str]:
        if self.unruly == "interrupted":
            raise KeyboardInterrupt
        self._turn += self.unruly != "no turns"
        name = self.workers[self._turn % len(self.workers)]
        return (500 if self.unruly == "an error" else 200), f"Hello from {name}"


def play(monkeypatch: pytest.MonkeyPatch, unruly: str = "", settings: DemoSettings = SETTINGS) -> Crew:
    crew = Crew(unruly)
    monkeypatch.setattr(module, "_Crew", lambda: crew)
    monkeypatch.setattr(module, "fetch_status", crew.fetch_status)
    monkeypatch.setattr(Demo, "_get", lambda self: crew.get())
    try:
        Demo(settings).play()
    finally:
        assert crew.is_closed
    return crew


def test_it_plays_every_step(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    crew = play(monkeypatch)
    shown = capsys.readouterr().out
    assert [line[:2] for line in shown.splitlines() if line[:1].isdigit()] == ["1.", "2.", "3.", "4.", "5."]
    assert shown.count("Hello from") == 13
    assert "kill -9 0" in shown
    assert "--once ends here" in shown
    assert crew.gone == ["worker-1"]
    assert len(crew.members) == 8


@pytest.mark.parametrize(
    ("unruly", "error", "said"),
    [
        ("no turns", DemoError, "not in turn to worker-1, worker-2"),
        ("an error", DemoError, "answered 500"),
        ("strangers", StartError, r"other workers dial .* \(stranger\)"),
        ("no router", StartError, "^no room$"),
    ],
)
def test_what_was_promised_did_not_happen(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], unruly: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        play(monkeypatch, unruly)
    assert ("--- log of router ---\nwhat router said\n" in capfd.readouterr().err) is (error is DemoError)


def test_ctrl_c_ends_it_in_good_order(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    play(monkeypatch, "interrupted")
    assert "Stopping the router and its workers." in capsys.readouterr().out


def test_it_stays_up_until_a_signal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(signal, "pause", lambda: signal.raise_signal(signal.SIGTERM))
    play(monkeypatch, settings=DemoSettings(http="127.0.0.1:0", bind="ipc:///no/such/link", admin="127.0.0.1:0"))
    shown = capsys.readouterr().out
    assert "$ zerogate hello worker-8 --connect ipc:///no/such/link" in shown
    assert "$ zerogate status --admin 127.0.0.1:0" in shown


@pytest.mark.parametrize("kind", ["http", "bind", "admin"])
def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        taken = {kind: f"tcp://{address}" if kind == "bind" else address}
        with pytest.raises(StartError, match=f"^--{kind} {taken[kind]} is taken by another program"):
            # Before there is anything to close.
            Demo(SETTINGS.changed(**taken)).play()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "has_colour"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colour(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], has_colour: bool) -> None:
    monkeypatch.setattr(sys, "stdout", stdout := Terminal())
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    play(monkeypatch)
    assert ("\x1b[" in stdout.getvalue()) is has_colour
