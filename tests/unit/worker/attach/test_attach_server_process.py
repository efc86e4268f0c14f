"""The server that we have started: restarts, giving up, and stopping it."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

import pytest

from tests.support.commands import is_running
from tests.support.router_end import until
from zerogate.errors import StartError
from zerogate.worker.attach import server_process
from zerogate.worker.attach.server_process import MAX_FAILURES, ServerProcess, check_command
from zerogate.worker.attach.target import Target, parse_target

TARGET = parse_target("http://127.0.0.1:3000")


def shell(script: str, target: Target = TARGET) -> tuple[ServerProcess, list[str]]:
    changes: list[str] = []
    return ServerProcess(("sh", "-c", script), target, lambda: changes.append("changed")), changes


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_process, "RESTART_MIN_S", 0.001)
    monkeypatch.setattr(server_process, "RESTART_MAX_S", 0.001)
    monkeypatch.setattr(server_process, "TERM_S", 0.1)


def test_a_command_that_is_not_there() -> None:
    check_command((sys.executable,))
    with pytest.raises(StartError, match="no-such-thing: no such command"):
        check_command(("no-such-thing", "x"))


def test_it_is_not_told_the_worker_s_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It may show its environment to whoever asks, as phpinfo() does."""
    monkeypatch.setenv("ZEROGATE_KEY", "hush")
    monkeypatch.setenv("ZEROGATE_NAME", "shop")

    async def main() -> None:
        server, _ = shell(f"env > {tmp_path}/env; exec sleep 60")
        running = asyncio.create_task(server.run())
        await until(lambda: (tmp_path / "env").exists() and "PORT=3000" in (tmp_path / "env").read_text(), "it is up")
        await server.stop(0.0)
        await running

    asyncio.run(main())
    told = (tmp_path / "env").read_text()
    assert "ZEROGATE_NAME=shop" in told
    assert "hush" not in told


@pytest.mark.slow
@pytest.mark.usefixtures("in_a_hurry")
def test_one_that_does_not_stay_up_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        server, changes = shell("exit 3")
        with pytest.raises(StartError, match=f"{MAX_FAILURES} times running, the last time with exit code 3: sh -c"):
            await server.run()
        assert len(changes) == 2 * MAX_FAILURES
        assert repr(server) == "<ServerProcess sh -c 'exit 3'>"

    caplog.set_level(logging.INFO, "zerogate.worker")
    asyncio.run(main())
    assert caplog.text.count("starting it again") == MAX_FAILURES - 1


@pytest.mark.usefixtures("in_a_hurry")
def test_one_that_was_up_for_long_is_started_again_as_often_as_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server_process, "STEADY_S", 0.0)
    monkeypatch.setattr(server_process, "MAX_FAILURES", 2)
    log = tmp_path / "log"

    async def main() -> None:
        server, _ = shell(f"echo $PORT >> {log}; exit 1")
        running = asyncio.ensure_future(server.run())
        await until(lambda: log.exists() and log.read_text().count("3000\n") > 3, "several starts")
        await server.stop(1.0)
        await running

    asyncio.run(main())


def test_one_that_cannot_be_run() -> None:
    async def main() -> None:
        server = ServerProcess(("/",), TARGET, lambda: None)
        with pytest.raises(StartError, match="at once, the last time with exit code 126"):
            await server.run()

    asyncio.run(main())


@pytest.mark.usefixtures("in_a_hurry")
@pytest.mark.parametrize("trap", ["exit 0", ""])
def test_stopping(trap: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ready = tmp_path / "ready"

    async def main() -> None:
        server, _ = shell(f"trap '{trap}' TERM; touch {ready}; while :; do sleep 0.01; done")
        running = asyncio.ensure_future(server.run())
        await until(ready.exists, "it is up")
        await server.stop(20.0 if trap else 0.0)
        await running
        await server.stop(0.0)

    asyncio.run(main())
    assert ("killed" in caplog.text) is not bool(trap)


@pytest.mark.usefixtures("in_a_hurry")
def test_stopping_where_its_keeper_stands_still(tmp_path: Path) -> None:
    """SIGSTOP is for whoever it is sent to; who is told to stop for good is not to be left behind."""
    ready = tmp_path / "ready"

    async def main() -> None:
        server, _ = shell(f"echo $$ > {ready}.new; mv {ready}.new {ready}; exec sleep 1000")
        running = asyncio.ensure_future(server.run())
        await until(ready.exists, "it is up")
        pid = int(await asyncio.to_thread(ready.read_text))
        assert server._process is not None
        server._process.send_signal(signal.SIGSTOP)
        await server.stop(0.0)
        await running
        await until(lambda: not is_running(pid), "it has ended")

    asyncio.run(main())


def test_stopping_before_it_is_there() -> None:
    async def main() -> None:
        server, _ = shell("sleep 1000")
        running = asyncio.ensure_future(server.run())
        await asyncio.sleep(0)
        await server.stop(0.0)
        await running

    asyncio.run(main())


def test_no_port_for_a_unix_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "what it was")
    log = tmp_path / "log"

    async def main() -> None:
        server, _ = shell(f"echo $PORT > {log}; sleep 1000", parse_target("unix:/run/app"))
        running = asyncio.ensure_future(server.run())
        await until(lambda: log.exists() and log.read_text(), "it is up")
        await server.stop(5.0)
        await running

    asyncio.run(main())
    assert log.read_text() == "what it was\n"
