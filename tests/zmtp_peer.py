"""The other end of a ZMTP connection, for tests: octets written out by hand, and a mechanism with a cipher."""

from zerogate.errors import ZmtpError
from zerogate.wire.zmtp import Connection, Step

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"NULL" + bytes(16) + b"\x00" + bytes(31)
READY_ROUTER = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06ROUTER"
READY_DEALER = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"


def frame(flags: int, body: bytes) -> bytes:
    """Long or short as the flags say."""
    return bytes((flags,)) + len(body).to_bytes(8 if flags & 2 else 1, "big") + body


def item(name: bytes, value: bytes) -> bytes:
    """A metadata property."""
    return bytes((len(name),)) + name + len(value).to_bytes(4, "big") + value


def ready(*items: bytes) -> bytes:
    """A READY frame, long if it has to be."""
    body = b"\x05READY" + b"".join(items)
    return frame(6 if len(body) > 255 else 4, body)


def router_end(**options: object) -> Connection:
    return Connection(socket_type=b"ROUTER", accepts=frozenset({b"DEALER", b"XREQ"}), **options)  # type: ignore[arg-type]


def dealer_end(**options: object) -> Connection:
    return Connection(socket_type=b"DEALER", accepts=frozenset({b"ROUTER", b"XREP"}), **options)  # type: ignore[arg-type]


def exchange(one: Connection, other: Connection) -> None:
    """Carry what each has to say to the other until both are silent."""
    while (a := one.take_output()) + (b := other.take_output()):
        other.receive(a)
        one.receive(b)


def ready_router(**options: object) -> Connection:
    """A ROUTER end in traffic, its output taken."""
    connection = router_end(**options)
    assert connection.receive(GREETING + READY_DEALER) == []
    assert connection.is_ready
    connection.take_output()
    return connection


def assert_fails(connection: Connection, data: bytes, reason: str) -> None:
    """`data` is refused for `reason`, typed, and nothing is read after it."""
    assert b"".join(connection.receive(data)) == b""
    assert isinstance(connection.error, ZmtpError)
    assert reason in connection.error.reason
    assert connection.error.__traceback__ is None
    assert not connection.is_ready
    assert "FAILED" in repr(connection)
    first_error = connection.error
    assert connection.receive(frame(0, b"late")) == []
    assert connection.receive(GREETING + READY_DEALER + frame(0, b"late")) == []
    assert connection.error is first_error


class RotCipher:
    """A payload's flag and octets, each plus 128, under the name MESSAGE: shaped as CURVE's traffic, and no secret."""

    def seal(self, payload: bytes, *, is_command: bool) -> bytes:
        return b"\x07MESSAGE" + bytes(octet ^ 128 for octet in bytes((is_command * 2,)) + payload)

    def open(self, body: bytes) -> tuple[bytes, bool]:
        if not body.startswith(b"\x07MESSAGE") or len(body) < 9:
            raise ZmtpError("not a sealed message")
        clear = bytes(octet ^ 128 for octet in body[8:])
        return clear[1:], bool(clear[0] & 2)


class RotMechanism:
    """The four steps of CURVE without its cryptography: HELLO, WELCOME, INITIATE with metadata, READY with metadata."""

    name = b"ROT"
    suspicion = ""
    peer_key = b""

    def __init__(self, *, is_server: bool) -> None:
        self.is_server = is_server
        self.cipher = RotCipher()
        self.expects = b"HELLO" if is_server else b"WELCOME"
        self.metadata = b""

    def start(self, metadata: bytes) -> Step:
        self.metadata = metadata
        return Step() if self.is_server else Step(commands=(b"\x05HELLO",))

    def receive_command(self, name: bytes, data: bytes) -> Step:
        if name != self.expects:
            raise ZmtpError(f"{name!r} out of turn")
        if name == b"HELLO":
            self.expects = b"INITIATE"
            return Step(commands=(b"\x07WELCOME",))
        if name == b"WELCOME":
            self.expects = b"READY"
            return Step(commands=(b"\x08INITIATE" + self.metadata,))
        if name == b"INITIATE":
            return Step(commands=(b"\x05READY" + self.metadata,), peer_metadata=data, is_done=True)
        return Step(peer_metadata=data, is_done=True)
