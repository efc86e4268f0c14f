"""CURVE against libzmq, in both roles: keys, traffic, heartbeats, and who is turned away."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from tests.curve_ends import ROUTER_KEYS, WORKER_KEYS, client, server
from tests.support.zmtp_wire import Meeting, Wire
from tests.zmtp_peer import dealer_end, router_end

from zerogate.wire.zmtp import KeyPair, NullMechanism, decode_key, encode_key, make_key_pair

pytestmark = pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq has no CURVE")

SIZES = [0, 1, 2, 220, 222, 223, 224, 256, 8191, 65_536, 200_000]
MARKER = b"a marker that nobody on the way may read"


@pytest.fixture(params=["tcp", "ipc"])
def meeting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Meeting]:
    with Meeting(request.param, tmp_path) as meeting:
        yield meeting


def their_dealer(meeting: Meeting, keys: KeyPair = WORKER_KEYS, server_key: bytes = ROUTER_KEYS.public) -> Wire:
    dealer = meeting.libzmq(
        zmq.DEALER,
        curve_serverkey=encode_key(server_key).encode(),
        curve_publickey=encode_key(keys.public).encode(),
        curve_secretkey=encode_key(keys.secret).encode(),
        heartbeat_ivl=100,
        heartbeat_timeout=1000,
        heartbeat_ttl=3000,
    )
    return meeting.bind_ours(router_end(mechanisms=[server()]), dealer)


def their_router(meeting: Meeting, keys: KeyPair = ROUTER_KEYS) -> Wire:
    router = meeting.libzmq(
        zmq.ROUTER,
        curve_server=1,
        curve_publickey=encode_key(keys.public).encode(),
        curve_secretkey=encode_key(keys.secret).encode(),
        heartbeat_ivl=100,
        heartbeat_timeout=1000,
        heartbeat_ttl=3000,
    )
    return meeting.bind_theirs(dealer_end(mechanisms=[client()], identity=b"me"), router)


def test_keys_are_written_as_libzmq_does() -> None:
    public, secret = zmq.curve_keypair()
    assert encode_key(decode_key(public.decode())).encode() == public
    assert zmq.curve_public(encode_key(WORKER_KEYS.secret).encode()) == encode_key(WORKER_KEYS.public).encode()
    assert decode_key(secret.decode()) != decode_key(public.decode())


def test_their_dealer(meeting: Meeting) -> None:
    wire = their_dealer(meeting)
    (dealer,) = meeting.theirs
    wire.handshake()
    assert wire.connection.peer_socket_type == b"DEALER"
    for size in SIZES:
        body = (MARKER * (size // len(MARKER) + 1))[:size]
        dealer.send(body)
        wire.run_until_received(body)
        wire.send([body[:5], body[5:]])
        assert dealer.recv_multipart() == [body]
    dealer.send_multipart([b"parts ", b"", b"are joined"])
    wire.run_until_received(b"parts are joined")
    assert MARKER not in wire.raw + wire.written


def test_their_router(meeting: Meeting) -> None:
    wire = their_router(meeting)
    (router,) = meeting.theirs
    wire.handshake()
    assert wire.connection.peer_socket_type == b"ROUTER"
    for size in SIZES:
        body = (MARKER * (size // len(MARKER) + 1))[:size]
        wire.send([body])
        assert router.recv_multipart() == [b"me", body]
        router.send_multipart([b"me", body])
        wire.run_until_received(body)
    assert MARKER not in wire.raw + wire.written


@pytest.mark.parametrize("is_sealed", [True, False])
def test_where_both_are_taken_their_dealer_chooses(meeting: Meeting, is_sealed: bool) -> None:
    keys = {
        "curve_serverkey": encode_key(ROUTER_KEYS.public).encode(),
        "curve_publickey": encode_key(WORKER_KEYS.public).encode(),
        "curve_secretkey": encode_key(WORKER_KEYS.secret).encode(),
    }
    dealer = meeting.libzmq(zmq.DEALER, **(keys if is_sealed else {}))
    wire = meeting.bind_ours(router_end(mechanisms=[server(), NullMechanism(answers=True)]), dealer)
    wire.handshake()
    dealer.send(MARKER)
    wire.run_until_received(MARKER)
    assert (MARKER not in wire.raw) is is_sealed


@pytest.mark.slow
@pytest.mark.parametrize("meeting", ["tcp"], indirect=True)
@pytest.mark.parametrize("make", [their_dealer, their_router])
def test_heartbeats(meeting: Meeting, make: object) -> None:
    """It pings every 100 ms, and gives up whoever does not answer for a second: the twelfth comes only if we did."""
    wire: Wire = make(meeting)  # type: ignore[operator]
    wire.handshake()
    size = len(wire.raw)
    ping_bytes = len(b"\0\x2e\x07MESSAGE") + 8 + 16 + 1 + 7
    wire.run(lambda: len(wire.raw) - size >= 12 * ping_bytes)
    assert wire.connection.error is None


def test_a_wrong_router_key_at_ours(meeting: Meeting) -> None:
    wire = their_dealer(meeting, server_key=make_key_pair().public)
    wire.run(lambda: wire.connection.error is not None)
    assert "another router key" in str(wire.connection.error)


def test_a_wrong_router_key_at_theirs(meeting: Meeting) -> None:
    wire = their_router(meeting, make_key_pair())
    wire.run(lambda: wire.is_closed)
    assert wire.connection.mechanism.suspicion == "its key is another one than the router key given here"


def test_a_key_that_is_not_listed(meeting: Meeting) -> None:
    wire = their_dealer(meeting, make_key_pair())
    wire.run(lambda: wire.connection.error is not None)
    assert "not listed" in str(wire.connection.error)
