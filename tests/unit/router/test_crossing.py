"""Which of a client's fields cross to the worker, for strangers and for proxies that are believed."""

from tests.support.each import each
from zerogate.router.crossing import _MAX_NAMES, Crossing, is_claim, name_prefix


def crosses(name: bytes, *, is_trusted: bool = False, keeps_underscores: bool = False) -> bool:
    crossing = Crossing(keeps_underscores=keeps_underscores)
    prefix = crossing.learn(name, crossing.trusted if is_trusted else crossing.strangers)
    assert prefix in (b"", name_prefix(name))
    return bool(prefix)


@each("name", [b"accept", b"cookie", b"content-length", b"x-anything", b"x-forwarded"])
def test_most_cross(name: bytes) -> None:
    assert crosses(name)
    assert crosses(name, is_trusted=True)
    assert not is_claim(name)


@each("name", [b"forwarded", b"x-forwarded-prefix", b"x-forwarded-", b"x-forwarded-anything"])
def test_claims_cross_from_who_is_believed(name: bytes) -> None:
    assert is_claim(name)
    assert not crosses(name)
    assert crosses(name, is_trusted=True)


@each("name", [b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip"])
def test_what_the_router_says_itself_comes_from_nobody(name: bytes) -> None:
    assert not crosses(name)
    assert not crosses(name, is_trusted=True)


@each("name", [b"x_anything", b"x_forwarded_for", b"content_length", b"proxy"])
def test_what_would_be_another_field_to_cgi(name: bytes) -> None:
    assert not crosses(name)
    assert not crosses(name, is_trusted=True)


def test_underscores_that_are_wanted() -> None:
    assert crosses(b"x_anything", keeps_underscores=True)
    for name in (b"x_forwarded_for", b"x_real_ip", b"content_length", b"content_type", b"host_", b"transfer_encoding"):
        expected = name == b"host_"
        assert crosses(name, keeps_underscores=True) is expected, name
    assert not crosses(b"proxy", keeps_underscores=True)


def test_names_are_remembered_but_not_without_end() -> None:
    crossing = Crossing()
    for number in range(3 * _MAX_NAMES):
        crossing.learn(b"x-%d" % number, crossing.strangers)
        assert len(crossing.strangers) <= _MAX_NAMES
    crossing.learn(b"x" * 1000, crossing.strangers)
    assert b"x" * 1000 not in crossing.strangers
    assert crossing.strangers[b"x-%d" % (3 * _MAX_NAMES - 1)]
