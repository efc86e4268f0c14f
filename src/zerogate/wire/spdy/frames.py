"""SPDY/3.1 frames: their numbers, how they are written, and a reader that cuts bytes into them (draft 3.1, 2.2).

A control frame is handed on whole, so its size is bounded. A DATA frame is handed on piece by piece, as it comes in:
nothing of a body is ever collected here.
"""

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct
from typing import Final

from zerogate.errors import SpdyError
from zerogate.native.compiled import slots
from zerogate.wire.pieces import piece_of
from zerogate.wire.spdy.state import ReaderState


class FrameType(IntEnum):
    """Control frame types (2.6). 5 was NOOP, 10 was CREDENTIAL: both are gone in 3.1, and skipped like unknown ones."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


class RstStatus(IntEnum):
    """Why a stream ends early (2.6.3). 0 is not a status."""

    PROTOCOL_ERROR = 1
    INVALID_STREAM = 2
    REFUSED_STREAM = 3
    UNSUPPORTED_VERSION = 4
    CANCEL = 5
    INTERNAL_ERROR = 6
    FLOW_CONTROL_ERROR = 7
    STREAM_IN_USE = 8
    STREAM_ALREADY_CLOSED = 9
    INVALID_CREDENTIALS = 10
    FRAME_TOO_LARGE = 11


class GoAwayStatus(IntEnum):
    """Why a session ends (2.6.6); 7 came with the session window."""

    OK = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 7


class SettingId(IntEnum):
    """The settings that mean something here (2.6.4); all others are ignored."""

    MAX_CONCURRENT_STREAMS = 4
    INITIAL_WINDOW_SIZE = 7


FLAG_FIN: Final = 0x01
FLAG_COMPRESSED: Final = 0x02  # on DATA
FLAG_UNIDIRECTIONAL: Final = 0x02  # on SYN_STREAM
FLAG_SETTING_PERSISTED: Final = 0x02  # on an entry of SETTINGS

# Plain integers where every frame passes: in CPython 3.11 each look at `FrameType.SYN_REPLY` is a descriptor's call.
DATA: Final = 0
DATA_MORE: Final = -1

ID_MASK: Final = 0x7FFFFFFF
MAX_STREAM_ID: Final = 0x7FFFFFFF
# What we put into one DATA frame, so that streams take turns; peers may send more. Half of a stream's window, which is
# what credit comes in.
MAX_DATA_BYTES: Final = 128 * 1024
# A full name/value block (64 KiB) that was stored rather than compressed, by an encoder that cuts it every 2 KiB, with
# what stands before it in a SYN_STREAM. The draft asks for 8192 at least (2.2.1).
MAX_CONTROL_BYTES: Final = 64 * 1024 + 1024

_CONTROL: Final = 0x80030000  # The control bit and version 3: draft 3.1 says 3 on the wire (2.2.1).
_CONTROL_BIT: Final = 0x80000000
_HEADER_BYTES: Final = 8

_HEADER: Final = Struct(">II")
_WORD: Final = Struct(">I")
_SYN_STREAM: Final = Struct(">IIIIH")
_ONE_WORD: Final = Struct(">III")
_TWO_WORDS: Final = Struct(">IIII")

# How long the body of a control frame may be: (at least, at most).
_BODY_BYTES: Final[dict[int, tuple[int, int]]] = {
    FrameType.SYN_STREAM.value: (10, MAX_CONTROL_BYTES),  # 2.6.1
    FrameType.SYN_REPLY.value: (4, MAX_CONTROL_BYTES),  # 2.6.2
    # 2.6.3 says 8, but npm's spdy-transport puts the text of an error behind it.
    FrameType.RST_STREAM.value: (8, MAX_CONTROL_BYTES),
    FrameType.SETTINGS.value: (4, MAX_CONTROL_BYTES),  # 2.6.4
    FrameType.PING.value: (4, 4),  # 2.6.5
    FrameType.GOAWAY.value: (8, 8),  # 2.6.6
    FrameType.HEADERS.value: (4, MAX_CONTROL_BYTES),  # 2.6.7
    FrameType.WINDOW_UPDATE.value: (8, 8),  # 2.6.8
}
_UNKNOWN_BODY_BYTES: Final = (0, MAX_CONTROL_BYTES)


def as_octets(data: object) -> bytes:
    """A copy of what is not bytes, as its owner may write over it. Raises TypeError for what is no buffer.

    Whatever else got into the output would be found out when it is joined, and everybody's frames would be lost.
    """
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"octets are needed, not {type(data).__name__}")


def syn_stream(stream_id: int, block: bytes, fin: bool) -> bytes:
    """A SYN_STREAM with a compressed block; no associated stream, priority and slot 0 (2.6.1)."""
    return _SYN_STREAM.pack(_CONTROL | 1, fin << 24 | len(block) + 10, stream_id, 0, 0) + block


def syn_reply(stream_id: int, block: bytes, fin: bool) -> bytes:
    """A SYN_REPLY with a compressed block (2.6.2)."""
    return _ONE_WORD.pack(_CONTROL | 2, fin << 24 | len(block) + 4, stream_id) + block


def headers(stream_id: int, block: bytes, fin: bool) -> bytes:
    """A HEADERS with a compressed block (2.6.7)."""
    return _ONE_WORD.pack(_CONTROL | 8, fin << 24 | len(block) + 4, stream_id) + block


def rst_stream(stream_id: int, status: int) -> bytes:
    """A RST_STREAM (2.6.3)."""
    return _TWO_WORDS.pack(_CONTROL | 3, 8, stream_id, status)


def settings(pairs: Sequence[tuple[int, int]]) -> bytes:
    """A SETTINGS with (id, value) pairs, which should be in the order of their ids (2.6.4)."""
    entries = b"".join([_HEADER.pack(setting, value) for setting, value in pairs])
    return _ONE_WORD.pack(_CONTROL | 4, 4 + len(entries), len(pairs)) + entries


def ping(ping_id: int) -> bytes:
    """A PING (2.6.5)."""
    return _ONE_WORD.pack(_CONTROL | 6, 4, ping_id)


def goaway(last_stream_id: int, status: int) -> bytes:
    """A GOAWAY (2.6.6)."""
    return _TWO_WORDS.pack(_CONTROL | 7, 8, last_stream_id, status)


def window_update(stream_id: int, delta_bytes: int) -> bytes:
    """A WINDOW_UPDATE; stream 0 is the session's window (2.6.8)."""
    return _TWO_WORDS.pack(_CONTROL | 9, 8, stream_id, delta_bytes)


