"""Blocks: where they end, however they come, and which octets they may hold."""

import pytest
from tests.http1_events import octets
from tests.support.each import each

from zerogate.wire.http.errors import BAD_REQUEST, HttpError
from zerogate.wire.http1.blocks import BlockCollector, refuse_offence

BLOCK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def collected(parts: list[bytes], limit_bytes: int = 100) -> tuple[bytes | None, bytes]:
    """The block, and what of the last part is behind it."""
    collector = BlockCollector(limit_bytes)
    for part in parts:
        block, position = collector.receive(part, 0)
        if block is not None:
            return block, part[position:]
        assert position == len(part) or collector.is_full
    return None, b""


def test_any_cut_gives_the_block_and_what_is_behind_it() -> None:
    assert collected([BLOCK + b"more"]) == (BLOCK, b"more")
    assert collected(octets(BLOCK)) == (BLOCK, b"")
    for place in range(1, len(BLOCK)):
        assert collected([BLOCK[:place], BLOCK[place:] + b"more"]) == (BLOCK, b"more")


def test_what_is_before_it_is_not_touched() -> None:
    assert BlockCollector(100).receive(b"before" + BLOCK + b"after", 6) == (BLOCK, 6 + len(BLOCK))


def test_the_limit() -> None:
    assert collected(octets(BLOCK), len(BLOCK))[0] == BLOCK
    collector = BlockCollector(len(BLOCK) - 1)
    assert collector.receive(BLOCK, 0) == (None, len(BLOCK) - 1)
    assert collector.is_full


def test_the_beginning() -> None:
    collector = BlockCollector(100)
    assert collector.first_line == b""
    for octet in octets(BLOCK[:20]):
        collector.receive(octet, 0)
    assert collector.first_line == b"GET / HTTP/1.1"
    assert collector.starts_with(b"GET /")
    assert not collector.starts_with(b"GET / HTTP/1.1\r\nHost: a")
    assert not collector.is_full


@each("octet", [*range(0x09), *range(0x0A, 0x20), 0x7F])
def test_which_octets_it_may_not_hold(octet: int) -> None:
    for parts in ([b"a%cb" % octet], octets(b"a%cb" % octet), [b"a", b"%cb" % octet]):
        with pytest.raises(HttpError) as caught:
            collected(parts)
        assert caught.value.kind is BAD_REQUEST


def test_which_octets_it_may_hold() -> None:
    for octet in (0x09, *range(0x20, 0x7F), *range(0x80, 0x100)):
        for parts in ([b"a%cb" % octet], octets(b"a%cb" % octet), [b"a", b"%cb" % octet]):
            assert collected(parts) == (None, b""), octet


@each("text", [b"a\r", b"a\r\n", b"a\r\nb\r\n\r", b"\r\n"])
def test_a_line_that_may_still_end_well(text: bytes) -> None:
    refuse_offence(text)
    assert collected(octets(text)) == (None, b"")


@each("text", [b"\n", b"a\n", b"\r\r", b"a\rb", b"\r\n\n"])
def test_a_line_that_cannot(text: bytes) -> None:
    with pytest.raises(HttpError):
        refuse_offence(text)
    with pytest.raises(HttpError):
        collected(octets(text))


def test_only_what_is_asked_about_is_looked_at() -> None:
    refuse_offence(b"\x00a", 1)
