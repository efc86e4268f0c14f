"""A complete worker on nothing but pyzmq and the standard library: `python examples/pyzmq_worker.py NAME [ENDPOINT...]`

Written from docs/protocol.md alone. It says hello, which is so short that CAPACITY replies never fill a window: a
worker with more to say has to count what WINDOW_UPDATE and SETTINGS let it send. Its routers have one process each.
"""

import signal
import sys
import zlib
from pathlib import Path
from struct import pack, unpack_from

import zmq

DATA, SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 0, 1, 2, 3, 4, 6, 7, 8, 9
FIN, REFUSED_STREAM, CAPACITY, BLOCK_AT = 1, 3, 100, {SYN_STREAM: 10, SYN_REPLY: 4, HEADERS: 4}
JOIN = (":method", "JOIN", ":path", "/", ":version", "HTTP/1.1", ":host", "", ":scheme", "zmq", "worker")
DICTIONARY = Path(__file__).with_name("spdy3.dictionary").read_bytes()


class Link:
    def __init__(self, name, endpoint):
        self.name, self.endpoint, self.received, self.leaves = name, endpoint, b"", False
        self.open, self.last_id = set(), 0  # the requests that are still to be answered
        self.deflate, self.inflate = zlib.compressobj(0, zdict=DICTIONARY), zlib.decompressobj(zdict=DICTIONARY)
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.set(zmq.HEARTBEAT_IVL, 5000)
        self.lost = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.socket.connect(endpoint)
        self.send(SETTINGS, 1, 4, CAPACITY)
        self.send(SYN_STREAM, 2, 0, flags=FIN, rest=b"\0\0" + self.block(*JOIN, name))

    def send(self, kind, *words, flags=0, rest=b""):
        body = pack(f">{len(words)}I", *words) + rest
        self.socket.send(pack(">2I", 0x80030000 | kind, flags << 24 | len(body)) + body)

    def block(self, *texts):
        raw = pack(">I", len(texts) // 2) + b"".join(pack(">I", len(text)) + text.encode() for text in texts)
        return self.deflate.compress(raw) + self.deflate.flush(zlib.Z_SYNC_FLUSH)

    def fields(self, block):  # every block must be inflated, wanted or not: together they are one zlib stream
        raw, texts, at = self.inflate.decompress(block), [], 4
        while at < len(raw):
            start, at = at + 4, at + 4 + unpack_from(">I", raw, at)[0]
            texts.append(raw[start:at].decode("latin-1"))
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def receive(self, octets):
        self.received += octets
        while len(self.received) >= (end := 8 + int.from_bytes(self.received[5:8], "big")):
            word, flags = unpack_from(">IB", self.received)
            body, self.received = self.received[8:end], self.received[end:]
            kind, number = (word & 0xFFFF, unpack_from(">I", body)[0]) if word >> 31 else (DATA, word)
            self.on_frame(kind, number, body, flags & FIN)

    def on_frame(self, kind, number, body, is_end):
        fields = self.fields(body[BLOCK_AT[kind] :]) if kind in BLOCK_AT else {}
        if kind == SYN_REPLY and not fields[":status"].startswith("200"):
            sys.exit(f"{self.endpoint} refuses {self.name}: {fields.get('reason')}")
        elif kind == SYN_REPLY:
            print(f"{self.name} joined {fields['router']}", flush=True)
        elif kind == SYN_STREAM and (self.leaves or len(self.open) >= CAPACITY):
            self.send(RST_STREAM, number, REFUSED_STREAM)
        elif kind == SYN_STREAM:
            self.open, self.last_id = self.open | {number}, number
        elif kind == RST_STREAM:
            self.open.discard(number)
        elif kind == DATA and body:  # nothing of it is kept: so much more may come, on the link and on the stream
            self.send(WINDOW_UPDATE, 0, len(body))
            self.send(WINDOW_UPDATE, number, len(body))
        elif kind == PING and number % 2:
            self.send(PING, number)
        elif kind == GOAWAY:
            self.endpoint = None  # it is to be dialled anew, beside this link, which the router will end
        if number in self.open and (is_end or "upgrade" in fields):
            self.open.remove(number)
            text = f"Hello from {self.name}\n".encode()
            self.send(SYN_REPLY, number, rest=self.block(":status", "200", ":version", "HTTP/1.1"))
            self.socket.send(pack(">2I", number, FIN << 24 | len(text)) + text)


name, endpoints = sys.argv[1], sys.argv[2:] or ["tcp://127.0.0.1:8000"]
links, stopping = [], []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: stopping.append(True))
while links or not stopping:
    links += [Link(name, end) for end in endpoints if not stopping and end not in [link.endpoint for link in links]]
    readable, _, _ = zmq.select([s for link in links for s in (link.socket, link.lost)], [], [], 0.1)
    for link in list(links):
        if link.socket in readable:
            link.receive(b"".join(link.socket.recv_multipart()))
        if stopping and not link.leaves:
            link.leaves = True
            link.send(GOAWAY, link.last_id, 0)
        if link.lost in readable or (link.leaves and not link.open):
            links.remove(link)
            link.socket.disable_monitor()
            link.socket.close(linger=0 if link.lost in readable else 1000)
            zmq.select([], [], [], 0.1)  # not again at once: the router may be full
