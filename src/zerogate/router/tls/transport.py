"""A connection under TLS: a protocol to the transport beneath, a transport to the client's protocol above.

Why not the event loop's own: those of asyncio and uvloop end the whole connection when either end has said that it
sends no more, and do not tell when that was; and a PROXY header, or plain HTTP by mistake, comes before any TLS. With
`ssl.MemoryBIO` a client's protocol finds here what it finds on a plain connection: `write_eof` (close_notify, and the
transport's own), octets that come after it, and a buffer whose size is that of the transport beneath.
"""

import asyncio
import contextlib
import ssl
import sys
from collections.abc import Iterator, Mapping
from typing import Any, cast

from zerogate.router.entrance import Entrance, MakeClient
from zerogate.router.sockets import Ends, ends_of
from zerogate.router.tls.certificates import Certificates
from zerogate.router.tls.subject import subject_of

# A record that begins a handshake (RFC 8446, 5.1): what every client of TLS sends first.
HANDSHAKE = b"\x16"
# No record has more of its client's octets (RFC 8446, 5.1).
RECORD_BYTES = 16 * 1024
# OpenSSL's buffers never shrink, so that each connection keeps two as large as the largest piece that went by: a whole
# reply, and a whole read of the transport. So replies go by in records, which costs nothing, and reads in such parts,
# since a cut amid a record does (6 % of a read; with parts of a record's size, twice the read).
PART_BYTES = 64 * 1024
# What TLS itself says to a client that does not read it: who asks for new keys again and again is owed an answer to
# each (RFC 8446, 4.6.3).
MAX_OWED_BYTES = 64 * 1024
# For a client that says nothing of what it will speak (RFC 7301).
DEFAULT_PROTOCOL = "http/1.1"


