import pytest

from zerogate.wire import fields


@pytest.mark.parametrize("text", [b"GET", b"x", b"!#$%&'*+-.^_`|~09azAZ"])
def test_tokens(text: bytes) -> None:
    assert fields.is_token(text)


@pytest.mark.parametrize("octet", [*range(0x21), 0x7F, *b'"(),/:;<=>?@[\\]{}', *range(0x80, 0x100)])
def test_what_no_token_holds(octet: int) -> None:
    text = b"a" + bytes([octet])
    assert not fields.is_token(text)
    assert not fields.is_lower_token(text)


def test_a_token_is_not_empty() -> None:
    assert not fields.is_token(b"")
    assert not fields.is_lower_token(b"")


def test_names_inside_the_project_are_lower_case() -> None:
    assert fields.is_lower_token(b"x-a_1")
    assert not fields.is_lower_token(b"X-a")


@pytest.mark.parametrize("octet", range(256))
def test_values(octet: int) -> None:
    is_control = (octet < 0x20 and octet != 0x09) or octet == 0x7F
    assert fields.is_value(b"a%cb" % octet) is not is_control


def test_a_value_may_be_empty() -> None:
    assert fields.is_value(b"")


def test_tokens_and_controls_are_disjoint() -> None:
    assert not set(fields.TOKEN_OCTETS) & set(fields.CONTROLS)
    assert set(fields.LOWER_TOKEN_OCTETS) < set(fields.TOKEN_OCTETS)
    assert fields.TOKEN_OCTETS.lower().translate(None, fields.LOWER_TOKEN_OCTETS) == b""
