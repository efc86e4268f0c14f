"""Requests read from one client's octets (RFC 9112, 2.2, 6 and 9.3), one at a time.

IDLE -> HEAD -> IDLE     a request without a body
IDLE -> HEAD -> BODY     a body, of known length or chunked; then IDLE
IDLE -> HEAD -> TUNNEL   an upgrade: what follows is no HTTP
IDLE, HEAD, TUNNEL -> ENDED   the client's end of input (amid a head only behind an empty line)
IDLE, HEAD, BODY -> FAILED    `error` says why

HEAD is skipped by heads that come in one piece. An empty line before a request belongs to its head.
"""

from zerogate.native.compiled import slots
from zerogate.wire.fields import TOKEN_OCTETS
from zerogate.wire.http.errors import (
    BAD_REQUEST,
    HEAD_TOO_LARGE,
    NOT_IMPLEMENTED,
    SPEAKS_TLS,
    TARGET_TOO_LONG,
    HttpError,
)
from zerogate.wire.http.methods import FIRST_OCTETS
from zerogate.wire.http.request import RequestEnd, RequestHead
from zerogate.wire.http1.blocks import END_OF_BLOCK, BlockCollector, refuse_offence
from zerogate.wire.http1.chunks import ChunkedReader
from zerogate.wire.http1.heads import HeadParser, native_reader
from zerogate.wire.http1.limits import HttpLimits
from zerogate.wire.http1.situations import Reading
from zerogate.wire.http1.state import ReaderState

Event = RequestHead | bytes | RequestEnd

_IDLE, _HEAD, _BODY, _TUNNEL, _ENDED, _FAILED = Reading

_CR = 0x0D

# Who comes to the wrong port mostly says who he is, and then waits: the end of a head never comes.
_TLS_HANDSHAKE = 0x16  # RFC 8446, 5.1
_SSH_BANNER = b"SSH-"  # RFC 4253, 4.2
_EMPTY_LINE = b"\r\n"


