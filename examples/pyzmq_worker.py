"""A complete worker on nothing but pyzmq and the standard library, written from docs/protocol.md alone.

    python examples/pyzmq_worker.py NAME [ENDPOINT]

It says hello and sends a request's body back while it is still coming: many streams at once, flow control both ways,
every router that there is, a router's restart, Ctrl-C without a failed request.
"""

import random
import signal
import sys
import time
import zlib
from struct import iter_unpack, pack, unpack_from
from types import SimpleNamespace

import zmq

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN, REFUSED_STREAM, CAPACITY, STREAM_WINDOW, LINK_WINDOW = 1, 3, 100, 256 * 1024, 16 * 1024 * 1024
WORDS = """options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow
authorization cache-control connection content-base content-encoding content-language content-length content-location
content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range
if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer
retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status
200_OK version HTTP/1.1 url public set-cookie keep-alive origin"""
TAIL = """100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative \
Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server \
Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, \
Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,\
text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."""
DICTIONARY = b"".join(pack(">I", len(w)) + w.replace("_", " ").encode() for w in WORDS.split()) + TAIL.encode()


class Link:
    """One connection to one router, and the SPDY session that lives and dies with it."""

    def __init__(self, name, endpoint):
        self.name, self.endpoint, self.streams, self.received, self.last_id, self.owed = name, endpoint, {}, b"", 0, 0
        self.window = self.stream_window = 64 * 1024  # what the router lets us send: on the link, on each new stream
        self.deflate, self.inflate = zlib.compressobj(0, zdict=DICTIONARY), zlib.decompressobj(zdict=DICTIONARY)
        self.is_leaving = self.is_router_leaving = self.is_lost = False
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.set(zmq.SNDHWM, 0)  # the windows bound what is queued
        self.socket.set(zmq.HEARTBEAT_IVL, 5000)
        self.monitor = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.socket.connect(endpoint)
        self.send(SETTINGS, pack(">5I", 2, 4, CAPACITY, 7, STREAM_WINDOW))
        self.send(WINDOW_UPDATE, pack(">2I", 0, LINK_WINDOW - 64 * 1024))
        join = {":method": "JOIN", ":path": "/", ":version": "HTTP/1.1", ":host": "", ":scheme": "zmq", "worker": name}
        self.send(SYN_STREAM, pack(">IIH", 2, 0, 0) + self.block(join), FIN)

    def send(self, kind, body, flags=0):
        self.socket.send(pack(">2I", 0x80030000 | kind, flags << 24 | len(body)) + body)

    def block(self, fields):
        raw = b"".join(pack(">I", len(text)) + text.encode() for pair in fields.items() for text in pair)
        return self.deflate.compress(pack(">I", len(fields)) + raw) + self.deflate.flush(zlib.Z_SYNC_FLUSH)

    def fields(self, block):
        raw, strings = self.inflate.decompress(block, 64 * 1024), []
        at = 4
        for _ in range(2 * unpack_from(">I", raw)[0]):
            end = at + 4 + unpack_from(">I", raw, at)[0]
            strings.append(raw[at + 4 : end].decode("latin-1"))
            at = end
        return dict(zip(strings[::2], strings[1::2]))

    def receive(self, part):
        self.received += part
        while len(self.received) >= 8:
            word, tail = unpack_from(">2I", self.received)
            end = 8 + (tail & 0xFFFFFF)
            if len(self.received) < end:
                return
            body, self.received = self.received[8:end], self.received[end:]
            if word >> 31:
                self.on_control(word & 0xFFFF, tail >> 24, body)
            else:
                self.on_data(word, tail >> 24, body)

    def on_control(self, kind, flags, body):
        number = unpack_from(">I", body)[0] & 0x7FFFFFFF  # the stream's in most frames
        if kind in (SYN_STREAM, SYN_REPLY, HEADERS):  # every block must be inflated: they share one zlib stream
            fields = self.fields(body[10 if kind == SYN_STREAM else 4 :])
        if kind == SYN_STREAM and (self.is_leaving or len(self.streams) >= CAPACITY):
            self.send(RST_STREAM, pack(">2I", number, REFUSED_STREAM))
        elif kind == SYN_STREAM:
            self.last_id = number
            reply = {":status": "200 OK", ":version": "HTTP/1.1", "content-type": "text/plain"}
            self.send(SYN_REPLY, pack(">I", number) + self.block(reply))
            ...
