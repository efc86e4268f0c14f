"""The certificate that a `run` makes where it has none."""

import builtins
import datetime
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest

from zerogate.errors import StartError, UsageError
from zerogate.self_signed import MIN_DAYS_LEFT, VALID_DAYS, self_signed, state_directory


def test_it_is_for_localhost_and_kept(tmp_path: Path) -> None:
    made = self_signed(tmp_path / "state" / "zerogate")
    assert made.is_new
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.key.parent.stat().st_mode) == 0o700
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    again = self_signed(tmp_path / "state" / "zerogate")
    assert again == made._replace(is_new=False)
    trusting = ssl.create_default_context(cadata=made.certificate.read_text())
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for end in (client, server, client, server):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    names = dict(client.getpeercert() or {})["subjectAltName"]
    assert names == (("DNS", "localhost"), ("IP Address", "127.0.0.1"), ("IP Address", "0:0:0:0:0:0:0:1"))


@pytest.mark.parametrize("days", [MIN_DAYS_LEFT - VALID_DAYS, 1 - VALID_DAYS])
def test_one_that_ends_soon_is_made_anew(tmp_path: Path, days: int) -> None:
    self_signed(tmp_path, datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days))
    assert self_signed(tmp_path).is_new


@pytest.mark.parametrize("damage", ["certificate", "no key", "half a key", "another key"])
def test_so_is_one_that_is_damaged(tmp_path: Path, damage: str) -> None:
    """Another one's key, too: two who make one at once may each have written half of what is kept."""
    made = self_signed(tmp_path)
    match damage:
        case "certificate":
            made.certificate.write_text("nothing")
        case "no key":
            made.key.unlink()
        case "half a key":
            made.key.write_bytes(made.key.read_bytes()[:100])
        case "another key":
            made.key.write_bytes(self_signed(tmp_path / "other").key.read_bytes())
    again = self_signed(tmp_path)
    assert again.is_new
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(again.certificate, again.key)
    assert not self_signed(tmp_path).is_new


def test_where_it_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for state in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", state)
        assert state_directory() == tmp_path / ".local" / "state" / "zerogate"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert state_directory() == tmp_path / "state" / "zerogate"


def test_where_it_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="cannot keep a certificate in"):
        self_signed(tmp_path / "file")

    def fail(*unused: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(StartError, match="No space left on device"):
        self_signed(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def imports(name: str, *rest: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", imports)
    with pytest.raises(UsageError, match=r"--tls-cert FILE .*pip install 'zerogate\[tls\]'"):
        self_signed(tmp_path)
