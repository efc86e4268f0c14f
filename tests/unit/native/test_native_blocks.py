"""What of blocks is taken natively, and what is declined. That it is the same, tests/fuzz says."""

from typing import Any

import pytest
from tests.support.each import each

from zerogate.native import compiled
from zerogate.wire.spdy.headers import MAX_BLOCK_BYTES, decode_in_python, encode_block

pytestmark = pytest.mark.skipif(not compiled.IS_ON, reason="nothing is compiled")

decode_block = compiled.find("blocks", "decode_block")
read_request = compiled.find("blocks", "read_request")
reply_block = compiled.find("blocks", "reply_block")
http_scope = compiled.find("blocks", "http_scope")

BLOCK = encode_block({b":method": b"GET", b"x": b"a\0b", b"n" * 64: b""})


@pytest.mark.parametrize("take", [decode_block, read_request])
def test_a_block_is_taken_whole_or_not_at_all(take: Any) -> None:
    assert take(BLOCK) == decode_in_python(BLOCK)
    assert take(encode_block({})) == {}
    for size in range(len(BLOCK)):
        assert take(BLOCK[:size]) is None
    assert take(BLOCK + b"x") is None


@each("take", [decode_block, read_request])
@each("at", range(4, len(BLOCK)))
def test_lengths_that_lie_are_declined(take: Any, at: int) -> None:
    for octet in (0x7F, 0xFF):
        take(BLOCK[:at] + bytes([octet]) + BLOCK[at + 1 :])
    assert take(b"\xff\xff\xff\xff" + BLOCK[4:]) is None


@each(
    "headers",
    [
        [],
        [(b"X-A", b" \t1\t ")],
        [[b"x", b"1"]],
        ((b"x", b"1"),),
        [(b"set-cookie", b"a"), (b"x", b""), (b"Set-Cookie", b"b"), (b"SET-COOKIE", b"")],
        [(b"n" * 64, b"1")],
        [(b"x-%d" % number, b"") for number in range(64)],
        [(b"x", b"a" * (MAX_BLOCK_BYTES - 61))],
    ],
)
def test_usual_headers_are_taken(headers: Any) -> None:
    assert reply_block(200, headers) is not None


@each(
    "headers",
    [
        iter([(b"x", b"1")]),
        [("x", b"1")],
        [(b"x", "1")],
        [(b"x", bytearray(b"1"))],
        [(b"x",)],
        [(b"x", b"1", b"2")],
        [b"xy"],
        [(b"x y", b"1")],
        [(b":x", b"1")],
        [(b"", b"1")],
        [(b"x", b"\n")],
        [(b"x", b"\0")],
        [(b"n" * 65, b"1")],
        [(b"x-%d" % number, b"") for number in range(65)],
        [(b"x", b"a" * (MAX_BLOCK_BYTES + 1))],
        None,
    ],
)
def test_other_headers_are_declined(headers: Any) -> None:
    assert reply_block(200, headers) is None


@each("status", [199, 600, True, "200", 200.0, None, 10**30])
def test_what_is_no_status_is_declined(status: Any) -> None:
    assert reply_block(status, []) is None


def test_a_dict_of_fields_makes_no_scope_here() -> None:
    assert http_scope({b":method": b"GET", b":path": b"/"}, "", {}, {}, {}) is None


@each("port", [b"", b"x", b"123456", b"-1"])
def test_an_odd_port_of_the_client_is_declined(port: bytes) -> None:
    block = encode_block({b":method": b"GET", b":path": b"/", b"x-real-ip": b"::1", b"x-real-port": port})
    assert http_scope(read_request(block), "", {}, {}, {}) is None
