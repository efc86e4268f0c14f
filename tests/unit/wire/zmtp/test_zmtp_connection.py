"""ZMTP 3.1 after the handshake: messages, commands, sealed traffic; each limit met, each way to break it."""

import pytest
from tests.support.each import each
from tests.zmtp_peer import (
    GREETING,
    READY_DEALER,
    RotMechanism,
    assert_fails,
    dealer_end,
    exchange,
    frame,
    item,
    ready_router,
    router_end,
)

from zerogate.wire.zmtp import Connection
from zerogate.wire.zmtp.commands import MAX_PING_CONTEXT_BYTES, MAX_TTL_S
from zerogate.wire.zmtp.states import DEFAULT_MAX_FRAME_BYTES, MAX_COMMAND_BYTES

DEALER = item(b"Socket-Type", b"DEALER")


class TestMessages:
    def test_nothing_is_encoded_before_the_handshake_is_done(self) -> None:
        connection = dealer_end()
        connection.receive(GREETING)
        with pytest.raises(RuntimeError, match="not ready"):
            connection.encode([b"x"])
        with pytest.raises(RuntimeError, match="not ready"):
            connection.ping()

    def test_nothing_is_said_after_a_failure(self) -> None:
        """Who has something to say has not heard of it yet: what is told must be the failure, and nothing else."""
        connection = ready_router()
        connection.receive(b"\x08")
        connection.receive(b"\x08\x00")
        assert connection.encode([b"x"]) == b""
        assert connection.ping() == b""
        assert connection.take_output() == b""
        assert "reserved flags" in str(connection.error)

    @each("size", [0, 1, 2, 254, 255])
    def test_short_form(self, size: int) -> None:
        body = b"x" * size
        assert ready_router().encode([body]) == bytes((0, size)) + body

    @each("size", [256, 257, 65536])
    def test_long_form(self, size: int) -> None:
        body = b"x" * size
        assert ready_router().encode([body]) == b"\x02" + size.to_bytes(8, "big") + body

    def test_chunks_are_one_part(self) -> None:
        connection = ready_router()
        chunks = [b"ab", b"", b"c" * 300]
        assert connection.encode(chunks) == frame(2, b"ab" + b"c" * 300)
        assert chunks == [b"ab", b"", b"c" * 300]
        assert connection.encode([]) == b"\x00\x00"

    @each("flags", [0, 1, 2, 3])
    def test_each_form_is_read(self, flags: int) -> None:
        connection = ready_router()
        assert connection.receive(frame(flags, b"body")) == [b"body"]
        assert connection.receive(frame(flags, b"again")) == [b"again"]

    def test_parts_follow_each_other_and_empty_ones_vanish(self) -> None:
        connection = ready_router()
        data = frame(1, b"") + frame(1, b"a") + frame(3, b"b" * 300) + frame(2, b"") + frame(0, b"") + frame(0, b"c")
        assert connection.receive(data) == [b"a", b"b" * 300, b"c"]
        assert connection.receive(b"\x00\x00") == []
        assert connection.receive(b"") == []

    def test_messages_may_follow_ready_at_once(self) -> None:
        assert router_end().receive(GREETING + READY_DEALER + frame(0, b"early")) == [b"early"]

    def test_a_body_goes_on_as_it_comes(self) -> None:
        connection = ready_router()
        data = frame(2, b"0123456789" * 30)
        assert connection.receive(data[:10]) == [b"0"]
        middle = data[10:300]
        assert connection.receive(middle)[0] is middle
        assert connection.receive(b"") == []
        assert connection.receive(data[300:] + frame(0, b"next")) == [data[300:], b"next"]

    def test_a_header_in_pieces(self) -> None:
        connection = ready_router()
        data = frame(2, b"x" * 300)
        assert [connection.receive(data[i : i + 1]) for i in range(8)] == [[]] * 8
        assert connection.receive(data[8:]) == [b"x" * 300]
        assert connection.receive(b"\x00") == []
        assert connection.receive(b"\x02") == []
        assert connection.receive(b"hi") == [b"hi"]

    def test_what_looks_like_a_frame_within_a_header_is_none(self) -> None:
        connection = ready_router()
        assert connection.receive(b"\x00") == []
        assert connection.receive(b"\x00" + b"\x00\x02") == []  # the end of an empty frame, then the next one's header
        assert connection.receive(b"hi") == [b"hi"]
        assert connection.receive(b"\x01") == []
        assert connection.receive(frame(0, b"ab")) == []  # an empty part, then 2 and "ab": a long frame's first octets
        assert connection.error is None

    def test_what_came_before_an_error_is_given(self) -> None:
        connection = ready_router()
        assert connection.receive(frame(0, b"good") + frame(2, b"too" * 100) + b"\x80\x00" + frame(0, b"no")) == [
            b"good",
            b"too" * 100,
        ]
        assert "reserved flags: 0x80" in str(connection.error)

    @pytest.mark.parametrize("in_pieces", [False, True])
    def test_the_limit_of_a_long_frame(self, in_pieces: bool) -> None:
        for size, is_taken in ((1000, True), (1001, False)):
            connection = ready_router(max_frame_bytes=1000)
            data = frame(2, bytes(size))
            pieces = [data[:5], data[5:]] if in_pieces else [data]
            received = b"".join(part for piece in pieces for part in connection.receive(piece))
            assert received == (bytes(size) if is_taken else b"")
            assert (connection.error is None) == is_taken
        assert "message frame of 1001 octets; the limit is 1000" in str(connection.error)

    def test_a_short_frame_passes_any_limit(self) -> None:
        assert ready_router(max_frame_bytes=1).receive(frame(0, b"x" * 255)) == [b"x" * 255]
        assert ready_router(max_frame_bytes=1).receive(frame(1, b"x" * 255)) == [b"x" * 255]

    @each("size", [DEFAULT_MAX_FRAME_BYTES + 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
    def test_absurd_sizes_are_refused_at_the_header(self, size: int) -> None:
        assert_fails(ready_router(), b"\x02" + size.to_bytes(8, "big"), f"message frame of {size} octets")

    def test_the_largest_size_by_default(self) -> None:
        connection = ready_router()
        assert connection.receive(b"\x02" + DEFAULT_MAX_FRAME_BYTES.to_bytes(8, "big") + b"x") == [b"x"]

    def test_flags(self) -> None:
        """Of 256 flags octets, the handshake takes two and the traffic six."""
        handshake, traffic = set(), set()
        for flags in range(256):
            connection = router_end()
            connection.receive(GREETING + bytes((flags,)) + bytes(8))
            if connection.error is None or "name is malformed" in connection.error.reason:
                handshake.add(flags)
            connection = ready_router()
            connection.receive(bytes((flags,)) + bytes(8))
            if connection.error is None or "name is malformed" in connection.error.reason:
                traffic.add(flags)
        assert handshake == {4, 6}
        assert traffic == {0, 1, 2, 3, 4, 6}


class TestCommands:
    @each("context", [b"", b"c", b"c" * MAX_PING_CONTEXT_BYTES])
    def test_ping_is_answered_with_its_context(self, context: bytes) -> None:
        connection = ready_router()
        assert connection.receive(frame(4, b"\x04PING\x00\x00" + context)) == []
        assert connection.take_output() == frame(4, b"\x04PONG" + context)

    def test_pings_are_answered_in_order_amid_messages(self) -> None:
        connection = ready_router()
        data = frame(0, b"a") + frame(4, b"\x04PING\x00\x00one") + frame(0, b"b") + frame(4, b"\x04PING\x00\x00two")
        assert connection.receive(data) == [b"a", b"b"]
        assert connection.take_output() == frame(4, b"\x04PONGone") + frame(4, b"\x04PONGtwo")

    def test_ping_between_the_parts_of_a_message(self) -> None:
        connection = ready_router()
        assert connection.receive(frame(1, b"a") + frame(4, b"\x04PING\x00\x00") + frame(0, b"b")) == [b"a", b"b"]

    @each(
        ("ttl_s", "octets"),
        [
            (0, b"\x00\x00"),
            (0.01, b"\x00\x01"),
            (0.1, b"\x00\x01"),
            (1.1, b"\x00\x0b"),
            (15, b"\x00\x96"),
            (6553.5, b"\xff\xff"),
        ],
    )
    def test_our_ping(self, ttl_s: float, octets: bytes) -> None:
        assert ready_router().ping(ttl_s, b"ctx") == frame(4, b"\x04PING" + octets + b"ctx")

    def test_our_ping_is_within_the_rfc(self) -> None:
        connection = ready_router()
        assert len(connection.ping(context=bytes(MAX_PING_CONTEXT_BYTES))) == 2 + 5 + 2 + 16
        with pytest.raises(ValueError, match="at most 16"):
            connection.ping(context=bytes(MAX_PING_CONTEXT_BYTES + 1))
        for ttl_s in (-0.1, MAX_TTL_S + 0.1, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="TTL"):
                connection.ping(ttl_s)

    @pytest.mark.parametrize("context", [b"", b"c" * MAX_PING_CONTEXT_BYTES])
    def test_pong_needs_no_answer(self, context: bytes) -> None:
        connection = ready_router()
        assert connection.receive(frame(4, b"\x04PONG" + context)) == []
        assert connection.error is None
        assert connection.take_output() == b""

    @each("name", [b"\x09SUBSCRIBE", b"\x06CANCEL", b"\x04JOIN", b"\x05LEAVE", b"\x07UNKNOWN", b"\x04ping"])
    def test_others_are_ignored(self, name: bytes) -> None:
        connection = ready_router()
        assert connection.receive(frame(4, name + b"data") + frame(6, name) + frame(0, b"on")) == [b"on"]
        assert connection.error is None
        assert connection.take_output() == b""

    def test_the_limit(self) -> None:
        connection = ready_router()
        connection.receive(frame(6, b"\x05OTHER".ljust(MAX_COMMAND_BYTES, b".")))
        assert connection.error is None
        header = b"\x06" + (MAX_COMMAND_BYTES + 1).to_bytes(8, "big")  # refused before its body comes
        assert_fails(connection, header, "command frame of 1025 octets; the limit is 1024")

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            pytest.param(frame(4, b"\x04PING"), "not 0 octets", id="PING without TTL"),
            pytest.param(frame(4, b"\x04PING\x00"), "not 1 octets", id="PING with half a TTL"),
            pytest.param(frame(4, b"\x04PING\x00\x00" + bytes(17)), "not 19 octets", id="PING with a long context"),
            pytest.param(frame(4, b"\x04PONG" + bytes(17)), "at most 16 octets, not 17", id="PONG with a long context"),
            pytest.param(frame(4, b"\x05ERROR\x04gone"), "turned us away: 'gone'", id="ERROR"),
            pytest.param(READY_DEALER, "READY after the handshake", id="READY"),
            pytest.param(frame(4, b""), "name is malformed", id="no name at all"),
            pytest.param(frame(4, b"\x05PING"), "name is malformed", id="name longer than its command"),
            pytest.param(b"\x05\x00", "command frame with the MORE flag", id="MORE"),
        ],
    )
    def test_broken(self, data: bytes, reason: str) -> None:
        assert_fails(ready_router(), data, reason)


