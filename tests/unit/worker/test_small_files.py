"""Small files in memory: what shows that one has changed, and who has to go."""

import os
from pathlib import Path

import pytest

from zerogate.worker.small_files import (
    MAX_FILE_BYTES,
    Key,
    SmallFile,
    SmallFiles,
    are_settled,
    is_unchanged,
    mark_of,
    read_small,
    size_of,
)


def key_of(path: str) -> Key:
    return path, "", frozenset()


def small(size: int = 10, *paths: Path) -> SmallFile:
    return SmallFile([mark_of(str(path)) for path in paths], [], bytes(size))


def test_a_file_is_found_as_long_as_nothing_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    kept = SmallFiles()
    assert kept.find(key_of("a")) is None
    file = small(1, path)
    kept.keep(key_of("a"), file)
    assert kept.find(key_of("a")) is file
    assert repr(kept) == f"<SmallFiles 1 in {size_of(key_of('a'), file)} bytes>"
    path.write_bytes(b"22")
    assert kept.find(key_of("a")) is None
    assert kept.n_bytes == 0


def test_who_was_not_asked_for_goes_first() -> None:
    kept = SmallFiles(3 * size_of(key_of("a"), small()))
    for name in "abc":
        kept.keep(key_of(name), small())
    kept.keep(key_of("a"), small())  # in the place of the other one
    assert kept.find(key_of("b")) is not None
    kept.keep(key_of("d"), small())
    assert [name for name in "abcd" if kept.find(key_of(name))] == ["a", "b", "d"]
    assert kept.n_bytes == 3 * size_of(key_of("a"), small())


def test_one_file_by_many_long_paths_takes_no_more_memory_than_others() -> None:
    kept = SmallFiles(100_000)
    for n in range(100):
        kept.keep(key_of("/" * (10_000 + n)), small())
    assert repr(kept).startswith("<SmallFiles 8 in ")
    assert kept.n_bytes <= 100_000
    kept.keep(key_of("/" * 200_000), small())
    assert kept.n_bytes == 0


def test_what_is_too_large_for_all_of_it_is_not_kept() -> None:
    kept = SmallFiles(100)
    kept.keep(key_of("a"), small(1000))
    assert kept.find(key_of("a")) is None
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
