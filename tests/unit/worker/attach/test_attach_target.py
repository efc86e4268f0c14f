"""Where an attached server is, as it is written."""

import pytest

from tests.support.each import each
from zerogate.errors import UsageError
from zerogate.worker.attach.target import parse_target


@each(
    ("text", "host", "port", "path", "authority"),
    [
        ("http://127.0.0.1:3000", "127.0.0.1", 3000, "", "127.0.0.1:3000"),
        ("http://127.0.0.1:3000/", "127.0.0.1", 3000, "", "127.0.0.1:3000"),
        ("HTTP://localhost", "localhost", 80, "", "localhost"),
        ("localhost:8000", "localhost", 8000, "", "localhost:8000"),
        ("http://[::1]:8000", "::1", 8000, "", "[::1]:8000"),
        ("unix:/run/app.sock", "", 0, "/run/app.sock", "localhost"),
    ],
)
def test_what_is_understood(text: str, host: str, port: int, path: str, authority: str) -> None:
    target = parse_target(text)
    assert (target.host, target.port, target.path, target.authority) == (host, port, path, authority)


@each(
    ("text", "reason"),
    [
        ("https://127.0.0.1", "plain HTTP"),
        ("http://127.0.0.1:3000/app", "no path"),
        ("http://127.0.0.1:99999", "write http"),
        ("http://127.0.0.1:0", "write http"),
        ("http://", "write http"),
        ("http://user@host:1", "write http"),
        ("http://bücher:1", "write http"),
        ("ftp://host", "write http"),
        (f"http://{'a' * 64}:3000", "no host can be called"),
        ("http://\udcff:3000", "write http"),
        ("unix:app.sock", "from the root"),
        ("unix:/" + "a" * 107, "1 to 107 bytes"),
        ("", "write http"),
        ("3000", "write http://127.0.0.1:3000$"),
    ],
)
def test_what_is_not(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_target(text)
