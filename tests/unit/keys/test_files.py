"""Where keys lie, and who can read them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.each import each
from zerogate.errors import UsageError, ZmtpError
from zerogate.keys.files import (
    default_folder,
    finish_rotation,
    make_router_key,
    parse_secret,
    read_key_pair,
    rotate_router_key,
    router_key_pairs,
    worker_key_pair,
)
from zerogate.wire.zmtp import encode_key, make_key_pair


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "zerogate" / "keys"
    monkeypatch.setenv("HOME", "/home/somebody")
    for not_absolute in ("", "relative"):
        monkeypatch.setenv("XDG_CONFIG_HOME", not_absolute)
        assert default_folder() == Path("/home/somebody/.config/zerogate/keys")


def test_a_router_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "keys"
    assert router_key_pairs(folder) == ()
    pair = make_router_key(folder)
    assert router_key_pairs(folder) == (pair,)
    assert mode(folder) == 0o700
    assert mode(folder / "router.key") == 0o600
    with pytest.raises(UsageError, match="there is a key already"):
        make_router_key(folder)
    assert router_key_pairs(folder) == (pair,)


def test_a_change_of_the_router_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no router key to change"):
        rotate_router_key(tmp_path)
    old = make_router_key(tmp_path)
    with pytest.raises(UsageError, match="no change"):
        finish_rotation(tmp_path)
    new = rotate_router_key(tmp_path)
    assert router_key_pairs(tmp_path) == (new, old)
    assert mode(tmp_path / "router.key") == mode(tmp_path / "router.old.key") == 0o600
    with pytest.raises(UsageError, match="not finished"):
        rotate_router_key(tmp_path)
    finish_rotation(tmp_path)
    assert router_key_pairs(tmp_path) == (new,)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["router.key"]


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    make_router_key(tmp_path)
    path = tmp_path / "router.key"
    for open_mode in (0o640, 0o604, 0o620):
        path.chmod(open_mode)
        with pytest.raises(UsageError, match="chmod 600"):
            read_key_pair(path)


def test_what_is_no_key_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(UsageError, match="No such file"):
        read_key_pair(path)
    for content in (b"too short\n", b"\xff\xfe"):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(UsageError, match="key: "):
            read_key_pair(path)


def test_a_worker_key_as_text_or_in_a_file(tmp_path: Path) -> None:
    pair = make_key_pair()
    text = encode_key(pair.secret)
    assert worker_key_pair(text) == worker_key_pair(f" {text}\n") == parse_secret(text) == pair
    path = tmp_path / "worker.key"
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    assert worker_key_pair(str(path)) == pair
    with pytest.raises(ZmtpError):
        parse_secret("not a key")


@each(
    "mangle",
    [lambda key: key[:-1], lambda key: key + "x", lambda key: key * 10, lambda key: "/" + key, lambda key: f'"{key}"'],
)
def test_a_key_that_a_shell_has_mangled_is_not_told_to_the_log(mangle: Callable[[str], str]) -> None:
    """What is no key is taken for a path, and most of it would still be a secret."""
    text = mangle(encode_key(make_key_pair().secret))
    with pytest.raises(UsageError, match="no such file, and no key itself: a key has") as caught:
        worker_key_pair(text)
    assert not any(text[at : at + 6] in caught.value.reason for at in range(len(text) - 5))


@pytest.mark.skipif(os.geteuid() != 0, reason="files are given to others by root alone")
def test_the_keys_are_theirs_who_have_the_folder(tmp_path: Path) -> None:
    """A router that is not root must be able to read what root has made for it."""
    os.chown(tmp_path, 12345, 12346)
    make_router_key(tmp_path)
    rotate_router_key(tmp_path)
    for path in tmp_path.iterdir():
        assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (12345, 12346, 0o600)


@pytest.mark.parametrize("change", [make_router_key, rotate_router_key, finish_rotation])
def test_what_the_system_forbids_is_a_usage_error(change: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=str(tmp_path)):
        change(tmp_path / "file" / "keys")
