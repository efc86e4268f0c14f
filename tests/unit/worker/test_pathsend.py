"""Sending a file."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.router_end import until
from zerogate.worker import pathsend
from zerogate.worker.errors import ApplicationError, ClientDisconnected
from zerogate.worker.pathsend import PIECE_BYTES, send_file


class FakeCall:
    """Notes what it is sent. `on_piece` is called for each."""

    def __init__(self, method: bytes = b"GET", on_piece: Callable[[], object] = lambda: None) -> None:
        self.fields = {b":method": method}
        self.pieces: list[bytes] = []
        self.more: list[bool] = []
        self.n_drained = 0
        self._on_piece = on_piece

    def send_body(self, data: bytes, more: bool) -> bool:
        self.pieces.append(data)
        self.more.append(more)
        self._on_piece()
        return len(self.pieces) % 2 == 0

    async def drain(self) -> None:
        self.n_drained += 1


def sent(call: FakeCall, path: Path) -> FakeCall:
    try:
        asyncio.run(send_file(cast(Any, call), str(path)))
    finally:
        assert not is_open(path)
    return call


def is_open(path: Path) -> bool:
    """In this process, whatever else there is."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(descriptor) == str(path):
                return True
    return False


@pytest.fixture(params=["at once", "by a thread"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file, read either way."""
    if request.param == "by a thread":
        monkeypatch.setattr(pathsend, "_NOWAIT", 0)
    return tmp_path / "file"


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_in_pieces_to_its_end(path: Path, size: int) -> None:
    content = os.urandom(size)
    path.write_bytes(content)
    call = sent(FakeCall(), path)
    assert b"".join(call.pieces) == content
    assert max(map(len, call.pieces)) <= PIECE_BYTES
    assert call.more == [True] * (len(call.pieces) - 1) + [False]
    assert call.n_drained == len(call.pieces) // 2


def test_of_a_head_request_nothing(path: Path) -> None:
    path.write_bytes(b"content")
    assert sent(FakeCall(b"HEAD"), path).pieces == [b""]


def test_what_grows_is_sent_as_it_was(path: Path) -> None:
    path.write_bytes(bytes(PIECE_BYTES + 1))

    def grow() -> None:
        with path.open("ab") as file:
            file.write(b"more")

    assert sum(map(len, sent(FakeCall(on_piece=grow), path).pieces)) == PIECE_BYTES + 1


def test_what_shrinks_is_an_error(path: Path) -> None:
    path.write_bytes(bytes(3 * PIECE_BYTES))
    call = FakeCall(on_piece=lambda: os.truncate(path, PIECE_BYTES))
    with pytest.raises(ApplicationError, match=f"has become shorter, by {2 * PIECE_BYTES} bytes"):
        sent(call, path)
    assert False not in call.more


def test_who_leaves_leaves_no_file_open(path: Path) -> None:
    path.write_bytes(bytes(3 * PIECE_BYTES))

    def leave() -> None:
        raise ClientDisconnected("the client has left")

    with pytest.raises(ClientDisconnected):
        sent(FakeCall(on_piece=leave), path)


@pytest.mark.parametrize("is_there", [True, False])
def test_nor_does_who_leaves_while_it_is_opened(path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    """As a file on a slow disk is, or a name server's."""
    may_open, opening, find = threading.Event(), threading.Event(), pathsend._open
    if is_there:
        path.write_bytes(b"content")

    def open_slowly(name: str) -> tuple[int, int]:
        opening.set()
        assert may_open.wait(10)
        return find(name)

    monkeypatch.setattr(pathsend, "_open", open_slowly)

    async def main() -> None:
        task = asyncio.ensure_future(send_file(cast(Any, FakeCall()), str(path)))
        await until(opening.is_set, "it is being opened")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        may_open.set()
        await asyncio.get_running_loop().shutdown_default_executor()
        await until(lambda: not is_open(path), "it is closed")

    asyncio.run(main())


def test_what_is_no_file(tmp_path: Path) -> None:
    """A pipe would be waited for until somebody writes to it, in a thread, of which there are few."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(ApplicationError, match="no regular file"):
            sent(FakeCall(), path)


def test_what_is_not_there(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sent(FakeCall(), path)


def test_where_the_system_cannot_tell(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise BlockingIOError

    path.write_bytes(b"content")
    monkeypatch.setattr(os, "preadv", fail)
    assert sent(FakeCall(), path).pieces == [b"content"]
