"""Reading into the same memory: what is handed on stays as it was, whoever keeps it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.link_pair import Handler, Owner, Pair, feed
from tests.support.virtual_time import run_virtually
from zerogate.link.bulk import BUFFER_BYTES, LONG_READ_BYTES, MAX_SHORT_READS, BulkReader
from zerogate.settings import LinkSettings

LONG = bytes(range(256)) * (BUFFER_BYTES // 256)
OTHER = LONG[::-1]


class Usual(asyncio.Protocol):
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def eof_received(self) -> bool:
        self.heard.append("eof")
        return True

    def pause_writing(self) -> None:
        self.heard.append("pause")

    def resume_writing(self) -> None:
        self.heard.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.heard.append(exc)


class Transport:
    def __init__(self) -> None:
        self.protocol: Any = None

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol


def reader_for(receive: Callable[[bytes], None], transport: Transport | None = None) -> BulkReader:
    there: Any = transport or Transport()
    return BulkReader(Usual(), receive, there)


def test_a_full_buffer_is_not_copied_and_used_again() -> None:
    received: list[bytes] = []
    reader = reader_for(lambda data: received.append(bytes(data)))
    first = reader.get_buffer(-1)
    feed(reader, LONG)
    assert reader.get_buffer(-1) is first
    feed(reader, OTHER)
    assert reader.get_buffer(-1) is first
    assert received == [LONG, OTHER]


@pytest.mark.parametrize("keep", [lambda view: view, lambda view: view[5:70_000]], ids=["all", "a part"])
def test_what_somebody_keeps_is_not_written_over(keep: Callable[[Any], Any]) -> None:
    kept: list[Any] = []
    reader = reader_for(lambda data: kept.append(keep(data)))
    for octets in (LONG, OTHER, LONG):
        feed(reader, octets)
    assert kept == [keep(LONG), keep(OTHER), keep(LONG)]
    last = reader.get_buffer(-1)
    kept.clear()
    assert reader.get_buffer(-1) is last


def test_nobody_may_write_into_a_view() -> None:
    received: list[Any] = []
    feed(reader_for(received.append), LONG)
    assert received[0].readonly


def test_what_is_short_is_copied() -> None:
    received: list[bytes] = []
    reader = reader_for(received.append)
    for size in (1, BUFFER_BYTES - 1):
        feed(reader, LONG[:size])
    assert [type(data) for data in received] == [bytes, bytes]
    assert received == [LONG[:1], LONG[: BUFFER_BYTES - 1]]


def test_after_many_short_reads_the_usual_way_is_taken_again() -> None:
    transport = Transport()
    reader = reader_for(lambda data: None, transport)
    for octets in [b"a"] * (MAX_SHORT_READS - 1) + [LONG] + [b"a"] * (MAX_SHORT_READS - 1):
        feed(reader, octets)
    assert transport.protocol is None
    feed(reader, b"a")
    assert type(transport.protocol) is Usual


def test_all_else_is_the_protocols() -> None:
    usual = Usual()
    transport: Any = Transport()
    reader = BulkReader(usual, lambda data: None, transport)
    assert reader.eof_received()
    reader.pause_writing()
    reader.resume_writing()
    error = OSError()
    reader.connection_lost(error)
    assert usual.heard == ["eof", "pause", "resume", error]


def test_a_link_reads_so_while_a_body_comes() -> None:
    """With all that may come between: PINGs, other streams' replies, and then nothing large any more."""
    body = bytes(range(251)) * 12_000

    class Taking(Handler):
        def __init__(self) -> None:
            super().__init__()
            self.body = b""

        def on_data(self, data: bytes, fin: bool) -> None:
            self.body += data

    async def main() -> tuple[bytes, list[bool], list[Any]]:
        pair = Pair(settings=LinkSettings(stream_window=4 * 1024 * 1024), router=Owner())
        await pair.settle()
        handlers = [Taking(), Taking()]
        streams = await pair.ask(*handlers)
        for stream in streams:
            pair.worker.send_reply(stream, b"\0\0\0\0", False)
        was_bulk = [isinstance(pair.router_end.protocol, BulkReader)]
        for at in range(0, len(body), 100_000):
            for stream in streams:
                pair.worker.send_data(stream, body[at : at + 100_000], False)
            pair.worker.ping(1.0)
            await pair.settle()
        was_bulk.append(isinstance(pair.router_end.protocol, BulkReader))
        for _ in range(2 * MAX_SHORT_READS):
            pair.worker.ping(1.0)
            await asyncio.sleep(0)
        await pair.settle()
        was_bulk.append(isinstance(pair.router_end.protocol, BulkReader))
        assert handlers[0].body == handlers[1].body
        return handlers[0].body, was_bulk, pair.router_owner.heard

    received, was_bulk, heard = run_virtually(main())
    assert received == body
    assert was_bulk == [False, True, False]
    assert not [what for what in heard if what[0] == "closed"]


def test_a_usual_read_can_be_long_enough() -> None:
    """uvloop reads 256,000 octets at a time, asyncio 262,144; and what comes next must fill the buffer."""
    assert BUFFER_BYTES < LONG_READ_BYTES < 256_000
