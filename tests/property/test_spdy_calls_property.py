"""A session is asked for things, good and bad: a call that raises changes nothing, and the output is always octets."""

import struct
from typing import Any, cast

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests import spdy_peer
from tests.spdy_end import BLOCK, End
from tests.support.snapshot import snapshot

from zerogate.errors import ZerogateError
from zerogate.wire.spdy.events import StreamOpened
from zerogate.wire.spdy.headers import MAX_BLOCK_BYTES, encode_block
from zerogate.wire.spdy.streams import Stream, StreamStateError

TOO_LARGE = encode_block({b"x": bytes(b"y" * MAX_BLOCK_BYTES)})
FULL = encode_block({b"x": b"y" * (MAX_BLOCK_BYTES - 13)})
BAD_TYPES = [None, 5, "text", ["a"], 1.5]

blocks: Any = st.sampled_from(
    [BLOCK, BLOCK, BLOCK, FULL, TOO_LARGE, bytearray(BLOCK), memoryview(BLOCK), bytearray(TOO_LARGE), *BAD_TYPES]
)
bodies: Any = st.one_of(
    st.sampled_from([b"", b"x", b"x" * 1000, b"x" * 65536, b"x" * 65537, b"x" * 200_000]),
    st.sampled_from([bytearray(b"abc"), memoryview(b"abc"), memoryview(b"abcdef")[::2], *BAD_TYPES]),
    st.builds(lambda: memoryview(b"abcd").cast("I")),
)
numbers: Any = st.sampled_from([0, 1, 5, 100, 2**31, 2**32 - 1, 2**32, -1, None, "5"])
places = st.integers(0, 3)
flags = st.booleans()

calls: Any = st.one_of(
    st.tuples(st.just("open_stream"), blocks, flags),
    st.tuples(st.just("send_reply"), places, blocks, flags),
    st.tuples(st.just("send_whole_reply"), places, blocks, bodies),
    st.tuples(st.just("send_headers"), places, blocks, flags),
    st.tuples(st.just("send_data"), places, bodies, flags),
    st.tuples(st.just("reset"), places, numbers),
    st.tuples(st.just("consumed"), places, numbers),
    st.tuples(st.just("set_max_concurrent"), numbers),
    st.tuples(st.just("goaway"), numbers),
    st.tuples(st.just("receive"), st.sampled_from(BAD_TYPES)),
    st.tuples(st.sampled_from(["hold", "release", "take_output"])),
    st.tuples(st.just("peer opens"), st.booleans()),
    st.tuples(st.just("peer sends"), places, st.sampled_from([b"", b"x" * 1000, b"x" * 60_000])),
    st.tuples(st.just("peer gives credit"), places, st.sampled_from([1, 1000, 100_000])),
)
WITH_STREAM = ("send_reply", "send_whole_reply", "send_headers", "send_data", "reset", "consumed")
RAISED = (ZerogateError, StreamStateError, TypeError, ValueError, struct.error)


def call(end: End, streams: list[Stream], name: str, arguments: tuple[Any, ...]) -> None:
    session = end.session
    if name == "peer opens":
        stream_id = session._table.peer_id + 2 | 1
        events = end.hear(end.peer.syn_stream(stream_id, fin=arguments[0]))
        streams += [event.stream for event in events if isinstance(event, StreamOpened)]
    elif name == "peer sends":
        place, data = arguments
        if streams:
            end.hear(spdy_peer.data(streams[place % len(streams)].id, data))
    elif name == "peer gives credit":
        place, delta = arguments
        stream_id = streams[place % len(streams)].id if streams else 0
        end.hear(spdy_peer.words(spdy_peer.WINDOW_UPDATE, stream_id, delta))
    else:
        if name in WITH_STREAM:
            if not streams:
                return
            arguments = (streams[arguments[0] % len(streams)], *arguments[1:])
        made = getattr(session, name)(*arguments)
        if name == "open_stream":
            streams.append(made)
        elif name == "take_output":
            assert all(type(piece) is bytes for piece in made)


@settings(deadline=None)
@given(drawn=st.lists(calls, max_size=25), window=st.sampled_from([1, 1000, 262144]))
# The windows of the session and the stream are asked first, and the block is too large.
@example(drawn=[("peer opens", True), ("send_whole_reply", 0, TOO_LARGE, b"x" * 1000)], window=262144)
@example(drawn=[("peer opens", True), ("send_whole_reply", 0, BLOCK, "text")], window=262144)
@example(drawn=[("peer opens", True), ("send_whole_reply", 0, None, b"x")], window=262144)
@example(drawn=[("goaway", 2**32)], window=262144)
@example(drawn=[("open_stream", "text", False)], window=262144)
def test_a_call_that_raises_has_changed_nothing(drawn: list[tuple[Any, ...]], window: int) -> None:
    end = End(opens_odd=False)
    end.hear(spdy_peer.settings((7, window)))
    streams: list[Stream] = []
    for name, *arguments in drawn:
        before = snapshot([end.session, streams], {})
        try:
            call(end, streams, name, tuple(arguments))
        except RAISED:
            assert snapshot([end.session, streams], {}) == before, (name, arguments)
    output = end.session.take_output()
    assert all(type(piece) is bytes for piece in output)
    b"".join(output)


@settings(deadline=None)
@given(piece=st.binary(min_size=1, max_size=70_000), held=st.booleans(), data=st.data())
def test_what_is_given_to_send_is_the_callers_again(piece: bytes, held: bool, data: st.DataObject) -> None:
    """A buffer may be written over as soon as the call is back."""
    kind = data.draw(st.sampled_from([bytes, bytearray, memoryview]))
    end = End(opens_odd=True)
    stream = end.opened()
    if held:
        end.session.hold()
    buffer = bytearray(piece)
    end.session.send_data(stream, cast(bytes, memoryview(buffer) if kind is memoryview else kind(buffer)), True)
    buffer[:] = bytes(len(buffer))
    end.session.release()
    sent = [frame.body for frame in end.out() if frame.kind == "DATA"]
    end.hear(spdy_peer.words(spdy_peer.WINDOW_UPDATE, 0, 100_000), spdy_peer.words(spdy_peer.WINDOW_UPDATE, 1, 100_000))
    sent += [frame.body for frame in end.out() if frame.kind == "DATA"]
    assert b"".join(sent) == piece
