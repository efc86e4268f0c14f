"""A client that speaks HTTP/1 octet by octet, and takes no reply on trust."""

import contextlib
import socket
from collections.abc import Iterator
from typing import NamedTuple

TIMEOUT_S = 30.0
END_OF_HEAD = b"\r\n\r\n"


class ReplyCutError(Exception):
    """The connection ended before the reply did. `received` is what came of it."""

    def __init__(self, received: bytes) -> None:
        super().__init__(f"the connection ended amid a reply, after {received[-200:]!r}")
        self.received = received


class Head(NamedTuple):
    """A reply's head. `fields` have lower-case names, in the order in which they came."""

    status: int
    version: str
    fields: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.fields if known == name]

    def get(self, name: str, default: str = "") -> str:
        """A field that may come once at most."""
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times: {values}"
        return values[0] if values else default


class Reply(NamedTuple):
    """A whole reply. `framing` is what told where its body ends; `interim` are statuses of 1xx replies before it."""

    head: Head
    body: bytes
    framing: str
    trailers: list[tuple[str, str]]
    interim: list[int]

    @property
    def status(self) -> int:
        return self.head.status

    def get(self, name: str, default: str = "") -> str:
        return self.head.get(name, default)


class HttpConnection:
    """One connection to a router's HTTP port, from the address `source` if that is given."""

    def __init__(
        self, port: int, *, timeout: float = TIMEOUT_S, receive_buffer: int | None = None, source: str = ""
    ) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.was_reset = False

    @classmethod
    def over(cls, sock: socket.socket) -> "HttpConnection":
        """Over a connection that there is."""
        connection = cls.__new__(cls)
        connection.sock = sock
        connection.buffer = b""
        connection.was_reset = False
        return connection

    def __enter__(self) -> "HttpConnection":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def get(self, path: str = "/", *fields: str, method: str = "GET", version: str = "HTTP/1.1") -> None:
        """Send a request without a body."""
        lines = [f"{method} {path} {version}", "host: localhost", *fields]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def post(self, path: str, body: bytes, *fields: str) -> None:
        """Send a request with a body of known length."""
        lines = [f"POST {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}", *fields]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def end_sending(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def receive(self) -> bool:
        """Read once. False at the end of the connection."""
        try:
            data = self.sock.recv(1 << 20)
        except ConnectionResetError:
            self.was_reset = True
            data = b""
        self.buffer += data
        return bool(data)

    def read_until(self, end: bytes) -> bytes:
        """Up to and with `end`. Raises ReplyCutError."""
        while end not in self.buffer:
            if not self.receive():
                raise ReplyCutError(self.buffer)
        taken, _, self.buffer = self.buffer.partition(end)
        return taken + end

    def read_exactly(self, size: int) -> bytes:
        """Raises ReplyCutError."""
        while len(self.buffer) < size:
            if not self.receive():
                raise ReplyCutError(self.buffer)
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def read_rest(self) -> bytes:
        """Everything up to the end of the connection, which must come before the time-out."""
        while self.receive():
            pass
        taken, self.buffer = self.buffer, b""
        return taken

    def assert_ends(self) -> None:
        """The router closes the connection, and says nothing more on it."""
        assert self.read_rest() == b""

    def read_head(self) -> Head:
        """The next head, also of an interim reply. Raises ReplyCutError, AssertionError if it is not HTTP/1."""
        block = self.read_until(END_OF_HEAD)[: -len(END_OF_HEAD)].decode("latin-1")
        status_line, *lines = block.split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1", status_line
        assert len(status) == 3, status_line
        assert "\n" not in block.replace("\r\n", ""), block
        fields = []
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon, line
            assert name, line
            assert name == name.strip(), line
            fields.append((name.lower(), value.strip()))
        return Head(int(status), version, fields)

    def read_final_head(self) -> tuple[Head, list[int]]:
        """The next head that is not interim, and the statuses of those before it."""
        interim: list[int] = []
        while True:
            head = self.read_head()
            if head.status >= 200 or head.status == 101:
                return head, interim
            interim.append(head.status)

    def read_chunk(self) -> bytes:
        """One chunk of a chunked body, empty for the last. Raises ReplyCutError."""
        size = int(self.read_until(b"\r\n")[:-2], 16)
        if not size:
            return b""
        piece = self.read_exactly(size + 2)
        assert piece.endswith(b"\r\n"), piece[-20:]
        return piece[:-2]

    def read_trailers(self) -> list[tuple[str, str]]:
        trailers = []
        while (line := self.read_until(b"\r\n")) != b"\r\n":
            name, colon, value = line.decode("latin-1").strip().partition(":")
            assert colon, line
            trailers.append((name.lower(), value.strip()))
        return trailers

    def read_reply(self, method: str = "GET") -> Reply:
        """The reply to a request of that method. Raises ReplyCutError if it is not whole."""
        head, interim = self.read_final_head()
        length, coding = head.get("content-length"), head.get("transfer-encoding")
        assert not (length and coding), head
        trailers: list[tuple[str, str]] = []
        if method == "HEAD" or head.status in (101, 204, 304):
            body, framing = b"", "none"
        elif coding:
            assert coding == "chunked", coding
            pieces = []
            while piece := self.read_chunk():
                pieces.append(piece)
            trailers = self.read_trailers()
            body, framing = b"".join(pieces), "chunked"
        elif length:
            body, framing = self.read_exactly(int(length)), "length"
        else:
            body, framing = self.read_rest(), "close"
            if self.was_reset:
                raise ReplyCutError(body)
        return Reply(head, body, framing, trailers, interim)

    def is_open(self) -> bool:
        """Whether neither an end nor anything else has come from the router."""
        self.sock.setblocking(False)
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK)) or bool(self.buffer)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        finally:
            self.sock.settimeout(TIMEOUT_S)


@contextlib.contextmanager
def connections(port: int, n: int, *, receive_buffer: int | None = None) -> Iterator[list[HttpConnection]]:
    """Several connections, closed in the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(HttpConnection(port, receive_buffer=receive_buffer)) for _ in range(n)]
