"""Commands and property lists: what is written is read, what is malformed is refused."""

import pytest
from tests.support.each import each
from tests.zmtp_peer import item

from zerogate.errors import ZmtpError
from zerogate.wire.zmtp import commands


def test_a_command_and_its_name() -> None:
    assert commands.command(b"PING", b"x") == b"\x04PINGx"
    assert commands.split_command(b"\x04PINGx") == (b"PING", b"x")
    assert commands.split_command(b"\x01A") == (b"A", b"")


@each("body", [b"", b"\x00", b"\x00x", b"\x05PING", b"\x02P1", b"\x02P ", b"\x01\xe9"])
def test_a_malformed_name(body: bytes) -> None:
    with pytest.raises(ZmtpError, match="name is malformed"):
        commands.split_command(body)


@each(("ttl_s", "read"), [(0, 0), (0.1, 0.1), (0.01, 0.1), (15, 15), (6553.5, 6553.5)])
def test_a_ping(ttl_s: float, read: float) -> None:
    name, data = commands.split_command(commands.encode_ping(ttl_s, b"c" * 16))
    assert (name, commands.parse_ping(data)) == (b"PING", (read, b"c" * 16))


@each(("ttl_s", "context"), [(-1, b""), (6553.6, b""), (0, b"c" * 17)])
def test_a_ping_that_cannot_be_said(ttl_s: float, context: bytes) -> None:
    with pytest.raises(ValueError, match="PING"):
        commands.encode_ping(ttl_s, context)


@each("data", [b"", b"\x00", bytes(19)])
def test_a_malformed_ping(data: bytes) -> None:
    with pytest.raises(ZmtpError, match="PING"):
        commands.parse_ping(data)


def test_a_pong() -> None:
    assert commands.parse_pong(b"c" * 16) == b"c" * 16
    with pytest.raises(ZmtpError, match="PONG"):
        commands.parse_pong(b"c" * 17)


def test_an_error() -> None:
    _, data = commands.split_command(commands.encode_error(b"x" * 300))
    assert commands.parse_error(data).reason == f"the peer turned us away: '{'x' * 255}'"
    for malformed in (b"", b"\x02a", b"\x01ab"):
        assert "malformed ERROR" in commands.parse_error(malformed).reason


def test_metadata() -> None:
    properties = {b"Socket-Type": b"DEALER", b"X-a_b.c+d": bytes(1000)}
    written = commands.encode_metadata(properties)
    assert written == b"".join(item(name, value) for name, value in properties.items())
    assert commands.parse_metadata(written) == {name.lower(): value for name, value in properties.items()}
    assert commands.parse_metadata(b"") == {}


@each("name", [b"", b"a b", b"a:b", b"\xe9", b"x" * 256])
def test_a_property_that_cannot_be_said(name: bytes) -> None:
    with pytest.raises(ValueError, match="property name"):
        commands.encode_metadata({name: b""})


@each(
    ("data", "reason"),
    [
        (b"\x01", "ends within a property"),
        (b"\x01a\x00\x00\x00", "ends within a property"),
        (b"\x01a\x00\x00\x00\x02b", "longer than the command"),
        (item(b"", b""), "name is malformed"),
        (item(b"a b", b""), "name is malformed"),
        (item(b"a", b"1") + item(b"A", b"2"), "given twice"),
    ],
)
def test_malformed_metadata(data: bytes, reason: str) -> None:
    with pytest.raises(ZmtpError, match=reason):
        commands.parse_metadata(data)


def test_identities() -> None:
    assert all(map(commands.is_identity, (b"", b"a", b"a\0", b"a" * 255)))
    assert not any(map(commands.is_identity, (b"\0", b"\0a", b"a" * 256)))


def test_what_a_peer_said_is_fit_for_a_log() -> None:
    assert commands.printable(b"a\n'\xff") == '"a\\n\'\\xff"'
    assert commands.printable(b"x" * 65) == "'" + "x" * 64 + "'..."
