"""The table of states, whole: what it says is said here again, in words and cell by cell."""

import itertools

from tests.support.each import each

from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.streams import (
    DATA,
    DONE,
    ENDING,
    HEADERS,
    MOVE_NAMES,
    OPEN,
    REPLY,
    REPLY_DUE,
    RESET,
    STATE_NAMES,
    TRANSITIONS,
    Stream,
)

STATES = (REPLY_DUE, OPEN, ENDING, DONE, RESET)
MOVES = (REPLY, HEADERS, DATA)


def expected(state: int, move: int, fin: bool) -> int:
    if state == RESET:
        return RESET
    if state in (DONE, ENDING):
        return -RstStatus.STREAM_ALREADY_CLOSED
    if state == REPLY_DUE and move == HEADERS and not fin:
        return REPLY_DUE
    if state == REPLY_DUE and move != REPLY:
        return -RstStatus.PROTOCOL_ERROR
    if state == OPEN and move == REPLY:
        return -RstStatus.STREAM_IN_USE
    return DONE if fin else OPEN


@each(("state", "move", "fin"), list(itertools.product(STATES, MOVES, (False, True))))
def test_every_state_and_move(state: int, move: int, fin: bool) -> None:
    assert TRANSITIONS[state][move + fin] == expected(state, move, fin)


def test_the_table_has_no_more_than_that() -> None:
    assert len(TRANSITIONS) == len(STATES) == len(STATE_NAMES)
    assert {len(row) for row in TRANSITIONS} == {2 * len(MOVES)} == {len(MOVE_NAMES)}


@each(("local", "remote"), list(itertools.product(STATES, STATES)))
def test_a_stream_is_gone_when_both_halves_are(local: int, remote: int) -> None:
    stream = Stream(1, local, remote, 0)
    assert stream.is_gone == (local in (DONE, RESET) and remote in (DONE, RESET))


def test_its_repr_shows_its_state() -> None:
    stream = Stream(5, OPEN, REPLY_DUE, 0)
    assert repr(stream) == "<Stream 5, we are OPEN, peer is REPLY_DUE>"
    stream.pending_bytes = 7
    assert repr(stream) == "<Stream 5, we are OPEN, peer is REPLY_DUE, 7 bytes pending>"
    assert stream.handler is None
