"""Who a request comes from, by the word of the proxies that it came through.

`Forwarded` (RFC 7239) has an element for each proxy, `X-Forwarded-For` an address: the last is the nearest proxy's
word, on whoever has connected to it. Here they are read; who is believed is the router's matter.
"""

import ipaddress
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from zerogate.wire.fields import TOKEN

# RFC 7239, 4: `for=192.0.2.43;proto=https`. What is quoted may have any octet, with a backslash before it.
_PAIR = re.compile(rb'(%b)=(?:(%b)|"((?:[^"\\]|\\.)*)")' % (TOKEN, TOKEN), re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
# As a whole: a client may send as many as a head has room for, and each is looked at once.
_skip_blanks = re.compile(rb"[ \t]*").match
_BETWEEN = b",;"
_PORT = re.compile(r"\d{1,5}", re.ASCII)
MAX_PORT = 65535

# Of a chain so many, the nearest, are looked at. Nobody has so many proxies; a client's head has room for thousands,
# and to read an address takes 20 µs.
MAX_HOPS = 50


class Node(NamedTuple):
    """An address. The port is 0 where it was not told."""

    address: str
    port: int = 0


class Hop(NamedTuple):
    """What one proxy says of whoever has connected to it: who that is (None for `unknown`), and what it has asked for.

    proto, host: empty where nothing was said
    """

    node: Node | None
    proto: bytes
    host: bytes


def parse_node(text: str) -> Node | None:
    """Read `192.0.2.43`, `192.0.2.43:4711`, `2001:db8::17` or `[2001:db8::17]:4711`. None for what has no address."""
    host, port = text.strip(), ""
    if host.startswith("["):
        host, bracket, rest = host[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    if "%" in host:
        return None  # A zone means something on the machine only that it is of.
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    number = int(port) if _PORT.fullmatch(port) else 0
    return Node(host, number if number <= MAX_PORT else 0)


def forwarded_for(value: bytes) -> Iterator[Node | None]:
    """The addresses of an `X-Forwarded-For`, the nearest first, and MAX_HOPS of them at most."""
    for text in reversed(value.decode("latin-1").split(",")[-MAX_HOPS:]):
        yield parse_node(text)


def parse_forwarded(value: bytes) -> list[Hop]:
    """The elements of a `Forwarded`, the nearest first, and MAX_HOPS of them at most; none of a value that breaks the
    rules anywhere.

    Where a quote is left open nobody knows whose word an element is.
    """
    elements: deque[dict[bytes, bytes]] = deque(maxlen=MAX_HOPS)
    said: dict[bytes, bytes] = {}
    position = 0
    while True:
        position = _after_blanks(value, position)
        if (match := _PAIR.match(value, position)) is not None:
            name, token, quoted = match.groups()
            if name.lower() in said:
                return []  # Each parameter once in an element.
            said[name.lower()] = token if quoted is None else _QUOTED_PAIR.sub(rb"\1", quoted)
            position = _after_blanks(value, match.end())
        end = value[position : position + 1]
        if end in (b",", b"") and said:
            elements.append(said)
            said = {}
        if not end:
            return [_hop(each) for each in reversed(elements)]
        if end not in _BETWEEN:
            return []
        position += 1


def nearest_hops(lines: Sequence[bytes]) -> Iterator[Hop]:
    """The elements of all `Forwarded` lines, the nearest first; none behind a line that breaks the rules.

    Each is read for itself, as no quote goes on in the next: what a client has sent in one takes no proxy's own along.
    """
    n_hops = 0
    for line in reversed(lines):
        hops = parse_forwarded(line)
        yield from hops
        n_hops += len(hops)
        if (not hops and line) or n_hops >= MAX_HOPS:
            return


def _after_blanks(value: bytes, position: int) -> int:
    blanks = _skip_blanks(value, position)
    assert blanks is not None
    return blanks.end()


def _hop(said: dict[bytes, bytes]) -> Hop:
    node = parse_node(said.get(b"for", b"").decode("latin-1"))
    return Hop(node, said.get(b"proto", b"").lower(), said.get(b"host", b""))
