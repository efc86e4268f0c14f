"""ZMTP 3.1, ZeroMQ's wire protocol (RFC 37), without I/O: what a link's bytes are made of."""

from zerogate.wire.zmtp.connection import Connection
from zerogate.wire.zmtp.mechanism import Cipher, Mechanism, NullMechanism, Step

__all__ = ["Cipher", "Connection", "Mechanism", "NullMechanism", "Step"]
