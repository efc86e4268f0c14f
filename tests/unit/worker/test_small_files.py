"""Small files in memory: what shows that one has changed, and who has to go."""

import os
from pathlib import Path

import pytest

from zerogate.worker.small_files import (
    MAX_FILE_BYTES,
    OVERHEAD_BYTES,
    SmallFile,
    SmallFiles,
    are_settled,
    is_unchanged,
    mark_of,
    read_small,
)


def small(size: int = 10, *paths: Path) -> SmallFile:
    return SmallFile([mark_of(str(path)) for path in paths], [], bytes(size))


def test_a_file_is_found_as_long_as_nothing_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    kept = SmallFiles()
    assert kept.find("a") is None
    file = small(1, path)
    kept.keep("a", file)
    assert kept.find("a") is file
    assert repr(kept) == f"<SmallFiles 1 in {1 + OVERHEAD_BYTES} bytes>"
    path.write_bytes(b"22")
    assert kept.find("a") is None
    assert kept.n_bytes == 0


def test_who_was_not_asked_for_goes_first() -> None:
    kept = SmallFiles(3 * (10 + OVERHEAD_BYTES))
    for name in "abc":
        kept.keep(name, small())
    kept.keep("a", small())  # in the place of the other one
    assert kept.find("b") is not None
    kept.keep("d", small())
    assert [name for name in "abcd" if kept.find(name)] == ["a", "b", "d"]
    assert kept.n_bytes == 3 * (10 + OVERHEAD_BYTES)


def test_what_is_too_large_for_all_of_it_is_not_kept() -> None:
    kept = SmallFiles(100)
    kept.keep("a", small(1000))
    assert kept.find("a") is None
    assert kept.n_bytes == 0


def test_what_shows_a_change(tmp_path: Path) -> None:
    path, other, link = tmp_path / "a", tmp_path / "b", tmp_path / "link"
    path.write_bytes(b"1")
    other.write_bytes(b"1")
    link.symlink_to("a")
    mark, folder, linked = mark_of(str(path)), mark_of(str(tmp_path)), mark_of(str(link))
    assert all(map(is_unchanged, (mark, folder, linked)))
    os.utime(path, (1, 1))
    assert not is_unchanged(mark)
    mark = mark_of(str(path))
    path.chmod(0o600)
    assert not is_unchanged(mark)
    link.unlink()
    link.symlink_to("b")
    assert not is_unchanged(linked)
    assert not is_unchanged(folder)
    other.unlink()
    assert not is_unchanged(linked)


def test_what_was_written_just_now_may_be_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    mark = mark_of(str(path))
    now = mark[1].st_ctime
    monkeypatch.setattr("zerogate.worker.small_files.time.time", lambda: now + 1.0)
    assert not are_settled([mark])
    monkeypatch.setattr("zerogate.worker.small_files.time.time", lambda: now + 2.0)
    assert are_settled([mark])


def test_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    found = path.stat()
    assert read_small(str(path), found) == b"1"
    path.write_bytes(b"22")
    assert read_small(str(path), found) is None
    path.write_bytes(bytes(MAX_FILE_BYTES + 1))
    assert read_small(str(path), path.stat()) is None
    path.unlink()
    assert read_small(str(path), found) is None