def data_header(stream_id: int, length: int, fin: bool) -> bytes:
    """What stands before `length` bytes of a stream's data (2.2.2)."""
    return _HEADER.pack(stream_id, fin << 24 | length)


def parse_settings(count: int, entries: bytes) -> dict[int, int]:
    """The values of a SETTINGS frame by id; raises SpdyError. The first of several values of one id counts (2.6.4)."""
    if count * 8 != len(entries):
        raise SpdyError(f"SETTINGS counts {count} entries in {len(entries)} bytes", GoAwayStatus.PROTOCOL_ERROR)
    values: dict[int, int] = {}
    for flags_and_id, value in _HEADER.iter_unpack(entries):
        # A persisted value is one that we once asked the peer to keep for us: we never do.
        if not flags_and_id >> 24 & FLAG_SETTING_PERSISTED:
            values.setdefault(flags_and_id & 0xFFFFFF, value)
    return values


# (kind, flags, word, size, payload). Plain tuples: a NamedTuple would cost as much as the rest of the reading.
#   control frame: its type, its flags, the first 32 bits of its body, the size of its body, the rest of its body
#   DATA:          flags, stream id, the size the header announces, as much of the body as is here
#   DATA_MORE:     the same of a DATA frame begun earlier, but size is what was still missing of it
# A DATA frame is complete with the piece that is as long as its size says.
Frame = tuple[int, int, int, int, bytes]


