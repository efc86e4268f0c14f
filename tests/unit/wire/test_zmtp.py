"""ZMTP 3.1: each rule of RFC 37 that we keep, each limit met, each way to break it."""

import pytest
from tests.zmtp_peer import (
    GREETING,
    READY_DEALER,
    READY_ROUTER,
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
from zerogate.wire.zmtp.commands import MAX_IDENTITY_BYTES, MAX_PING_CONTEXT_BYTES, MAX_REASON_BYTES, MAX_TTL_S
from zerogate.wire.zmtp.states import DEFAULT_MAX_FRAME_BYTES, MAX_COMMAND_BYTES, MAX_HANDSHAKE_COMMAND_BYTES

DEALER = item(b"Socket-Type", b"DEALER")


def ready_router(**options: object) -> Connection:
    """A ROUTER end in traffic, its output taken."""
    connection = router_end(**options)
    assert connection.receive(GREETING + READY_DEALER) == []
    assert connection.is_ready
    connection.take_output()
    return connection


def assert_fails(connection: Connection, data: bytes, reason: str) -> None:
    """`data` is refused for `reason`, typed, and nothing is read after it."""
    assert b"".join(connection.receive(data)) == b""
    assert isinstance(connection.error, ZmtpError)
    assert reason in connection.error.reason
    assert connection.error.__traceback__ is None
    assert not connection.is_ready
    assert "FAILED" in repr(connection)
    first_error = connection.error
    assert connection.receive(frame(0, b"late")) == []
    assert connection.receive(GREETING + READY_DEALER + frame(0, b"late")) == []
    assert connection.error is first_error


class TestGreeting:
    def test_is_sent_at_once_and_once(self) -> None:
        connection = router_end()
        assert connection.take_output() == GREETING
        assert connection.take_output() == b""

    def test_is_the_same_at_both_ends_with_null(self) -> None:
        assert dealer_end().take_output() == GREETING

    def test_says_the_role_with_a_mechanism_that_has_roles(self) -> None:
        for is_server in (True, False):
            output = router_end(mechanism=RotMechanism(is_server=is_server)).take_output()
            assert output[12:33] == b"ROT" + bytes(17) + bytes((is_server,))

    @pytest.mark.parametrize(
        ("start", "end", "octets"),
        [
            pytest.param(1, 9, b"\x00" * 7 + b"\x01", id="padding of a peer that looks for ZMTP 1"),
            pytest.param(1, 9, b"\xff" * 8, id="any padding"),
            pytest.param(11, 12, b"\x00", id="version 3.0"),
            pytest.param(11, 12, b"\x63", id="version 3.99"),
            pytest.param(10, 12, b"\x04\x00", id="version 4.0"),
            pytest.param(32, 33, b"\x01", id="as-server means nothing with NULL"),
            pytest.param(33, 64, b"\x01" * 31, id="a filler that is in use"),
        ],
    )
    def test_accepted(self, start: int, end: int, octets: bytes) -> None:
        connection = router_end()
        connection.receive(GREETING[:start] + octets + GREETING[end:] + READY_DEALER)
        assert connection.is_ready

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            pytest.param(b"\x00", "first octet is 0x00, not 0xff", id="zero"),
            pytest.param(b"GET / HTTP/1.1\r\n", "first octet is 0x47, not 0xff", id="HTTP"),
            pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", "first octet is 0x16, not 0xff", id="TLS"),
            pytest.param(b"\x01\x00", "first octet is 0x01, not 0xff", id="ZMTP 1, anonymous"),
            pytest.param(
                b"\xff" + bytes(7) + b"\x01\x00", "signature ends with 0x00, not 0x7f", id="ZMTP 1, long form"
            ),
            pytest.param(GREETING[:9] + b"\xff", "signature ends with 0xff, not 0x7f", id="signature"),
            pytest.param(GREETING[:10] + b"\x00", "older ZMTP (its version octet is 0)", id="version octet 0"),
            pytest.param(GREETING[:10] + b"\x01\x05\x00\x00", "older ZMTP (its version octet is 1)", id="ZMTP 2.0"),
            pytest.param(GREETING[:10] + b"\x02", "older ZMTP (its version octet is 2)", id="version octet 2"),
        ],
    )
    def test_of_another_protocol_is_refused_at_its_first_wrong_octet(self, data: bytes, reason: str) -> None:
        assert_fails(router_end(), data, reason)

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            (b"CURVE", "'CURVE'"),
            (b"PLAIN", "'PLAIN'"),
            (b"", "''"),
            (b"null", "'null'"),
            (b"NULLS", "'NULLS'"),
            (b"NULL\x00x", r"'NULL\x00x'"),
            (b"\xff" * 20, r"'\xff"),
        ],
    )
    def test_with_another_mechanism_is_refused(self, name: bytes, shown: str) -> None:
        data = GREETING[:12] + name.ljust(20, b"\0") + GREETING[32:]
        connection = router_end()
        assert_fails(connection, data, "ours is 'NULL'")
        assert shown in str(connection.error)

    def test_nothing_follows_ours_until_theirs_is_whole(self) -> None:
        connection = dealer_end()
        connection.take_output()
        connection.receive(GREETING[:63])
        assert connection.take_output() == b""
        connection.receive(GREETING[63:])
        assert connection.take_output() == READY_DEALER


