"""Sending a file."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

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


def test_what_is_not_there(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sent(FakeCall(), path)


def test_where_the_system_cannot_tell(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise BlockingIOError

    path.write_bytes(b"content")
    monkeypatch.setattr(os, "preadv", fail)
    assert sent(FakeCall(), path).pieces == [b"content"]
