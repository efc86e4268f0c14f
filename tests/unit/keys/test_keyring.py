"""A router's keys: read, read again, and kept where a file has a mistake."""

import logging
from pathlib import Path

import pytest

from zerogate.errors import UsageError, ZerogateError
from zerogate.keys import keyring
from zerogate.keys.files import default_folder, finish_rotation, make_router_key, rotate_router_key
from zerogate.keys.key_list import Entry, KeyList, add_entry, read_key_list, remove_entry
from zerogate.keys.keyring import Keyring, excess, find_folder
from zerogate.wire.http.routes import parse_route

ONE = Entry(b"1" * 32, "one", (parse_route("example.org/api"), parse_route("/static")))
TWO = Entry(b"2" * 32, "two", (parse_route("*"),))
THREE = Entry(b"3" * 32, "three", (parse_route("*"),))


def refresh(ring: Keyring) -> bool:
    """Whether anything is new, once the files are seen to stand still."""
    return ring.refresh() or ring.refresh()


def test_a_folder_without_a_router_key_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="zerogate keys router --keys"):
        Keyring(tmp_path)


def test_a_mistake_at_the_start_is_an_error(tmp_path: Path) -> None:
    make_router_key(tmp_path)
    (tmp_path / "workers").write_text("nonsense\n")
    with pytest.raises(ZerogateError, match="line 1"):
        Keyring(tmp_path)


def test_what_changes_is_read_again(tmp_path: Path) -> None:
    old = make_router_key(tmp_path)
    ring = Keyring(tmp_path)
    assert ring.pairs == (old,)
    assert not ring.is_listed(ONE.key)
    assert not refresh(ring)
    add_entry(tmp_path / "workers", ONE)
    assert refresh(ring)
    assert ring.is_listed(ONE.key)
    assert ring.find(ONE.key) == ONE
    assert "1 worker" in repr(ring)
    new = rotate_router_key(tmp_path)
    assert refresh(ring)
    assert ring.pairs == (new, old)
    finish_rotation(tmp_path)
    remove_entry(tmp_path / "workers", "one")
    assert refresh(ring)
    assert ring.pairs == (new,)
    assert not ring.is_listed(ONE.key)


def test_a_mistake_later_changes_nothing_and_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pair = make_router_key(tmp_path)
    add_entry(tmp_path / "workers", ONE)
    ring = Keyring(tmp_path)
    text = (tmp_path / "workers").read_text()
    with caplog.at_level(logging.ERROR, "zerogate.keys"):
        (tmp_path / "workers").write_text(f"{text}nonsense here *\n")
        assert not refresh(ring)
        assert not refresh(ring)
    assert ring.is_listed(ONE.key)
    assert len(caplog.messages) == 1
    assert "line 3" in caplog.messages[0]
    (tmp_path / "router.key").rename(tmp_path / "away")
    (tmp_path / "workers").write_text(text)
    with caplog.at_level(logging.ERROR, "zerogate.keys"):
        assert not refresh(ring)
    assert "no router key any more" in caplog.messages[-1]
    assert ring.pairs == (pair,)
    (tmp_path / "away").rename(tmp_path / "router.key")
    assert refresh(ring)


def test_a_list_that_is_written_in_place_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """It is empty at first, and then half there: nobody must be turned out for that."""
    make_router_key(tmp_path)
    path = tmp_path / "workers"
    add_entry(path, ONE)
    ring = Keyring(tmp_path)
    text = path.read_text()
    with path.open("w") as file:
        assert not ring.refresh()
        file.write(text[: text.index("/api")])
        file.flush()
        assert not ring.refresh()
        file.write(text[text.index("/api") :] + TWO.line())
    assert not ring.is_listed(TWO.key)
    assert refresh(ring)
    assert (ring.find(ONE.key), ring.find(TWO.key)) == (ONE, TWO)


def test_a_list_that_is_written_in_place_for_long_is_left_alone_until_it_stands_still(tmp_path: Path) -> None:
    make_router_key(tmp_path)
    path = tmp_path / "workers"
    add_entry(path, ONE)
    ring = Keyring(tmp_path)
    with path.open("w") as file:
        for _ in range(10):
            assert not ring.refresh()
            file.write("# a comment\n")
            file.flush()
        assert ring.is_listed(ONE.key)
    assert refresh(ring)
    assert not ring.is_listed(ONE.key)


def test_a_list_that_is_replaced_all_the_time_is_read_all_the_same(tmp_path: Path) -> None:
    """As while a script makes the keys of many workers: who is revoked meanwhile has to go."""
    make_router_key(tmp_path)
    path = tmp_path / "workers"
    add_entry(path, ONE)
    ring = Keyring(tmp_path)
    remove_entry(path, "one")
    for number in range(3):
        assert ring.is_listed(ONE.key)
        ring.refresh()
        add_entry(path, Entry(b"%032d" % number, f"w{number}", (parse_route("*"),)))
    assert not ring.is_listed(ONE.key)