class TestNullHandshake:
    def test_worked_example_of_the_rfc(self) -> None:
        router = router_end()
        router.take_output()
        router.receive(GREETING)
        router.receive(b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00")
        assert router.is_ready
        assert router.take_output() == READY_ROUTER
        assert router.peer_socket_type == b"DEALER"
        assert router.peer_identity == b""

    def test_the_end_that_binds_answers(self) -> None:
        router = router_end()
        router.take_output()
        router.receive(GREETING)
        assert router.take_output() == b""
        assert not router.is_ready

    def test_the_end_that_connects_is_ready_when_answered(self) -> None:
        dealer = dealer_end()
        dealer.receive(GREETING)
        assert dealer.take_output() == GREETING + READY_DEALER
        assert not dealer.is_ready
        dealer.receive(READY_ROUTER)
        assert dealer.is_ready
        assert dealer.take_output() == b""

    def test_metadata_crosses(self) -> None:
        router = router_end(metadata={b"X-Name": b"left"})
        dealer = dealer_end(identity=b"me", metadata={b"X-Empty": b"", b"X-Octets": b"\x00\xff"})
        exchange(router, dealer)
        assert dealer.peer_metadata == {b"socket-type": b"ROUTER", b"x-name": b"left"}
        assert router.peer_metadata == {
            b"socket-type": b"DEALER",
            b"identity": b"me",
            b"x-empty": b"",
            b"x-octets": b"\x00\xff",
        }
        assert router.peer_identity == b"me"
        assert repr(router) == "<zmtp.Connection ROUTER to 'DEALER', FRAME, ready>"

    def test_metadata_of_more_than_255_octets_goes_in_a_long_frame(self) -> None:
        router, dealer = router_end(), dealer_end(identity=b"i" * 255)
        exchange(router, dealer)
        assert router.peer_identity == b"i" * 255

    def test_the_case_of_names_means_nothing(self) -> None:
        connection = router_end()
        connection.receive(GREETING + ready(item(b"SOCKET-type", b"DEALER"), item(b"iDENTITY", b"me")))
        assert connection.peer_identity == b"me"

    def test_a_short_command_may_come_in_the_long_form(self) -> None:
        connection = router_end()
        connection.receive(GREETING + frame(6, READY_DEALER[2:]))
        assert connection.is_ready

    def test_metadata_is_unknown_before(self) -> None:
        connection = router_end()
        assert (connection.peer_metadata, connection.peer_socket_type, connection.peer_identity) == ({}, b"", b"")
        assert repr(connection) == "<zmtp.Connection ROUTER to ?, FIRST_OCTET>"

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            pytest.param(frame(0, b"hi"), "message before the handshake", id="message"),
            pytest.param(b"\x01\x00", "message before the handshake", id="message with MORE"),
            pytest.param(b"\x02\x00", "message before the handshake", id="long message"),
            pytest.param(b"\x05\x00", "command frame with the MORE flag", id="command with MORE"),
            pytest.param(b"\x07\x00", "command frame with the MORE flag", id="long command with MORE"),
            pytest.param(b"\x0c\x00", "reserved flags: 0x0c", id="reserved flag"),
            pytest.param(frame(4, b""), "name is malformed: ''", id="no name at all"),
            pytest.param(frame(4, b"\x00READY"), r"name is malformed: '\x00'", id="empty name"),
            pytest.param(frame(4, b"\x09READY"), r"name is malformed: '\tREADY'", id="name longer than its command"),
            pytest.param(frame(4, b"\x05RE DY"), r"name is malformed: '\x05RE DY'", id="blank in a name"),
            pytest.param(frame(4, b"\x05R\xc9ADY"), r"name is malformed: '\x05R\xc9ADY'", id="a name beyond ASCII"),
            pytest.param(frame(4, b"\x05HELLO"), "expects READY, not 'HELLO'", id="command of another mechanism"),
            pytest.param(frame(4, b"\x04PING\x00\x00"), "expects READY, not 'PING'", id="PING too early"),
            pytest.param(frame(4, b"\x05ready" + DEALER), "expects READY, not 'ready'", id="name in lower case"),
            pytest.param(ready(b"\x0b"), "ends within a property", id="only a name's length"),
            pytest.param(ready(DEALER, b"\x01X\x00\x00\x00"), "ends within a property", id="half a value's length"),
            pytest.param(ready(DEALER[:-1]), "'socket-type' is longer than", id="value cut"),
            pytest.param(ready(DEALER, b"\x01X\xff\xff\xff\xff"), "'x' is longer than", id="value of 4 GiB"),
            pytest.param(ready(DEALER, item(b"", b"v")), "name is malformed: ''", id="property without name"),
            pytest.param(ready(DEALER, item(b"a b", b"")), "name is malformed: 'a b'", id="blank in a property's name"),
            pytest.param(ready(DEALER, item(b"X\n", b"")), r"name is malformed: 'x\n'", id="newline after a name"),
            pytest.param(ready(DEALER, item(b"SOCKET-TYPE", b"DEALER")), "'socket-type' is given twice", id="twice"),
            pytest.param(ready(DEALER, item(b"Identity", b"\0x")), r"identity is malformed: '\x00x'", id="reserved id"),
            pytest.param(frame(4, b"\x05ERROR\x0bInvalid-key"), "turned us away: 'Invalid-key'", id="ERROR"),
            pytest.param(frame(4, b"\x05ERROR\x00"), "turned us away: ''", id="ERROR without reason"),
            pytest.param(
                frame(4, b"\x05ERROR\x01\x07"), r"turned us away: '\x07'", id="ERROR with a control character"
            ),
            pytest.param(frame(4, b"\x05ERROR"), "malformed ERROR: ''", id="ERROR without data"),
            pytest.param(frame(4, b"\x05ERROR\x05oh"), r"malformed ERROR: '\x05oh'", id="ERROR cut"),
            pytest.param(frame(4, b"\x05ERROR\x01ohno"), r"malformed ERROR: '\x01ohno'", id="ERROR with more"),
        ],
    )
    def test_broken(self, data: bytes, reason: str) -> None:
        for at_once in (True, False):
            connection = router_end()
            connection.take_output()
            if not at_once:
                connection.receive(GREETING)
            assert_fails(connection, GREETING + data if at_once else data, reason)
            assert connection.take_output() == b""

    @pytest.mark.parametrize(
        ("items", "shown"),
        [((item(b"Socket-Type", b"PUB"),), "'PUB'"), ((), "''"), ((DEALER[:-6] + b"dealer",), "'dealer'")],
    )
    def test_a_wrong_socket_type_gets_an_error_instead_of_ready(self, items: tuple[bytes, ...], shown: str) -> None:
        connection = router_end()
        connection.take_output()
        assert_fails(connection, GREETING + ready(*items), f"the peer is a {shown} socket, none of DEALER,XREQ")
        answer = connection.take_output()
        reason = b"Socket-Type-is-none-of:DEALER,XREQ"
        assert answer == frame(4, b"\x05ERROR" + bytes((len(reason),)) + reason)

    def test_the_peer_hears_why_it_was_refused(self) -> None:
        router, push = router_end(), Connection(socket_type=b"PUSH", accepts=frozenset({b"ROUTER"}))
        exchange(router, push)
        assert "turned us away: 'Socket-Type-is-none-of:DEALER,XREQ'" in str(push.error)

    def test_the_reason_of_an_error_has_at_most_255_octets(self) -> None:
        accepts = frozenset(b"TYPE%02d" % number for number in range(99))
        connection = Connection(socket_type=b"ROUTER", accepts=accepts)
        connection.take_output()
        connection.receive(GREETING + READY_DEALER)
        answer = connection.take_output()
        assert answer[9 : 9 + 7] == b"\x05ERROR\xff"
        assert len(answer) == 9 + 7 + MAX_REASON_BYTES

    def test_the_limit_of_a_command(self) -> None:
        overhead = len(b"\x05READY" + DEALER + item(b"X-Fill", b""))
        fill = MAX_HANDSHAKE_COMMAND_BYTES - overhead
        connection = router_end()
        connection.receive(GREETING + ready(DEALER, item(b"X-Fill", bytes(fill))))
        assert connection.is_ready
        header = ready(DEALER, item(b"X-Fill", bytes(fill + 1)))[:9]  # refused before its body comes
        assert_fails(router_end(), GREETING + header, "command frame of 16385 octets; the limit is 16384")

    def test_the_limit_of_an_identity(self) -> None:
        connection = router_end()
        connection.receive(GREETING + ready(DEALER, item(b"Identity", b"i" * MAX_IDENTITY_BYTES)))
        assert connection.is_ready
        too_long = ready(DEALER, item(b"Identity", b"i" * (MAX_IDENTITY_BYTES + 1)))
        assert_fails(router_end(), GREETING + too_long, "identity is malformed: 'iii")


