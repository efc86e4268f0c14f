"""A certificate authority of the test's own, and clients of TLS: in memory, and over sockets."""

import contextlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import trustme

from tests.support.memory_transport import MemoryTransport

T = TypeVar("T")


class Files(NamedTuple):
    """A certificate and its key."""

    certificate: str
    key: str


class Authority:
    """Signs certificates, and keeps them in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ca = trustme.CA()
        self.path = str(folder / "authority.pem")
        self._ca.cert_pem.write_to_path(self.path)

    def issue(self, *names: str, file: str = "", organization: str | None = None) -> Files:
        """For these names; `file` is what its files are called."""
        issued = self._ca.issue_cert(*names, common_name=names[0], organization_name=organization)
        stem = file or names[0].replace("*", "any")
        files = Files(str(self.folder / f"{stem}.crt"), str(self.folder / f"{stem}.key"))
        Path(files.certificate).write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(files.key)
        return files

    def client(self, files: Files | None = None) -> ssl.SSLContext:
        """A client that trusts this authority alone, and has a certificate if there is one."""
        context = ssl.create_default_context(cafile=self.path)
        if files is not None:
            context.load_cert_chain(*files)
        return context


class MemoryTls:
    """A client of TLS at the other end of a transport in memory. `octets` is what it has been sent, deciphered."""

    def __init__(self, transport: MemoryTransport, context: ssl.SSLContext, name: str = "localhost") -> None:
        self._transport = transport
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self.octets = b""
        self.has_ended = False

    def shake_hands(self) -> None:
        """Raises ssl.SSLError."""
        for _ in range(4):
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.exchange()
            else:
                break
        self.exchange()

    def say(self, data: bytes) -> None:
        self.tls.write(data)
        self.exchange()

    def say_end(self) -> None:
        """That nothing more comes (close_notify); the connection stays open."""
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        self.exchange()

    def cipher(self, data: bytes) -> bytes:
        """The octets that would say it."""
        self.tls.write(data)
        return self._outgoing.read()

    def send(self) -> None:
        """Send what there is to send."""
        if data := self._outgoing.read():
            self._transport.say(data)

    def exchange(self) -> None:
        """The same, and read what has come."""
        self.send()
        self._incoming.write(self._transport.drain())
        try:
            while piece := self.tls.read(65536):
                self.octets += piece
            self.has_ended = True
        except ssl.SSLZeroReturnError:
            self.has_ended = True
        except ssl.SSLWantReadError:
            return

    def take(self) -> bytes:
        self.exchange()
        octets, self.octets = self.octets, b""
        return octets


class SocketTls:
    """A client of TLS on a port, which can say that it sends no more and read on: `ssl.SSLSocket` cannot."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self._until(self._tls.do_handshake)

    def __enter__(self) -> "SocketTls":
        return self

    def __exit__(self, *unused: object) -> None:
        self._sock.close()

    def send(self, data: bytes) -> None:
        self._tls.write(data)
        self._sock.sendall(self._outgoing.read())

    def end_sending(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._sock.sendall(self._outgoing.read())

    def read_rest(self) -> bytes:
        """All that comes, to the end."""
        octets = b""
        with contextlib.suppress(ssl.SSLZeroReturnError):
            while piece := self._until(lambda: self._tls.read(65536)):
                octets += piece
        return octets

    def _until(self, step: Callable[[], T]) -> T:
        """Read until the step can be done."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._sock.sendall(self._outgoing.read())
                self._incoming.write(self._sock.recv(65536))
            finally:
                if data := self._outgoing.read():
                    self._sock.sendall(data)
