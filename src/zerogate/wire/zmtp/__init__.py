"""ZMTP 3.1, ZeroMQ's wire protocol (RFC 37), without I/O: what a link's bytes are made of."""

from zerogate.wire.zmtp.boxes import KeyPair, key_pair_of, make_key_pair
from zerogate.wire.zmtp.connection import Connection
from zerogate.wire.zmtp.curve import CurveClient, CurveServer, UnlistedKeyError
from zerogate.wire.zmtp.frames import NO_MARK
from zerogate.wire.zmtp.mechanism import Cipher, Mechanism, NullMechanism, Step
from zerogate.wire.zmtp.z85 import decode_key, encode_key

__all__ = [
    "NO_MARK",
    "Cipher",
    "Connection",
    "CurveClient",
    "CurveServer",
    "KeyPair",
    "Mechanism",
    "NullMechanism",
    "Step",
    "UnlistedKeyError",
    "decode_key",
    "encode_key",
    "key_pair_of",
    "make_key_pair",
]
