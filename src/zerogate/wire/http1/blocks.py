"""Heads and trailer sections as blocks of octets: where they end, and what may not be inside.

Blocks are cut out before they are parsed. Thus sizes are exact, limits and errors are the same however the input was
cut, and no field is ever put together from pieces.
"""

import re

from zerogate.wire.fields import CONTROLS
from zerogate.wire.http.errors import BAD_REQUEST, HttpError

END_OF_BLOCK = b"\r\n\r\n"

# Control characters, a CR without its LF, a LF without its CR (RFC 9112, 2.2; RFC 9110, 5.5). A CR at the very end
# may still get its LF.
_find_offence = re.compile(rb"[%b]|\r(?![\n]|\Z)|(?<!\r)\n" % re.escape(CONTROLS.translate(None, b"\r\n"))).search


def refuse_offence(block: bytes | bytearray, start: int = 0) -> None:
    """Raises HttpError 400 if the block, from `start` on, holds an octet that no head may hold."""
    if _find_offence(block, start):
        raise HttpError(BAD_REQUEST, "bare CR, bare LF or another control character among the fields")


class BlockCollector:
    """Puts together a block that did not come in one piece. What cannot become valid any more is refused at once."""

    __slots__ = ("_block", "_limit_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._block = bytearray()

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached and the end is still not in sight."""
        return len(self._block) >= self._limit_bytes

    def starts_with(self, beginning: bytes) -> bool:
        """Whether what has come of the block starts with this."""
        return self._block.startswith(beginning)

    @property
    def first_line(self) -> bytes:
        """The first line, or as much of it as has come."""
        return bytes(self._block.partition(b"\r\n")[0])

    def receive(self, data: bytes, position: int) -> tuple[bytes | None, int]:
        """Takes what belongs to the block from `data`. Returns the block once it is whole, and the position after it.

        Raises HttpError 400.
        """
        block = self._block
        before = len(block)
        block += data[position : position + self._limit_bytes - before]
        # The end may have begun in the piece before; so may a CR that now turns out to be bare.
        end = block.find(END_OF_BLOCK, max(0, before - 3))
        if end >= 0:
            end += len(END_OF_BLOCK)
            whole = bytes(block[:end])
            refuse_offence(whole, max(0, before - 1))
            self._block = bytearray()
            return whole, position + end - before
        refuse_offence(block, max(0, before - 1))
        return None, position + len(block) - before
