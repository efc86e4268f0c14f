"""`zerogate.run`: what it takes, and what it leaves as it was."""

import gc
import logging
import signal
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zerogate
from tests.support.processes import free_port, wait_for
from tests.support.signals import own_signals
from zerogate import UsageError, running

__all__ = ["own_signals"]

pytestmark = pytest.mark.usefixtures("own_signals")


@pytest.fixture(autouse=True)
def refrozen() -> Iterator[None]:
    """What conftest.py has frozen, and a run thaws with its own: else each collection after it counts all tests."""
    yield
    gc.freeze()


def app(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    return [environ["PATH_INFO"].encode()]


def test_an_application_that_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    (tmp_path / "a.txt").write_text("a file")
    replies: list[bytes] = []
    monkeypatch.setattr("zerogate.runner.keep_freed_memory", lambda: True)

    def ask() -> None:
        def get(path: str) -> bytes:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as reply:
                    return bytes(reply.read())
            except OSError:
                return b""

        replies.append(wait_for(lambda: get("/x"), "a reply"))
        replies.append(get("/static/a.txt"))
        signal.raise_signal(signal.SIGTERM)

    root = logging.getLogger("zerogate")
    before = (signal.getsignal(signal.SIGTERM), root.level, root.handlers[:], root.propagate, gc.get_threshold())
    thread = threading.Thread(target=ask)
    thread.start()
    zerogate.run(
        app,
        http=(f"127.0.0.1:{port}",),
        admin="off",
        access_log="off",
        grace=1.0,
        static=(f"/static={tmp_path}",),
    )
    thread.join()
    assert replies == [b"/x", b"a file"]
    after = (signal.getsignal(signal.SIGTERM), root.level, root.handlers[:], root.propagate, gc.get_threshold())
    assert after == before
    assert gc.get_freeze_count() == 0


def test_a_name_is_for_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(running, "run_fleet", lambda app, settings: calls.append((app, settings.processes)))
    zerogate.run("mypkg:app", processes=3)
    assert calls == [("mypkg:app", 3)]


def test_several_processes_need_a_name() -> None:
    with pytest.raises(UsageError, match="MODULE:ATTRIBUTE"):
        zerogate.run(app, processes=2)


def test_an_option_that_is_none() -> None:
    with pytest.raises(TypeError, match=r"^no option portt: did you mean http="):
        zerogate.run(app, portt=1)  # type: ignore[call-arg]


def test_not_in_another_thread() -> None:
    reasons = []

    def run() -> None:
        with pytest.raises(UsageError) as error:
            zerogate.run(app)
        reasons.append(error.value.reason)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "main thread" in reasons[0]


def test_what_cannot_start_leaves_nothing_open() -> None:
    with pytest.raises(zerogate.StartError, match="not an application"):
        zerogate.run(7, http=("127.0.0.1:0",), admin="off", access_log="off")
