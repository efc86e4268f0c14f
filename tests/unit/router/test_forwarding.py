"""Who the client is, by its own word or a trusted proxy's. (What becomes of it in a block: test_request_block.py.)"""

import pytest

from tests.support.each import each
from zerogate.errors import UsageError
from zerogate.router.forwarding import Forwarding, parse_trust
from zerogate.wire.http.request import RequestHead
from zerogate.wire.spdy.headers import decode_block

PROXY = "10.1.2.3"


def pairs_of(encoded: bytes) -> dict[bytes, bytes]:
    return decode_block((5).to_bytes(4, "big") + encoded)


def told_pairs(forwarding: Forwarding, request: RequestHead) -> dict[bytes, bytes]:
    return pairs_of(forwarding.told_pairs(forwarding.told(request)))


def head(*fields: tuple[bytes, bytes]) -> RequestHead:
    return RequestHead(b"GET", b"/", b"/", b"own.example", 1, list(fields))


def test_what_a_connection_says_of_itself() -> None:
    forwarding = Forwarding("203.0.113.9", b"https")
    assert not forwarding.is_trusted
    assert pairs_of(forwarding.own_pairs) == {
        b":scheme": b"https",
        b"x-forwarded-for": b"203.0.113.9",
        b"x-forwarded-proto": b"https",
        b"x-real-ip": b"203.0.113.9",
        b"x-real-port": b"0",
    }


def test_what_a_proxy_says_for_its_client() -> None:
    forwarding = Forwarding(PROXY, b"http", parse_trust(["10.0.0.0/8"]))
    claims = head(
        (b"x-forwarded-for", b"6.6.6.6, 203.0.113.9"),
        (b"x-forwarded-for", b"10.9.9.9"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"shop.example"),
        (b"x-request-id", b"theirs"),
    )
    assert forwarding.is_trusted
    assert told_pairs(forwarding, claims) == {
        b":scheme": b"http",
        b"x-forwarded-for": b"203.0.113.9",
        b"x-forwarded-proto": b"https",
        b"x-real-ip": b"203.0.113.9",
        b"x-real-port": b"0",
    }
    assert (forwarding.told(claims).host, forwarding.request_id(claims)) == (b"shop.example", b"theirs")


def test_a_proxy_that_says_nothing() -> None:
    forwarding = Forwarding(PROXY, b"http", parse_trust([PROXY]))
    assert told_pairs(forwarding, head()) == pairs_of(forwarding.own_pairs)
    assert (forwarding.told(head()).host, forwarding.request_id(head())) == (b"own.example", b"")
    assert told_pairs(forwarding, head((b"x-forwarded-proto", b"gopher")))[b"x-forwarded-proto"] == b"http"


def test_a_stranger_is_not_believed() -> None:
    forwarding = Forwarding("203.0.113.9", b"http", parse_trust(["10.0.0.0/8"]))
    claims = head((b"x-forwarded-host", b"evil"), (b"x-request-id", b"theirs"))
    assert not forwarding.is_trusted
    assert forwarding.request_id(claims) == b""


def test_the_port_is_the_peer_s_own() -> None:
    forwarding = Forwarding(PROXY, b"http", parse_trust([PROXY]), port=4711)
    assert pairs_of(forwarding.own_pairs)[b"x-real-port"] == b"4711"
    assert told_pairs(forwarding, head())[b"x-real-port"] == b"4711"
    assert told_pairs(forwarding, head((b"x-forwarded-for", b"203.0.113.9")))[b"x-real-port"] == b"0"


LOCAL = parse_trust(["loopback", "10.0.0.0/8"])


@each(
    ("value", "client", "scheme", "host"),
    [
        (b"for=203.0.113.9", ("203.0.113.9", 0), b"http", b"own.example"),
        (b'for="203.0.113.9:4711";proto=https;host=shop.example', ("203.0.113.9", 4711), b"https", b"shop.example"),
        (b'FOR="[2001:db8::17]:99" ; Proto=HTTPS', ("2001:db8::17", 99), b"https", b"own.example"),
        # The nearest proxy's word on the one before it, and so on to the first that is not believed.
        (b"for=203.0.113.9;proto=https, for=10.9.9.9", ("203.0.113.9", 0), b"https", b"own.example"),
        (b"for=6.6.6.6;proto=https, for=203.0.113.9, for=10.9.9.9", ("203.0.113.9", 0), b"http", b"own.example"),
        (b"for=unknown;proto=https;host=h", (PROXY, 5), b"https", b"h"),
        (b"for=_hidden, for=10.9.9.9", ("10.9.9.9", 0), b"http", b"own.example"),
        (b'for="', (PROXY, 5), b"http", b"own.example"),
        (b"proto=gopher", (PROXY, 5), b"http", b"own.example"),
    ],
)
def test_what_forwarded_says(value: bytes, client: tuple[str, int], scheme: bytes, host: bytes) -> None:
    told = Forwarding(PROXY, b"http", LOCAL, port=5).told(head((b"forwarded", value)))
    assert told == (client, scheme, host)