class RequestReader(ReaderState):
    """Reads one connection's requests. Any cut of the input gives the same events, joined, and the same error.

    `read` takes no octet behind the end of a request: what may become of those is the connection's matter.
    """

    __slots__ = slots(
        ReaderState,
        "_body",
        "_collector",
        "_left",
        "_limits",
        "_line",
        "_max_head_bytes",
        "_parser",
        "_read_natively",
        "error",
        "state",
    )

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._max_head_bytes = limits.max_head_bytes
        self._read_natively = native_reader(limits)
        self._parser = HeadParser(limits)
        self._left = 0  # of a body of known length
        self._body: ChunkedReader | None = None
        self._collector: BlockCollector | None = None  # of a head that did not come in one piece
        self._line = b""  # of the empty line before a head, what has come
        self.state = _IDLE
        self.error: HttpError | None = None

    def __repr__(self) -> str:
        detail = f": {self.error}" if self.error else f" left={self._left}" if self._left else ""
        return f"<RequestReader {self.state.name}{detail}>"

    def read(self, data: bytes, position: int, events: list[Event]) -> int:
        """Reads `data` from `position` on, which must be before its end, up to the end of one request or a fault.

        Appends to `events`, and returns the position after what was read. Never raises. Only where `state` is IDLE,
        HEAD or BODY.
        """
        size = len(data)
        try:
            if self.state is _IDLE and data[position] in FIRST_OCTETS:
                # Mostly the whole head is here. Slicing the whole of `data` gives `data` itself.
                end = data.find(END_OF_BLOCK, position, position + self._max_head_bytes)
                if end >= 0:
                    block = data[position : end + 4]
                    position = end + 4
                    self._begin_request(block, events)
                else:
                    position = self._read_head(data, position, events)
            elif self.state is not _BODY:
                position = self._read_head(data, position, events)
            while position < size and self.state is _BODY:
                if self._body is None:
                    position = self._read_length(data, position, events)
                else:
                    position = self._read_chunked(self._body, data, position, events)
        except HttpError as error:
            self._fail(error)
            return size
        return position

    def end(self) -> None:
        """The client will send nothing more. Fails amid a request (RFC 9112, 8)."""
        if self.state is _BODY or self._collector is not None or self._line == b"\r":
            self._fail(HttpError(BAD_REQUEST, "the request is incomplete"))
        elif self.state is not _FAILED:
            self.state = _ENDED

    def _read_head(self, data: bytes, position: int, events: list[Event]) -> int:
        """A head that is not whole, or has an empty line before it."""
        while self._collector is None:
            first = data[position]
            if first != _CR and self._line != b"\r":
                if first not in FIRST_OCTETS:
                    raise _first_octet_error(first)
                self._collector = BlockCollector(self._max_head_bytes)
                self.state = _HEAD
                break
            position = self._read_empty_line(data, position)
            if position == len(data):
                return position
        collector = self._collector
        try:
            block, position = collector.receive(data, position)
        finally:
            # Before any other fault, that the same input is told the same however it is cut.
            if collector.starts_with(_SSH_BANNER):
                raise _ssh_error()
        if block is not None:
            self._collector = None
            self._begin_request(block, events)
        elif collector.is_full:
            # Either way it is too much; which of the two statuses says what (RFC 9112, 3; RFC 6585, 5).
            too_long = len(collector.first_line) > self._limits.max_target_bytes
            raise HttpError(TARGET_TOO_LONG if too_long else HEAD_TOO_LARGE)
        return position

    def _begin_request(self, block: bytes, events: list[Event]) -> None:
        head = self._read_natively(block)
        if head is None:
            if block[0] == _SSH_BANNER[0] and block.startswith(_SSH_BANNER):
                raise _ssh_error()
            try:
                head = self._parser.parse_head(block)
            except HttpError:
                # A head in pieces is looked at for these as it comes; so they go first when it comes whole.
                refuse_offence(block)
                raise
        self._line = b""
        if head.has_body:
            self.state = _BODY
            if head.is_chunked:
                self._body = ChunkedReader(self._limits, self._parser)
            else:
                self._left = head.content_length or 0
        elif head.upgrade:
            self.state = _TUNNEL
        else:
            self.state = _IDLE
        events.append(head)

    def _read_empty_line(self, data: bytes, position: int) -> int:
        """RFC 9112, 2.2: one empty line before a request is overlooked, for clients that send it after a body."""
        if self._line == _EMPTY_LINE:
            raise HttpError(BAD_REQUEST, "empty lines before the request")
        self._line += data[position : position + 1]
        if not _EMPTY_LINE.startswith(self._line):
            raise HttpError(BAD_REQUEST, "bare CR before the request")
        self.state = _HEAD
        return position + 1

    def _read_length(self, data: bytes, position: int, events: list[Event]) -> int:
        end = min(position + self._left, len(data))
        events.append(data[position:end])
        self._left -= end - position
        if not self._left:
            self._finish_body(events, [])
        return end

    def _read_chunked(self, body: ChunkedReader, data: bytes, position: int, events: list[Event]) -> int:
        pieces: list[bytes] = []
        try:
            position = body.receive(data, position, pieces)
        finally:
            # One event however many chunks: a client that sends its body in octets must not make us send frames so.
            if pieces:
                events.append(b"".join(pieces))
        if body.trailers is not None:
            self._body = None
            self._finish_body(events, body.trailers)
        return position

    def _finish_body(self, events: list[Event], trailers: list[tuple[bytes, bytes]]) -> None:
        events.append(RequestEnd(trailers))
        self.state = _IDLE

    def _fail(self, error: HttpError) -> None:
        error.forget_frames()
        self.error = error
        self.state = _FAILED
        self._left = 0
        self._collector = None
        self._body = None


def _first_octet_error(octet: int) -> HttpError:
    if octet == _TLS_HANDSHAKE:
        return HttpError(SPEAKS_TLS)
    if octet in TOKEN_OCTETS:
        return HttpError(NOT_IMPLEMENTED, "unknown method")
    return HttpError(BAD_REQUEST, "this is not HTTP")


def _ssh_error() -> HttpError:
    return HttpError(BAD_REQUEST, "this is SSH: the port speaks plain HTTP")
