"""Where an attached server is: `http://HOST:PORT` or `unix:/PATH`."""

import re
from dataclasses import dataclass

from zerogate.errors import UsageError
from zerogate.settings.endpoint import parse_listening
from zerogate.wire.http.hosts import is_valid_host

_split_url = re.compile(r"(?:http:)?//([^/?#]*)/?", re.IGNORECASE).fullmatch
_split_host = re.compile(r"(.+?)(?::(\d{1,5}))?").fullmatch

DEFAULT_PORT = 80
UNIX_PREFIX = "unix:"


@dataclass(frozen=True, slots=True)
class Target:
    """`path` is that of a Unix socket; else `host` and `port`.

    authority: what a request of our own says as its Host
    """

    text: str
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def authority(self) -> str:
        if self.path:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORT else f"{host}:{self.port}"


def parse_target(text: str) -> Target:
    """Raises UsageError, saying what is wrong."""
    if text.startswith(UNIX_PREFIX):
        path = text.removeprefix(UNIX_PREFIX)
        if not path.startswith("/"):
            raise UsageError(f"{text}: write unix:/PATH, from the root")
        _check(text, text)
        return Target(text, path=path)
    if text.lower().startswith("https:"):
        raise UsageError(f"{text}: a server is attached by plain HTTP, on the same machine or behind a tunnel")
    if text.isdecimal():
        raise UsageError(f"{text}: a port alone is no server: write http://127.0.0.1:{text}")
    match = _split_url(text if "//" in text else f"//{text}")
    if match is None:
        raise UsageError(f"{text}: write http://HOST:PORT or unix:/PATH, and no path behind it")
    authority = match[1]
    found = _split_host(authority)
    if found is None or not is_valid_host(authority.encode("utf-8", "replace")) or found[2] == "0":
        raise UsageError(f"{text}: write http://HOST:PORT or unix:/PATH")
    port = int(found[2] or DEFAULT_PORT)
    _check(text, f"{found[1]}:{port}")
    return Target(text, found[1].strip("[]"), port)


def _check(text: str, where: str) -> None:
    """Whether one could connect there at all. Raises UsageError."""
    try:
        parse_listening(where)
    except UsageError as error:
        raise UsageError(f"{text}: {error.reason}") from None
