"""A complete worker on nothing but pyzmq and the standard library, written from docs/protocol.md alone.

    python examples/pyzmq_worker.py NAME [ENDPOINT...]

It says hello, or sends a request's body back while it is still coming: many streams at once, flow control both ways,
every router that there is, a router's restart, Ctrl-C without a failed request.
"""

import signal
import sys
import time
import zlib
from struct import pack, unpack_from

import zmq

DATA, SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 0, 1, 2, 3, 4, 6, 7, 8, 9
FIN, REFUSED_STREAM, CAPACITY, STREAM_WINDOW, LINK_WINDOW = 1, 3, 100, 256 * 1024, 16 * 1024 * 1024
# The dictionary that every SPDY/3 name/value block starts from: words with their lengths, then what is often said.
WORDS = """options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age
allow authorization cache-control connection content-base content-encoding content-language content-length
content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since
if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate
proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning
www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin"""
SAYINGS = """100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authori\
tative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Inte\
rnal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 M\
on, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml\
+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."""
DICTIONARY = b"".join(pack(">I", len(w)) + w.replace("_", " ").encode() for w in WORDS.split()) + SAYINGS.encode()


class Link:
    """A connection to a router, and the SPDY session that lives and dies with it. `wanted` are all routers to dial."""

    def __init__(self, name, endpoint, wanted):
        self.name, self.endpoint, self.wanted, self.received = name, endpoint, wanted, b""
        self.waiting, self.ended, self.last_id = {}, set(), 0  # each stream's unsent bytes; whose request is complete
        self.windows, self.stream_window = {0: 64 * 1024}, 64 * 1024  # what the router takes; 0 is the whole link's
        self.router_leaves = self.we_leave = False
        self.deflate, self.inflate = zlib.compressobj(0, zdict=DICTIONARY), zlib.decompressobj(zdict=DICTIONARY)
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.set(zmq.SNDHWM, 0)  # the windows are the limit
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
        self.received += part
        while len(self.received) >= 8 and len(self.received) >= (end := 8 + int.from_bytes(self.received[5:8], "big")):
            word, flags = unpack_from(">IB", self.received)
            body, self.received = self.received[8:end], self.received[end:]
            if word >> 31:
                self.on_frame(word & 0xFFFF, flags, body, *unpack_from(f">{len(body) // 4}I", body))
            else:
                self.on_frame(DATA, flags, body, word)
        self.pump()

    def on_frame(self, kind, flags, body, number=0, *values):
        if kind in (SYN_STREAM, SYN_REPLY, HEADERS):  # every block must be inflated: together they are one zlib stream
            fields = self.fields(body[10 if kind == SYN_STREAM else 4 :])
        if kind in (DATA, SYN_STREAM, HEADERS) and (flags & FIN or (kind == SYN_STREAM and "upgrade" in fields)):
            self.ended.add(number)  # the request is complete; so is one to switch to a protocol that we do not know
        if kind == DATA and body:
            self.send(WINDOW_UPDATE, 0, len(body))  # the link's credit is for what has come, whoever it is for
            if number in self.waiting:
                self.waiting[number] += body
        elif kind == SYN_STREAM and (self.we_leave or len(self.waiting) >= CAPACITY):
            self.send(RST_STREAM, number, REFUSED_STREAM)
        elif kind == SYN_STREAM:
            if "expect" in fields:
                self.send(HEADERS, number, rest=self.block({":status": "100 Continue", ":version": "HTTP/1.1"}))
            self.send(SYN_REPLY, number, rest=self.block({":status": "200 OK", ":version": "HTTP/1.1"}))
            self.last_id, self.windows[number] = number, self.stream_window
            self.waiting[number] = f"Hello from {self.name}\n".encode() if number in self.ended else b""
        elif kind == SYN_REPLY and not fields[":status"].startswith("200"):
            sys.exit(f"{self.endpoint} refuses {self.name}: {fields.get('reason')}")
        elif kind == SYN_REPLY:
            print(f"{self.name} joined {fields['router']}", flush=True)
            self.wanted.update(endpoint for endpoint in fields.get("routers", "").split("\0") if endpoint)
        elif kind == RST_STREAM and number in self.waiting:
            del self.waiting[number], self.windows[number]
        elif kind == SETTINGS:
            new = dict(zip(values[::2], values[1::2], strict=True)).get(7, self.stream_window)
            for open_stream in self.waiting:
                self.windows[open_stream] += new - self.stream_window
            self.stream_window = new
        elif kind == PING and number % 2:
            self.send(PING, number)
        elif kind == GOAWAY:
            self.router_leaves = True  # it is to be dialled anew, beside this link, which it will end
        elif kind == WINDOW_UPDATE and number in self.windows:
            self.windows[number] += values[0]

    def pump(self):
        """Send what the windows allow. As much as has gone on, the router may send again."""
        for number in list(self.waiting):
            while (size := min(len(self.waiting[number]), self.windows[number], self.windows[0], 64 * 1024)) > 0:
                self.socket.send(pack(">2I", number, size) + self.waiting[number][:size])
                self.waiting[number] = self.waiting[number][size:]
                self.windows[number] -= size
                self.windows[0] -= size
                if number not in self.ended:
                    self.send(WINDOW_UPDATE, number, size)
            if number in self.ended and not self.waiting[number]:
                self.socket.send(pack(">2I", number, FIN << 24))
                del self.waiting[number], self.windows[number]


def main(name, *endpoints):
    links, wanted, stopping = [], set(endpoints or ["tcp://127.0.0.1:8000"]), []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.append(True))
    while links or not stopping:
        if not stopping:
            missing = wanted - {link.endpoint for link in links if not link.router_leaves}
            links += [Link(name, endpoint, wanted) for endpoint in missing]
        readable, _, _ = zmq.select([s for link in links for s in (link.socket, link.lost)], [], [], 0.1)
        for link in list(links):
            if link.socket in readable:
                for part in link.socket.recv_multipart():
                    link.receive(part)
            if stopping and not link.we_leave:
                link.we_leave = True
                link.send(GOAWAY, link.last_id, 0)
            if link.lost in readable or (link.we_leave and not link.waiting):
                links.remove(link)
                link.socket.disable_monitor()
                link.socket.close(linger=0 if link.lost in readable else 1000)
                time.sleep(0.1)  # not again at once: the router may be full


if __name__ == "__main__":
    main(*sys.argv[1:])
