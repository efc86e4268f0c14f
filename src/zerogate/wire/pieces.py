"""Data that waits in pieces, as it came: small pieces are joined, so that they cost what their octets say.

An octet of its own costs an object of 33 and a pointer: forty times as much as an account of octets would know. So any
two that stand beside each other are together more than JOINED_BYTES, which bounds what the objects add to 2 %.
"""

from collections import deque
from typing import Any, Final

# To join copies what is there: so much of it at most for each piece that comes.
JOINED_BYTES: Final = 4096


def add_piece(pieces: list[bytes] | deque[Any], data: bytes) -> None:
    """Put a piece behind the others. One that is no `bytes` stays as it is."""
    if pieces:
        last = pieces[-1]
        if type(last) is bytes and len(last) + len(data) <= JOINED_BYTES:
            pieces[-1] = last + data
            return
    pieces.append(data)
