"""What is likely to be wrong where there is no link, in words for people: what to look at first."""

import errno
import os
import re
import socket
from typing import Final

_ERRNO = re.compile(r"\[Errno (\d+)\]")

# Of what the system says.
_OF_SYSTEM: Final = {
    errno.ECONNREFUSED: "nobody listens there",
    errno.ENOENT: "no router has made this socket",
    errno.EACCES: "its socket is another user's, see --ipc-mode",
    errno.EHOSTUNREACH: "there is no way to this machine",
    errno.ENETUNREACH: "there is no way to this network",
}

# Of how a link has ended before its worker had joined, by words of the reason.
_OF_LINKS: Final = (
    ("no handshake within", "it takes connections and says nothing: no router's --bind, or a router that hangs"),
    ("JOIN was not answered", "it speaks ZeroMQ, but is no router's --bind, or a router that hangs"),
    ("closed by the peer", "it takes connections and ends them: no router's --bind, or one with no room (--max-links)"),
    ("is 'CURVE', ours is 'NULL'", "the router takes workers with keys only: --key and --router-key"),
    ("is 'NULL', ours is 'CURVE'", "the router has no keys: `zerogate keys router` makes them, or leave out --key"),
    ("another one than the router key", "wrong --router-key: `zerogate keys list` on the router's machine shows it"),
    ("not listed there", "the key was revoked, or is on another router's list: `zerogate keys list` there"),
    ("key was revoked", "`zerogate keys worker` on the router's machine makes a new one"),
)


def absence(error: BaseException) -> str:
    """Of a connection that could not be made: `Connection refused: nobody listens there`."""
    if isinstance(error, TimeoutError):
        return "no answer: a firewall, or a machine that is off"
    if isinstance(error, socket.gaierror):
        return f"{error.strerror}: the name is not known here"
    number = _number_of(error)
    if number is None:
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
    hint = _OF_SYSTEM.get(number)
    return os.strerror(number) + (f": {hint}" if hint else "")


def likely(reason: str) -> str:
    """Of how a link has ended before its worker had joined: the reason, and what to look at."""
    hint = next((hint for words, hint in _OF_LINKS if words in reason), "")
    return f"{reason} ({hint})" if hint else reason


def _number_of(error: BaseException) -> int | None:
    """Of a name with several addresses asyncio has one error, with the words of each: the number that all have."""
    number = getattr(error, "errno", None)
    if isinstance(number, int):
        return number
    found = {int(each) for each in _ERRNO.findall(str(error))}
    return found.pop() if len(found) == 1 else None
