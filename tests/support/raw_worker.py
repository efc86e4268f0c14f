"""A worker written out by hand: SPDY over ZMTP on a blocking socket. It says what it is told to say, valid or not."""

import socket
import time
import zlib
from collections.abc import Iterable
from typing import TypeVar

from zerogate.wire import zmtp
from zerogate.wire.spdy import events, frames
from zerogate.wire.spdy.headers import BlockWriter, encode_block, merge_fields
from zerogate.wire.spdy.session import Session
from zerogate.wire.spdy.streams import Stream

TIMEOUT_S = 30.0

E = TypeVar("E")


def block(*pairs: tuple[str | bytes, str | bytes]) -> bytes:
    """A raw name/value block of these pairs, whatever they are."""
    octets = [tuple(text.encode("latin-1") if isinstance(text, str) else text for text in pair) for pair in pairs]
    size = b"".join(len(text).to_bytes(4, "big") + text for pair in octets for text in pair)
    return len(pairs).to_bytes(4, "big") + size


def reply_block(status: str = "200", *pairs: tuple[str | bytes, str | bytes]) -> bytes:
    return block((":status", status), (":version", "HTTP/1.1"), *pairs)


def join_block(name: str, routes: Iterable[str] = (), **fields: str) -> bytes:
    """The name/value block of a JOIN; `fields` stand in for those of the same name (with `_` for `:` in front)."""
    pairs = {":method": "JOIN", ":path": "/", ":version": "HTTP/1.1", ":host": "", ":scheme": "zmq", "worker": name}
    listed = list(routes)
    if listed:
        pairs["route"] = "\0".join(listed)
    pairs.update((f":{name[1:]}" if name.startswith("_") else name, value) for name, value in fields.items())
    return encode_block({name.encode(): value.encode() for name, value in pairs.items()})


def wrapped(raw: bytes) -> bytes:
    """A raw block as it goes into any frame but the first: stored blocks need nothing of what came before them."""
    writer = BlockWriter()
    writer.wrap(b"")
    return writer.wrap(raw)


def deflated(raw: bytes) -> bytes:
    """The same, compressed as far as it goes."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(raw) + deflater.flush(zlib.Z_SYNC_FLUSH)


class LinkEndedError(Exception):
    """The router ended the link."""


class RawLink:
    """The worker's end of a link: a socket, and ZMTP on it once `shake_hands` is called."""

    def __init__(self, endpoint: str, *, timeout: float = TIMEOUT_S) -> None:
        scheme, _, address = endpoint.partition("://")
        if scheme == "ipc":
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(timeout)
            self.sock.connect(address)
        else:
            host, _, port = address.rpartition(":")
            self.sock = socket.create_connection((host, int(port)), timeout=timeout)
        self.zmtp = zmtp.Connection(socket_type=b"DEALER", accepts=frozenset({b"ROUTER", b"XREP"}))

    def __enter__(self) -> "RawLink":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    def send_octets(self, data: bytes) -> None:
        """Octets onto the connection, as they are."""
        self.sock.sendall(data)

    def send_message(self, *parts: bytes) -> None:
        """SPDY bytes, each in a ZMTP message of its own."""
        for part in parts:
            self.send_octets(self.zmtp.encode([part]))

    def receive(self) -> list[bytes]:
        """Read once, and answer PINGs. Raises LinkEndedError."""
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            raise LinkEndedError
        pieces = self.zmtp.receive(data)
        output = self.zmtp.take_output()
        if output:
            self.send_octets(output)
        assert self.zmtp.error is None, self.zmtp.error
        return pieces

    def shake_hands(self) -> list[bytes]:
        """Do the ZMTP handshake. Returns what SPDY bytes came with its end."""
        self.send_octets(self.zmtp.take_output())
        pieces: list[bytes] = []
        while not self.zmtp.is_ready:
            pieces += self.receive()
        return pieces

    def wait_end(self, seconds: float = TIMEOUT_S) -> bytes:
        """Wait until the router ends the link. Returns the SPDY bytes that came before."""
        received = b""
        give_up = time.monotonic() + seconds
        try:
            while True:
                self.sock.settimeout(max(0.01, give_up - time.monotonic()))
                received += b"".join(self.receive())
        except LinkEndedError:
            return received
        except TimeoutError:
            raise AssertionError(f"the router did not end the link within {seconds} s") from None


