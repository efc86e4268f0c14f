"""`zerogate keys`: what it makes, what it prints, and what it never does."""

from pathlib import Path

import pytest

from tests.support.signals import own_signals
from zerogate.cli.commands import commands
from zerogate.errors import UsageError, ZerogateError
from zerogate.keys.files import WORKERS, parse_secret, router_key_pairs
from zerogate.keys.key_list import read_key_list
from zerogate.wire.zmtp import decode_key, encode_key

__all__ = ["own_signals"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZEROGATE_KEYS", str(tmp_path / "keys"))
    return tmp_path / "keys"


def call(*words: str) -> None:
    commands.main(["keys", *words], prog_name="zerogate", standalone_mode=False)


def test_a_router_key_is_made_and_not_printed(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call("router")
    (pair,) = router_key_pairs(folder)
    shown = capfd.readouterr()
    assert shown.out.strip() == encode_key(pair.public)
    assert encode_key(pair.secret) not in shown.out + shown.err
    assert str(folder) in shown.err
    with pytest.raises(UsageError, match="there is a key already"):
        call("router")


def test_a_worker_key_is_listed_and_printed_once(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call("router")
    router_key = capfd.readouterr().out.strip()
    call("worker", "web-1", "--route", "example.org/api", "--route", "/static", "--connect", "tcp://r.example:8000")
    line = capfd.readouterr().out.strip()
    secret = line.partition("='")[2].partition("'")[0]
    (entry,) = read_key_list(folder / WORKERS).entries
    assert parse_secret(secret).public == entry.key
    assert entry.name == "web-1"
    assert [str(route) for route in entry.grants] == ["example.org/api", "/static"]
    assert line.startswith(f"ZEROGATE_KEY='{secret}' zerogate worker APP --name web-1 --connect tcp://r.example:8000 ")
    assert router_key in line
    assert line.endswith("--route example.org/api --route /static")
    assert secret not in "".join(path.read_text() for path in folder.iterdir())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("a b",), "is no name"),
        (("web", "--route", "not a route"), "--route"),
    ],
)
def test_what_cannot_be_a_worker(folder: Path, words: tuple[str, ...], reason: str) -> None:
    call("router")
    with pytest.raises(ZerogateError, match=reason):
        call("worker", *words)
    assert not (folder / WORKERS).exists()


def test_a_name_twice(folder: Path) -> None:
    call("router")
    call("worker", "web")
    with pytest.raises(ZerogateError, match="there already"):
        call("worker", "web")


@pytest.mark.parametrize("command", [("worker", "web"), ("list",), ("rotate", "router")])
def test_without_a_router_key_it_says_what_to_do(command: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="`zerogate keys router`"):
        call(*command)


def test_a_grant_that_goes_before_another_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    call("router")
    call("worker", "site", "--route", "example.org")
    assert "goes before" not in capfd.readouterr().err
    call("worker", "api", "--route", "example.org/api")
    assert "note: api goes before site at example.org/api" in capfd.readouterr().err


def test_the_list_and_who_is_taken_off(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call("router")
    call("worker", "one", "--route", "/one")
    call("worker", "two")
    capfd.readouterr()
    call("list")
    shown = capfd.readouterr()
    rows = shown.out.splitlines()
    assert rows[0].split() == ["WORKER", "ROUTES", "KEY"]
    assert [row.split()[:2] for row in rows[1:]] == [["one", "/one"], ["two", "*"]]
    assert all(decode_key(row.split()[2]) for row in rows[1:])
    call("revoke", "one")
    assert [entry.name for entry in read_key_list(folder / WORKERS).entries] == ["two"]
    with pytest.raises(ZerogateError, match="nobody is called 'one'"):
        call("revoke", "one")


def test_a_change_of_the_router_key(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call("router")
    old = capfd.readouterr().out.strip()
    call("rotate", "router")
    new = capfd.readouterr().out.strip()
    assert [encode_key(pair.public) for pair in router_key_pairs(folder)] == [new, old]
    call("list")
    assert f"{old} (the old one)" in capfd.readouterr().err
    call("rotate", "router", "--finish")
    assert [encode_key(pair.public) for pair in router_key_pairs(folder)] == [new]


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ZEROGATE_KEYS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    call("router")
    assert router_key_pairs(tmp_path / "config" / "zerogate" / "keys")