def test_who_has_just_come_onto_the_list_is_found_at_once(tmp_path: Path) -> None:
    """A worker's command is pasted as soon as it is printed."""
    make_router_key(tmp_path)
    path = tmp_path / "workers"
    add_entry(path, ONE)
    ring = Keyring(tmp_path)
    assert not ring.catch_up(TWO.key)
    add_entry(path, TWO)
    assert ring.catch_up(TWO.key)
    assert ring.is_listed(TWO.key)
    assert not refresh(ring), "nothing is new"
    path.write_text(f"{path.read_text()}{THREE.line()}")
    assert not ring.catch_up(THREE.key), "it may still be written"
    assert refresh(ring)
    assert ring.is_listed(THREE.key)


def test_strangers_have_a_change_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_router_key(tmp_path)
    path = tmp_path / "workers"
    add_entry(path, ONE)
    ring = Keyring(tmp_path)
    n_read = 0

    def read(path: Path) -> KeyList:
        nonlocal n_read
        n_read += 1
        return read_key_list(path)

    monkeypatch.setattr(keyring, "read_key_list", read)
    remove_entry(path, "one")
    for _ in range(5):
        assert not ring.catch_up(TWO.key)
    assert n_read == 1
    assert ring.is_listed(ONE.key), "that is for whoever looks now and then"
    assert refresh(ring)
    assert not ring.is_listed(ONE.key)


def test_what_changes_while_it_is_read_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_router_key(tmp_path)
    path = tmp_path / "workers"
    add_entry(path, ONE)
    ring = Keyring(tmp_path)

    def read_too_early(path: Path) -> KeyList:
        monkeypatch.undo()
        path.write_text(ONE.line() + TWO.line())
        return KeyList()

    path.write_text("")
    monkeypatch.setattr(keyring, "read_key_list", read_too_early)
    assert not refresh(ring)
    assert ring.is_listed(ONE.key)
    assert refresh(ring)
    assert ring.is_listed(TWO.key)


@pytest.mark.parametrize("name", ["router.key", "workers"])
def test_what_a_file_s_mode_has_kept_from_being_read_is_read_when_that_is_mended(tmp_path: Path, name: str) -> None:
    """As the log has said to do: chmod changes neither its time nor its size."""
    make_router_key(tmp_path)
    path = tmp_path / "workers"
    add_entry(path, ONE)
    ring = Keyring(tmp_path)
    remove_entry(path, "one")
    mode = (tmp_path / name).stat().st_mode & 0o777
    (tmp_path / name).chmod(0o666)
    assert not refresh(ring)
    assert ring.is_listed(ONE.key)
    (tmp_path / name).chmod(mode)
    assert refresh(ring)
    assert not ring.is_listed(ONE.key)


def test_which_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert find_folder("") is None
    assert find_folder("/some/folder") == Path("/some/folder")
    folder = tmp_path / "zerogate" / "keys"
    make_router_key(folder)
    assert find_folder("") == folder


def test_what_a_key_of_many_routes_is_for_is_said_in_a_line() -> None:
    """It goes to the worker and into both logs: it must fit into a block of the link."""
    many = Entry(b"3" * 32, "many", tuple(parse_route(f"/{'x' * 100}{number}") for number in range(1000)))
    said = excess(many, [parse_route("/other")])
    assert said.startswith("the key many may not serve /other: it is for /xxx")
    assert said.endswith(" and 990 more")
    assert len(said) < 2000


def test_what_a_key_may_not_serve() -> None:
    assert excess(ONE, [parse_route("example.org/api/v1"), parse_route("/static/x")]) == ""
    said = excess(ONE, [parse_route("example.org/api"), parse_route("example.com")])
    assert said == "the key one may not serve example.com: it is for example.org/api /static"


@pytest.mark.parametrize("base", ["/dev/null", "/" + "x" * 300])
def test_a_default_folder_that_cannot_be_looked_into_is_none(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service may have a home that is another user's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", base)
    assert find_folder("") is None


def test_who_has_no_home_has_no_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with a number for a user."""
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert find_folder("") is None
    with pytest.raises(UsageError, match="--keys DIR"):
        default_folder()


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_a_folder_that_cannot_be_looked_into_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UsageError, match="too long"):
        Keyring(Path("/" + "x" * 300))
    make_router_key(tmp_path)
    ring = Keyring(tmp_path)
    (tmp_path / "router.key").unlink()
    (tmp_path / "router.key").symlink_to("router.key")
    assert not refresh(ring)
    assert "stay as they were" in caplog.text
