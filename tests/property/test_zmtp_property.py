"""ZMTP: however the input is cut, the same comes out; whatever the input is, nothing but a ZmtpError."""

import itertools
from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st
from tests.zmtp_peer import (
    GREETING,
    READY_DEALER,
    RotCipher,
    RotMechanism,
    dealer_end,
    exchange,
    frame,
    item,
    ready,
    router_end,
)

from zerogate.errors import ZmtpError
from zerogate.wire.zmtp import Connection
from zerogate.wire.zmtp.commands import encode_metadata, parse_metadata

ROT_GREETING = GREETING[:12] + b"ROT".ljust(20, b"\0") + GREETING[32:]
LIMIT = 2000  # for long frames: within reach of these inputs


def clear() -> Connection:
    return router_end(max_frame_bytes=LIMIT)


def sealed() -> Connection:
    return router_end(mechanisms=[RotMechanism(is_server=True)], max_frame_bytes=LIMIT)


octets = st.binary(max_size=30) | st.builds(bytes, st.integers(0, LIMIT + 9))
names = st.sampled_from([b"PING", b"PONG", b"ERROR", b"READY", b"OTHER", b"", b"N\0"])
command_bodies = st.builds(lambda name, data: bytes((len(name),)) + name + data, names, octets)
long_or_short = st.sampled_from([0, 2])


def framed(flags: int, body: bytes, form: int) -> bytes:
    return frame(flags | (2 if len(body) > 255 else form), body)


messages = st.builds(framed, st.sampled_from([0, 1]), octets, long_or_short)
commands = st.builds(framed, st.just(4), command_bodies, long_or_short)
pings = st.builds(lambda context: frame(4, b"\x04PING\x00\x05" + context), st.binary(max_size=16))
sealed_frames = st.builds(
    lambda payload, is_command, flags, form: framed(flags, RotCipher().seal(payload, is_command=is_command), form),
    octets,
    st.booleans(),
    st.sampled_from([0, 1, 4]),
    long_or_short,
)
readies = st.builds(
    lambda *items: ready(*items),
    st.sampled_from([item(b"Socket-Type", b"DEALER"), item(b"Socket-Type", b"PUB"), b""]),
    st.builds(item, st.sampled_from([b"Identity", b"X-A", b"", b"socket-type"]), octets),
)


def streams(
    greeting: bytes, handshake: list[bytes], traffic: st.SearchStrategy[bytes]
) -> st.SearchStrategy[list[bytes]]:
    """What a peer may send, frame by frame: mostly right up to some point; then wrong, cut off or neither."""
    opening = (
        st.just([greeting, *handshake])
        | st.builds(lambda ready: [greeting, ready], readies)
        | st.builds(lambda frame: [greeting, frame], traffic)
        | st.builds(lambda garbage: [garbage], st.binary(max_size=70))
    )
    sound = st.builds(list.__add__, opening, st.lists(traffic, max_size=8))
    return sound | st.builds(damage, sound, st.integers(0, 20), st.integers(0, 5000), st.integers(0, 255))


def damage(frames: list[bytes], which: int, at: int, bits: int) -> list[bytes]:
    """Flip bits of one octet, or with no bits to flip, cut the frame there."""
    which %= len(frames)
    octets = frames[which]
    at %= len(octets) + 1
    middle = bytes(octet ^ bits for octet in octets[at : at + 1])
    return [*frames[:which], octets[:at] + middle + (octets[at + 1 :] if bits else b""), *frames[which + 1 :]]


clear_streams = streams(GREETING, [READY_DEALER], messages | messages | pings | commands)
sealed_streams = streams(
    ROT_GREETING,
    [frame(4, b"\x05HELLO"), frame(4, b"\x08INITIATE" + item(b"Socket-Type", b"DEALER"))],
    sealed_frames | sealed_frames | commands,
)


cuts = st.lists(st.tuples(st.integers(0, 10), st.integers(-3, 10) | st.integers(0, 5000)), max_size=12)
"""Pairs: the number of a frame, and how far from its start. Most bugs live about a frame's header."""


