"""The table of names."""

import pytest

from zerogate.native import compiled
from zerogate.wire.http1.heads import native_reader
from zerogate.wire.http1.limits import HttpLimits

pytestmark = pytest.mark.skipif(not compiled.IS_ON, reason="nothing is compiled")

mark = compiled.find("names", "mark")
decode_block = compiled.find("blocks", "decode_block")


def test_a_mark_of_no_meaning_is_none() -> None:
    with pytest.raises(KeyError):
        mark("anything", [b"x"])


def test_what_is_marked_is_so_from_then_on() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Test-Mark: 1\r\n\r\n"
    read = native_reader(HttpLimits())
    assert read(head) is not None
    mark("special", [b"x-test-mark"])
    assert read(head) is None


def test_many_names_of_one_message_are_told_apart() -> None:
    """More than have a place together: what is not sure is declined, and nothing is mixed up."""
    for seed in range(20):
        fields = {b"x-%d-%d" % (seed, number): b"%d" % number for number in range(700)}
        block = len(fields).to_bytes(4, "big") + b"".join(
            len(name).to_bytes(4, "big") + name + len(value).to_bytes(4, "big") + value
            for name, value in fields.items()
        )
        assert decode_block(block) in (None, fields)
