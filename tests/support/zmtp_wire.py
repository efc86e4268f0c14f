"""One of our ZMTP ends on a socket, and libzmq at the other end of it."""

import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import zmq

from zerogate.wire.zmtp import Connection

WITHIN_S = 10.0  # for anything that has to happen; what must not happen is never waited for
RECV_BYTES = 256 * 1024


class Wire:
    """One of our ends on a blocking socket."""

    def __init__(self, stream: socket.socket, connection: Connection) -> None:
        stream.settimeout(WITHIN_S)
        self.stream = stream
        self.connection = connection
        self.received: list[bytes] = []
        self.raw = b""  # all that libzmq wrote
        self.written = b""  # all that `take_output` gave
        self.is_closed = False

    def flush(self) -> None:
        output = self.connection.take_output()
        self.written += output
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # what was written before can still be read
            self.stream.sendall(output)

    def run(self, until: Callable[[], bool]) -> None:
        """Answer what libzmq sends until the condition holds."""
        deadline = time.monotonic() + WITHIN_S
        self.flush()
        while not until():
            assert time.monotonic() < deadline, f"not in time: {self.connection!r}"
            try:
                data = self.stream.recv(RECV_BYTES)
            except ConnectionResetError:
                data = b""
            if not data:
                self.is_closed = True
                assert until(), f"libzmq closed the connection: {self.connection!r}"
                return
            self.raw += data
            self.received += self.connection.receive(data)
            self.flush()

    def run_until_received(self, expected: bytes) -> None:
        self.run(lambda: sum(map(len, self.received)) >= len(expected) or self.connection.error is not None)
        assert self.connection.error is None
        assert b"".join(self.received) == expected
        self.received.clear()

    def handshake(self) -> None:
        self.run(lambda: self.connection.is_ready)

    def send(self, chunks: list[bytes]) -> None:
        self.stream.sendall(self.connection.encode(chunks))


class Meeting:
    """Brings one of our ends and a libzmq socket together over one transport. Closes everything at its end."""

    def __init__(self, transport: str, directory: Path) -> None:
        self.transport = transport
        self.path = str(directory / "zmtp")
        self.context = zmq.Context()
        self.theirs: list[zmq.Socket[bytes]] = []
        self.ours: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self.ours:
            stream.close()
        for end in self.theirs:
            end.close(linger=0)
        self.context.term()

    def libzmq(self, socket_type: int, **options: object) -> zmq.Socket[bytes]:
        """A socket without limits of its own, so that no test waits for room in a queue."""
        end = self.context.socket(socket_type)
        self.theirs.append(end)
        end.sndhwm = end.rcvhwm = 0
        end.sndtimeo = end.rcvtimeo = int(WITHIN_S * 1000)
        for name, value in options.items():
            setattr(end, name, value)
        return end

    def bind_ours(self, connection: Connection, theirs: zmq.Socket[bytes]) -> Wire:
        """Our end listens, libzmq dials."""
        if self.transport == "ipc":
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(self.path)
            listener.listen()
            endpoint = f"ipc://{self.path}"
        else:
            listener = socket.create_server(("127.0.0.1", 0))
            endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with listener:
            listener.settimeout(WITHIN_S)
            theirs.connect(endpoint)
            stream, _ = listener.accept()
        self.ours.append(stream)
        return Wire(stream, connection)

    def bind_theirs(self, connection: Connection, theirs: zmq.Socket[bytes]) -> Wire:
        """libzmq listens, our end dials."""
        if self.transport == "ipc":
            theirs.bind(f"ipc://{self.path}")
            stream = socket.socket(socket.AF_UNIX)
            self.ours.append(stream)
            stream.settimeout(WITHIN_S)
            stream.connect(self.path)
        else:
            port = theirs.bind_to_random_port("tcp://127.0.0.1")
            stream = socket.create_connection(("127.0.0.1", port), WITHIN_S)
            self.ours.append(stream)
        return Wire(stream, connection)