def cut(frames: list[bytes], cuts: list[tuple[int, int]]) -> list[bytes]:
    data = b"".join(frames)
    starts = [0, *itertools.accumulate(map(len, frames))]
    places = sorted((starts[number % len(starts)] + offset) % (len(data) + 1) for number, offset in cuts)
    return [data[a:b] for a, b in itertools.pairwise([0, *places, len(data)])]


def outcome(connection: Connection, chunks: list[bytes]) -> tuple[object, ...]:
    """Everything that can be seen of a connection that was given these chunks."""
    received, output = [], [connection.take_output()]
    for chunk in chunks:
        received += connection.receive(chunk)
        output.append(connection.take_output())
    error = connection.error
    assert error is None or type(error) is ZmtpError
    assert all(received), "an empty piece"
    return (
        b"".join(received),
        b"".join(output),
        error and error.reason,
        connection.is_ready,
        connection.peer_metadata,
    )


def assert_cuts_mean_nothing(make: Callable[[], Connection], frames: list[bytes], cuts: list[tuple[int, int]]) -> None:
    data = b"".join(frames)
    whole = outcome(make(), [data])
    assert outcome(make(), cut(frames, cuts)) == whole
    assert outcome(make(), frames) == whole
    assert outcome(make(), [data[i : i + 1] for i in range(len(data))]) == whole


@given(frames=clear_streams, cuts=cuts)
@example(frames=[GREETING, READY_DEALER, b"\x02" + (LIMIT + 1).to_bytes(8, "big")], cuts=[(2, 1)])
def test_cuts_mean_nothing_in_clear(frames: list[bytes], cuts: list[tuple[int, int]]) -> None:
    assert_cuts_mean_nothing(clear, frames, cuts)


@given(frames=sealed_streams, cuts=cuts)
def test_cuts_mean_nothing_when_sealed(frames: list[bytes], cuts: list[tuple[int, int]]) -> None:
    assert_cuts_mean_nothing(sealed, frames, cuts)


@given(
    make=st.sampled_from([clear, sealed, dealer_end]),
    start=st.sampled_from([b"", GREETING[:10], GREETING, ROT_GREETING, GREETING + READY_DEALER, GREETING + b"\x04"]),
    chunks=st.lists(st.binary(max_size=100), max_size=10),
)
def test_garbage_is_a_typed_error_or_nothing(make: Callable[[], Connection], start: bytes, chunks: list[bytes]) -> None:
    outcome(make(), [start, *chunks])


@given(
    messages=st.lists(st.lists(st.binary(max_size=20) | octets, max_size=5), max_size=8),
    cuts=cuts,
    context=st.binary(max_size=16),
    is_sealed=st.booleans(),
    from_router=st.booleans(),
)
def test_what_is_encoded_is_received(
    messages: list[list[bytes]], cuts: list[tuple[int, int]], context: bytes, is_sealed: bool, from_router: bool
) -> None:
    router = router_end(mechanisms=[RotMechanism(is_server=True)] if is_sealed else [])
    dealer = dealer_end(mechanisms=[RotMechanism(is_server=False)] if is_sealed else [])
    exchange(router, dealer)
    sender, receiver = (router, dealer) if from_router else (dealer, router)
    frames = [*(sender.encode(chunks) for chunks in messages), sender.ping(context=context)]
    received = b"".join(part for chunk in cut(frames, cuts) for part in receiver.receive(chunk))
    assert received == b"".join(b"".join(chunks) for chunks in messages)
    pong = receiver.take_output()
    if not is_sealed:
        assert pong == frame(4, b"\x04PONG" + context)
    assert sender.receive(pong) == []
    assert (sender.error, receiver.error) == (None, None)


property_names = st.from_regex(rb"[A-Za-z0-9\-_.+]{1,255}", fullmatch=True)


@given(properties=st.dictionaries(property_names, st.binary(max_size=300), max_size=6))
def test_metadata_round_trip(properties: dict[bytes, bytes]) -> None:
    lowered = {name.lower(): value for name, value in properties.items()}
    assert parse_metadata(encode_metadata(lowered)) == lowered


@given(data=st.binary(max_size=60))
def test_metadata_that_is_taken_is_what_was_written(data: bytes) -> None:
    try:
        properties = parse_metadata(data)
    except ZmtpError:
        return
    assert encode_metadata(properties).lower() == data.lower()
