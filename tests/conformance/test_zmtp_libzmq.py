"""ZMTP against libzmq: our ROUTER end with its DEALER, our DEALER end with its ROUTER, over TCP and Unix sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from tests.support.zmtp_wire import RECV_BYTES, Meeting, Wire
from tests.zmtp_peer import dealer_end, frame, router_end

from zerogate.wire.zmtp import Connection


@pytest.fixture(params=["tcp", "ipc"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def meeting(transport: str, tmp_path: Path) -> Iterator[Meeting]:
    with Meeting(transport, tmp_path) as meeting:
        yield meeting


SIZES = [0, 1, 2, 254, 255, 256, 257, 8191, 8192, 65535, 65536, 200_000]


def parts_of(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


class TestOurRouter:
    """libzmq's DEALER is the worker."""

    def test_handshake(self, meeting: Meeting) -> None:
        dealer = meeting.libzmq(zmq.DEALER, routing_id=b"worker-1")
        wire = meeting.bind_ours(router_end(), dealer)
        wire.handshake()
        assert wire.connection.peer_socket_type == b"DEALER"
        assert wire.connection.peer_metadata[b"identity"] == b"worker-1"

    def test_messages(self, meeting: Meeting) -> None:
        dealer = meeting.libzmq(zmq.DEALER)
        wire = meeting.bind_ours(router_end(), dealer)
        wire.handshake()
        for size in SIZES:
            body = parts_of(size)
            dealer.send(body)
            wire.run_until_received(body)
            wire.send([body])
            assert dealer.recv_multipart() == [body]

    def test_parts_are_joined_and_empty_ones_vanish(self, meeting: Meeting) -> None:
        dealer = meeting.libzmq(zmq.DEALER)
        wire = meeting.bind_ours(router_end(), dealer)
        wire.handshake()
        parts = [b"", b"one", b"", b"two" * 100, b"", b""]
        dealer.send_multipart(parts)
        dealer.send(b"")
        dealer.send(b"end")
        wire.run_until_received(b"".join(parts) + b"end")

    def test_chunks_arrive_as_one_part(self, meeting: Meeting) -> None:
        dealer = meeting.libzmq(zmq.DEALER)
        wire = meeting.bind_ours(router_end(), dealer)
        wire.handshake()
        wire.send([b"a", b"", b"b" * 300])
        wire.send([])
        assert dealer.recv_multipart() == [b"a" + b"b" * 300]
        assert dealer.recv_multipart() == [b""]

    def test_large_messages(self, meeting: Meeting) -> None:
        dealer = meeting.libzmq(zmq.DEALER)
        wire = meeting.bind_ours(router_end(), dealer)
        wire.handshake()
        body = parts_of(3 * 1024 * 1024)
        dealer.send(body)
        wire.run(lambda: sum(map(len, wire.received)) == len(body))
        assert max(map(len, wire.received)) <= RECV_BYTES, "a body was collected"
        assert b"".join(wire.received) == body
        wire.send([body[:100], body[100:]])
        assert dealer.recv() == body

    def test_many_messages_at_once(self, meeting: Meeting) -> None:
        dealer = meeting.libzmq(zmq.DEALER)
        wire = meeting.bind_ours(router_end(), dealer)
        wire.handshake()
        bodies = [parts_of(number % 300) for number in range(5000)]
        for body in bodies:
            dealer.send(body)
        wire.run_until_received(b"".join(bodies))
        wire.stream.sendall(b"".join([wire.connection.encode([body]) for body in bodies]))
        assert [dealer.recv() for _ in bodies] == bodies

    def test_another_socket_type_is_told_to_go(self, meeting: Meeting) -> None:
        push = meeting.libzmq(zmq.PUSH)
        wire = meeting.bind_ours(router_end(), push)
        wire.run(lambda: wire.is_closed)  # by libzmq, for our ERROR
        assert wire.connection.error is not None
        assert "'PUSH'" in wire.connection.error.reason
        assert b"\x05ERROR" in wire.written

    def curve_dealer(self, meeting: Meeting) -> zmq.Socket[bytes]:
        public, secret = zmq.curve_keypair()
        return meeting.libzmq(zmq.DEALER, curve_serverkey=public, curve_publickey=public, curve_secretkey=secret)

    def test_another_mechanism_is_named(self, meeting: Meeting) -> None:
        wire = meeting.bind_ours(router_end(), self.curve_dealer(meeting))
        wire.stream.sendall(
            wire.connection.take_output()[:11]
        )  # up to the version: libzmq sends all of its own, and waits
        wire.run(lambda: wire.connection.error is not None)
        assert str(wire.connection.error) == "the peer's security mechanism is 'CURVE', ours is 'NULL'"

    def test_libzmq_goes_without_a_word_when_it_sees_another_mechanism_first(self, meeting: Meeting) -> None:
        """RFC 37 has it send its own greeting before; it does not, so we cannot say more than that it went."""
        wire = meeting.bind_ours(router_end(), self.curve_dealer(meeting))
        wire.run(lambda: wire.is_closed)
        assert not wire.connection.is_ready


