"""A pulse, and a router's end of it on a plain socket."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from zerogate.settings import WorkerSettings
from zerogate.settings.endpoint import parse_endpoint
from zerogate.wire import zmtp
from zerogate.wire.fields import Fields
from zerogate.wire.http.join import JoinReply
from zerogate.wire.spdy.events import StreamOpened
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.session import Session
from zerogate.worker.identity import Identity
from zerogate.worker.pulse import Pulse

SETTINGS = WorkerSettings(redial_min=0.01, redial_max=0.02)
TIMEOUT_S = 10.0


class End:
    """The router's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(TIMEOUT_S)
        self.zmtp = zmtp.Connection(socket_type=b"ROUTER", accepts=frozenset({b"DEALER"}))
        self.session = Session(opens_odd=True)
        self.octets = b""

    def read(self) -> list[bytes]:
        """What one read brings. Raises EOFError."""
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.octets += data
        pieces = self.zmtp.receive(data)
        assert self.zmtp.error is None
        if output := self.zmtp.take_output():
            self.sock.sendall(output)
        return pieces

    def hear_pulse(self) -> tuple[StreamOpened, Fields]:
        self.sock.sendall(self.zmtp.take_output())
        while True:
            for piece in self.read():
                for event in self.session.receive(piece):
                    if isinstance(event, StreamOpened):
                        return event, event.fields

    def answer(self, event: StreamOpened, reply: JoinReply) -> None:
        self.session.send_reply(event.stream, encode_block(reply.fields()), True)
        self.sock.sendall(self.zmtp.encode(self.session.take_output()))

    def ping(self, context: bytes) -> None:
        """Wait for the PONG, whatever else comes."""
        self.sock.sendall(self.zmtp.ping(1.0, context))
        while b"\x04PONG" + context not in self.octets:
            self.read()

    def wait_end(self) -> None:
        while self.sock.recv(65536):
            pass
        self.sock.close()


class Port:
    """Where the pulse dials, and the pulse."""

    def __init__(self, text: str, listener: socket.socket) -> None:
        self.listener = listener
        self.listener.settimeout(TIMEOUT_S)
        self.pulse = Pulse(parse_endpoint(text), "process", "router", SETTINGS, Identity(SETTINGS))
        self.pulse.start()

    def accept(self) -> End:
        return End(self.listener.accept()[0])

    def beating(self) -> End:
        """A pulse that has been taken."""
        end = self.accept()
        event, fields = end.hear_pulse()
        assert (fields[b":method"], fields[b"id"], event.fin) == (b"PULSE", b"process", True)
        end.answer(event, JoinReply(200, "name", id="router"))
        return end

    def ended(self) -> None:
        self.pulse.stop()
        self.pulse._thread.join(TIMEOUT_S)
        assert not self.pulse._thread.is_alive()


@pytest.fixture(params=["ipc", "tcp"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Port]:
    if request.param == "ipc":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "link"))
        listener.listen()
        text = f"ipc://{tmp_path}/link"
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        text = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    made = Port(text, listener)
    try:
        yield made
        made.ended()
    finally:
        made.pulse.stop()
        listener.close()


def test_it_answers_pings_until_it_is_stopped(port: Port) -> None:
    end = port.beating()
    for number in range(3):
        end.ping(b"context-%d" % number)
    port.ended()
    end.wait_end()


def test_it_comes_back(port: Port) -> None:
    for _ in range(3):
        end = port.beating()
        end.ping(b"here")
        end.sock.close()
    port.beating().sock.close()


@pytest.mark.parametrize("reply", [JoinReply(404, reason="nobody"), JoinReply(200, "name", id="another router")])
def test_who_does_not_want_it_is_asked_again(port: Port, reply: JoinReply) -> None:
    end = port.accept()
    end.answer(end.hear_pulse()[0], reply)
    end.wait_end()
    with_whom_it_should_be = port.beating()
    with_whom_it_should_be.ping(b"here")
    with_whom_it_should_be.sock.close()


def test_garbage_ends_the_connection(port: Port) -> None:
    end = port.accept()
    end.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    end.wait_end()
    port.beating().sock.close()


def test_the_thread_keeps_no_process_from_ending(port: Port) -> None:
    end = port.beating()
    assert port.pulse._thread.daemon
    assert threading.main_thread() is not port.pulse._thread
    port.pulse.stop()
    port.pulse.stop()
    end.wait_end()


def test_it_can_be_stopped_while_nobody_listens(tmp_path: Path) -> None:
    pulse = Pulse(parse_endpoint(f"ipc://{tmp_path}/nobody"), "process", "router", SETTINGS, Identity(SETTINGS))
    pulse.start()
    pulse.stop()
    pulse._thread.join(TIMEOUT_S)
    assert not pulse._thread.is_alive()
    assert "stopped" in repr(pulse)
