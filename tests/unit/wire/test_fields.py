from tests.support.each import each

from zerogate.wire import fields


@each("text", [b"GET", b"x", b"!#$%&'*+-.^_`|~09azAZ"])
def test_tokens(text: bytes) -> None:
    assert fields.is_token(text)


def test_what_no_token_holds() -> None:
    octets = [*range(0x21), 0x7F, *b'"(),/:;<=>?@[\\]{}', *range(0x80, 0x100)]
    assert [octet for octet in octets if fields.is_token(b"a%c" % octet)] == []
    assert [octet for octet in octets if fields.is_lower_token(b"a%c" % octet)] == []


def test_a_token_is_not_empty() -> None:
    assert not fields.is_token(b"")
    assert not fields.is_lower_token(b"")


def test_names_inside_the_project_are_lower_case() -> None:
    assert fields.is_lower_token(b"x-a_1")
    assert not fields.is_lower_token(b"X-a")


def test_values() -> None:
    controls = [*range(0x09), *range(0x0A, 0x20), 0x7F]
    assert [octet for octet in range(256) if not fields.is_value(b"a%cb" % octet)] == controls


def test_a_value_may_be_empty() -> None:
    assert fields.is_value(b"")


def test_tokens_and_controls_are_disjoint() -> None:
    assert not set(fields.TOKEN_OCTETS) & set(fields.CONTROLS)
    assert set(fields.LOWER_TOKEN_OCTETS) < set(fields.TOKEN_OCTETS)
    assert fields.TOKEN_OCTETS.lower().translate(None, fields.LOWER_TOKEN_OCTETS) == b""