class TestOurDealer:
    """libzmq's ROUTER is the router."""

    def test_handshake(self, meeting: Meeting) -> None:
        router = meeting.libzmq(zmq.ROUTER)
        wire = meeting.bind_theirs(dealer_end(identity=b"worker-1", metadata={b"X-Software": b"zerogate"}), router)
        wire.handshake()
        assert wire.connection.peer_socket_type == b"ROUTER"
        wire.send([b"hello"])
        identity, body = router.recv_multipart(copy=False)
        assert (identity.bytes, body.bytes) == (b"worker-1", b"hello")
        assert body.get("Socket-Type") == "DEALER"
        assert body.get("X-Software") == "zerogate"

    def test_metadata_in_a_long_frame(self, meeting: Meeting) -> None:
        router = meeting.libzmq(zmq.ROUTER)
        identity = bytes(range(1, 256))
        wire = meeting.bind_theirs(dealer_end(identity=identity, metadata={b"X-Long": b"v" * 1000}), router)
        wire.handshake()
        wire.send([b"hello"])
        assert router.recv_multipart() == [identity, b"hello"]

    def test_messages(self, meeting: Meeting) -> None:
        router = meeting.libzmq(zmq.ROUTER)
        wire = meeting.bind_theirs(dealer_end(), router)
        wire.handshake()
        for size in SIZES:
            body = parts_of(size)
            wire.send([body])
            identity, received = router.recv_multipart()
            assert received == body
            router.send_multipart([identity, body])
            wire.run_until_received(body)

    def test_parts_are_joined_and_empty_ones_vanish(self, meeting: Meeting) -> None:
        router = meeting.libzmq(zmq.ROUTER)
        wire = meeting.bind_theirs(dealer_end(identity=b"me"), router)
        wire.handshake()
        wire.send([b"here"])
        assert router.recv_multipart() == [b"me", b"here"]
        parts = [b"", b"one", b"", b"two" * 100, b"", b""]
        router.send_multipart([b"me", *parts])
        router.send_multipart([b"me", b"end"])
        wire.run_until_received(b"".join(parts) + b"end")

    def test_large_messages(self, meeting: Meeting) -> None:
        router = meeting.libzmq(zmq.ROUTER)
        wire = meeting.bind_theirs(dealer_end(identity=b"me"), router)
        wire.handshake()
        body = parts_of(3 * 1024 * 1024)
        wire.send([body])
        assert router.recv_multipart() == [b"me", body]
        router.send_multipart([b"me", body, body])
        wire.run_until_received(body + body)

    def test_a_socket_type_that_libzmq_refuses(self, meeting: Meeting) -> None:
        router = meeting.libzmq(zmq.ROUTER)
        ours = Connection(socket_type=b"PUSH", accepts=frozenset({b"ROUTER"}))
        wire = meeting.bind_theirs(ours, router)
        wire.run(lambda: wire.is_closed)


class TestHeartbeats:
    """Commands in traffic, both ways and at both ends."""

    PINGS = 12

    def assert_libzmq_lives_by_our_pongs(self, wire: Wire) -> None:
        """With an interval of 100 ms and a patience of 1 s, the twelfth PING comes only if the first PONGs counted."""
        wire.handshake()
        wire.run(lambda: wire.raw.count(b"\x04PING") >= self.PINGS)
        assert wire.connection.error is None
        assert wire.received == []
        assert wire.written.count(b"\x04\x05\x04PONG") == wire.raw.count(b"\x04PING")

    @pytest.mark.slow
    def test_libzmq_dealer_pings(self, meeting: Meeting) -> None:
        dealer = meeting.libzmq(zmq.DEALER, heartbeat_ivl=100, heartbeat_timeout=1000, heartbeat_ttl=3000)
        wire = meeting.bind_ours(router_end(), dealer)
        self.assert_libzmq_lives_by_our_pongs(wire)
        dealer.send(b"still here")
        wire.run_until_received(b"still here")

    @pytest.mark.slow
    def test_libzmq_router_pings(self, meeting: Meeting) -> None:
        router = meeting.libzmq(zmq.ROUTER, heartbeat_ivl=100, heartbeat_timeout=1000, heartbeat_ttl=3000)
        wire = meeting.bind_theirs(dealer_end(identity=b"me"), router)
        self.assert_libzmq_lives_by_our_pongs(wire)
        wire.send([b"still here"])
        assert router.recv_multipart() == [b"me", b"still here"]

    def test_libzmq_gives_up_an_end_that_does_not_answer(self, meeting: Meeting) -> None:
        """What makes the two above mean something."""
        dealer = meeting.libzmq(zmq.DEALER, heartbeat_ivl=50, heartbeat_timeout=100)
        wire = meeting.bind_ours(router_end(), dealer)
        wire.handshake()
        while data := wire.stream.recv(RECV_BYTES):
            wire.connection.receive(data)
        assert wire.connection.take_output() != b""

    @pytest.mark.parametrize("context_octets", [b"", b"c", b"0123456789abcdef"])
    @pytest.mark.parametrize("ours", ["router", "dealer"])
    def test_libzmq_answers_our_ping(self, meeting: Meeting, ours: str, context_octets: bytes) -> None:
        if ours == "router":
            wire = meeting.bind_ours(router_end(), meeting.libzmq(zmq.DEALER))
        else:
            wire = meeting.bind_theirs(dealer_end(), meeting.libzmq(zmq.ROUTER))
        wire.handshake()
        wire.raw = b""
        wire.stream.sendall(wire.connection.ping(ttl_s=60, context=context_octets))
        pong = frame(4, b"\x04PONG" + context_octets)
        wire.run(lambda: len(wire.raw) >= len(pong))
        assert wire.raw == pong
        assert wire.received == []
        assert wire.connection.error is None

    def test_commands_that_libzmq_does_not_know_do_not_disturb_it(self, meeting: Meeting) -> None:
        """We ignore such as well: neither end can break the other by a newer minor version."""
        dealer = meeting.libzmq(zmq.DEALER)
        wire = meeting.bind_ours(router_end(), dealer)
        wire.handshake()
        wire.stream.sendall(frame(4, b"\x07UNKNOWN") + wire.connection.encode([b"next"]))
        assert dealer.recv() == b"next"
