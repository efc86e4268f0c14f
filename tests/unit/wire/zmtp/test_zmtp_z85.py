"""Keys as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.each import each

from zerogate.errors import ZmtpError
from zerogate.wire.zmtp.z85 import decode_key, encode_key

# RFC 32's own test case, 8 octets, four times.
OCTETS = bytes((0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B))
TEXT = "HelloWorld"


def test_the_test_case_of_the_rfc() -> None:
    assert encode_key(OCTETS * 4) == TEXT * 4
    assert decode_key(TEXT * 4) == OCTETS * 4


@given(st.binary(min_size=32, max_size=32))
def test_there_and_back(key: bytes) -> None:
    assert decode_key(encode_key(key)) == key


@each("size", [0, 31, 33])
def test_a_key_has_32_octets(size: int) -> None:
    with pytest.raises(ValueError, match=f"not {size}"):
        encode_key(bytes(size))


@each(
    ("text", "reason"),
    [
        ("", "not 0"),
        (TEXT * 4 + "0", "not 41"),
        ("," + (TEXT * 4)[1:], "does not know"),
        ("é" + (TEXT * 4)[1:], "does not know"),
        ("#####" + (TEXT * 4)[5:], "more than four octets"),
        ((TEXT * 4)[5:] + "%nSc1", "more than four octets"),
    ],
)
def test_what_is_no_key(text: str, reason: str) -> None:
    with pytest.raises(ZmtpError, match=reason) as caught:
        decode_key(text)
    assert not text or text not in caught.value.reason


def test_the_highest_word() -> None:
    assert decode_key("%nSc0" * 8) == b"\xff" * 32