class FrameReader(ReaderState):
    """Cuts a byte stream into frames. `error` is set once the stream is not SPDY/3.1; nothing is read after that."""

    __slots__ = slots(ReaderState, "_flags", "_missing", "_partial", "_stream_id", "_wanted", "error")

    def __init__(self) -> None:
        self.error: SpdyError | None = None
        self._partial = bytearray()  # The beginning of a control frame, or of a frame's header,
        self._wanted = 0  # and how long it must be before it is worth looking at again.
        self._missing = 0  # Bytes still to come of the DATA frame that is being read,
        self._flags = 0  # and what its header said.
        self._stream_id = 0

    def __repr__(self) -> str:
        if self.error is not None:
            return f"<FrameReader broken: {self.error}>"
        if self._missing:
            return f"<FrameReader in DATA of stream {self._stream_id}, {self._missing} bytes to come>"
        return f"<FrameReader with {len(self._partial)} bytes of a frame>"

    def receive(self, data: bytes) -> list[Frame]:
        """What came in, as frames and pieces of DATA frames, in order."""
        frames: list[Frame] = []
        if self.error is not None or not data:
            return frames
        at = 0
        if self._missing:
            at = self._continue_data(data, frames)
        elif self._partial:
            self._partial += data
            if len(self._partial) < self._wanted:
                return frames
            data = bytes(self._partial)
            self._partial.clear()
        end = len(data)
        while at + _HEADER_BYTES <= end:
            word, tail = _HEADER.unpack_from(data, at)
            body = at + _HEADER_BYTES
            size = tail & 0xFFFFFF
            stop = body + size
            if word < _CONTROL_BIT:
                flags = tail >> 24
                # Flags that do not exist are how HTTP requests look here ("GET / HT...", "PRI * HTTP"): refused before
                # megabytes of "body" are waited for.
                if not word or flags > FLAG_FIN | FLAG_COMPRESSED:
                    return self._refuse(frames, f"DATA for stream {word} with flags {flags:#x}")
                frames.append((DATA, flags, word, size, piece_of(data, body, min(stop, end))))
                if stop > end:
                    self._missing = stop - end
                    self._flags = flags
                    self._stream_id = word
                    return frames
            else:
                kind = word - _CONTROL
                limits = _BODY_BYTES.get(kind)
                if limits is None:
                    if word >> 16 != _CONTROL >> 16:
                        return self._refuse(frames, f"SPDY version {word >> 16 & 0x7FFF}")
                    least, most = _UNKNOWN_BODY_BYTES
                else:
                    least, most = limits
                if not least <= size <= most:
                    return self._refuse(frames, f"control frame of type {kind} and {size} bytes")
                if stop > end:
                    self._wanted = _HEADER_BYTES + size
                    break
                # "Unknown control types are skipped": a frame of a type to come must not end the session.
                if limits is not None:
                    (first,) = _WORD.unpack_from(data, body)
                    frames.append((kind, tail >> 24, first, size, data[body + 4 : stop]))
            at = stop
        else:
            self._wanted = _HEADER_BYTES
        if at < end:
            self._partial += data[at:]
        return frames

    def _continue_data(self, data: bytes, frames: list[Frame]) -> int:
        """Hands on what belongs to the DATA frame begun earlier; returns where the next frame begins."""
        size = self._missing
        piece = piece_of(data, 0, min(size, len(data)))
        self._missing = size - len(piece)
        frames.append((DATA_MORE, self._flags, self._stream_id, size, piece))
        return len(piece)

    def _refuse(self, frames: list[Frame], reason: str) -> list[Frame]:
        self.error = SpdyError(reason, GoAwayStatus.PROTOCOL_ERROR)
        return frames