class TestConfiguration:
    @pytest.mark.parametrize("identity", [b"i" * 256, b"\x00", b"\x00abc"])
    def test_identity_not_allowed(self, identity: bytes) -> None:
        with pytest.raises(ValueError, match="identity"):
            dealer_end(identity=identity)

    @pytest.mark.parametrize("name", [b"", b"X" * 256, b"X Y", b"X:Y", b"X\xe9", b"X\n"])
    def test_property_name_not_allowed(self, name: bytes) -> None:
        with pytest.raises(ValueError, match="property name"):
            dealer_end(metadata={name: b""})


class TestMessages:
    def test_nothing_is_encoded_before_the_handshake_is_done(self) -> None:
        connection = dealer_end()
        connection.receive(GREETING)
        with pytest.raises(RuntimeError, match="not ready"):
            connection.encode([b"x"])
        with pytest.raises(RuntimeError, match="not ready"):
            connection.ping()

    def test_nothing_is_encoded_after_a_failure(self) -> None:
        connection = ready_router()
        connection.receive(b"\x08")
        connection.receive(b"\x08\x00")
        with pytest.raises(RuntimeError, match="FAILED"):
            connection.encode([b"x"])

    @pytest.mark.parametrize("size", [0, 1, 2, 254, 255])
    def test_short_form(self, size: int) -> None:
        body = b"x" * size
        assert ready_router().encode([body]) == bytes((0, size)) + body

    @pytest.mark.parametrize("size", [256, 257, 65536])
    def test_long_form(self, size: int) -> None:
        body = b"x" * size
        assert ready_router().encode([body]) == b"\x02" + size.to_bytes(8, "big") + body

    def test_chunks_are_one_part(self) -> None:
        connection = ready_router()
        chunks = [b"ab", b"", b"c" * 300]
        assert connection.encode(chunks) == frame(2, b"ab" + b"c" * 300)
        assert chunks == [b"ab", b"", b"c" * 300]
        assert connection.encode([]) == b"\x00\x00"

    @pytest.mark.parametrize("flags", [0, 1, 2, 3])
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

    @pytest.mark.parametrize("size", [DEFAULT_MAX_FRAME_BYTES + 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
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
    @pytest.mark.parametrize("context", [b"", b"c", b"c" * MAX_PING_CONTEXT_BYTES])
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

    @pytest.mark.parametrize(("octets", "seconds"), [(b"\x00\x00", 0), (b"\x00\x0f", 1.5), (b"\xff\xff", MAX_TTL_S)])
    def test_the_last_ttl_is_kept(self, octets: bytes, seconds: float) -> None:
        connection = ready_router()
        assert connection.peer_ttl_s == 0
        connection.receive(frame(4, b"\x04PING\x00\x07") + frame(4, b"\x04PING" + octets))
        assert connection.peer_ttl_s == seconds

    @pytest.mark.parametrize(
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

    @pytest.mark.parametrize(
        "name", [b"\x09SUBSCRIBE", b"\x06CANCEL", b"\x04JOIN", b"\x05LEAVE", b"\x07UNKNOWN", b"\x04ping"]
    )
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
        server = router_end(mechanism=RotMechanism(is_server=True), **options)
        client = dealer_end(mechanism=RotMechanism(is_server=False), identity=b"me")
        exchange(server, client)
        return server, client

    def test_handshake(self) -> None:
        server, client = self.ends()
        assert server.is_ready
        assert client.is_ready
        assert server.peer_identity == b"me"
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
        assert server.peer_ttl_s == 1.5
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
        server = router_end(mechanism=RotMechanism(is_server=True))
        server.take_output()
        greeting = GREETING[:12] + b"ROT".ljust(20, b"\0") + GREETING[32:]
        assert_fails(server, greeting + frame(4, b"\x08INITIATE" + DEALER), "out of turn")
        assert server.take_output() == b""

    def test_a_refused_peer_gets_error_instead_of_the_last_step(self) -> None:
        server = router_end(mechanism=RotMechanism(is_server=True))
        client = Connection(socket_type=b"PUB", accepts=frozenset({b"ROUTER"}), mechanism=RotMechanism(is_server=False))
        exchange(server, client)
        assert "'PUB'" in str(server.error)
        assert "turned us away" in str(client.error)
