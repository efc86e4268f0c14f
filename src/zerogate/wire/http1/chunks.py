"""A chunked body taken apart (RFC 9112, 7.1).

Ours and not llhttp's: that one reports neither extensions nor positions, so their limit could not be kept, and it
hands every chunk on for itself, where here the pieces of one read are joined.
"""

import re
from enum import Enum

from zerogate.wire.fields import CONTROLS, TOKEN
from zerogate.wire.http.errors import BAD_REQUEST, BODY_TOO_LARGE, HEAD_TOO_LARGE, HttpError
from zerogate.wire.http.fields import MAX_CONTENT_LENGTH
from zerogate.wire.http1.blocks import BlockCollector
from zerogate.wire.http1.heads import HeadParser
from zerogate.wire.http1.limits import MAX_CHUNK_LINE_BYTES, HttpLimits

# Size, then extensions; "bad" whitespace is allowed around their signs (RFC 9112, 7.1.1), nowhere else.
_match_size_line = re.compile(
    rb"([0-9A-Fa-f]{1,16})((?:[ \t]*;[ \t]*"
    + TOKEN
    + rb"(?:[ \t]*=[ \t]*(?:"
    + TOKEN
    + rb'|"(?:[\t !#-\[\]-~\x80-\xff]'
    rb'|\\[\t -~\x80-\xff])*"))?)*)'
).fullmatch
# In a line whose end has not come: only at the very end may a CR stand.
_find_offence = re.compile(rb"[%b]|\r(?!\Z)" % re.escape(CONTROLS.translate(None, b"\r"))).search


class _State(Enum):
    SIZE = "size line"
    DATA = "data"
    DATA_END = "end of data"
    TRAILERS = "trailers"
    DONE = "done"


_SIZE, _DATA, _DATA_END, _TRAILERS, _DONE = _State


class ChunkedReader:
    """Reads one body. `trailers` is None until the body is complete."""

    __slots__ = (
        "_body_bytes",
        "_extension_bytes",
        "_left",
        "_limits",
        "_line",
        "_parser",
        "_section",
        "_state",
        "trailers",
    )

    def __init__(self, limits: HttpLimits, parser: HeadParser) -> None:
        self._limits = limits
        self._parser = parser
        self._state = _SIZE
        self._line = bytearray()  # of a size line, or of the CRLF after data, what has come
        self._left = 0
        self._body_bytes = 0
        self._extension_bytes = 0
        self._section: BlockCollector | None = None
        self.trailers: list[tuple[bytes, bytes]] | None = None

    def __repr__(self) -> str:
        return f"<ChunkedReader {self._state.value} body_bytes={self._body_bytes}>"

    def receive(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        """Reads `data` from `position` on, appends body octets to `pieces`. Returns the position after what it read.

        Raises HttpError: 400, 413, 431. The pieces before the fault are in `pieces` then.
        """
        size = len(data)
        while position < size and self._state is not _DONE:
            state = self._state
            if state is _SIZE:
                position = self._receive_size(data, position)
            elif state is _DATA:
                end = min(position + self._left, size)
                pieces.append(data[position:end])
                self._left -= end - position
                position = end
                if not self._left:
                    self._state = _DATA_END
            elif state is _DATA_END:
                position = self._receive_data_end(data, position)
            else:
                position = self._receive_trailers(data, position)
        return position

    def _receive_size(self, data: bytes, position: int) -> int:
        if not self._line:
            end = data.find(b"\r\n", position, position + MAX_CHUNK_LINE_BYTES + 2)
            if end >= 0:
                self._begin_chunk(data[position:end])
                return end + 2
        line = self._line
        before = len(line)
        line += data[position : position + MAX_CHUNK_LINE_BYTES + 2 - before]
        end = line.find(b"\r\n", max(0, before - 1))
        if end >= 0:
            self._line = bytearray()
            self._begin_chunk(bytes(line[:end]))
            return position + end + 2 - before
        if len(line) == MAX_CHUNK_LINE_BYTES + 2 or _find_offence(line, max(0, before - 1)):
            raise _bad_size_line()
        return position + len(line) - before

    def _begin_chunk(self, line: bytes) -> None:
        match = _match_size_line(line)
        if match is None:
            raise _bad_size_line()
        digits, extensions = match.groups()
        size = int(digits, 16)
        limits = self._limits
        self._extension_bytes += len(extensions)
        if self._extension_bytes > limits.max_chunk_extension_bytes:
            raise HttpError(BODY_TOO_LARGE, "too many chunk extensions")
        self._body_bytes += size
        if self._body_bytes > MAX_CONTENT_LENGTH:
            raise _bad_size_line()
        if limits.max_body_bytes is not None and self._body_bytes > limits.max_body_bytes:
            raise HttpError(BODY_TOO_LARGE)
        self._left = size
        self._state = _DATA if size else _TRAILERS

    def _receive_data_end(self, data: bytes, position: int) -> int:
        if not self._line and data.startswith(b"\r\n", position):
            self._state = _SIZE
            return position + 2
        self._line += data[position : position + 1]
        if self._line == b"\r\n":
            self._line.clear()
            self._state = _SIZE
        elif self._line != b"\r":
            raise HttpError(BAD_REQUEST, "a chunk is longer than its size")
        return position + 1

    def _receive_trailers(self, data: bytes, position: int) -> int:
        if self._section is None:
            if data.startswith(b"\r\n", position):
                self._state = _DONE
                self.trailers = []
                return position + 2
            # With the CRLF of the last chunk's line in front, the section is a block like a head, even when empty.
            self._section = BlockCollector(self._limits.max_trailer_bytes + 2)
            self._section.receive(b"\r\n", 0)
        section, position = self._section.receive(data, position)
        if section is not None:
            self.trailers = self._parser.parse_trailers(section)
            self._state = _DONE
        elif self._section.is_full:
            raise HttpError(HEAD_TOO_LARGE, "the trailer section is too large")
        return position


def _bad_size_line() -> HttpError:
    return HttpError(BAD_REQUEST, "bad chunk size or chunk extension")
