"""The server's side of HTTP/1 (RFC 9112), sans-I/O: one connection's requests read, its replies framed."""

from zerogate.wire.http1.connection import Connection
from zerogate.wire.http1.limits import HttpLimits
from zerogate.wire.http1.reader import Event
from zerogate.wire.http1.situations import Reading, Situation, Writing

__all__ = ["Connection", "Event", "HttpLimits", "Reading", "Situation", "Writing"]
