"""A file as a reply. `test_files.py` has what becomes of it where somebody asks for it."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.each import each
from zerogate.worker import file_reply
from zerogate.worker.file_reply import ChangedError, FileReply, with_ranges

Pairs = list[tuple[bytes, bytes]]


def scope_of(*headers: tuple[bytes, bytes], method: str = "GET") -> dict[str, Any]:
    return {"type": "http", "method": method, "headers": [*headers], "asgi": {"spec_version": "2.4"}}


def sent(reply: FileReply, scope: dict[str, Any]) -> list[Any]:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        raise AssertionError("nobody asks for a body")

    asyncio.run(reply(scope, receive, send))
    return messages


def body_of(messages: list[Any]) -> bytes:
    return b"".join(message["body"] for message in messages[1:])


def is_open(path: Path) -> bool:
    """Whether a descriptor of this process is of this file, though it may have been removed."""
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{fd}").startswith(str(path)):
                return True
    return False


@pytest.mark.parametrize("has_descriptors", [True, False])
def test_what_was_found_is_sent_and_nothing_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_descriptors: bool
) -> None:
    monkeypatch.setattr(file_reply, "_HAS_DESCRIPTORS", has_descriptors)
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert body_of(sent(FileReply(path, stat_result=path.stat()), scope_of())) == b"content"
    assert body_of(sent(FileReply(path, stat_result=path.stat()), scope_of((b"range", b"bytes=1-2")))) == b"on"
    assert not is_open(path)


def test_what_is_there_no_longer_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    found = path.stat()
    path.write_bytes(b"more content")
    with pytest.raises(ChangedError):
        sent(FileReply(path, stat_result=found), scope_of())
    path.unlink()
    with pytest.raises(ChangedError):
        sent(FileReply(path, stat_result=found), scope_of())
    assert not is_open(path)
    # Of a head no content is sent.
    assert body_of(sent(FileReply(path, stat_result=found), scope_of(method="HEAD"))) == b""


@each(
    ("asked", "size", "left"),
    [
        (b"bytes=0-1", 10, b"bytes=0-1"),
        (b"bytes=0-1, 10-, 2-3", 10, b"bytes=0-1,2-3"),
        (b"bytes=10-,11-12", 10, b"bytes=10-,11-12"),
        (b"BYTES=,0-0,", 10, b"bytes=0-0"),
        (b"bytes=-1", 0, None),
        (b"bytes=0-", 0, b"bytes=0-"),
        (b"bytes=-0", 10, b"bytes=-0"),
        (b"bytes=1-0", 10, None),
        (b"bytes=0-1,x", 10, None),
        (b"bytes", 10, None),
        (b"items=0-1", 10, None),
        (b"bytes=" + b"," * 60_000, 10, None),
        (b"bytes=0-0" + b" , " * 20_000 + b"x", 10, None),
    ],
)
def test_ranges_that_mean_something(asked: bytes, size: int, left: bytes | None) -> None:
    other = (b"host", b"a")
    scope = scope_of(other, (b"range", asked))
    assert with_ranges(scope, size)["headers"] == [other, *([(b"range", left)] if left else [])]
    assert with_ranges({**scope, "method": "HEAD"}, size)["headers"] == [other]
    assert scope["headers"] == [other, (b"range", asked)]
