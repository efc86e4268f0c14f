"""ZMTP: however the input is cut, the same comes out; whatever the input is, nothing but a ZmtpError."""

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
    return router_end(mechanism=RotMechanism(is_server=True), max_frame_bytes=LIMIT)


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


def streams(greeting: bytes, handshake: bytes, traffic: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """What a peer may send, mostly right: sound up to some point, then wrong, cut off or neither."""
    join = b"".join
    opening = st.just(greeting + handshake) | st.builds(lambda r: greeting + r, readies) | st.binary(max_size=70)
    sound = st.builds(lambda start, frames: start + join(frames), opening, st.lists(traffic, max_size=8))
    cut = st.builds(lambda data, end: data[: end % (len(data) + 1)], sound, st.integers(0, 5000))
    flipped = st.builds(
        lambda data, at, bits: (
            data and data[: at % len(data)] + bytes((data[at % len(data)] ^ bits,)) + data[at % len(data) + 1 :]
        ),
        sound,
        st.integers(0, 5000),
        st.integers(1, 255),
    )
    return sound | cut | flipped | st.builds(bytes.__add__, sound, st.binary(max_size=40))


clear_streams = streams(GREETING, READY_DEALER, messages | messages | pings | commands)
sealed_streams = streams(
    ROT_GREETING,
    frame(4, b"\x05HELLO") + frame(4, b"\x08INITIATE" + item(b"Socket-Type", b"DEALER")),
    sealed_frames | sealed_frames | commands,
)


def cut_at(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


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
        connection.peer_ttl_s,
    )


def assert_cuts_mean_nothing(make: Callable[[], Connection], data: bytes, cuts: list[int]) -> None:
    whole = outcome(make(), [data])
    assert outcome(make(), cut_at(data, cuts)) == whole
    assert outcome(make(), [data[i : i + 1] for i in range(len(data))]) == whole


@given(data=clear_streams, cuts=st.lists(st.integers(0, 10_000), max_size=12))
@example(data=b"", cuts=[])
@example(data=GREETING + READY_DEALER + b"\x02" + (LIMIT + 1).to_bytes(8, "big"), cuts=[95])
def test_cuts_mean_nothing_in_clear(data: bytes, cuts: list[int]) -> None:
    assert_cuts_mean_nothing(clear, data, cuts)


@given(data=sealed_streams, cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_cuts_mean_nothing_when_sealed(data: bytes, cuts: list[int]) -> None:
    assert_cuts_mean_nothing(sealed, data, cuts)


@given(
    make=st.sampled_from([clear, sealed, dealer_end]),
    start=st.sampled_from([b"", GREETING[:10], GREETING, ROT_GREETING, GREETING + READY_DEALER, GREETING + b"\x04"]),
    chunks=st.lists(st.binary(max_size=100), max_size=10),
)
def test_garbage_is_a_typed_error_or_nothing(make: Callable[[], Connection], start: bytes, chunks: list[bytes]) -> None:
    outcome(make(), [start, *chunks])


@given(
    messages=st.lists(st.lists(st.binary(max_size=20) | octets, max_size=5), max_size=8),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
    context=st.binary(max_size=16),
    is_sealed=st.booleans(),
    from_router=st.booleans(),
)
def test_what_is_encoded_is_received(
    messages: list[list[bytes]], cuts: list[int], context: bytes, is_sealed: bool, from_router: bool
) -> None:
    router = router_end(mechanism=RotMechanism(is_server=True) if is_sealed else None)
    dealer = dealer_end(mechanism=RotMechanism(is_server=False) if is_sealed else None)
    exchange(router, dealer)
    sender, receiver = (router, dealer) if from_router else (dealer, router)
    data = b"".join([sender.encode(chunks) for chunks in messages] + [sender.ping(context=context)])
    received = b"".join(part for chunk in cut_at(data, cuts) for part in receiver.receive(chunk))
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
