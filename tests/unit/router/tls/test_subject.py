"""Whose certificate it is, as text that a field of HTTP can hold."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.each import each
from zerogate.router.tls.subject import subject_of


@each(
    ("names", "text"),
    [
        ([[("commonName", "alice")]], b"CN=alice"),
        ([[("countryName", "DE")], [("organizationName", "A, B")], [("commonName", "x")]], b"CN=x,O=A\\, B,C=DE"),
        ([[("commonName", "a"), ("userId", "7")]], b"CN=a+UID=7"),
        ([[("emailAddress", "a@b")]], b"emailAddress=a@b"),
        ([[("commonName", "#a ")]], b"CN=\\#a\\ "),
        ([[("commonName", " ")]], b"CN=\\ "),
        ([[("commonName", 'a"+;<>\\=')]], b'CN=a\\"\\+\\;\\<\\>\\\\\\='),
        ([[("commonName", "J\u00fcrgen\r\nx: y\0")]], b"CN=J\\C3\\BCrgen\\0D\\0Ax: y\\00"),
    ],
)
def test_subjects(names: Any, text: bytes) -> None:
    assert subject_of({"subject": names}) == text


def test_of_nobody() -> None:
    assert subject_of(None) == subject_of({}) == b""


@given(st.lists(st.lists(st.tuples(st.just("commonName"), st.text()), min_size=1)))
def test_no_name_breaks_out_of_its_field(names: Any) -> None:
    text = subject_of({"subject": names})
    assert all(0x20 <= octet <= 0x7E for octet in text)
