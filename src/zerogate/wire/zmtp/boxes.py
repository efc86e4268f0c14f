"""CurveZMQ's boxes (ZeroMQ RFC 26): keys, nonces, and the sealing of traffic. The primitives are NaCl's.

`Box [X](A->B)` is X, sealed so that only who has A's secret key can have made it and only B's can open it. Each has a
nonce of 24 octets: a prefix that says what for, and then 16 random octets (long) or a counter of 8 (short).
"""

from struct import Struct
from typing import Final, NamedTuple

from nacl import bindings as nacl
from nacl.exceptions import CryptoError

from zerogate.errors import ZmtpError

KEY_BYTES: Final = nacl.crypto_box_PUBLICKEYBYTES
MAC_BYTES: Final = nacl.crypto_secretbox_MACBYTES
LONG_NONCE_BYTES: Final = 16
SHORT_NONCE: Final = Struct(">Q")

_MESSAGE: Final = b"\x07MESSAGE"
_BOX_AT: Final = len(_MESSAGE) + SHORT_NONCE.size
_MIN_MESSAGE_BYTES: Final = _BOX_AT + MAC_BYTES + 1
# The first octet in the box. COMMAND is ZMTP 3.1's, for PING and PONG in sealed traffic; RFC 26 has only MORE.
_MORE: Final = 1
_COMMAND: Final = 2
_IS_COMMAND: Final = {0: False, _MORE: False, _COMMAND: True}

CLIENT_MESSAGE: Final = b"CurveZMQMESSAGEC"
SERVER_MESSAGE: Final = b"CurveZMQMESSAGES"


class KeyPair(NamedTuple):
    """A key pair, of 32 octets each. Its `repr` has nothing of the secret."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"<KeyPair {self.public.hex()[:8]}>"


def make_key_pair() -> KeyPair:
    """A new pair."""
    return KeyPair(*nacl.crypto_box_keypair())


def key_pair_of(secret: bytes) -> KeyPair:
    """The pair that a secret key belongs to. Raises ValueError if it is not of 32 octets."""
    if len(secret) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} octets, not {len(secret)}")
    return KeyPair(nacl.crypto_scalarmult_base(secret), secret)


def random_octets(n: int) -> bytes:
    """Fit for keys and long nonces."""
    return nacl.randombytes(n)


def shared_key(public: bytes, secret: bytes) -> bytes:
    """What seals and opens boxes between two. Raises ZmtpError for a public key that is none (RFC 7748, 6.1)."""
    try:
        return nacl.crypto_box_beforenm(public, secret)
    except CryptoError:
        raise ZmtpError("the peer's public key is not a point that keeps a secret") from None


def seal(content: bytes, nonce: bytes, key: bytes) -> bytes:
    """A box with a shared key."""
    return nacl.crypto_box_easy_afternm(content, nonce, key)


def unseal(box: bytes, nonce: bytes, key: bytes, name: str) -> bytes:
    """What is in the box called `name`. Raises ZmtpError."""
    try:
        return nacl.crypto_box_open_easy_afternm(box, nonce, key)
    except CryptoError:
        raise ZmtpError(f"{name} does not open: it was made with other keys, or changed on its way") from None


class Nonces:
    """The short nonces of one connection: ours count up by one, the peer's must rise.

    RFC 26 wants them to count up, libzmq takes any that rise; a replayed or reordered command does not.
    """

    __slots__ = ("_ours", "_theirs")

    def __init__(self) -> None:
        self._ours = 0
        self._theirs = 0

    def next(self) -> bytes:
        """Ours. 2^64 of them last for as long as any connection can."""
        self._ours += 1
        return SHORT_NONCE.pack(self._ours)

    def check(self, nonce: bytes) -> None:
        """The peer's has come, in a box that opened. Raises ZmtpError."""
        number: int = SHORT_NONCE.unpack(nonce)[0]
        if number <= self._theirs:
            raise ZmtpError(f"nonce {number} after {self._theirs}: the peer's commands were replayed or reordered")
        self._theirs = number


class CurveCipher:
    """Sealed traffic, both ways: MESSAGE commands of RFC 26."""

    __slots__ = ("_key", "_nonces", "_our_prefix", "_their_prefix")

    def __init__(self, key: bytes, nonces: Nonces, *, is_server: bool) -> None:
        self._key = key
        self._nonces = nonces
        prefixes = (CLIENT_MESSAGE, SERVER_MESSAGE)
        self._our_prefix, self._their_prefix = prefixes[::-1] if is_server else prefixes

    def __repr__(self) -> str:
        return "<CurveCipher>"

    def seal(self, payload: bytes, *, is_command: bool) -> bytes:
        nonce = self._nonces.next()
        flags = b"\x02" if is_command else b"\x00"
        return _MESSAGE + nonce + seal(flags + payload, self._our_prefix + nonce, self._key)

    def open(self, body: bytes) -> tuple[bytes, bool]:
        if len(body) < _MIN_MESSAGE_BYTES or not body.startswith(_MESSAGE):
            raise ZmtpError(f"sealed traffic is made of MESSAGE commands; this is none, of {len(body)} octets")
        nonce = body[len(_MESSAGE) : _BOX_AT]
        content = unseal(body[_BOX_AT:], self._their_prefix + nonce, self._key, "a MESSAGE")
        self._nonces.check(nonce)
        is_command = _IS_COMMAND.get(content[0])
        if is_command is None:
            raise ZmtpError(f"a MESSAGE with reserved flags: 0x{content[0]:02x}")
        return content[1:], is_command