class RawWorker(RawLink):
    """A link with a SPDY session on it, joined unless told otherwise.

    `capacity` is told in SETTINGS; None says nothing. Events wait in `events` until somebody asks for their kind.
    """

    def __init__(
        self,
        endpoint: str,
        name: str = "raw",
        *,
        routes: Iterable[str] = (),
        capacity: int | None = 100,
        join: bool = True,
        stream_window: int = 256 * 1024,
        **fields: str,
    ) -> None:
        super().__init__(endpoint)
        self.events: list[events.Event] = []
        self.session = Session(opens_odd=False, max_concurrent=capacity, stream_window=stream_window)
        for piece in self.shake_hands():
            self.events += self.session.receive(piece)
        self.flush()
        if join:
            self.join_reply = self.join(name, routes, **fields)
            assert self.join_reply[b":status"].startswith(b"200"), self.join_reply

    def __enter__(self) -> "RawWorker":
        return self

    def join(self, name: str, routes: Iterable[str] = (), **fields: str) -> dict[bytes, bytes]:
        """Send a JOIN. Returns the fields of the router's reply."""
        stream = self.session.open_stream(join_block(name, routes, **fields), True)
        self.flush()
        while True:
            reply = self.next(events.Reply)
            if reply.stream is stream:
                return dict(reply.fields)
            self.events.append(reply)

    def flush(self) -> None:
        """Write what the session has to say."""
        output = self.session.take_output()
        if output:
            self.send_octets(self.zmtp.encode(output))

    def step(self) -> None:
        """Read once. Raises LinkEndedError, TimeoutError."""
        for piece in self.receive():
            self.events += self.session.receive(piece)
        assert self.session.error is None, self.session.error
        self.flush()

    def next(self, kind: type[E]) -> E:
        """The next event of a kind; those of other kinds stay. Raises LinkEndedError, TimeoutError."""
        while True:
            for index, event in enumerate(self.events):
                if isinstance(event, kind):
                    del self.events[index]
                    return event
            self.step()

    def next_request(self) -> events.StreamOpened:
        return self.next(events.StreamOpened)

    def read_body(self, stream: Stream) -> bytes:
        """The rest of a request's body; the credit for it is given back."""
        body = b""
        while True:
            event = self.next(events.Data)
            self.session.consumed(event.stream, len(event.data))
            self.flush()
            if event.stream is stream:
                body += event.data
                if event.fin:
                    return body

    def reply(self, stream: Stream, status: str = "200", *pairs: tuple[str, str], body: bytes = b"ok") -> None:
        """A whole reply at once, with its length."""
        fields = {":status": status, ":version": "HTTP/1.1", **merge_text([("content-length", str(len(body))), *pairs])}
        self.session.send_reply(
            stream, encode_block({n.encode(): v.encode("latin-1") for n, v in fields.items()}), False
        )
        self.session.send_data(stream, body, True)
        self.flush()

    def send_block(self, stream: Stream, raw: bytes, fin: bool = False) -> None:
        """A SYN_REPLY with a raw block."""
        self.session.send_reply(stream, raw, fin)
        self.flush()

    def send_data(self, stream: Stream, data: bytes, fin: bool = False) -> None:
        self.session.send_data(stream, data, fin)
        self.flush()

    def send_frames(self, *written: bytes) -> None:
        """Frames written by hand, whatever the session would say to them."""
        self.flush()
        self.send_message(b"".join(written))

    def send_reply_frame(self, stream: Stream, raw: bytes, fin: bool = False) -> None:
        """A SYN_REPLY that the session does not hear of."""
        self.send_frames(frames.syn_reply(stream.id, wrapped(raw), fin))

    def send_headers_frame(self, stream: Stream, raw: bytes, fin: bool = False) -> None:
        self.send_frames(frames.headers(stream.id, wrapped(raw), fin))

    def send_data_frame(self, stream: Stream, data: bytes, fin: bool = False) -> None:
        self.send_frames(frames.data_header(stream.id, len(data), fin) + data)

    def pump(self, seconds: float) -> None:
        """Read for a while: for what must not happen."""
        give_up = time.monotonic() + seconds
        try:
            while (left := give_up - time.monotonic()) > 0:
                self.sock.settimeout(left)
                self.step()
        except TimeoutError:
            pass
        finally:
            self.sock.settimeout(TIMEOUT_S)


def merge_text(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    merged = merge_fields((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs)
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in merged.items()}
