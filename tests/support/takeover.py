"""The ends of a takeover, played by the test: a successor or a predecessor that does what it should, up to a point."""

import contextlib
import json
import os
import socket
from typing import Any

from zerogate.router.rendezvous import call, name_of
from zerogate.runtime import make_directory

TIMEOUT_S = 15.0


def tcp_key(port: int) -> str:
    return f"tcp 127.0.0.1:{port}"


class PlayedEnd:
    """One end of the conversation. `sockets` are those that have come."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(TIMEOUT_S)
        self.sockets: list[socket.socket] = []
        self._buffer = b""

    def say(self, *sockets: socket.socket, **message: Any) -> None:
        line = json.dumps(message).encode() + b"\n"
        socket.send_fds(self.sock, [line], [sock.fileno() for sock in sockets])

    def say_raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def hear(self) -> dict[str, Any]:
        """The next message; {} if it has left."""
        while b"\n" not in self._buffer:
            data, fds, _, _ = socket.recv_fds(self.sock, 65536, 16)
            self.sockets += [socket.socket(fileno=fd) for fd in fds]
            if not data:
                return {}
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        self.sock.close()
        for sock in self.sockets:
            sock.close()


def play_successor(port: int) -> PlayedEnd:
    """Who wants to replace the router that has this port."""
    sock = call(tcp_key(port), TIMEOUT_S)
    assert sock is not None
    return PlayedEnd(sock)


class PlayedPredecessor:
    """A router that can be found by a port, which it really has. A context."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.listening = socket.create_server(("127.0.0.1", port))
        self.path = make_directory() / name_of(tcp_key(port))
        self._door = socket.socket(socket.AF_UNIX)
        self._door.settimeout(TIMEOUT_S)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._door.bind(str(self.path))
        self._door.listen()

    def __enter__(self) -> "PlayedPredecessor":
        return self

    def __exit__(self, *unused: object) -> None:
        self.listening.close()
        self._door.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def answer(self) -> PlayedEnd:
        """The next call."""
        return PlayedEnd(self._door.accept()[0])

    def give(self) -> PlayedEnd:
        """The next call, up to where it has the socket. Who only asks for a name has gone before it is told."""
        while True:
            end = self.answer()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                end.say(router="played", id="1")
                if message := end.hear():
                    break
            end.close()
        assert tcp_key(self.port) in message["want"]
        end.say(self.listening, have=[tcp_key(self.port)])
        return end
