"""Pieces that wait: joined if they are small, and never anything but what came."""

import sys
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerogate.wire.pieces import JOINED_BYTES, add_piece

pytestmark = pytest.mark.fast


def cost_bytes(pieces: list[bytes]) -> int:
    """What it all takes of memory."""
    return sys.getsizeof(pieces) + sum(sys.getsizeof(piece) for piece in pieces)


@given(st.lists(st.one_of(st.integers(0, 8), st.integers(0, 3 * JOINED_BYTES)), max_size=60), st.integers(1, 400))
def test_they_cost_what_their_octets_say(sizes: list[int], times: int) -> None:
    pieces: list[bytes] = []
    came = bytearray()
    for size in sizes * times if sum(sizes) * times < 1 << 20 else sizes:
        data = bytes([size % 251]) * size
        came += data
        add_piece(pieces, data)
    assert b"".join(pieces) == came
    assert cost_bytes(pieces) <= 1.05 * len(came) + 4096


def test_what_is_no_octets_stays_apart() -> None:
    mark = object()
    pieces: deque[object] = deque([mark])
    for data in (b"a", b"b"):
        add_piece(pieces, data)
    view = memoryview(b"ef")
    pieces.append(view)
    add_piece(pieces, b"c")
    assert [*pieces] == [mark, b"ab", view, b"c"]
