"""What proxies say of who is before them: RFC 7239, and the field that is older."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st
from tests.support.each import each

from zerogate.wire.http.forwarded import MAX_HOPS, Hop, Node, forwarded_for, nearest_hops, parse_forwarded, parse_node


@each(
    ("text", "node"),
    [
        ("192.0.2.43", Node("192.0.2.43")),
        (" 192.0.2.43 ", Node("192.0.2.43")),
        ("192.0.2.43:4711", Node("192.0.2.43", 4711)),
        ("192.0.2.43:_port", Node("192.0.2.43")),
        ("192.0.2.43:99999", Node("192.0.2.43")),
        ("2001:db8::17", Node("2001:db8::17")),
        ("[2001:db8::17]", Node("2001:db8::17")),
        ("[2001:db8::17]:80", Node("2001:db8::17", 80)),
    ],
)
def test_nodes(text: str, node: Node) -> None:
    assert parse_node(text) == node


@each(
    "text", ["", "unknown", "_hidden", "example.org", "1.2.3", "[::1", "[::1]x", "fe80::1%eth0", "1.2.3.4:5:6", "::1]"]
)
def test_what_has_no_address(text: str) -> None:
    assert parse_node(text) is None


def test_the_nearest_comes_first() -> None:
    assert list(forwarded_for(b"192.0.2.1, unknown,192.0.2.3:7")) == [Node("192.0.2.3", 7), None, Node("192.0.2.1")]
    assert list(forwarded_for(b"")) == [None]


ONE = Hop(Node("192.0.2.1"), b"", b"")


@each(
    ("value", "hops"),
    [
        # The examples of RFC 7239, 4.
        (b'for="_gazonk"', [Hop(None, b"", b"")]),
        (b'For="[2001:db8:cafe::17]:4711"', [Hop(Node("2001:db8:cafe::17", 4711), b"", b"")]),
        (b"for=192.0.2.60;proto=http;by=203.0.113.43", [Hop(Node("192.0.2.60"), b"http", b"")]),
        (
            b"for=192.0.2.43, for=198.51.100.17",
            [Hop(Node("198.51.100.17"), b"", b""), Hop(Node("192.0.2.43"), b"", b"")],
        ),
        (b'host="a.example:81" ; proto=HTTPS', [Hop(None, b"https", b"a.example:81")]),
        (b'host="a\\"\\b,;"', [Hop(None, b"", b'a"b,;')]),
        (b"for=192.0.2.1;", [ONE]),
        (b" , for=192.0.2.1 ,, ", [ONE]),
        (b"", []),
        (b",", []),
    ],
)
def test_forwarded(value: bytes, hops: list[Hop]) -> None:
    assert parse_forwarded(value) == hops


@each("value", [b"for", b"for=", b"=1", b'for="1', b"for=a b", b"for=1;for=2", b"for=1, x", b"for=[::1]", b'for="a"b'])
def test_what_breaks_the_rules_says_nothing(value: bytes) -> None:
    assert parse_forwarded(value) == []
    assert parse_forwarded(b"for=192.0.2.1," + value) == []


ELEMENTS = st.fixed_dictionaries(
    {
        b"for": st.one_of(st.just(b"unknown"), st.ip_addresses().map(lambda address: str(address).encode())),
        b"host": st.text('ab.,;\\"=: ', min_size=1).map(str.encode),
    }
)


def quoted(value: bytes) -> bytes:
    return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


@given(st.lists(ELEMENTS))
def test_what_is_written_by_the_rules_is_read(elements: list[dict[bytes, bytes]]) -> None:
    value = b", ".join(b";".join(b"%b=%b" % (name, quoted(said[name])) for name in said) for said in elements)
    hops = parse_forwarded(value)
    assert [hop.host for hop in reversed(hops)] == [said[b"host"] for said in elements]
    for hop, said in zip(reversed(hops), elements, strict=True):
        assert (hop.node.address.encode() if hop.node else b"unknown") == said[b"for"]


@given(st.binary() | st.text('for=1,;" \\').map(str.encode))
def test_garbage_is_no_error_and_no_address(value: bytes) -> None:
    for node in [*(hop.node for hop in parse_forwarded(value)), *forwarded_for(value)]:
        if node is not None:
            ipaddress.ip_address(node.address)
            assert 0 <= node.port <= 65535


def test_blanks_are_gone_through_once() -> None:
    """A client's head has room for 64 KiB of them: each looked at from each took a router half a minute."""
    blanks = b" " * (64 << 10)
    assert parse_forwarded(b"for=192.0.2.1," + blanks + b",") == [ONE]
    assert parse_forwarded(b"for=192.0.2.1;" + blanks + b'host="a"' + blanks) == [ONE._replace(host=b"a")]
    assert parse_forwarded(b"for=192.0.2.1" + blanks + b"x") == []


def test_of_a_long_chain_the_nearest_are_looked_at() -> None:
    """A head has room for thousands, which took a router a tenth of a second each time."""
    told = b"for=203.0.113.1," * 4000
    assert parse_forwarded(told + b"for=192.0.2.1")[:2] == [ONE, Hop(Node("203.0.113.1"), b"", b"")]
    assert len(parse_forwarded(told)) == MAX_HOPS
    chain = list(forwarded_for(b"203.0.113.1," * 4000 + b"192.0.2.1"))
    assert chain[:2] == [Node("192.0.2.1"), Node("203.0.113.1")]
    assert len(chain) == MAX_HOPS


def test_lines_are_read_each_for_itself_from_the_last() -> None:
    other = Hop(Node("203.0.113.1"), b"", b"")
    assert list(nearest_hops([b"for=203.0.113.1", b"", b"for=192.0.2.1"])) == [ONE, other]
    assert list(nearest_hops([b"for=203.0.113.1", b'for="', b"for=192.0.2.1"])) == [ONE]
    assert list(nearest_hops([])) == []
    assert len(list(nearest_hops([b"for=192.0.2.1," * MAX_HOPS] * 3))) == MAX_HOPS
