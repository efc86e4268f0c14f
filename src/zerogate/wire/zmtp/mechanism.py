"""What a ZMTP security mechanism is, and the NULL one.

A mechanism is a conversation of commands between the greeting and the traffic, and for some a cipher for what follows:

    NULL    READY, READY                              traffic in clear
    CURVE   HELLO, WELCOME, INITIATE, READY           traffic sealed (RFC 25 and 26)

`Connection` frames and bounds the commands, handles ERROR and judges the peer's metadata; all that is particular to a
mechanism stays behind the two protocols here.
"""

from typing import NamedTuple, Protocol

from zerogate.errors import ZmtpError
from zerogate.wire.zmtp.commands import command, printable


class Step(NamedTuple):
    """What a mechanism wants done after a move of the handshake."""

    commands: tuple[bytes, ...] = ()
    """Command bodies to send. Not sent if the peer's metadata, come in the same step, is refused."""
    peer_metadata: bytes | None = None
    """The peer's property list, in clear, in the step that reveals it."""
    is_done: bool = False
    """Nothing more is expected of the peer: what comes next is traffic. Its metadata must have come."""


class Cipher(Protocol):
    """How traffic is sealed. Messages and commands (PING, PONG) alike travel inside sealed bodies."""

    def seal(self, payload: bytes, *, is_command: bool) -> bytes:
        """The whole body of the frame that is to carry `payload`."""
        ...

    def open(self, body: bytes) -> tuple[bytes, bool]:
        """The payload in a frame's body, and whether it is a command. Raises ZmtpError for a bad one."""
        ...


class Mechanism(Protocol):
    """One end of a security handshake. Each connection has a new one."""

    @property
    def name(self) -> bytes:
        """As the greeting says it: at most 20 octets."""
        ...

    @property
    def is_server(self) -> bool:
        """The greeting's as-server octet."""
        ...

    @property
    def suspicion(self) -> str:
        """What it most likely means if the peer closes the connection now without a word; empty if nobody knows."""
        ...

    @property
    def peer_key(self) -> bytes:
        """The peer's permanent public key, which it has proved to have; empty if it has none, and before."""
        ...

    @property
    def cipher(self) -> Cipher | None:
        """Read once, when the handshake is done. None: traffic is in clear, and costs nothing here."""
        ...

    def start(self, metadata: bytes) -> Step:
        """The peer's greeting has come and agrees with ours. `metadata` is our property list, to be sent in time."""
        ...

    def receive_command(self, name: bytes, data: bytes) -> Step:
        """A command from the peer, never ERROR. Raises ZmtpError for one that is out of turn or malformed."""
        ...


class NullMechanism:
    """No authentication, no confidentiality: each end says READY with its metadata.

    `answers` is for the end that binds: its READY waits for the peer's, so that a peer it must refuse gets ERROR *in
    its place*. After a READY nobody has to look at an ERROR, and libzmq does not. The end that connects speaks first.
    (RFC 37, The NULL Security Mechanism.)
    """

    __slots__ = ("_answers", "_ready")

    name = b"NULL"
    is_server = False  # RFC 37: with NULL the octet is zero at both ends
    suspicion = ""
    peer_key = b""
    cipher: Cipher | None = None

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers
        self._ready = b""

    def start(self, metadata: bytes) -> Step:
        self._ready = command(b"READY", metadata)
        return Step() if self._answers else Step(commands=(self._ready,))

    def receive_command(self, name: bytes, data: bytes) -> Step:
        if name != b"READY":
            raise ZmtpError(f"the NULL handshake expects READY, not {printable(name)}")
        return Step(commands=(self._ready,) if self._answers else (), peer_metadata=data, is_done=True)
