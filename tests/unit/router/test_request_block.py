"""What a worker gets of a request, and whose word is believed on where it comes from."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.each import each
from zerogate.errors import UsageError
from zerogate.router.forwarding import Forwarding, parse_trust
from zerogate.router.request_block import request_block, stripped_block
from zerogate.wire.http.request import RequestHead
from zerogate.wire.http1 import HttpLimits
from zerogate.wire.http1.reader import RequestReader
from zerogate.wire.spdy.headers import decode_block, merge_fields

CLIENT = "203.0.113.9"
Pairs = list[tuple[bytes, bytes]]

SPOOFED: Pairs = [
    (b"x-forwarded-for", b"6.6.6.6"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"evil"),
    (b"x-forwarded-port", b"1"),
    (b"x-forwarded-anything", b"1"),
    (b"forwarded", b"for=6.6.6.6"),
    (b"x-real-ip", b"6.6.6.6"),
    (b"x-request-id", b"theirs"),
]


def make_head(fields: Pairs | None = None, host: bytes = b"example.org:81", version: int = 1) -> RequestHead:
    return RequestHead(b"GET", b"/a%20b?c=d", b"/a%20b", host, version, fields)


def block_of(head: RequestHead, address: str = CLIENT, *trusted: str, scheme: bytes = b"http") -> dict[bytes, bytes]:
    forwarding = Forwarding(address, scheme, parse_trust(trusted))
    return decode_block(request_block(head, forwarding, b"id-1"))


OWN = {
    b":method": b"GET",
    b":path": b"/a%20b?c=d",
    b":version": b"HTTP/1.1",
    b":host": b"example.org:81",
    b":scheme": b"http",
    b"x-forwarded-for": CLIENT.encode(),
    b"x-forwarded-proto": b"http",
    b"x-forwarded-host": b"example.org:81",
    b"x-real-ip": CLIENT.encode(),
    b"x-real-port": b"0",
    b"x-request-id": b"id-1",
}


def test_without_fields() -> None:
    assert block_of(make_head()) == OWN


def test_the_client_s_fields_cross_as_they_are() -> None:
    fields = [(b"accept", b"*/*"), (b"x-empty", b""), (b"cookie", b"a=1; b=2"), (b"content-length", b"5")]
    assert block_of(make_head(fields)) == {**OWN, **dict(fields)}


def test_the_older_version_and_no_host() -> None:
    block = block_of(make_head(host=b"", version=0))
    assert (block[b":version"], block[b":host"], block[b"x-forwarded-host"]) == (b"HTTP/1.0", b"", b"")


def test_without_a_host_it_is_where_the_client_has_connected_to() -> None:
    """Each request has one (SPDY/3.1, 3.2.1); HTTP/1.0 need not say it. Every connection has its own."""
    for local in (b"192.0.2.1:80", b"[2001:db8::1]:80"):
        forwarding = Forwarding(CLIENT, b"http", local_host=local)
        block = decode_block(request_block(make_head(host=b"", version=0), forwarding, b"id-1"))
        assert (block[b":host"], block[b"x-forwarded-host"]) == (local, local)


def test_repeated_names_are_joined_in_order() -> None:
    fields = [(b"a", b"1"), (b"b", b"x"), (b"a", b"2"), (b"a", b"3")]
    assert block_of(make_head(fields)) == {**OWN, b"a": b"1\x002\x003", b"b": b"x"}


@each(
    ("values", "joined"),
    [
        ([b"", b""], b""),
        ([b"", b"1"], b"1"),
        ([b"1", b""], b"1"),
        ([b"", b"1", b"", b"2", b""], b"1\x002"),
    ],
)
def test_joined_values_have_no_empty_elements(values: list[bytes], joined: bytes) -> None:
    assert block_of(make_head([(b"a", value) for value in values]))[b"a"] == joined


def test_an_upgrade_crosses() -> None:
    head = RequestHead(b"GET", b"/", b"/", b"a", 1, [(b"sec-websocket-version", b"13")], upgrade=b"websocket")
    assert block_of(head)[b"upgrade"] == b"websocket"
    assert block_of(head)[b"sec-websocket-version"] == b"13"


# Strangers


def test_what_strangers_say_of_themselves_is_dropped() -> None:
    assert block_of(make_head(SPOOFED)) == OWN


def test_nor_is_a_stranger_believed_when_others_are() -> None:
    assert block_of(make_head(SPOOFED), CLIENT, "10.0.0.0/8", "::1") == OWN
    assert Forwarding(CLIENT, b"http", parse_trust(["10.0.0.0/8"])).request_id(make_head(SPOOFED)) == b""


def test_a_unix_socket_s_client_has_no_address() -> None:
    block = block_of(make_head(), "")
    assert block[b"x-forwarded-for"] == b""


# Trusted proxies


def test_a_trusted_proxy_s_word_counts() -> None:
    fields = [
        (b"x-forwarded-for", CLIENT.encode()),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"shop.example"),
        (b"x-real-ip", b"6.6.6.6"),
        (b"forwarded", b"for=203.0.113.9"),
        (b"x-forwarded-port", b"8443"),
        (b"x-request-id", b"theirs"),
        (b"x-other", b"1"),
    ]
    assert block_of(make_head(fields), "10.1.2.3", "10.0.0.0/8") == {
        **OWN,
        b"x-forwarded-proto": b"https",
        b"x-forwarded-host": b"shop.example",
        b"forwarded": b"for=203.0.113.9",
        b"x-forwarded-port": b"8443",
        b"x-other": b"1",
    }


def test_a_trusted_proxy_that_says_nothing_is_the_client() -> None:
    block = block_of(make_head(), "10.1.2.3", "10.1.2.3")
    assert block == {**OWN, b"x-forwarded-for": b"10.1.2.3", b"x-real-ip": b"10.1.2.3"}


@each(
    ("chain", "client"),
    [
        ([b"6.6.6.6, 203.0.113.9"], CLIENT),  # who the client says it came through, anybody can say
        ([b"6.6.6.6", b"203.0.113.9"], CLIENT),
        ([b"203.0.113.9, 10.9.9.9"], CLIENT),  # through two trusted proxies
        ([b"203.0.113.9, 10.9.9.9, ::1"], CLIENT),
        ([b" 203.0.113.9 ,10.9.9.9"], CLIENT),
        ([b"nonsense, 203.0.113.9"], CLIENT),
        ([b"203.0.113.9, nonsense"], "10.1.2.3"),
        ([b"203.0.113.9, nonsense, 10.9.9.9"], "10.9.9.9"),
        ([b"203.0.113.9:1234"], CLIENT),  # some tell the port as well
        ([b"\xe9"], "10.1.2.3"),
        ([b""], "10.1.2.3"),
        ([b","], "10.1.2.3"),
        ([b"10.8.8.8, 10.9.9.9"], "10.8.8.8"),
        ([b"6.6.6.6, 2001:db8::1"], "2001:db8::1"),
    ],
)
def test_the_last_address_that_is_not_a_trusted_proxy_s(chain: list[bytes], client: str) -> None:
    head = make_head([(b"x-forwarded-for", value) for value in chain])
    block = block_of(head, "10.1.2.3", "10.0.0.0/8", "::1")
    assert block[b"x-forwarded-for"] == block[b"x-real-ip"] == client.encode()


@each("scheme", [b"ftp", b"", b"HTTPS", b"https, http"])
def test_a_scheme_is_one_of_two(scheme: bytes) -> None:
    block = block_of(make_head([(b"x-forwarded-proto", scheme)]), "10.1.2.3", "10.0.0.0/8")
    assert block[b"x-forwarded-proto"] == b"http"


def test_a_trusted_request_id_is_kept() -> None:
    forwarding = Forwarding("::1", b"http", parse_trust(["::1"]))
    assert forwarding.is_trusted
    assert forwarding.request_id(make_head(SPOOFED)) == b"theirs"
    assert forwarding.request_id(make_head()) == b""


def test_one_head_through_a_proxy_and_by_itself() -> None:
    """Equal requests share their head, and what follows from it; what a proxy says is of each connection."""
    head = make_head(SPOOFED)
    assert block_of(head) == OWN
    assert block_of(head, "10.1.2.3", "10.0.0.0/8")[b"x-forwarded-host"] == b"evil"
    assert block_of(head, "198.51.100.1")[b"x-real-ip"] == b"198.51.100.1"
    assert block_of(head) == OWN


@each("text", ["", "nonsense", "10.0.0.0/33", "10.0.0.256", "::1/129"])
def test_what_cannot_be_trusted(text: str) -> None:
    with pytest.raises(UsageError, match="--trust"):
        parse_trust([text])


def test_a_network_may_be_given_by_any_of_its_addresses() -> None:
    assert Forwarding("10.1.200.1", b"http", parse_trust(["10.1.2.3/16"])).is_trusted


# Names that are new and names that have been met, often and rarely.
names = st.one_of(
    st.sampled_from([b"a", b"b", b"accept", b"x-forwarded-for", b"x-forwarded-x", b"forwarded", b"x-real-ip"]),
    st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=80).map(str.encode),
)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20)
fields = st.lists(st.tuples(names, values.map(lambda value: value.strip(" ").encode("latin-1"))), max_size=20)


def is_claim(name: bytes) -> bool:
    return name in (b"forwarded", b"x-real-ip", b"x-request-id") or name.startswith(b"x-forwarded-")


@given(fields)
def test_whatever_fields_there_are(fields: Pairs) -> None:
    crossing = merge_fields((name, value) for name, value in fields if not is_claim(name))
    head = make_head(fields)
    for _ in range(2):
        assert block_of(head) == {**OWN, **crossing}


# Clients with certificates


@pytest.mark.parametrize("trusted", [(), ("0.0.0.0/0",)])
def test_whose_certificate_it_is_the_router_alone_says(trusted: tuple[str, ...]) -> None:
    head = make_head([(b"x-client-cert-subject", b"CN=mallory"), (b"x-forwarded-for", CLIENT.encode())])
    forwarding = Forwarding(CLIENT, b"https", parse_trust(trusted), subject=b"CN=alice")
    block = decode_block(request_block(head, forwarding, b"id-1"))
    assert block[b"x-client-cert-subject"] == b"CN=alice"
    assert len(block) == len(OWN) + 1
    stripped = decode_block(stripped_block(head, forwarding, b"id-1", "/a%20b"))
    assert (stripped[b"x-client-cert-subject"], len(stripped)) == (b"CN=alice", len(OWN) + 2)
    assert b"x-client-cert-subject" not in block_of(head, CLIENT, *trusted)


def test_the_same_of_a_head_as_it_was_read() -> None:
    """By whatever reads heads here: it may write the block as well."""
    reader = RequestReader(HttpLimits())
    events: list[Any] = []
    octets = b"GET / HTTP/1.1\r\nhost: a\r\nX-Client-Cert-Subject: CN=mallory\r\naccept: */*\r\n\r\n"
    assert reader.read(octets, 0, events) == len(octets)
    forwarding = Forwarding(CLIENT, b"https", subject=b"CN=alice")
    block = decode_block(request_block(events[0], forwarding, b"id-1"))
    assert (block[b"x-client-cert-subject"], block[b"accept"]) == (b"CN=alice", b"*/*")
