"""What no library of TLS lets its user send: demands for new keys, as many as one likes (RFC 8446, 4.6.3)."""

import hashlib
import hmac
import struct
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_TAG_BYTES = 16
_KEY_BYTES = {"TLS_AES_128_GCM_SHA256": 16, "TLS_AES_256_GCM_SHA384": 32}
# A KeyUpdate with update_requested, and the content type behind it (RFC 8446, 5.2).
_DEMAND = b"\x18\x00\x00\x01\x01" + b"\x16"


def key_updates(key_log: Path, cipher: str) -> Iterator[bytes]:
    """Records of a client that has sent nothing since its handshake, whose key log this is."""
    lines = [line.split() for line in key_log.read_text().splitlines()]
    secret = bytes.fromhex([words[2] for words in lines if words[0] == "CLIENT_TRAFFIC_SECRET_0"][-1])
    digest = hashlib.sha384 if cipher.endswith("384") else hashlib.sha256

    def expand(label: bytes, n_bytes: int) -> bytes:
        """HKDF-Expand-Label (RFC 8446, 7.1); one block is enough for all that is needed here."""
        info = struct.pack(">HB", n_bytes, 6 + len(label)) + b"tls13 " + label + b"\0"
        return hmac.new(secret, info + b"\x01", digest).digest()[:n_bytes]

    while True:
        head = b"\x17\x03\x03" + struct.pack(">H", len(_DEMAND) + _TAG_BYTES)
        yield head + AESGCM(expand(b"key", _KEY_BYTES[cipher])).encrypt(expand(b"iv", 12), _DEMAND, head)
        secret = expand(b"traffic upd", digest().digest_size)
