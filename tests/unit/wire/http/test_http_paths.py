"""Paths in their one form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.each import each

from zerogate.wire.http.paths import PathError, below, normal_path, path_text


@each(
    ("path", "normal"),
    [
        (b"/", b"/"),
        (b"*", b"*"),
        (b"/%61%2Fb", b"/a/b"),
        (b"/%2561", b"/%61"),
        (b"/a%20b%C3%BC%0a", b"/a b\xc3\xbc\n"),
        (b"//a///b/", b"//a///b/"),
        (b"/a;b=c/d", b"/a;b=c/d"),
        (b"/A\\b", b"/A\\b"),
        (b"/.well-known/a.b/..c/...", b"/.well-known/a.b/..c/..."),
        (b"/a..;b", b"/a..;b"),
    ],
)
def test_what_applications_make_of_it(path: bytes, normal: bytes) -> None:
    assert normal_path(path) == normal


@each(
    "path",
    [b"/.", b"/..", b"/./", b"/a/../b", b"/a/..", b"/%2e", b"/%2E%2e/", b"/.%2E/", b"/a%2f..%2fb", b"/a/..%2fb"]
    + [b"/..;/a", b"/a/.;b=c/d", b"/%2e%2e%3b/a", b"/a\\..\\b", b"/a%5c..", b"/a/..\\b", b"/;/.."]
    + [b"/%", b"/%2", b"/%zz", b"/%u002e", b"/a%%20", b"/%00", b"/a%00b"],
)
def test_what_is_not_the_same_to_everybody(path: bytes) -> None:
    with pytest.raises(PathError):
        normal_path(path)


octets = st.binary(max_size=12).map(lambda tail: b"/" + tail)


def spell(path: bytes, is_encoded: list[bool]) -> bytes:
    """A path with some octets percent-encoded, and those that must be."""
    return b"".join(
        b"%%%02x" % octet if (encoded and n) or octet in b"%?#" or not 0x20 < octet < 0x7F else bytes([octet])
        for n, (octet, encoded) in enumerate(zip(path, is_encoded, strict=True))
    )


@given(octets, st.data())
def test_each_spelling_is_the_same_path(path: bytes, data: st.DataObject) -> None:
    spelt = spell(path, data.draw(st.lists(st.booleans(), min_size=len(path), max_size=len(path))))
    try:
        normal = normal_path(spelt)
    except PathError:
        with pytest.raises(PathError):
            normal_path(path_text(path).encode())
        return
    assert normal == path
    assert normal_path(path_text(path).encode()) == path


@each(
    ("target", "prefix", "rest"),
    [
        (b"/api/x?y", b"/api", b"/x?y"),
        (b"/api", b"/api", b"/"),
        (b"/api?y", b"/api", b"/?y"),
        (b"/%61pi/%78", b"/api", b"/%78"),
        (b"/api%2fx", b"/api", b"/x"),
        (b"/a%70i", b"/api", b"/"),
        (b"/a%70i?%2f", b"/api", b"/?%2f"),
        (b"/100%25/x", b"/100%", b"/x"),
        (b"/api//x", b"/api", b"//x"),
        (b"/%C3%BC/x", b"/\xc3\xbc", b"/x"),
    ],
)
def test_what_is_below_a_prefix(target: bytes, prefix: bytes, rest: bytes) -> None:
    assert below(target, prefix) == rest


@given(octets, octets, st.data())
def test_what_is_below_is_what_is_seen_there(prefix: bytes, rest: bytes, data: st.DataObject) -> None:
    """However it is spelt: prefix and rest together are the path."""
    path = prefix + rest
    spelt = spell(path, data.draw(st.lists(st.booleans(), min_size=len(path), max_size=len(path))))
    try:
        normal_path(spelt)
    except PathError:
        return
    assert normal_path(below(spelt, prefix)) == rest
