"""WebSocket's framing (RFC 6455, RFC 7692): octets in, messages out, and the other way. No socket, no clock.

The frames are `websockets`' matter, whose protocol begins here in state OPEN. This puts fragments together, in bounds:
a message, inflated or not, has at most `max_size` bytes, and its fragments are kept as octets or text, not one by one.
"""

import codecs
import io
import logging
from collections.abc import Sequence

from websockets.exceptions import ProtocolError
from websockets.extensions import Extension
from websockets.frames import DATA_OPCODES, CloseCode, Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol

from zerogate.worker.errors import ApplicationError

logger = logging.getLogger("zerogate.worker")
# It would tell of each connection that ends.
frames_logger = logger.getChild("websocket")
frames_logger.setLevel("ERROR")

Messages = list[str | bytes]

_Decoder = codecs.getincrementaldecoder("utf-8")

# RFC 6455, 5.5. `websockets` bounds control frames by what is left for the message amid which they come; so it has as
# much more, and what is too large for a message is found here.
MAX_CONTROL_BYTES = 125


class _Protocol(Protocol):
    """A Close may come amid the fragments of a message (RFC 6455, 5.4), which `websockets` takes for an error.

    What it keeps of those had another name before its version 16; other libraries hold many back there.
    """

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = self.cur_size = None
        super().recv_frame(frame)


class _TooBigError(Exception):
    """A message is larger than messages may be."""


class Framing:
    """One connection, at its server's end."""

    __slots__ = ("_binary", "_decoder", "_left_bytes", "_max_size", "_protocol", "_text")

    def __init__(self, max_size: int, extensions: Sequence[Extension] = ()) -> None:
        self._max_size = self._left_bytes = max_size
        self._protocol = _Protocol(SERVER, state=OPEN, max_size=max_size + MAX_CONTROL_BYTES, logger=frames_logger)
        self._protocol.extensions = list(extensions)
        # Of the message whose fragments are coming in.
        self._binary: bytearray | None = None
        self._text: io.StringIO | None = None
        self._decoder: codecs.IncrementalDecoder | None = None

    def __repr__(self) -> str:
        return f"<Framing {self._protocol.state.name}>"

    @property
    def is_closing(self) -> bool:
        """A Close frame has been sent, or there is no use in sending one: nothing more is."""
        return self._protocol.state is not OPEN

    @property
    def close(self) -> tuple[int, str] | None:
        """Code and reason of the client's Close frame, if it has come: 1005 if it had none."""
        close = self._protocol.close_rcvd
        return None if close is None else (int(close.code), close.reason)

    def receive(self, data: bytes) -> Messages:
        """What the client has sent. Returns the messages that are complete; there may be something to send, too."""
        protocol = self._protocol
        protocol.receive_data(data)
        messages: Messages = []
        try:
            for frame in protocol.events_received():
                assert isinstance(frame, Frame)
                message = self._take(frame)
                if message is not None:
                    messages.append(message)
        except UnicodeDecodeError as error:
            protocol.fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
        except _TooBigError:
            protocol.fail(CloseCode.MESSAGE_TOO_BIG, f"a message of more than {self._max_size} bytes")
        return messages

    def receive_eof(self) -> None:
        """The client sends no more."""
        self._protocol.receive_eof()

    def send(self, message: str | bytes) -> bytes:
        """The octets of a message."""
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        return self.take_output()[0]

    def ping(self) -> bytes:
        """The octets of a ping."""
        self._protocol.send_ping(b"zerogate")
        return self.take_output()[0]

    def send_close(self, code: int, reason: str) -> bytes:
        """The octets of a Close frame. Raises ApplicationError for a code or a reason that there cannot be."""
        try:
            self._protocol.send_close(code, reason)
        except ProtocolError as error:
            raise ApplicationError(f"a WebSocket cannot be closed with {code} {reason!r}: {error}") from error
        return self.take_output()[0]

    def fail(self, code: int, reason: str) -> None:
        """Give the connection up: what the client still sends is not looked at."""
        self._protocol.fail(code, reason)

    def take_output(self) -> tuple[bytes, bool]:
        """What is to be sent because of what has come; and whether that is the end of it."""
        output = self._protocol.data_to_send()
        return b"".join(output), bool(output) and not output[-1]

    def release(self) -> None:
        """It is not used any more. It knows itself by the generator that reads: without this it would wait for the
        collector, with all that compression keeps.
        """
        self._protocol.parser.close()
        self._protocol.parser_exc = None

    def _take(self, frame: Frame) -> str | bytes | None:
        """The message that the frame completes, if it does."""
        opcode = frame.opcode
        if opcode not in DATA_OPCODES:
            return None
        size = len(frame.data)
        if size > self._left_bytes:
            raise _TooBigError
        self._left_bytes = self._max_size if frame.fin else self._left_bytes - size
        if opcode is Opcode.TEXT:
            if frame.fin:
                return str(frame.data, "utf-8")
            self._text = io.StringIO()
            self._decoder = _Decoder()
        elif opcode is Opcode.BINARY:
            if frame.fin:
                return bytes(frame.data)
            self._binary = bytearray()
        return self._take_fragment(frame)

    def _take_fragment(self, frame: Frame) -> str | bytes | None:
        if self._binary is not None:
            self._binary += frame.data
            if frame.fin:
                data, self._binary = bytes(self._binary), None
                return data
            return None
        assert self._text is not None
        assert self._decoder is not None
        # What is no UTF-8 is known with its fragment, not with the last one.
        self._text.write(self._decoder.decode(bytes(frame.data), frame.fin))
        if not frame.fin:
            return None
        text = self._text.getvalue()
        self._text = self._decoder = None
        return text
