"""Where a process says how it is."""

import asyncio
import json
import os
import socket
from pathlib import Path

import pytest

from zerogate.check_port import PREFIX, CheckPort
from zerogate.condition import Condition

WELL = Condition("worker", "w", True, "has joined router r")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "zerogate"


async def ask(path: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def test_it_answers_and_is_gone_when_closed(directory: Path) -> None:
    async def main() -> None:
        port = CheckPort(lambda: [WELL], ["router", "worker"])
        port.open()
        path = directory / f"{PREFIX}{os.getpid()}"
        for _ in range(2):
            found = json.loads(await ask(path))
            assert found.pop("conditions") == [WELL._asdict()]
            assert found == {"pid": os.getpid(), "command": os.getpid(), "children": ["router", "worker"]}
        port.close()
        port.close()

    asyncio.run(main())
    assert not directory.exists()


def test_it_is_found_when_it_answers_and_not_before(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds a socket at which nobody listens takes it away: its process has gone."""
    found: list[str] = []

    class Watched(socket.socket):
        def listen(self, *arguments: int) -> None:
            found.extend(path.name for path in directory.glob(f"{PREFIX}*"))
            super().listen(*arguments)

    async def main() -> None:
        port = CheckPort(lambda: [WELL])
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", Watched)
            port.open()
        assert not found
        assert b"joined" in await ask(directory / f"{PREFIX}{os.getpid()}")
        port.close()

    asyncio.run(main())
    assert not directory.exists()


def test_what_a_dead_one_with_our_number_has_left(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    path = directory / f"{PREFIX}{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    (directory / "another").touch()

    async def main() -> None:
        port = CheckPort(lambda: [WELL])
        port.open()
        assert b"joined" in await ask(path)
        port.close()

    asyncio.run(main())
    assert {*directory.iterdir()} == {directory / "another"}


def test_without_a_folder_it_does_without(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("zerogate.check_port.make_directory", refuse)

    async def main() -> None:
        port = CheckPort(lambda: [WELL])
        port.open()
        port.close()

    with caplog.at_level("DEBUG", "zerogate"):
        asyncio.run(main())
    assert "will not find this process" in caplog.text
