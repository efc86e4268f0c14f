"""Which of a client's fields cross to the worker, and how their names are written there.

Dropped, whoever sends them: names with an underscore, unless they are wanted (`--underscores`), since CGI and WSGI tell
`x_real_ip` from `x-real-ip` no more; `proxy`, which becomes HTTP_PROXY there (httpoxy); and what we say ourselves.
What strangers say of who they are (`is_claim`) is dropped as well, not appended to.
"""

import struct

from zerogate.native import compiled
from zerogate.wire.http.fields import HOP_BY_HOP

# Who has shown a certificate: of that the router believes nobody but its own TLS, no proxy either. One that passes on
# what clients say would let each of them be anybody.
CLIENT_CERT_SUBJECT = b"x-client-cert-subject"

_CLAIMS = frozenset({b"forwarded", b"x-real-ip", b"x-real-port", b"x-request-id", CLIENT_CERT_SUBJECT})
_CLAIMS_PREFIX = b"x-forwarded-"

# What the router says of each request itself, after it has heard a trusted proxy's claims.
_OWN = frozenset(
    {b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip", b"x-real-port", b"x-request-id"}
) | {CLIENT_CERT_SUBJECT}
_NEVER = frozenset({b"proxy"})
# With a hyphen for the underscore these would frame, route or describe a request.
_NEVER_ALIASED = HOP_BY_HOP | {b"content-length", b"content-type", b"host", b"proxy"}

_mark = compiled.find("names", "mark")
_mark("claim", _CLAIMS, (_CLAIMS_PREFIX,))
_mark("own", _OWN | _NEVER)

_MAX_NAMES = 1024
_MAX_NAME_BYTES = 64

_length = struct.Struct(">I").pack


def is_claim(name: bytes) -> bool:
    """Whether a field of this lower-case name says who the client is."""
    return name in _CLAIMS or name.startswith(_CLAIMS_PREFIX)


def name_prefix(name: bytes) -> bytes:
    """What comes before a value in a name/value block: the name, with its length."""
    return _length(len(name)) + name


class Crossing:
    """The rule of one router; `keeps_underscores` is `--underscores`.

    `strangers` and `trusted` remember names: the prefix of a value, empty if it is dropped. Both
    are bounded, as names come from clients; a full one starts anew, so that nobody can fill it for good.
    """

    def __init__(self, *, keeps_underscores: bool = False) -> None:
        self.keeps_underscores = keeps_underscores
        self.strangers: dict[bytes, bytes] = {}
        self.trusted: dict[bytes, bytes] = {}

    def learn(self, name: bytes, known: dict[bytes, bytes]) -> bytes:
        """The prefix of a name that `known`, one of the two, does not have."""
        prefix = name_prefix(name) if self._crosses(name, is_trusted=known is self.trusted) else b""
        if len(name) <= _MAX_NAME_BYTES:
            if len(known) >= _MAX_NAMES:
                known.clear()
            known[name] = prefix
        return prefix

    def _crosses(self, name: bytes, *, is_trusted: bool) -> bool:
        if b"_" in name:
            alias = name.replace(b"_", b"-")
            if not self.keeps_underscores or is_claim(alias) or alias in _NEVER_ALIASED:
                return False
        if name in _NEVER or name in _OWN:
            return False
        return is_trusted or not is_claim(name)
