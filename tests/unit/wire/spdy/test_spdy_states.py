"""Every state of a stream, whoever opened it, against every frame that can come for it and every call made on it."""

import itertools
from collections.abc import Callable

import pytest
from tests import spdy_peer
from tests.spdy_end import BLOCK, REPLY_BLOCK, End
from tests.spdy_peer import Peer
from tests.support.each import each

from zerogate.wire.spdy.events import Data, Event, Headers, Reply, Reset
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.streams import DONE, MOVE_NAMES, OPEN, REPLY_DUE, RESET, Stream, StreamStateError

FRAMES: dict[str, Callable[[Peer], bytes]] = {
    "SYN_REPLY": lambda peer: peer.syn_reply(1),
    "SYN_REPLY+FIN": lambda peer: peer.syn_reply(1, fin=True),
    "HEADERS": lambda peer: peer.headers(1, spdy_peer.REPLY),
    "HEADERS+FIN": lambda peer: peer.headers(1, spdy_peer.REPLY, fin=True),
    "DATA": lambda peer: spdy_peer.data(1, b"x"),
    "DATA+FIN": lambda peer: spdy_peer.data(1, b"x", fin=True),
}
CALLS: dict[str, Callable[[End, Stream], None]] = {
    "SYN_REPLY": lambda end, stream: end.session.send_reply(stream, REPLY_BLOCK, False),
    "SYN_REPLY+FIN": lambda end, stream: end.session.send_reply(stream, REPLY_BLOCK, True),
    "HEADERS": lambda end, stream: end.session.send_headers(stream, REPLY_BLOCK, False),
    "HEADERS+FIN": lambda end, stream: end.session.send_headers(stream, REPLY_BLOCK, True),
    "DATA": lambda end, stream: end.session.send_data(stream, b"x", False),
    "DATA+FIN": lambda end, stream: end.session.send_data(stream, b"x", True),
}
EVENTS: dict[str, type[Event]] = {"SYN_REPLY": Reply, "HEADERS": Headers, "DATA": Data}
# What (our half, the peer's half) of a stream can be; each end of a stream that one of them opened.
OURS = [(local, remote) for local in (OPEN, DONE) for remote in (REPLY_DUE, OPEN, DONE)]
THEIRS = [(local, remote) for local in (REPLY_DUE, OPEN, DONE) for remote in (OPEN, DONE)]
HALVES = [(True, *halves) for halves in OURS] + [(False, *halves) for halves in THEIRS]


def stream_in(ours: bool, local: int, remote: int) -> tuple[End, Stream]:
    """A stream with the id 1, brought to that state by nothing but frames and calls."""
    end = End(opens_odd=ours)
    if ours:
        stream = end.session.open_stream(BLOCK, fin=local == DONE)
        if remote != REPLY_DUE:
            end.hear(end.peer.syn_reply(1, fin=remote == DONE))
    else:
        stream = end.admitted(1, fin=remote == DONE)
        if local != REPLY_DUE:
            end.session.send_reply(stream, REPLY_BLOCK, fin=local == DONE)
    end.session.take_output()
    assert (stream.local, stream.remote) == (local, remote)
    assert bool(end.session.streams) == (not stream.is_gone)
    return end, stream


def verdict(state: int, move: str) -> RstStatus | None:
    """What a half in this state gets for the move; None: it may."""
    if state == DONE:
        return RstStatus.STREAM_ALREADY_CLOSED
    if state == REPLY_DUE:  # HEADERS before it are an interim reply, which cannot be the end
        return None if move.startswith("SYN_REPLY") or move == "HEADERS" else RstStatus.PROTOCOL_ERROR
    return RstStatus.STREAM_IN_USE if move.startswith("SYN_REPLY") else None


def after(state: int, move: str) -> int:
    """Where a move that may be takes a half."""
    if state == REPLY_DUE and move == "HEADERS":
        return REPLY_DUE
    return DONE if move.endswith("FIN") else OPEN


@each(("halves", "move"), list(itertools.product(HALVES, MOVE_NAMES)))
def test_every_frame_in_every_state(halves: tuple[bool, int, int], move: str) -> None:
    ours, local, remote = halves
    end, stream = stream_in(ours, local, remote)
    was_gone = stream.is_gone
    events = end.hear(FRAMES[move](end.peer))
    status = verdict(remote, move)
    if was_gone:
        assert (events, end.rst()) == ([], [])
    elif status is None:
        (event,) = events
        fin = move.endswith("FIN")
        assert type(event) is EVENTS[move.removesuffix("+FIN")]
        assert event[0] is stream
        assert event[2] is fin  # type: ignore[misc]
        assert (stream.local, stream.remote) == (local, after(remote, move))
        assert end.rst() == []
    else:
        assert events == [Reset(stream, status)]
        assert end.rst() == [(1, status)]
        assert (stream.local, stream.remote) == (RESET, RESET)
    assert end.session.streams == ({} if stream.is_gone else {1: stream})
    assert end.session.error is None


@each(("halves", "move"), list(itertools.product(HALVES, MOVE_NAMES)))
def test_every_call_in_every_state(halves: tuple[bool, int, int], move: str) -> None:
    ours, local, remote = halves
    end, stream = stream_in(ours, local, remote)
    if verdict(local, move) is not None:
        with pytest.raises(StreamStateError):
            CALLS[move](end, stream)
        assert end.out() == []
        assert (stream.local, stream.remote) == (local, remote)
        return
    CALLS[move](end, stream)
    (frame,) = end.out()
    fin = move.endswith("FIN")
    assert (frame.kind, frame.fin, frame.stream_id) == (move.removesuffix("+FIN"), fin, 1)
    assert (stream.local, stream.remote) == (after(local, move), remote)
    assert end.session.streams == ({} if stream.is_gone else {1: stream})


@each(("halves", "move"), list(itertools.product(HALVES, MOVE_NAMES)))
@each("by_us", [False, True])
def test_after_a_reset_nothing_is_heard_or_said(halves: tuple[bool, int, int], move: str, by_us: bool) -> None:
    end, stream = stream_in(*halves)
    if by_us:
        end.session.reset(stream, RstStatus.CANCEL)
    else:
        end.hear(spdy_peer.words(spdy_peer.RST_STREAM, 1, RstStatus.CANCEL))
    end.session.take_output()
    assert stream.is_gone
    if stream.local == RESET:
        CALLS[move](end, stream)
    assert end.hear(FRAMES[move](end.peer)) == []
    assert end.out() == []
    assert end.session.streams == {}
