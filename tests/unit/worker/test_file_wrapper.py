"""`wsgi.file_wrapper`."""

import io
from pathlib import Path

import pytest

from zerogate.worker.file_wrapper import FILE_BYTES, FileWrapper


def test_a_file_on_a_disk_is_read_in_large_pieces(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * FILE_BYTES + 1))
    with path.open("rb") as file:
        wrapped = FileWrapper(file, 100)
        assert [len(piece) for piece in wrapped] == [FILE_BYTES] * 3 + [1]
        wrapped.close()
        assert file.closed


def test_others_are_read_as_is_asked_for() -> None:
    assert [*FileWrapper(io.BytesIO(b"abcdefg"), 3)] == [b"abc", b"def", b"g"]
    assert [len(piece) for piece in FileWrapper(io.BytesIO(bytes(10_000)))] == [8192, 1808]


class Source:
    """Has no descriptor, and no `close`."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = [*pieces]

    def read(self, n: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


class Strange(Source):
    def fileno(self) -> str:
        return "seven"


@pytest.mark.parametrize("kind", [Source, Strange])
def test_what_can_be_read_is_a_file(kind: type[Source]) -> None:
    wrapped = FileWrapper(kind(b"one", b"two"))
    assert not hasattr(wrapped, "close")
    assert [*wrapped] == [b"one", b"two"]
