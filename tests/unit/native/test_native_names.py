"""The table of names."""

import gc
from collections.abc import Callable
from typing import Any

import pytest

from zerogate.native import compiled
from zerogate.wire.http1.heads import native_reader
from zerogate.wire.http1.limits import HttpLimits
from zerogate.wire.spdy.headers import encode_block

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


read_request = compiled.find("blocks", "read_request")
read_reply = compiled.find("heads", "read_reply")
reply_block = compiled.find("blocks", "reply_block")
server_request = compiled.find("servers", "request_head")
server_reply = compiled.find("servers", "reply_head")

VERSION = {b":version": b"HTTP/1.1"}
REQUEST = encode_block({b":method": b"GET", b":path": b"/", **VERSION, b"x-first": b"1", b"x-second": b"a\0b"})
REPLY = encode_block({b":status": b"200 Fine", **VERSION, b"x-first": b"1", b"x-second": b"a\0b"})
# As many names as push out whatever is in the table.
OTHERS = [encode_block({b"x-%d-%d" % (n, m): b"" for m in range(60)}) for n in range(200)]


class Finalizer:
    """In a cycle that nobody refers to: when the collector comes, it reads messages of its own."""

    n_run = 0

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        Finalizer.n_run += 1
        for block in OTHERS:
            read_request(block)


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-First: 1\r\n\r\n"
read_head: Any = native_reader(HttpLimits())
READ: dict[str, Callable[[], Any]] = {
    "a request's head": lambda: read_head(HEAD).fields,
    "a block": lambda: decode_block(REQUEST),
    "a request's block": lambda: list(read_request(REQUEST).items()),
    "a reply's block": lambda: (read_reply(REPLY).note, read_reply(REPLY).fields),
    "a reply's headers": lambda: reply_block(200, [(b"X-First", b"1"), (b"X-Second", b"2"), (b"X-First", b"3")]),
    "an attached server's request": lambda: server_request(read_request(REQUEST), b"a", False, True),
    "an attached server's reply": lambda: server_reply(b"HTTP/1.1 200 OK\r\nX-First: 1\r\nX-Second: 2\r\n\r\n", 100),
}


@pytest.mark.parametrize("what", READ)
def test_whoever_is_freed_amid_a_message_may_read_others(what: str) -> None:
    """The collector runs whenever something is made that it knows, and finalizers are anybody's code."""
    read = READ[what]
    expected = read()
    thresholds = gc.get_threshold()
    gc.collect()
    # What is kept for pairs to be made of is used up: the next is new, and the collector is asked.
    held = [(number, number) for number in map(int, range(5000))]
    for _ in range(3):
        Finalizer()
        try:
            gc.set_threshold(1)
            assert read() == expected
        finally:
            gc.set_threshold(*thresholds)
        gc.collect()
    assert held
    assert Finalizer.n_run >= 3
