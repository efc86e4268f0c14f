"""ZMTP 3.1, greeting and handshake: each rule of RFC 37 that we keep, each limit met, each way to break it."""

import pytest
from tests.support.each import each
from tests.zmtp_peer import (
    GREETING,
    READY_DEALER,
    READY_ROUTER,
    RotMechanism,
    assert_fails,
    dealer_end,
    exchange,
    frame,
    item,
    ready,
    router_end,
)

from zerogate.wire.zmtp import Connection
from zerogate.wire.zmtp.commands import MAX_IDENTITY_BYTES, MAX_REASON_BYTES
from zerogate.wire.zmtp.states import MAX_HANDSHAKE_COMMAND_BYTES

DEALER = item(b"Socket-Type", b"DEALER")


class TestGreeting:
    def test_is_sent_at_once_and_once(self) -> None:
        connection = router_end()
        assert connection.take_output() == GREETING
        assert connection.take_output() == b""

    def test_is_the_same_at_both_ends_with_null(self) -> None:
        assert dealer_end().take_output() == GREETING

    def test_says_the_role_with_a_mechanism_that_has_roles(self) -> None:
        for is_server in (True, False):
            output = router_end(mechanisms=[RotMechanism(is_server=is_server)]).take_output()
            assert output[12:33] == b"ROT" + bytes(17) + bytes((is_server,))

    def test_carries_a_mark(self) -> None:
        mark = bytes(range(1, 9))
        greeting = router_end(mark=mark).take_output()
        assert greeting == GREETING[:1] + mark + GREETING[9:]
        for cut in range(1, 10):
            peer = dealer_end()
            assert not any(peer.peer_mark)
            peer.receive(greeting[:cut])
            peer.receive(greeting[cut:])
            assert peer.peer_mark == mark
        with pytest.raises(ValueError, match="8 octets"):
            router_end(mark=b"short")

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
            pytest.param(b"GET / HTTP/1.1\r\n", "first octet is 0x47, not 0xff", id="HTTP, by its octet"),
            *(
                pytest.param(method + b" / HTTP/1.1\r\n", "this is HTTP: the port is for workers", id=method.decode())
                for method in (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"CONNECT", b"PRI *")
            ),
            pytest.param(b"G", "this is HTTP: the port is for workers", id="a part of a method"),
            pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", "first octet is 0x16, not 0xff", id="TLS, by its octet"),
            pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", "this is TLS: the port is for workers", id="TLS"),
            pytest.param(b"SSH-2.0", "first octet is 0x53, not 0xff", id="SSH"),
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

    def test_who_dials_the_wrong_port_is_told_so(self) -> None:
        reason = "this is HTTP: the port for workers is another one"
        assert_fails(dealer_end(), b"HTTP/1.1 400 Bad Request\r\n", reason)

    @each(
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
        assert router.peer_metadata[b"identity"] == b""

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
        assert repr(router) == "<zmtp.Connection ROUTER to 'DEALER', FRAME, ready>"

    def test_metadata_of_more_than_255_octets_goes_in_a_long_frame(self) -> None:
        router, dealer = router_end(), dealer_end(identity=b"i" * 255)
        exchange(router, dealer)
        assert router.peer_metadata[b"identity"] == b"i" * 255

    def test_the_case_of_names_means_nothing(self) -> None:
        connection = router_end()
        connection.receive(GREETING + ready(item(b"SOCKET-type", b"DEALER"), item(b"iDENTITY", b"me")))
        assert connection.peer_metadata[b"identity"] == b"me"

    def test_a_short_command_may_come_in_the_long_form(self) -> None:
        connection = router_end()
        connection.receive(GREETING + frame(6, READY_DEALER[2:]))
        assert connection.is_ready

    def test_metadata_is_unknown_before(self) -> None:
        connection = router_end()
        assert (connection.peer_metadata, connection.peer_socket_type) == ({}, b"")
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

    @each(
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
    @each("identity", [b"i" * 256, b"\x00", b"\x00abc"])
    def test_identity_not_allowed(self, identity: bytes) -> None:
        with pytest.raises(ValueError, match="identity"):
            dealer_end(identity=identity)

    @each("name", [b"", b"X" * 256, b"X Y", b"X:Y", b"X\xe9", b"X\n"])
    def test_property_name_not_allowed(self, name: bytes) -> None:
        with pytest.raises(ValueError, match="property name"):
            dealer_end(metadata={name: b""})
