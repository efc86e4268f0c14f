"""Our cookie among others."""

import time

from hypothesis import given
from hypothesis import strategies as st
from tests.support.each import each

from zerogate.wire.http.cookies import cookie_finder, session_cookie

VALUE = b"0123456789abcdef"
find = cookie_finder(b"zerogate-1a")


@each(
    "text",
    [
        b"zerogate-1a=%b",
        b"a=b; zerogate-1a=%b",
        b"a=b;zerogate-1a=%b;c=d",
        b"a;; \tzerogate-1a=%b \t; c",
        b"zerogate-1a=no; zerogate-1a=%b",
    ],
)
def test_it_is_found(text: bytes) -> None:
    assert find([(b"x", b"y"), (b"cookie", b"other=1"), (b"cookie", text % VALUE)]) == [VALUE]


@each(
    "text",
    [
        b"",
        b"zerogate-1a=",
        b"xzerogate-1a=%b" % VALUE,
        b"zerogate-1ab=%b" % VALUE,
        b"ZEROGATE-1A=%b" % VALUE,
        b"zerogate-1a=%b" % VALUE.upper(),
        b"zerogate-1a=%b0" % VALUE,
        b"zerogate-1a=%b" % VALUE[1:],
        b'zerogate-1a="%b"' % VALUE,
        b"zerogate-1a=%b,x" % VALUE,
        b"zerogate-1a=\xff%b" % VALUE[1:],
        b"zerogate-1a==%b" % VALUE,
    ],
)
def test_what_it_is_not(text: bytes) -> None:
    assert find([(b"cookie", text), (b"x-cookie", b"zerogate-1a=%b" % VALUE)]) == []


@given(st.binary(max_size=200))
def test_whatever_comes(octets: bytes) -> None:
    assert all(len(found) == 16 and found in octets for found in find([(b"cookie", octets)]))


def test_all_of_them_in_their_order() -> None:
    values = [b"%016x" % number for number in range(5)]
    one, *others = [b"zerogate-1a=" + value for value in values]
    assert (
        find([(b"cookie", one), (b"cookie", b"a=b;" + b";".join(others[:2])), (b"cookie", b"; ".join(others[2:]))])
        == values
    )
    assert find([(b"cookie", b";".join([one, *others]))]) == values


@each("piece", [b";", b"; ", b";\t", b"zerogate-1a=", b";zerogate-1a=0", b";zerogate-1a=" + VALUE + b" \t"])
def test_a_head_full_of_it_takes_no_longer_than_its_octets(piece: bytes) -> None:
    octets = piece * (65_536 // len(piece)) + b"x"
    began = time.process_time()
    find([(b"cookie", octets)])
    assert time.process_time() - began < 1


def test_what_a_client_is_told() -> None:
    told = session_cookie(b"n", b"v", b"/shop", is_secure=False)
    assert told == b"n=v; Path=/shop; HttpOnly; SameSite=Lax"
    assert session_cookie(b"n", b"v", b"", is_secure=True) == b"n=v; Path=/; HttpOnly; SameSite=Lax; Secure"
    assert b"Path=/; " in session_cookie(b"n", b"v", b"/a;b", is_secure=False)