class TlsClients:
    """Makes the connections of a router's TLS ports.

    makers: what makes their clients, by the name of the protocol that they choose (ALPN)
    refuse: makes a client that is told why it is none, in plain HTTP
    """

    def __init__(
        self, entrance: Entrance, certificates: Certificates, makers: Mapping[str, MakeClient], refuse: MakeClient
    ) -> None:
        self.entrance = entrance
        self.certificates = certificates
        self.makers = makers
        self.refuse = refuse

    def __call__(self, ends: Ends | None = None) -> "TlsTransport":
        return TlsTransport(self, ends)


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """See the module."""

    def __init__(self, clients: TlsClients, ends: Ends | None = None) -> None:
        super().__init__()
        self._clients = clients
        self._ends = ends
        self._transport: asyncio.Transport
        self._protocol: asyncio.Protocol | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl: ssl.SSLObject | None = None
        self._is_eof_received = False
        self._is_eof_written = False
        self._is_closing = False
        self._owed_bytes = 0

    def __repr__(self) -> str:
        return f"<TlsTransport {self._protocol or self._ends}>"

    # From the transport beneath

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ends = self._ends or ends_of(self._transport)
        self._clients.entrance.admit(self)

    def data_received(self, data: bytes) -> None:
        if self._ssl is None:
            if not data.startswith(HANDSHAKE):
                self._refuse()
                return
            self._ssl = self._clients.certificates.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        pieces: list[bytes] = []
        is_end = False
        for at in range(0, len(data), PART_BYTES):
            if is_end or self._is_closing or self._is_eof_received:
                break  # Nothing would be read any more, and all be kept.
            self._incoming.write(data[at : at + PART_BYTES])
            if self._protocol is None:
                self._shake_hands(self._ssl)
            if self._protocol is not None:
                is_end = self._decipher(self._ssl, pieces)
        if self._protocol is not None:
            self._hand_on(self._protocol, pieces, is_end=is_end)

    def eof_received(self) -> bool:
        """Who has said so by TLS as well has been heard already."""
        return self._protocol is not None and (self._is_eof_received or self._hear_eof(self._protocol))

    def connection_lost(self, exc: Exception | None) -> None:
        self._clients.entrance.leave(self)
        self._is_closing = True
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.resume_writing()

    # The handshake

    def turn_away(self, reason: str) -> None:
        """It comes to nothing (`entrance.Newcomer`)."""
        assert self._ends is not None
        self._clients.entrance.leave(self)
        self._clients.entrance.note(self._ends.address, reason)
        self._is_closing = True
        self._transport.abort()

    def _refuse(self) -> None:
        """Plain HTTP, or what else is no TLS, by mistake."""
        assert self._ends is not None
        self._clients.entrance.leave(self)
        self._clients.entrance.note(self._ends.address, "it does not speak TLS, and the port does")
        protocol = self._clients.refuse(self._ends)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)

    def _shake_hands(self, tls: ssl.SSLObject) -> None:
        try:
            with _hushed():
                tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except (ssl.SSLError, ssl.CertificateError) as error:
            self._flush()  # Why, in an alert.
            self._clients.entrance.leave(self)
            self._clients.entrance.note(self._ends.address if self._ends else "", _explain(error))
            self.close()
        else:
            self._flush()
            self._clients.entrance.leave(self)
            self._open(tls)

    def _open(self, tls: ssl.SSLObject) -> None:
        assert self._ends is not None
        make = self._clients.makers[tls.selected_alpn_protocol() or DEFAULT_PROTOCOL]
        self._ends = self._ends._replace(is_tls=True, subject=subject_of(tls.getpeercert()))
        self._protocol = make(self._ends)
        self._protocol.connection_made(self)

    # What comes

    def _decipher(self, tls: ssl.SSLObject, pieces: list[bytes]) -> bool:
        """Read all that has come. Returns whether it was the last."""
        is_end = False
        try:
            while piece := tls.read(RECORD_BYTES):
                pieces.append(piece)
                # What: the next read is spared if it has nothing to read. Why: that costs an exception, 1.5 µs of 4.
                if not self._incoming.pending and not tls.pending():
                    break
            else:
                is_end = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            is_end = True
        except ssl.SSLError:
            self._flush()
            self.abort()
        if self._outgoing.pending:
            self._answer()
        return is_end

    def _hand_on(self, protocol: asyncio.Protocol, pieces: list[bytes], *, is_end: bool) -> None:
        """All of it in one piece: nothing is left behind while the protocol does not read."""
        if pieces and not self._is_closing:
            protocol.data_received(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if is_end and not self._is_closing and not self._is_eof_received and not self._hear_eof(protocol):
            self.close()

    def _answer(self) -> None:
        """TLS has something to say itself."""
        n_bytes = self._outgoing.pending
        self._flush()
        self._owed_bytes = self._owed_bytes + n_bytes if self._transport.get_write_buffer_size() else 0
        if self._owed_bytes > MAX_OWED_BYTES:
            self.abort()

    def _hear_eof(self, protocol: asyncio.Protocol) -> bool:
        self._is_eof_received = True
        return bool(protocol.eof_received())

    # From the protocol above

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing or self._ssl is None:
            return
        rest = memoryview(data)
        if len(rest) <= RECORD_BYTES:
            if rest:
                self._ssl.write(rest)
            self._flush()
            return
        records = []
        while rest:
            rest = rest[self._ssl.write(rest[:RECORD_BYTES]) :]
            records.append(self._outgoing.read())
        self._transport.write(b"".join(records))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._is_closing:
            self._notify_close()
            if self._transport.can_write_eof():
                self._transport.write_eof()

    def close(self) -> None:
        if not self._is_closing:
            self._notify_close()
            self._is_closing = True
            self._transport.close()

    def abort(self) -> None:
        self._is_closing = True
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._is_closing or self._transport.is_closing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return cast(asyncio.BaseProtocol, self._protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._ssl if name == "ssl_object" else self._transport.get_extra_info(name, default)

    def is_reading(self) -> bool:
        return self._transport.is_reading()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._transport.set_write_buffer_limits(high, low)

    def _flush(self) -> None:
        if self._outgoing.pending:
            octets = self._outgoing.read()
            if not self._is_eof_written:
                self._transport.write(octets)

    def _notify_close(self) -> None:
        """Say that nothing more comes. The peer's own word is waited for by nobody (RFC 8446, 6.1)."""
        if self._protocol is not None and self._ssl is not None and not self._is_eof_written:
            with contextlib.suppress(ssl.SSLError):  # It has not said so, too.
                self._ssl.unwrap()
            self._flush()
            self._is_eof_written = True


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """For a name (SNI) that is no ASCII `ssl` prints a traceback besides what it raises: anybody could fill a log."""
    hook = sys.unraisablehook

    def pass_on(unraisable: "sys.UnraisableHookArgs") -> None:
        if not isinstance(unraisable.exc_value, UnicodeDecodeError):
            hook(unraisable)

    sys.unraisablehook = pass_on
    try:
        yield
    finally:
        sys.unraisablehook = hook


def _explain(error: ssl.SSLError | ssl.CertificateError) -> str:
    """In the words of OpenSSL, which are known."""
    reason = getattr(error, "verify_message", "") or (error.reason or "").lower().replace("_", " ")
    return f"TLS failed: {reason or error}"
