"""Pieces that wait: joined if they are small, and never anything but what came."""

import sys
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerogate.wire.pieces import JOINED_BYTES, MAX_KEPT_RATIO, VIEW_BYTES, add_piece, join_small, piece_of

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


@given(st.integers(0, 3 * VIEW_BYTES), st.integers(0, 3 * VIEW_BYTES), st.integers(0, 20 * VIEW_BYTES))
def test_a_part_is_what_was_there_and_keeps_little_else(start: int, size: int, rest: int) -> None:
    data = bytes(range(256)) * ((start + size + rest) // 256 + 1)
    part = piece_of(data, start, start + size)
    assert part == data[start : start + size]
    if isinstance(part, memoryview):
        assert size >= VIEW_BYTES
        assert len(part.obj) <= MAX_KEPT_RATIO * size


def test_a_part_of_a_part_keeps_no_more() -> None:
    data: Any = memoryview(bytes(16 * VIEW_BYTES))[: 4 * VIEW_BYTES]
    assert type(piece_of(data, 0, 4 * VIEW_BYTES)) is memoryview
    assert type(piece_of(data, 0, 2 * VIEW_BYTES)) is bytes


def test_all_of_it_is_no_part() -> None:
    data = bytes(VIEW_BYTES)
    assert piece_of(data, 0, len(data)) is data


@given(st.lists(st.sampled_from([0, 1, 100, VIEW_BYTES - 1, VIEW_BYTES, 2 * VIEW_BYTES]), max_size=12))
def test_large_pieces_stay_as_they_are(sizes: list[int]) -> None:
    pieces = [bytes([n]) * size for n, size in enumerate(sizes)]
    joined = join_small(pieces)
    assert b"".join(joined) == b"".join(pieces)
    assert [id(piece) for piece in pieces if len(piece) >= VIEW_BYTES] == [
        id(piece) for piece in joined if any(piece is each for each in pieces) and len(piece) >= VIEW_BYTES
    ]
    assert len(joined) <= 2 * sum(size >= VIEW_BYTES for size in sizes) + 1
