"""Greeting and frames, octet for octet (RFC 37)."""

from tests.support.each import each
from tests.zmtp_peer import GREETING, frame

from zerogate.wire.zmtp.frames import COMMAND, LONG, command_frame, greeting, message_header


def test_the_greeting() -> None:
    assert greeting(b"NULL", is_server=False) == GREETING
    assert len(GREETING) == 64


def test_a_server_says_so() -> None:
    written = greeting(b"CURVE", is_server=True)
    assert written[12:33] == b"CURVE".ljust(20, b"\0") + b"\x01"


@each("size", [0, 1, 255, 256, 65536])
def test_frames(size: int) -> None:
    body = b"x" * size
    is_long = LONG if size > 255 else 0
    assert message_header(size) + body == frame(is_long, body)
    assert command_frame(body) == frame(COMMAND | is_long, body)
