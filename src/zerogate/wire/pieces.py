"""Data that waits in pieces, as it came: small pieces are joined, so that they cost what their octets say.

An octet of its own costs an object of 33 and a pointer: forty times as much as an account of octets would know. So any
two that stand beside each other are together more than JOINED_BYTES, which bounds what the objects add to 2 %.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final, cast

# To join copies what is there: so much of it at most for each piece that comes.
JOINED_BYTES: Final = 4096

# From here on a piece is a view, if what it keeps is at most so many times as much.
VIEW_BYTES: Final = 16 * 1024
MAX_KEPT_RATIO: Final = 4


def add_piece(pieces: list[bytes] | deque[Any], data: bytes) -> None:
    """Put a piece behind the others. One that is no `bytes` stays as it is."""
    if pieces:
        last = pieces[-1]
        if type(last) is bytes and len(last) + len(data) <= JOINED_BYTES:
            pieces[-1] = last + data
            return
    pieces.append(data)


def piece_of(data: bytes, start: int, stop: int) -> bytes:
    """A part of what does not change: a view of it if it is large, and no small part of it either.

    A copy of 64 KiB costs as much as all else that is done with them. But a view keeps all of `data`, or what that is a
    view of, which must not be more than a few times what is counted. Who joins, cuts or writes it can do so with
    either, and is told of `bytes`.
    """
    size = stop - start
    if size < VIEW_BYTES or size * MAX_KEPT_RATIO < len(data.obj if isinstance(data, memoryview) else data):
        return bytes(data[start:stop])
    return data if size == len(data) else cast(bytes, memoryview(data)[start:stop])


def join_small(pieces: Iterable[bytes]) -> list[bytes]:
    """The same octets in as few pieces as there can be when large ones stay as they are."""
    joined: list[bytes] = []
    small: list[bytes] = []
    for piece in pieces:
        if len(piece) < VIEW_BYTES:
            small.append(piece)
            continue
        if small:
            joined.append(b"".join(small))
            small = []
        joined.append(piece)
    if small:
        joined.append(b"".join(small))
    return joined
