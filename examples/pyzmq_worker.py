"""A complete worker on nothing but pyzmq and the standard library, written from docs/protocol.md alone.

    python examples/pyzmq_worker.py NAME [ENDPOINT]

It says hello, or sends a request's body back while it is still coming: many streams at once, flow control both ways,
every router that there is, a router's restart, Ctrl-C without a failed request.
"""

import signal
import sys
import time
import zlib
from struct import pack, unpack_from
from types import SimpleNamespace

import zmq

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN, REFUSED_STREAM, CAPACITY, STREAM_WINDOW, LINK_WINDOW = 1, 3, 100, 256 * 1024, 16 * 1024 * 1024

# The zlib dictionary of every SPDY/3 session: words with their lengths, then what is said most.
WORDS = """options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age
allow authorization cache-control connection content-base content-encoding content-language content-length
content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since
if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate
proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning
www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin"""
TAIL = """100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authorita\
tive Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Inter\
nal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 M\
on, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtm\
l+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."""
DICTIONARY = b"".join(pack(">I", len(w)) + w.replace("_", " ").encode() for w in WORDS.split()) + TAIL.encode()


class Link:
    """One connection to one router, and the SPDY session that lives and dies with it."""

    def __init__(self, name, endpoint):
        self.name, self.endpoint, self.to_dial = name, endpoint, []
        self.buffer, self.streams, self.last_id, self.we_leave, self.they_leave = b"", {}, 0, False, False
        self.window = self.stream_window = 64 * 1024  # what the router lets us send: on the link, on each new stream
        self.deflate, self.inflate = zlib.compressobj(0, zdict=DICTIONARY), zlib.decompressobj(zdict=DICTIONARY)
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.set(zmq.SNDHWM, 0)  # what waits in the socket is bounded by the windows
        self.socket.set(zmq.HEARTBEAT_IVL, 5000)
        self.lost = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.socket.connect(endpoint)
        self.send(SETTINGS, 2, 4, CAPACITY, 7, STREAM_WINDOW)
        self.send(WINDOW_UPDATE, 0, LINK_WINDOW - 64 * 1024)
        join = {":method": "JOIN", ":path": "/", ":version": "HTTP/1.1", ":host": "", ":scheme": "zmq", "worker": name}
        self.send(SYN_STREAM, 2, 0, flags=FIN, rest=b"\0\0" + self.block(join))

    def send(self, kind, *words, flags=0, rest=b""):
        body = pack(f">{len(words)}I", *words) + rest
        self.socket.send(pack(">2I", 0x80030000 | kind, flags << 24 | len(body)) + body)

    def block(self, fields):
        texts = [text.encode() for pair in fields.items() for text in pair]
        raw = pack(">I", len(fields)) + b"".join(pack(">I", len(text)) + text for text in texts)
        return self.deflate.compress(raw) + self.deflate.flush(zlib.Z_SYNC_FLUSH)

    def fields(self, block):
        raw, texts, at = self.inflate.decompress(block), [], 4
        while at < len(raw):
            start, at = at + 4, at + 4 + unpack_from(">I", raw, at)[0]
            texts.append(raw[start:at].decode("latin-1"))
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def receive(self, part):
        self.buffer += part
        while len(self.buffer) >= 8 and len(self.buffer) >= (end := 8 + int.from_bytes(self.buffer[5:8], "big")):
            (word, flags), body, self.buffer = unpack_from(">IB", self.buffer), self.buffer[8:end], self.buffer[end:]
            if word >> 31:
                self.on_control(word & 0xFFFF, flags, body)
            else:
                self.on_data(word, flags, body)

    def on_data(self, number, flags, data):
        self.send(WINDOW_UPDATE, 0, len(data))  # the link's credit is for what has come, whoever it was for
        if stream := self.streams.get(number):
            stream.waiting += data
            stream.has_ended |= flags & FIN
            self.pump(number)

    def on_control(self, kind, flags, body):
        number, *values = unpack_from(f">{len(body) // 4}I", body)
        if kind in (SYN_STREAM, SYN_REPLY, HEADERS):  # each block must be inflated: together they are one zlib stream
            fields = self.fields(body[10 if kind == SYN_STREAM else 4 :])
        if kind == SYN_STREAM and (self.we_leave or len(self.streams) >= CAPACITY):
            self.send(RST_STREAM, number, REFUSED_STREAM)
        elif kind == SYN_STREAM:
            self.last_id, is_whole = number, flags & FIN or "upgrade" in fields
            reply = {":status": "200 OK", ":version": "HTTP/1.1", "content-type": "text/plain"}
            self.send(SYN_REPLY, number, rest=self.block(reply))
            body = f"Hello from {self.name}\n".encode() if is_whole else b""
            self.streams[number] = SimpleNamespace(waiting=body, has_ended=is_whole, window=self.stream_window)
            self.pump(number)
        elif kind == HEADERS and flags & FIN and number in self.streams:  # trailers: the request's end
            self.streams[number].has_ended = FIN
            self.pump(number)
        elif kind == SYN_REPLY and fields[":status"].startswith("200"):
            print(f"{self.name} joined {fields['router']}", flush=True)
            self.to_dial = [endpoint for endpoint in fields.get("routers", "").split("\0") if endpoint]
        elif kind == SYN_REPLY:
            sys.exit(f"refused: {fields.get('reason')}")
        elif kind == RST_STREAM:
            self.streams.pop(number, None)
        elif kind == PING and number % 2:
            self.send(PING, number)
        elif kind == GOAWAY:  # dial anew beside this link, which goes on until the router ends it
            self.they_leave = True
        elif kind == SETTINGS:
            for setting, value in zip(values[::2], values[1::2], strict=True):
                if setting & 0xFFFFFF == 7:
                    for stream in self.streams.values():
                        stream.window += value - self.stream_window
                    self.stream_window = value
        elif kind == WINDOW_UPDATE and number in self.streams:
            self.streams[number].window += values[0]
            self.pump(number)
        elif kind == WINDOW_UPDATE and not number:
            self.window += values[0]
            for number in list(self.streams):
                self.pump(number)

    def pump(self, number):
        """Send what the windows allow. What has gone on, the router may send again."""
        stream = self.streams[number]
        while (size := min(len(stream.waiting), stream.window, self.window, 64 * 1024)) > 0:
            self.socket.send(pack(">2I", number, size) + stream.waiting[:size])
            stream.waiting, stream.window, self.window = stream.waiting[size:], stream.window - size, self.window - size
            if not stream.has_ended:
                self.send(WINDOW_UPDATE, number, size)
        if stream.has_ended and not stream.waiting:
            self.socket.send(pack(">2I", number, FIN << 24))
            del self.streams[number]


def main(name, endpoint="tcp://127.0.0.1:8000"):
    links, stopping = [Link(name, endpoint)], []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.append(True))
    while links:
        readable, _, _ = zmq.select([s for link in links for s in (link.socket, link.lost)], [], [], 0.1)
        for link in list(links):
            if link.socket in readable:
                for part in link.socket.recv_multipart():
                    link.receive(part)
            if stopping and not link.we_leave:
                link.we_leave = True
                link.send(GOAWAY, link.last_id, 0)
            if link.lost in readable or (link.we_leave and not link.streams):
                link.socket.disable_monitor()
                link.socket.close(linger=1000)
                links.remove(link)
                ...


if __name__ == "__main__":
    main(*sys.argv[1:])
