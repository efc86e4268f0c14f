"""The list of who may come in: read, written, and refused by its line."""

import contextlib
import os
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerogate.errors import UsageError
from zerogate.keys import key_list
from zerogate.keys.key_list import (
    Entry,
    KeyList,
    KeyListError,
    add_entry,
    check_name,
    parse_key_list,
    read_key_list,
    remove_entry,
)
from zerogate.wire.http.routes import parse_route
from zerogate.wire.zmtp import encode_key

ONE = Entry(b"1" * 32, "one", (parse_route("example.org/api"),))
TWO = Entry(b"2" * 32, "two", (parse_route("*"), parse_route("/static")))


def test_reads_what_it_says() -> None:
    text = f"# heading\n\n  {ONE.line()}#no blank after it\n\t\n{TWO.line()}"
    keys = parse_key_list(text)
    assert keys.entries == (ONE, TWO)
    assert keys.find(TWO.key) == TWO
    assert keys.find(b"3" * 32) is None
    assert keys.named("one") == ONE
    assert keys.named("three") is None


@given(st.binary(min_size=32, max_size=32))
def test_no_key_begins_as_a_comment_does(key: bytes) -> None:
    assert not encode_key(key).startswith("#")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("short one *", "a key has 40 characters, not 5"),
        (encode_key(ONE.key), "KEY NAME ROUTE"),
        (f"{encode_key(ONE.key)} one", "KEY NAME ROUTE"),
        (f"{encode_key(ONE.key)} o/ne *", "is no name"),
        (f"{encode_key(ONE.key)} one not/a/../route?", "is not a route"),
        (f"{encode_key(b'9' * 32)} two *", "the name two is there already: `zerogate keys revoke two` takes it away"),
        (f"{encode_key(TWO.key)} other *", "the key of other is two's"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "workers"
    path.write_text(f"# heading\n{TWO.line()}{line}\n")
    with pytest.raises(KeyListError, match="line 3: ") as caught:
        read_key_list(path)
    assert reason in caught.value.reason
    assert str(path) in caught.value.reason


def test_no_list_is_an_empty_one(tmp_path: Path) -> None:
    assert read_key_list(tmp_path / "workers").entries == ()


def test_what_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for what in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(KeyListError, match="is no file"):
            read_key_list(what)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(KeyListError, match="binary"):
        read_key_list(tmp_path / "binary")


def test_what_an_editor_of_another_system_makes_of_it(tmp_path: Path) -> None:
    """CRLF, and a mark before the first line, be that a key's or a comment."""
    path = tmp_path / "workers"
    for first in ("", "# heading\n"):
        path.write_bytes(f"\ufeff{first}{ONE.line()}{TWO.line()}".replace("\n", "\r\n").encode())
        assert read_key_list(path).entries == (ONE, TWO)
        assert remove_entry(path, "one") == ONE
        assert read_key_list(path).entries == (TWO,)


def test_lines_are_what_editors_call_so(tmp_path: Path) -> None:
    """Nothing else ends a line: what is commented out stays so, and a mistake is in the line that is named."""
    path = tmp_path / "workers"
    for end in "\x0b\x0c\x1c\x85\u2028":
        path.write_text(f"# gone: {end}{ONE.line()}{TWO.line()}nonsense\n")
        with pytest.raises(KeyListError, match="line 3: "):
            read_key_list(path)
        path.write_text(f"# gone: {end}{ONE.line()}{TWO.line()}")
        assert read_key_list(path).entries == (TWO,)
        remove_entry(path, "two")
        assert path.read_text() == f"# gone: {end}{ONE.line()}"


def test_a_list_that_everybody_can_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "workers"
    add_entry(path, ONE)
    path.chmod(0o666)
    with pytest.raises(KeyListError, match=f"chmod o-w {path}"):
        read_key_list(path)
    path.chmod(0o664)
    assert read_key_list(path).entries == (ONE,)


def test_a_link_to_the_list_stays_one(tmp_path: Path) -> None:
    """Several folders may have one list, or it may be kept elsewhere."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "keys").mkdir()
    there, here = tmp_path / "etc" / "list", tmp_path / "keys" / "workers"
    here.symlink_to("../etc/list")
    with pytest.raises(KeyListError, match="leads nowhere"):
        add_entry(here, ONE)
    add_entry(there, ONE)
    add_entry(here, TWO)
    assert remove_entry(here, "one") == ONE
    assert here.is_symlink()
    assert read_key_list(there).entries == (TWO,)
    assert [entry.name for entry in there.parent.iterdir()] == ["list"]


@pytest.mark.skipif(os.geteuid() != 0, reason="files are given to others by root alone")
def test_whose_the_list_is_stays_so(tmp_path: Path) -> None:
    """A router that is not root must be able to read what root has changed."""
    path = tmp_path / "workers"
    os.chown(tmp_path, 12345, 12346)
    add_entry(path, ONE)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)
    os.chown(path, 23456, 23457)
    path.chmod(0o640)
    remove_entry(path, "one")
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (23456, 23457, 0o640)


def test_lines_come_and_go_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "workers"
    add_entry(path, ONE)
    assert path.read_text().startswith("# ")
    path.write_text(path.read_text() + "# by hand, without an end")
    add_entry(path, TWO)
    assert read_key_list(path).entries == (ONE, TWO)
    assert remove_entry(path, "one") == ONE
    assert read_key_list(path).entries == (TWO,)
    assert "# by hand, without an end\n" in path.read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == ["workers"]


def test_what_is_there_is_not_added(tmp_path: Path) -> None:
    path = tmp_path / "workers"
    add_entry(path, ONE)
    before = path.read_text()
    for again in (ONE._replace(name="other"), ONE._replace(key=b"3" * 32)):
        with pytest.raises(KeyListError):
            add_entry(path, again)
    assert path.read_text() == before


def test_who_is_not_there_is_not_removed(tmp_path: Path) -> None:
    with pytest.raises(KeyListError, match="nobody is called 'one'"):
        remove_entry(tmp_path / "workers", "one")


def test_a_broken_list_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "workers"
    path.write_text("nonsense\n")
    for change in (lambda: add_entry(path, ONE), lambda: remove_entry(path, "one")):
        with pytest.raises(KeyListError, match="line 1"):
            change()
    assert path.read_text() == "nonsense\n"


def test_its_mode_stays_and_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "workers"
    add_entry(path, ONE)
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o640)
    add_entry(path, TWO)
    assert path.stat().st_mode & 0o777 == 0o640

    def fail(source: str, target: str) -> None:
        raise OSError("no room")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UsageError, match="no room"):
        remove_entry(path, "one")
    assert [entry.name for entry in tmp_path.iterdir()] == ["workers"]
    assert read_key_list(path).entries == (ONE, TWO)


def test_names() -> None:
    assert check_name("web-1.example_") == "web-1.example_"
    for bad in ("", "a b", "a\n", "é", "x" * 129):
        with pytest.raises(KeyListError, match="is no name"):
            check_name(bad)


@given(st.text())
def test_whatever_is_written(text: str) -> None:
    try:
        keys = parse_key_list(text)
    except KeyListError:
        return
    assert parse_key_list("".join(entry.line() for entry in keys.entries)) == keys


def test_whoever_changes_the_list_at_once_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script makes the keys of many workers at once."""
    path = tmp_path / "workers"
    read = threading.Barrier(2)

    def read_late(path: Path) -> KeyList:
        keys = read_key_list(path)
        with contextlib.suppress(threading.BrokenBarrierError):
            read.wait(0.3)  # until the other one has read as well, if it can
        return keys

    monkeypatch.setattr(key_list, "read_key_list", read_late)
    threads = [threading.Thread(target=add_entry, args=(path, entry)) for entry in (ONE, TWO)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(read_key_list(path).entries) == {ONE, TWO}
    assert remove_entry(path, "one") == ONE


def test_of_a_list_that_has_changed_only_what_is_new_is_read_anew() -> None:
    lines = [Entry(os.urandom(32), f"x{at}", ()).line() for at in range(1000)]
    first = n_steps("".join(lines))
    assert n_steps("".join(lines[1:])) < first / 4


def test_a_long_list_is_read_line_by_line() -> None:
    """The router's event loop stands still meanwhile: what each line costs must not grow with those before it."""
    few, many = (n_steps("".join(Entry(b"%032d" % at, f"w{at}", ()).line() for at in range(n))) for n in (100, 1000))
    assert many < 12 * few


def n_steps(text: str) -> int:
    """How many lines of code reading it takes."""
    n = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal n
        n += event == "line"
        return trace

    text = text.replace(" \n", " *\n")
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        parse_key_list(text)
    finally:
        sys.settrace(before)
    return n
