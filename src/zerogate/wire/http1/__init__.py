"""The server's side of HTTP/1 (RFC 9112), sans-I/O: one connection's requests read, its replies framed."""

from zerogate.wire.http1.connection import Connection, Situation, Writing
from zerogate.wire.http1.limits import HttpLimits
from zerogate.wire.http1.reader import KnownHeads, Reading

__all__ = ["Connection", "HttpLimits", "KnownHeads", "Reading", "Situation", "Writing"]