class TestSealedTraffic:
    """A mechanism with roles, more steps and a cipher needs nothing from the connection that is not there."""

    def ends(self, **options: object) -> tuple[Connection, Connection]:
        server = router_end(mechanisms=[RotMechanism(is_server=True)], **options)
        client = dealer_end(mechanisms=[RotMechanism(is_server=False)], identity=b"me")
        exchange(server, client)
        return server, client

    def test_handshake(self) -> None:
        server, client = self.ends()
        assert server.is_ready
        assert client.is_ready
        assert server.peer_metadata[b"identity"] == b"me"
        assert client.peer_socket_type == b"ROUTER"

    def test_messages_are_sealed_in_message_frames(self) -> None:
        server, client = self.ends()
        data = client.encode([b"sec", b"ret"])
        assert data == frame(0, b"\x07MESSAGE\x80" + bytes(octet ^ 128 for octet in b"secret"))
        assert server.receive(data) == [b"secret"]
        large = b"x" * 70_000
        assert b"".join(client.receive(server.encode([large]))) == large
        assert client.receive(server.encode([])) == []

    def test_command_frames_are_opened_as_well(self) -> None:
        server, client = self.ends()
        data = client.encode([b"hi"])
        assert server.receive(b"\x04" + data[1:]) == [b"hi"]

    def test_commands_are_sealed_too(self) -> None:
        server, client = self.ends()
        ping = client.ping(1.5, b"ctx")
        assert b"PING" not in ping
        assert server.receive(ping) == []
        pong = server.take_output()
        assert b"PONG" not in pong
        assert client.receive(pong) == []
        assert client.error is None

    def test_a_body_is_given_only_when_it_is_whole(self) -> None:
        server, client = self.ends()
        data = client.encode([b"x" * 1000])
        assert server.receive(data[:1]) + server.receive(data[1:-1]) == []
        assert server.receive(data[-1:]) == [b"x" * 1000]

    def test_clear_traffic_is_refused(self) -> None:
        server, _ = self.ends()
        assert_fails(server, frame(0, b"hello"), "not a sealed message")

    def test_the_limit(self) -> None:
        server, client = self.ends(max_frame_bytes=1000)
        assert server.receive(client.encode([b"x" * 991])) == [b"x" * 991]
        assert_fails(server, client.encode([b"x" * 992]), "message frame of 1001 octets")

    def test_a_step_out_of_turn(self) -> None:
        server = router_end(mechanisms=[RotMechanism(is_server=True)])
        server.take_output()
        greeting = GREETING[:12] + b"ROT".ljust(20, b"\0") + GREETING[32:]
        assert_fails(server, greeting + frame(4, b"\x08INITIATE" + DEALER), "out of turn")
        assert server.take_output() == b""

    def test_a_refused_peer_gets_error_instead_of_the_last_step(self) -> None:
        server = router_end(mechanisms=[RotMechanism(is_server=True)])
        client = Connection(
            socket_type=b"PUB", accepts=frozenset({b"ROUTER"}), mechanisms=[RotMechanism(is_server=False)]
        )
        exchange(server, client)
        assert "'PUB'" in str(server.error)
        assert "turned us away" in str(client.error)
