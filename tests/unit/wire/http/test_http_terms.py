"""On which terms workers join, as they are written and read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.each import each

from zerogate.wire.http.terms import Sticky, Terms, TermsError, make_terms, parse_terms

words = st.text("abcXYZ019._-", min_size=1, max_size=64)
terms = st.builds(
    make_terms,
    st.dictionaries(words, words, max_size=16).map(
        lambda labels: [f"{name}={value}" for name, value in labels.items()]
    ),
    st.one_of(st.none(), st.integers(1, 1_000_000).map(lambda n: n / 10_000)),
    st.one_of(st.sampled_from(["", "cookie", "client", "header:X-User"])),
)


@given(terms)
def test_what_is_said_is_heard(said: Terms) -> None:
    heard = parse_terms(said.fields())
    assert (heard.labels, heard.sticky) == (said.labels, said.sticky)
    assert heard.share == pytest.approx(said.share, rel=1e-4) if said.share is not None else heard.share is None


def test_who_says_nothing() -> None:
    assert parse_terms({}) == Terms()
    assert Terms().fields() == {}
    assert Terms().names == []


def test_in_words() -> None:
    made = make_terms(["zone=a", "version=2"], 5.0, "header:X-User")
    assert made == Terms((("version", "2"), ("zone", "a")), 0.05, Sticky("header", "x-user"))
    assert made.label_text == "version=2,zone=a"
    assert made.fields() == {b"label": b"version=2\0zone=a", b"share": b"5", b"sticky": b"header:x-user"}
    assert made.names == ["label", "share", "sticky"]


@each(
    "fields",
    [
        *({b"label": text} for text in (b"a", b"=b", b"a=", b"a=b\0a=c", b"a=b\0", b"a=b c", b"\xff=b")),
        {b"label": b"a" * 65 + b"=b"},
        {b"label": b"\0".join(b"l%d=x" % n for n in range(17))},
        *({b"share": text} for text in (b"0", b"0.0", b"-1", b"100.1", b"5%", b"nan", b"1e1", b" 5", b"9" * 99)),
        *({b"sticky": text} for text in (b"Cookie", b"header", b"header:", b"header:a b", b"header:\xe9", b"ip")),
        *({b"sticky": b"header:" + name} for name in (b"host", b"Connection", b"x" * 65)),
    ],
)
def test_what_is_no_term(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(TermsError):
        parse_terms(fields)
