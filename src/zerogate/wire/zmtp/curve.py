"""The CURVE mechanism at both ends (ZeroMQ RFC 25 and 26): who the peer is, and keys for what follows.

    C and S are the permanent keys of client (the worker) and server (the router), C' and S' those of one connection;
    c, s, c', s' the secret halves. Only the client's end must know the other's permanent key beforehand.

    HELLO      C->S   C', Box [64 zeros](C'->S)                           there is a client that knows S
    WELCOME    S->C   Box [S', cookie](S->C')                             here is S; cookie = secretbox [C', s'](K)
    INITIATE   C->S   cookie, Box [C, vouch, metadata](C'->S')            here is C; vouch = Box [C', S](C->S')
    READY      S->C   Box [metadata](S'->C')                              C may come in

**Who is not known learns nothing**: whatever does not open or add up, and a key that is not listed, ends the connection
without a word (RFC 26, "the server SHALL not respond except by closing the connection").

**Keys are forgotten**: between WELCOME and INITIATE the server keeps nothing of the connection's keys but K, which
opens the cookie once; after the handshake both keep only what seals the traffic. Python cannot wipe memory; what is
not referred to any more is given back.
"""

from collections.abc import Callable, Sequence
from hmac import compare_digest
from typing import Final

from zerogate.errors import ZmtpError
from zerogate.wire.zmtp.boxes import (
    KEY_BYTES,
    LONG_NONCE_BYTES,
    MAC_BYTES,
    SHORT_NONCE,
    CurveCipher,
    KeyPair,
    Nonces,
    make_key_pair,
    random_octets,
    seal,
    shared_key,
    unseal,
)
from zerogate.wire.zmtp.commands import command, printable
from zerogate.wire.zmtp.mechanism import Cipher, Step

NAME: Final = b"CURVE"

# The layouts of RFC 26, without the commands' names.
_VERSION: Final = b"\x01\x00"
_PADDING: Final = bytes(72)
_SIGNATURE: Final = bytes(64)
_HELLO_BYTES: Final = 194
_WELCOME_BYTES: Final = 160
_COOKIE_BYTES: Final = 96
_VOUCH_BYTES: Final = 96
_MIN_INITIATE_BYTES: Final = _COOKIE_BYTES + SHORT_NONCE.size + MAC_BYTES + KEY_BYTES + _VOUCH_BYTES
_MIN_READY_BYTES: Final = SHORT_NONCE.size + MAC_BYTES


class CurveServer:
    """The router's end. `key_pairs` are the permanent ones that clients may know it by (more than one while they are
    changed); `is_listed` says whether a client of this public key may come in, asked once its key is proved.
    """

    __slots__ = (
        "_cookie_key",
        "_expected",
        "_is_listed",
        "_key_pair",
        "_key_pairs",
        "_metadata",
        "_nonces",
        "cipher",
        "peer_key",
    )

    name = NAME
    is_server = True
    suspicion = ""

    def __init__(self, key_pairs: Sequence[KeyPair], is_listed: Callable[[bytes], bool]) -> None:
        self._key_pairs = key_pairs
        self._is_listed = is_listed
        self._metadata = b""
        self._nonces = Nonces()
        self._cookie_key = b""
        self._key_pair: KeyPair | None = None
        self._expected = b"HELLO"
        self.cipher: Cipher | None = None
        self.peer_key = b""

    def start(self, metadata: bytes) -> Step:
        self._metadata = metadata
        return Step()

    def receive_command(self, name: bytes, data: bytes) -> Step:
        if name != self._expected:
            raise ZmtpError(f"the CURVE handshake expects {self._expected.decode()}, not {printable(name)}")
        return self._welcome(data) if name == b"HELLO" else self._let_in(data)

    def _welcome(self, hello: bytes) -> Step:
        if len(hello) != _HELLO_BYTES or not hello.startswith(_VERSION):
            raise ZmtpError(f"a HELLO of {len(hello)} octets and version {hello[:2].hex()}: not CurveZMQ 1.0")
        if hello[2:74] != _PADDING:
            raise ZmtpError("a HELLO whose padding is not zero")
        client, nonce, box = hello[74:106], hello[106:114], hello[114:]
        key = self._recognise(client, b"CurveZMQHELLO---" + nonce, box)
        self._nonces.check(nonce)
        connection = make_key_pair()
        self._cookie_key = random_octets(KEY_BYTES)
        cookie_nonce = random_octets(LONG_NONCE_BYTES)
        cookie = cookie_nonce + seal(client + connection.secret, b"COOKIE--" + cookie_nonce, self._cookie_key)
        welcome_nonce = random_octets(LONG_NONCE_BYTES)
        welcome = welcome_nonce + seal(connection.public + cookie, b"WELCOME-" + welcome_nonce, key)
        self._expected = b"INITIATE"
        return Step(commands=(command(b"WELCOME", welcome),))

    def _recognise(self, client: bytes, nonce: bytes, signature: bytes) -> bytes:
        """The key between the client's C' and that one of our S that its signature is for."""
        for pair in self._key_pairs:
            key = shared_key(client, pair.secret)
            try:
                content = unseal(signature, nonce, key, "a HELLO")
            except ZmtpError:
                continue
            if content != _SIGNATURE:
                raise ZmtpError("a HELLO whose signature is not of zeros")
            self._key_pair = pair
            return key
        raise ZmtpError("a HELLO that does not open: the peer knows another router key, or is no CURVE peer")

    def _let_in(self, initiate: bytes) -> Step:
        assert self._key_pair is not None
        if len(initiate) < _MIN_INITIATE_BYTES:
            raise ZmtpError(f"an INITIATE of {len(initiate)} octets; it has at least {_MIN_INITIATE_BYTES}")
        cookie, box_at = initiate[:_COOKIE_BYTES], _COOKIE_BYTES + SHORT_NONCE.size
        nonce, box = initiate[_COOKIE_BYTES:box_at], initiate[box_at:]
        cookie_key, self._cookie_key = self._cookie_key, b""
        content = unseal(cookie[16:], b"COOKIE--" + cookie[:16], cookie_key, "the cookie")
        client, secret = content[:KEY_BYTES], content[KEY_BYTES:]
        key = shared_key(client, secret)
        content = unseal(box, b"CurveZMQINITIATE" + nonce, key, "an INITIATE")
        self._nonces.check(nonce)
        permanent, vouch, metadata = content[:32], content[32:128], content[128:]
        vouched = unseal(vouch[16:], b"VOUCH---" + vouch[:16], shared_key(permanent, secret), "a vouch")
        if not compare_digest(vouched, client + self._key_pair.public):
            raise ZmtpError("a vouch for another connection or another router")
        if not self._is_listed(permanent):
            raise UnlistedKeyError(permanent)
        self.peer_key = permanent
        self._expected = b"nothing more"
        self.cipher = CurveCipher(key, self._nonces, is_server=True)
        nonce = self._nonces.next()
        ready = nonce + seal(self._metadata, b"CurveZMQREADY---" + nonce, key)
        return Step(commands=(command(b"READY", ready),), peer_metadata=metadata, is_done=True)


