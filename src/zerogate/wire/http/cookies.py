"""The few things that we say in cookies (RFC 6265)."""

import re
from collections.abc import Callable, Iterable

# What would end the Path attribute.
_SEMICOLON = 0x3B


def cookie_finder(name: bytes) -> Callable[[Iterable[tuple[bytes, bytes]]], list[bytes]]:
    """What finds the cookies of this name in a request's fields: those of 16 hexadecimal digits, in order.

    There may be several: of other paths, or set for a domain above by somebody else there (RFC 6265, 5.4 and 8.6).
    """
    find_all = re.compile(rb"(?:^|;)[ \t]*%b=([0-9a-f]{16})[ \t]*(?=;|\Z)" % re.escape(name)).findall

    def find(fields: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        return [found for field, value in fields if field == b"cookie" for found in find_all(value)]

    return find


def session_cookie(name: bytes, value: bytes, path: bytes, *, is_secure: bool) -> bytes:
    """The value of a Set-Cookie, until the browser ends; for what is below the path, of this site, and no script."""
    path = b"/" if not path or _SEMICOLON in path else path
    secure = b"; Secure" if is_secure else b""
    return b"%b=%b; Path=%b; HttpOnly; SameSite=Lax%b" % (name, value, path, secure)
