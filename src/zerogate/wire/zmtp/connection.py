"""One end of one ZMTP connection: greeting, handshake, traffic (RFC 37). The machine it runs on is in `states`."""

from collections.abc import Callable, Mapping, Sequence

from zerogate.errors import ZmtpError
from zerogate.native.compiled import slots
from zerogate.wire.pieces import piece_of
from zerogate.wire.zmtp import states
from zerogate.wire.zmtp.commands import (
    command,
    encode_error,
    encode_metadata,
    encode_ping,
    is_identity,
    parse_error,
    parse_metadata,
    parse_ping,
    parse_pong,
    printable,
    split_command,
)
from zerogate.wire.zmtp.frames import (
    COMMAND,
    GREETING_REST,
    GREETING_START_BYTES,
    LONG,
    LONG_HEADER_BYTES,
    LONG_SIZE,
    MARK_BYTES,
    MECHANISM_NAME_BYTES,
    NO_MARK,
    SHORT_HEADER_BYTES,
    SIGNATURE,
    VERSION,
    command_frame,
    greeting,
    message_header,
)
from zerogate.wire.zmtp.mechanism import Cipher, Mechanism, NullMechanism, Step
from zerogate.wire.zmtp.state import TrafficState, set_states
from zerogate.wire.zmtp.states import DEFAULT_MAX_FRAME_BYTES, FrameTable, State

_FRAME, _MESSAGE = State.FRAME, State.MESSAGE  # used for each frame; through the class each costs 70 ns in Python 3.11
set_states(_FRAME, _MESSAGE)