class UnlistedKeyError(ZmtpError):
    """A client proved that it has a key, and that key is not listed."""

    def __init__(self, key: bytes) -> None:
        super().__init__("the peer's key is not listed here")
        self.key = key


class CurveClient:
    """The worker's end. `key_pair` is its own; `server_key` the router's permanent public key, which it must know."""

    __slots__ = (
        "_connection",
        "_expected",
        "_key",
        "_key_pair",
        "_metadata",
        "_nonces",
        "_server_key",
        "cipher",
        "peer_key",
        "suspicion",
    )

    name = NAME
    is_server = False

    def __init__(self, key_pair: KeyPair, server_key: bytes) -> None:
        self._key_pair = key_pair
        self._server_key = server_key
        self._metadata = b""
        self._nonces = Nonces()
        self._connection: KeyPair | None = make_key_pair()
        self._key = b""  # with S, then with S'
        self._expected = b"WELCOME"
        self.cipher: Cipher | None = None
        self.peer_key = b""
        self.suspicion = ""

    def start(self, metadata: bytes) -> Step:
        assert self._connection is not None
        self._metadata = metadata
        # Only a server that has the secret key of S can read on; another closes.
        self.suspicion = "its key is another one than the router key given here"
        self._key = shared_key(self._server_key, self._connection.secret)
        nonce = self._nonces.next()
        box = seal(_SIGNATURE, b"CurveZMQHELLO---" + nonce, self._key)
        return Step(commands=(command(b"HELLO", _VERSION + _PADDING + self._connection.public + nonce + box),))

    def receive_command(self, name: bytes, data: bytes) -> Step:
        if name != self._expected:
            raise ZmtpError(f"the CURVE handshake expects {self._expected.decode()}, not {printable(name)}")
        return self._initiate(data) if name == b"WELCOME" else self._enter(data)

    def _initiate(self, welcome: bytes) -> Step:
        assert self._connection is not None
        if len(welcome) != _WELCOME_BYTES:
            raise ZmtpError(f"a WELCOME of {len(welcome)} octets; it has {_WELCOME_BYTES}")
        content = unseal(welcome[16:], b"WELCOME-" + welcome[:16], self._key, "a WELCOME")
        server, cookie = content[:KEY_BYTES], content[KEY_BYTES:]
        connection, self._connection = self._connection, None
        self._key = shared_key(server, connection.secret)
        vouch_nonce = random_octets(LONG_NONCE_BYTES)
        vouch_key = shared_key(server, self._key_pair.secret)
        vouch = vouch_nonce + seal(connection.public + self._server_key, b"VOUCH---" + vouch_nonce, vouch_key)
        nonce = self._nonces.next()
        content = self._key_pair.public + vouch + self._metadata
        self._expected = b"READY"
        # The router's key was right; what it closes for now is ours.
        self.suspicion = "this key is not listed there"
        initiate = cookie + nonce + seal(content, b"CurveZMQINITIATE" + nonce, self._key)
        return Step(commands=(command(b"INITIATE", initiate),))

    def _enter(self, ready: bytes) -> Step:
        if len(ready) < _MIN_READY_BYTES:
            raise ZmtpError(f"a READY of {len(ready)} octets; it has at least {_MIN_READY_BYTES}")
        nonce = ready[: SHORT_NONCE.size]
        metadata = unseal(ready[SHORT_NONCE.size :], b"CurveZMQREADY---" + nonce, self._key, "a READY")
        self._nonces.check(nonce)
        self._expected = b"nothing more"
        self.suspicion = ""
        self.peer_key = self._server_key
        self.cipher = CurveCipher(self._key, self._nonces, is_server=False)
        return Step(peer_metadata=metadata, is_done=True)
