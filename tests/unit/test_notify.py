"""What a service manager is told, on a socket of the test's own."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zerogate import notify


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Hears what is said."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.setblocking(False)
        monkeypatch.setenv(notify.VARIABLE, str(path))
        forget()
        yield sock
    forget()


def forget() -> None:
    notify._address.cache_clear()
    notify.watchdog_s.cache_clear()


def test_what_is_said(manager: socket.socket) -> None:
    notify.notify(notify.READY, notify.main_pid(7))
    assert manager.recv(1000) == b"READY=1\nMAINPID=7"
    notify.notify_reloading(1_234_567)
    assert manager.recv(1000) == b"RELOADING=1\nMONOTONIC_USEC=1234"


def test_who_is_started_by_us_finds_nothing(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "4000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notify.take()
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & {*os.environ}
    notify.notify(notify.STOPPING)
    assert manager.recv(1000) == b"STOPPING=1"
    assert notify.watchdog_s() == 2.0


def test_an_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = f"zerogate-test-{os.getpid()}"
        sock.bind(f"\0{name}")
        monkeypatch.setenv(notify.VARIABLE, f"@{name}")
        forget()
        notify.notify(notify.READY)
        forget()
        assert sock.recv(1000) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "relative"])
def test_nobody_to_tell(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(notify.VARIABLE, address)
    forget()
    notify.notify(notify.READY)
    forget()


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [("", "", 0.0), ("nonsense", "", 0.0), ("2000000", "", 1.0), ("2000000", "1", 0.0), ("0", "", 0.0)],
)
def test_how_often(usec: str, pid: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    forget()
    assert notify.watchdog_s() == seconds
    forget()


def test_alive_again_and_again(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    later: list[tuple[float, Callable[..., object]]] = []
    notify.keep_alive(lambda seconds, function, again: later.append((seconds, function)))
    assert manager.recv(1000) == b"WATCHDOG=1"
    assert later == [(10.0, notify.keep_alive)]


def test_not_where_nobody_asks(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    notify.keep_alive(lambda *_: pytest.fail("nobody asks"))
    with pytest.raises(BlockingIOError):
        manager.recv(1000)
