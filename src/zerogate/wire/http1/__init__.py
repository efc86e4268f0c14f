"""The server's side of HTTP/1 (RFC 9112), sans-I/O: requests read, replies written."""

from zerogate.wire.http1.events import RequestEnd, RequestHead
from zerogate.wire.http1.limits import HttpLimits
from zerogate.wire.http1.reply import ReplyWriter, whole_reply
from zerogate.wire.http1.request import KnownHeads, RequestReader

__all__ = ["HttpLimits", "KnownHeads", "ReplyWriter", "RequestEnd", "RequestHead", "RequestReader", "whole_reply"]