class Connection(TrafficState):
    """One end of a ZMTP connection.

    `socket_type` is ours, `accepts` the peer's types that we talk to; a peer of another gets ERROR. `metadata` goes to
    the peer besides socket type and identity. Without `mechanisms` it is NULL: at a ROUTER that answers, elsewhere it
    speaks first. Among several the peer chooses: for the end that binds. `mark` is eight octets for the greeting, of
    which ZMTP says nothing. `max_frame_bytes` is the limit of long message frames (a short one, of up to 255 octets,
    always passes). Raises ValueError for what RFC 37 does not allow.
    """

    __slots__ = slots(
        TrafficState,
        "_accepts",
        "_buffer",
        "_cipher",
        "_frames",
        "_is_between_frames",
        "_left",
        "_mark",
        "_max_frame_bytes",
        "_mechanisms",
        "_metadata",
        "_need",
        "_output",
        "_socket_type",
        "_state",
        "error",
        "is_ready",
        "mechanism",
        "peer_mark",
        "peer_metadata",
    )

    def __init__(
        self,
        *,
        socket_type: bytes,
        accepts: frozenset[bytes],
        identity: bytes = b"",
        mechanisms: Sequence[Mechanism] = (),
        metadata: Mapping[bytes, bytes] = {},
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
        mark: bytes = NO_MARK,
    ) -> None:
        if not is_identity(identity):
            raise ValueError("a ZMTP identity has at most 255 octets, the first of them not zero")
        properties = {b"Socket-Type": socket_type, **({b"Identity": identity} if identity else {}), **metadata}
        self._socket_type = socket_type
        self._accepts = accepts
        self._mechanisms = mechanisms or (NullMechanism(answers=socket_type == b"ROUTER"),)
        self.mechanism = self._mechanisms[0]
        """The one that is spoken; among several the first, until the peer has chosen."""
        self._metadata = encode_metadata(properties)
        self._max_frame_bytes = max_frame_bytes
        self._mark = mark
        # Who lets the peer choose names no mechanism before it: once it knows our version, a peer waits for no more.
        self._output = [self._greeting[: GREETING_START_BYTES if len(self._mechanisms) > 1 else None]]
        self._cipher: Cipher | None = None
        self._frames: FrameTable = states.HANDSHAKE
        self._state = State.FIRST_OCTET
        self._need = 1
        self._left = 0  # octets of a message frame's body still to come; 0 in any state but MESSAGE
        self._buffer = bytearray()  # fewer octets than `_need`
        self._is_between_frames = False  # in clear traffic, at a frame's start, nothing buffered
        self.is_ready = False
        """The handshake is done, both ways. Write what `take_output` gives before what `encode` gives."""
        self.peer_mark = NO_MARK
        """The padding of the peer's signature: nothing that ZMTP depends on. libzmq has a small number there."""
        self.peer_metadata: dict[bytes, bytes] = {}
        """The peer's properties, names in lower case; empty before `is_ready`."""
        self.error: ZmtpError | None = None
        """How the peer broke the protocol, or why it turned us away."""

    def __repr__(self) -> str:
        peer = printable(self.peer_socket_type) if self.peer_metadata else "?"
        state = f"{self._state.name}{', ready' if self.is_ready else ''}{f': {self.error}' if self.error else ''}"
        return f"<zmtp.Connection {self._socket_type.decode()} to {peer}, {state}>"

    @property
    def _greeting(self) -> bytes:
        return greeting(self.mechanism.name, is_server=self.mechanism.is_server, mark=self._mark)

    @property
    def peer_socket_type(self) -> bytes:
        """Empty before `is_ready`."""
        return self.peer_metadata.get(b"socket-type", b"")

    def take_output(self) -> bytes:
        """What must be written now: the greeting from the start, and what `receive` gave rise to.

        PONGs that wait here are shorter than the PINGs that came, so a peer cannot make it grow beyond what it sends.
        """
        if not self._output:
            return b""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def encode_pieces(self, chunks: list[bytes]) -> list[bytes]:
        """One message of one part, in pieces to be written in their order. The caller bounds its size.

        Only when `is_ready`; empty once there is an `error`, of which who has something to say may not have heard yet.
        """
        if not self.is_ready:
            return [self._encode_nothing()]
        if self._cipher is not None:
            return [self._seal(b"".join(chunks), is_command=False)]
        return [message_header(sum(map(len, chunks))), *chunks]

    def encode(self, chunks: list[bytes]) -> bytes:
        """The same, joined."""
        return b"".join(self.encode_pieces(chunks))

    def ping(self, ttl_s: float = 0, context: bytes = b"") -> bytes:
        """A PING to write; when, as `encode`. The peer's PONG will repeat `context`, of at most 16 octets.

        `ttl_s` asks the peer to give us up after so many silent seconds, in steps of 0.1, up to 6553.5; 0 does not ask.
        (libzmq counts it in 16 bits of milliseconds: from 65.6 on, it takes the remainder.)
        """
        if not self.is_ready:
            return self._encode_nothing()
        return self._encode_command(encode_ping(ttl_s, context))

    def _encode_nothing(self) -> bytes:
        if self.error is None:
            raise RuntimeError(f"not ready for that: {self!r}")
        return b""

    def _encode_command(self, body: bytes) -> bytes:
        return command_frame(body) if self._cipher is None else self._seal(body, is_command=True)

    def _seal(self, payload: bytes, *, is_command: bool) -> bytes:
        # RFC 26 has sealed traffic in command frames. libzmq sends it in message frames, and drops it from others.
        assert self._cipher is not None
        body = self._cipher.seal(payload, is_command=is_command)
        return message_header(len(body)) + body

    def receive(self, data: bytes) -> list[bytes]:
        """The pieces of message bodies in `data`, in order, as they come; where messages and parts begin is left out.

        Never raises for what a peer sent: see `error`. There may be something in `take_output` afterwards.
        """
        # Nearly every input is one whole frame with nothing before it, or lies within a long one; neither needs the
        # state machine, which would cost twice as much.
        if self._is_between_frames:
            size = len(data)
            if size > LONG_HEADER_BYTES and data[0] == LONG:
                body_size = LONG_SIZE.unpack_from(data, 1)[0]
                if body_size == size - LONG_HEADER_BYTES and body_size <= self._max_frame_bytes:
                    return [piece_of(data, LONG_HEADER_BYTES, size)]
            elif size > SHORT_HEADER_BYTES and data[0] == 0 and data[1] == size - SHORT_HEADER_BYTES:
                return [data[SHORT_HEADER_BYTES:]]
        elif 0 < len(data) < self._left:
            self._left -= len(data)
            return [data]
        return self._receive(data)

    def _receive(self, data: bytes) -> list[bytes]:
        pieces: list[bytes] = []
        if self.error is not None:
            return pieces
        buffer = self._buffer
        if buffer:
            buffer += data
            if len(buffer) < self._need:
                return pieces
            data = bytes(buffer)
            buffer.clear()
        pos, end = 0, len(data)
        try:
            while end - pos >= self._need:
                pos = _READERS[self._state](self, data, pos, pieces)
        except ZmtpError as error:
            self._fail(error)
            return pieces
        if pos < end:
            buffer += data[pos:]
        self._is_between_frames = self._state is _FRAME and self.is_ready and self._cipher is None and not buffer
        return pieces

    def _expect(self, state: State, need: int) -> None:
        self._state = state
        self._need = need

    def _fail(self, error: ZmtpError) -> None:
        error.forget_frames()
        self.error = error
        self._state, self._is_between_frames, self.is_ready = State.FAILED, False, False

    # --- readers: one for each state; each returns the position after what it took ------------------------------------

    def _read_first_octet(self, data: bytes, pos: int, pieces: list[bytes]) -> int:
        if data[pos] != SIGNATURE[0]:
            raise ZmtpError(states.stranger(data[pos], is_listening=self._socket_type == b"ROUTER"))
        self._expect(State.SIGNATURE, len(SIGNATURE) - 1)
        return pos + 1

    def _read_signature(self, data: bytes, pos: int, pieces: list[bytes]) -> int:
        self.peer_mark = bytes(data[pos : pos + MARK_BYTES])  # whatever it is, it is ZMTP
        pos += len(SIGNATURE) - 1
        if data[pos - 1] != SIGNATURE[-1]:
            raise ZmtpError(f"the peer does not speak ZMTP 3: its signature ends with 0x{data[pos - 1]:02x}, not 0x7f")
        self._expect(State.MAJOR, 1)
        return pos

    def _read_major(self, data: bytes, pos: int, pieces: list[bytes]) -> int:
        # A higher version must be accepted: it will speak ours. Lower ones have other frames, and no mechanism.
        if data[pos] < VERSION[0]:
            raise ZmtpError(f"the peer speaks an older ZMTP (its version octet is {data[pos]}); 3 is needed")
        self._expect(State.GREETING_REST, GREETING_REST.size)
        return pos + 1

    def _read_greeting_rest(self, data: bytes, pos: int, pieces: list[bytes]) -> int:
        # Only the mechanism counts. The minor version may be 0 (RFC 23): all that 3.1 added is commands, which such a
        # peer ignores. As-server is not looked at: libzmq leaves it zero in either role. The filler is for extensions.
        _, name, _, _ = GREETING_REST.unpack_from(data, pos)
        chosen = next((one for one in self._mechanisms if name == one.name.ljust(MECHANISM_NAME_BYTES, b"\0")), None)
        if chosen is None:
            theirs, ours = printable(name.rstrip(b"\0")), " or ".join(printable(one.name) for one in self._mechanisms)
            raise ZmtpError(f"the peer's security mechanism is {theirs}, ours is {ours}")
        self.mechanism = chosen
        if len(self._mechanisms) > 1:
            self._output.append(self._greeting[GREETING_START_BYTES:])
        self._expect(State.FRAME, SHORT_HEADER_BYTES)
        self._move(self.mechanism.start(self._metadata))
        return pos + GREETING_REST.size

    def _read_frame(self, data: bytes, pos: int, pieces: list[bytes]) -> int:
        # Messages in clear that have come whole are taken in this loop, as several come in one input under load: a turn
        # through the machine for each would cost a fifth more.
        end = len(data)
        while end - pos >= SHORT_HEADER_BYTES:
            flags = data[pos]
            if flags not in self._frames:
                raise ZmtpError(states.refusal(flags))
            limit, state = self._frames[flags]
            if not flags & LONG:
                start = pos + SHORT_HEADER_BYTES
                size = data[pos + 1]
            elif end - pos < LONG_HEADER_BYTES:
                self._need = LONG_HEADER_BYTES
                return pos
            else:
                start = pos + LONG_HEADER_BYTES
                size = LONG_SIZE.unpack_from(data, pos + 1)[0]
                if size > limit:
                    kind = "command" if flags & COMMAND else "message"
                    raise ZmtpError(f"a {kind} frame of {size} octets; the limit is {limit}")
            pos = start + size
            if state is not _MESSAGE:
                self._expect(state, size)
                return start
            if pos > end:
                self._left = size
                self._expect(state, 1)
                return start
            if size:
                pieces.append(piece_of(data, start, pos))
        self._need = SHORT_HEADER_BYTES
        return pos

    def _read_message(self, data: bytes, pos: int, pieces: list[bytes]) -> int:
        piece = piece_of(data, pos, min(pos + self._left, len(data)))
        pieces.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._expect(State.FRAME, SHORT_HEADER_BYTES)
        return pos + len(piece)

    def _read_sealed(self, data: bytes, pos: int, pieces: list[bytes]) -> int:
        assert self._cipher is not None
        end = pos + self._need
        self._expect(State.FRAME, SHORT_HEADER_BYTES)
        payload, is_command = self._cipher.open(data[pos:end])
        if is_command:
            self._obey(payload)
        elif payload:
            pieces.append(payload)
        return end

    def _read_command(self, data: bytes, pos: int, pieces: list[bytes]) -> int:
        end = pos + self._need
        self._expect(State.FRAME, SHORT_HEADER_BYTES)
        self._obey(data[pos:end])
        return end

    def _read_handshake_command(self, data: bytes, pos: int, pieces: list[bytes]) -> int:
        end = pos + self._need
        self._expect(State.FRAME, SHORT_HEADER_BYTES)
        name, arguments = split_command(data[pos:end])
        if name == b"ERROR":
            raise parse_error(arguments)
        self._move(self.mechanism.receive_command(name, arguments))
        return end

    def _move(self, step: Step) -> None:
        """Do what the mechanism wants."""
        if step.peer_metadata is not None:
            self._judge(parse_metadata(step.peer_metadata))
        self._output += map(self._encode_command, step.commands)
        if step.is_done:
            self._begin_traffic()

    def _judge(self, metadata: dict[bytes, bytes]) -> None:
        """Take the peer's metadata, or refuse the peer: a wrong socket type is to be answered with ERROR (RFC 37)."""
        socket_type, identity = metadata.get(b"socket-type", b""), metadata.get(b"identity", b"")
        if socket_type not in self._accepts:
            accepted = b",".join(sorted(self._accepts))
            self._output.append(self._encode_command(encode_error(b"Socket-Type-is-none-of:" + accepted)))
            raise ZmtpError(f"the peer is a {printable(socket_type)} socket, none of {accepted.decode()}")
        if not is_identity(identity):
            raise ZmtpError(f"the peer's identity is malformed: {printable(identity)}")
        self.peer_metadata = metadata

    def _begin_traffic(self) -> None:
        self.is_ready = True
        self._cipher = self.mechanism.cipher
        traffic = states.clear_traffic if self._cipher is None else states.sealed_traffic
        self._frames = traffic(self._max_frame_bytes)

    def _obey(self, body: bytes) -> None:
        """Do what a command in traffic says.

        Unknown ones are ignored, as libzmq does: a later version, which we must accept, brings commands of its own, and
        SUBSCRIBE, JOIN and the like mean nothing between ROUTER and DEALER.
        """
        name, arguments = split_command(body)
        if name == b"PING":
            # How long the peer would be silent for is its own matter: how long is too long, is set at this end.
            _, context = parse_ping(arguments)
            self._output.append(self._encode_command(command(b"PONG", context)))
        elif name == b"PONG":
            parse_pong(arguments)
        elif name == b"ERROR":
            # Its place is the handshake, but a peer that speaks first has sent READY before it comes to judge ours.
            raise parse_error(arguments)
        elif name == b"READY":
            raise ZmtpError("READY after the handshake")


_READERS: dict[State, Callable[[Connection, bytes, int, list[bytes]], int]] = {
    State.FIRST_OCTET: Connection._read_first_octet,
    State.SIGNATURE: Connection._read_signature,
    State.MAJOR: Connection._read_major,
    State.GREETING_REST: Connection._read_greeting_rest,
    State.FRAME: Connection._read_frame,
    State.HANDSHAKE_COMMAND: Connection._read_handshake_command,
    State.COMMAND: Connection._read_command,
    State.MESSAGE: Connection._read_message,
    State.SEALED: Connection._read_sealed,
}
