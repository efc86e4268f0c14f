"""A pulse: a second connection to a router, answered by a thread, so that a busy process is not taken for a dead one.

An application may block the event loop for longer than a router waits for a word (protocol.md, Pulse). The pulse needs
the interpreter for a moment only, so it goes on; it says nothing of requests, and costs none of them anything.

The thread is a daemon on a blocking socket: it waits in the kernel, and keeps no process from ending.
"""

import contextlib
import logging
import random
import socket
import threading

from zerogate.link.dial import CONNECT_TIMEOUT_S
from zerogate.link.marks import mark_of
from zerogate.settings import WorkerSettings
from zerogate.settings.endpoint import Endpoint
from zerogate.wire import zmtp
from zerogate.wire.http.join import parse_join_reply, pulse_fields
from zerogate.wire.spdy.events import Reply
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.session import Session
from zerogate.worker.identity import Identity

logger = logging.getLogger("zerogate.worker")

# A PING is 10 octets or so, and nothing longer is to be expected.
READ_BYTES = 4096


class Pulse:
    """To the router process `router_id` at an endpoint, from `start` until `stop`, whatever becomes of connections."""

    def __init__(
        self, endpoint: Endpoint, process_id: str, router_id: str, settings: WorkerSettings, identity: Identity
    ) -> None:
        self._endpoint = endpoint
        self._block = encode_block(pulse_fields(process_id))
        self._router_id = router_id
        self._settings = settings
        self._identity = identity
        self._is_stopped = threading.Event()
        self._sock: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name=f"pulse {endpoint.text}", daemon=True)

    def __repr__(self) -> str:
        return f"<Pulse {self._endpoint.text}{' stopped' if self._is_stopped.is_set() else ''}>"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """From any thread. The thread ends soon after, and is not waited for."""
        self._is_stopped.set()
        sock = self._sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            try:
                with self._connect() as sock:
                    self._sock = sock
                    if not self._is_stopped.is_set():
                        self._beat(sock)
            except OSError as error:
                logger.debug("the pulse of %s: %s", self._endpoint.text, error)
            except Exception:
                # Nobody else would hear of it; and without its pulse the worker is as it was.
                logger.exception("the pulse of %s has failed", self._endpoint.text)
                return
            self._is_stopped.wait(random.uniform(self._settings.redial_min, self._settings.redial_max))

    def _connect(self) -> socket.socket:
        endpoint = self._endpoint
        if not endpoint.path:
            return socket.create_connection((endpoint.host, endpoint.port), CONNECT_TIMEOUT_S)
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(CONNECT_TIMEOUT_S)
            sock.connect(endpoint.path)
        except OSError:
            sock.close()
            raise
        return sock

    def _beat(self, sock: socket.socket) -> None:
        """Say whose pulse it is, and answer PINGs until the connection ends, or is not with whom it should be."""
        connection = zmtp.Connection(
            socket_type=b"DEALER",
            accepts=frozenset({b"ROUTER", b"XREP"}),
            mark=mark_of(self._router_id),
            mechanisms=self._identity.mechanisms(),
        )
        session = Session(opens_odd=False)
        session.open_stream(self._block, True)
        sock.settimeout(self._settings.handshake_timeout)
        sock.sendall(connection.take_output())
        while data := sock.recv(READ_BYTES):
            for piece in connection.receive(data):
                for event in session.receive(piece):
                    if isinstance(event, Reply):
                        reply = parse_join_reply(event.fields)
                        if not reply.is_accepted or reply.id != self._router_id:
                            logger.debug("no pulse at %s: %s", self._endpoint.text, reply)
                            return
                        sock.settimeout(None)
            if connection.error or session.error:
                return
            output = connection.take_output()
            if connection.is_ready and session.output:
                output += connection.encode(session.take_output())
            if output:
                sock.sendall(output)