def test_several_lines_of_it_are_one() -> None:
    request = head((b"forwarded", b"for=203.0.113.9"), (b"forwarded", b"for=10.9.9.9"))
    assert Forwarding(PROXY, b"http", LOCAL).told(request).client.address == "203.0.113.9"


@each(
    ("values", "client"),
    [
        ([b'for="x', b"for=203.0.113.9"], "203.0.113.9"),
        ([b"for=6.6.6.6", b'for="x', b"for=203.0.113.9,for=10.9.9.9"], "203.0.113.9"),
        ([b"for=6.6.6.6", b'for="x', b"for=10.9.9.9"], "10.9.9.9"),
        ([b"for=203.0.113.9", b"", b"for=10.9.9.9"], "203.0.113.9"),
        ([b"for=203.0.113.9", b'for="x'], PROXY),
    ],
)
def test_what_breaks_the_rules_takes_no_other_line_along(values: list[bytes], client: str) -> None:
    """A client that sends one to a proxy that adds its own would else be taken for the proxy."""
    request = head(*((b"forwarded", value) for value in values))
    assert Forwarding(PROXY, b"http", LOCAL).told(request).client.address == client


@each("older", [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"http"), (b"x-forwarded-host", b"h")])
def test_it_does_not_count_beside_the_older_fields(older: tuple[bytes, bytes]) -> None:
    """A proxy that sets those may pass on what its client says in the other."""
    told = Forwarding(PROXY, b"http", LOCAL).told(head((b"forwarded", b"for=6.6.6.6;proto=https;host=evil"), older))
    assert told.client.address in (PROXY, "203.0.113.9")
    assert told.scheme == b"http"
    assert told.host in (b"own.example", b"h")


@each(("said", "scheme"), [(b"https", b"https"), (b"wss", b"https"), (b"ws", b"http"), (b"x", b"https")])
def test_schemes(said: bytes, scheme: bytes) -> None:
    assert Forwarding(PROXY, b"https", LOCAL).told(head((b"x-forwarded-proto", said))).scheme == scheme


def test_an_address_with_a_port() -> None:
    told = Forwarding(PROXY, b"http", LOCAL).told(head((b"x-forwarded-for", b"203.0.113.9:4711")))
    assert told.client == ("203.0.113.9", 4711)


@each(
    ("address", "networks", "expected"),
    [
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("11.1.2.3", ["10.0.0.0/8"], False),
        ("::1", ["10.0.0.0/8", "::1"], True),
        ("::2", ["10.0.0.0/8", "::1"], False),
        ("unix", ["10.0.0.0/8"], False),
        ("10.1.2.3", [], False),
        ("", ["10.0.0.0/8"], False),
        ("", ["unix"], True),
        ("127.9.9.9", ["loopback"], True),
        ("::1", ["loopback", "unix"], True),
        ("::ffff:127.0.0.1", ["loopback"], True),
        ("127.0.0.1", ["none"], False),
        ("", ["*"], True),
        ("2001:db8::1", ["*"], True),
        ("10.1.2.3", ["127.0.0.1, 10.0.0.0/8"], True),
        ("10.1.2.3", ["127.0.0.1 ,10.0.0.0/8,"], True),
    ],
)
def test_who_is_trusted(address: str, networks: list[str], expected: bool) -> None:
    assert parse_trust(networks).includes(address) is expected


def test_what_is_no_network() -> None:
    with pytest.raises(UsageError, match=r"^--trust: '10\.0\.0\.0/33'"):
        parse_trust(["::1", "10.0.0.0/33"])


def test_nobody_and_somebody() -> None:
    with pytest.raises(UsageError, match="none goes with no other"):
        parse_trust(["none", "::1"])
