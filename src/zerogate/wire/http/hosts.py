"""Hosts: which are valid, and the one normal form in which clients' hosts, routes and grants are compared.

Lower-case, without a port, without the dot that ends a full name, names as A-labels (RFC 5890, 2.3.2.1), and an IPv6
address as RFC 5952 writes it.
"""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from zerogate.errors import ZerogateError

# A DNS name is at most 253 characters (RFC 1035, 2.3.4), and a port adds six.
MAX_HOST_BYTES = 260

_split_host = re.compile(rb"([A-Za-z0-9_~-]+(?:\.[A-Za-z0-9_~-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?").fullmatch

_DOT, _CLOSING_BRACKET = b".]"


class HostError(ZerogateError):
    """A text that is no host."""


def is_valid_host(host: bytes) -> bool:
    """Whether `host` is a name or address that somebody could mean, with a port up to 65535 or none.

    Stricter than RFC 3986, 3.2.2: of a reg-name only the unreserved characters, and no empty label but the root's, at
    the end. Sub-delimiters and percent-encoding appear in no host that DNS could answer for, and `a,b` is two hosts to
    a careless reader.
    """
    return len(host) <= MAX_HOST_BYTES and _is_valid_host(host)


# A server hears the same few names over and over.
@lru_cache(maxsize=1024)
def _is_valid_host(host: bytes) -> bool:
    match = _split_host(host)
    if match is None:
        return False
    name, port = match.groups()
    if port and int(port) > 65535:
        return False
    if name.startswith(b"["):
        try:
            IPv6Address(name[1:-1].decode("ascii"))
        except AddressValueError:
            return False
    return True


def normalise_host(host: bytes) -> bytes:
    """The normal form of a valid host (RFC 9110, 4.2.3), or of none."""
    name, colon, port = host.rpartition(b":")
    # Without a port the last colon, if any, is inside an IPv6 address: `[::1]`.
    name = (name if colon and not port.endswith(b"]") else host).lower()
    if name:
        last = name[-1]
        if last == _DOT:
            return name[:-1]
        if last == _CLOSING_BRACKET:
            return _normalise_address(name)
    return name


@lru_cache(maxsize=1024)
def _normalise_address(name: bytes) -> bytes:
    try:
        return b"[%b]" % IPv6Address(name[1:-1].decode("ascii")).compressed.encode()
    except ValueError:
        return name


def read_host(text: str) -> str:
    """The normal form of a host as people write it, U-labels too. Raises HostError.

    U-labels become A-labels as browsers make them of what is typed: by UTS 46, not transitional (`ß` stays `ß`).
    """
    name = text
    if not name.isascii():
        import idna  # here, as its tables are large, and few hosts need them

        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise HostError(str(error)) from error
    octets = name.encode("ascii")
    if not is_valid_host(octets):
        raise HostError("it is no host name or [IPv6 address]")
    if octets.rpartition(b":")[1] and not octets.endswith(b"]"):
        raise HostError("a route has no port: it is for all of them")
    return normalise_host(octets).decode("ascii")
