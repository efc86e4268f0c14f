"""Who the client is, by its own word or a trusted proxy's. (What becomes of it in a block: test_request_block.py.)"""

import pytest

from zerogate.errors import UsageError
from zerogate.router.forwarding import Forwarding, parse_trust
from zerogate.wire.http.request import RequestHead
from zerogate.wire.spdy.headers import decode_block

PROXY = "10.1.2.3"


def pairs_of(encoded: bytes) -> dict[bytes, bytes]:
    return decode_block((5).to_bytes(4, "big") + encoded)


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
    assert pairs_of(forwarding.pairs(claims)) == {
        b":scheme": b"http",
        b"x-forwarded-for": b"203.0.113.9",
        b"x-forwarded-proto": b"https",
        b"x-real-ip": b"203.0.113.9",
        b"x-real-port": b"0",
    }
    assert (forwarding.host(claims), forwarding.request_id(claims)) == (b"shop.example", b"theirs")


def test_a_proxy_that_says_nothing() -> None:
    forwarding = Forwarding(PROXY, b"http", parse_trust([PROXY]))
    assert pairs_of(forwarding.pairs(head())) == pairs_of(forwarding.own_pairs)
    assert (forwarding.host(head()), forwarding.request_id(head())) == (b"own.example", b"")
    assert pairs_of(forwarding.pairs(head((b"x-forwarded-proto", b"gopher"))))[b"x-forwarded-proto"] == b"http"


def test_a_stranger_is_not_believed() -> None:
    forwarding = Forwarding("203.0.113.9", b"http", parse_trust(["10.0.0.0/8"]))
    claims = head((b"x-forwarded-host", b"evil"), (b"x-request-id", b"theirs"))
    assert not forwarding.is_trusted
    assert forwarding.request_id(claims) == b""


def test_the_port_is_the_peer_s_own() -> None:
    forwarding = Forwarding(PROXY, b"http", parse_trust([PROXY]), port=4711)
    assert pairs_of(forwarding.own_pairs)[b"x-real-port"] == b"4711"
    assert pairs_of(forwarding.pairs(head()))[b"x-real-port"] == b"4711"
    assert pairs_of(forwarding.pairs(head((b"x-forwarded-for", b"203.0.113.9"))))[b"x-real-port"] == b"0"


@pytest.mark.parametrize(
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
