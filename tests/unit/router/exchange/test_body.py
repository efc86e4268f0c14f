"""The request's body on its way: what is kept, what is owed, and the end."""

from typing import Any

from tests.support.each import each
from tests.support.fakes import FakeLink, FakeStream
from zerogate.router.exchange.body import MAX_UNTAKEN_BYTES, RequestBody


class Way:
    """A body, and where it goes."""

    def __init__(self, limit_bytes: int = 10) -> None:
        self.body = RequestBody(limit_bytes)
        self.fake = FakeLink()
        self.link: Any = self.fake
        self.stream: Any = FakeStream(None)

    def said(self) -> list[str]:
        said = [*self.fake.notes]
        self.fake.notes.clear()
        return said


def test_what_is_kept_goes_at_once_and_is_owed_until_then() -> None:
    way = Way()
    body = way.body
    assert (body.has_begun, body.is_empty, body.kept_bytes) == (False, False, 0)
    body.keep(b"ab")
    body.keep(b"c")
    assert (body.has_begun, body.kept_bytes) == (True, 3)
    assert body.send_kept(way.link, way.stream) == 3
    assert way.said() == ["link.data abc more"]
    assert body.send(way.link, way.stream, b"de") == 2
    body.send_end(way.link, way.stream)
    assert way.said() == ["link.data de more", "link.data - fin"]


@each(
    ("data", "trailers", "said"),
    [
        (b"abc", [], ["link.data abc fin"]),
        (b"abc", [(b"x-t", b"1")], ["link.data abc more", "link.headers x-t fin"]),
        (b"", [(b"x-t", b"1")], ["link.headers x-t fin"]),
    ],
)
def test_all_of_it_was_there(data: bytes, trailers: list[tuple[bytes, bytes]], said: list[str]) -> None:
    way = Way()
    if data:
        way.body.keep(data)
    way.body.keep_end(trailers)
    assert not way.body.is_empty
    assert way.body.send_kept(way.link, way.stream) == len(data)
    assert way.said() == said


def test_none_of_it_is_there() -> None:
    way = Way()
    assert way.body.send_kept(way.link, way.stream) == 0
    assert way.said() == []
    way.body.keep_end(())
    assert (way.body.is_empty, way.body.has_begun) == (True, True)


def test_trailers_come_behind_it() -> None:
    way = Way()
    way.body.keep_end([(b"x-t", b"1"), (b"x-t", b"2")])
    way.body.send_end(way.link, way.stream)
    assert way.said() == ["link.headers x-t fin"]


def test_it_can_be_sent_again_while_it_is_whole() -> None:
    way = Way(limit_bytes=4)
    way.body.keep(b"ab")
    assert way.body.send_kept(way.link, way.stream) == 2
    assert way.body.send(way.link, way.stream, b"cd") == 2
    assert way.body.is_whole
    # Its credit was given; it is not given twice.
    assert way.body.send_kept(way.link, way.stream) == 0
    assert way.said()[-1] == "link.data abcd more"
    assert way.body.is_repeatable
    assert way.body.send(way.link, way.stream, b"e") == 1
    # The worker may yet refuse it, but nobody makes up for it if it is lost.
    assert (way.body.is_whole, way.body.is_repeatable) == (True, False)
    way.stream.send_window += 1
    assert way.body.is_whole
    assert way.body.send(way.link, way.stream, b"") == 0
    assert not way.body.is_whole
    assert way.body.send(way.link, way.stream, b"f") == 1
    assert repr(way.body) == "<RequestBody OPEN, not kept>"


def test_what_is_too_much_goes_once() -> None:
    way = Way(limit_bytes=4)
    way.body.keep(b"abcde")
    assert way.body.is_whole
    assert way.body.send_kept(way.link, way.stream) == 5
    way.stream.send_window += 5
    assert way.body.settle(way.stream) == 0
    assert not way.body.is_whole


def test_what_was_refused_goes_to_the_next_however_much_it_is() -> None:
    way = Way(limit_bytes=4)
    way.body.keep(b"abc")
    way.body.send_kept(way.link, way.stream)
    way.body.send(way.link, way.stream, b"defgh")
    # What waits for the window has not gone on: that is no credit.
    way.stream.send_window += 3
    way.stream.pending_bytes = 3
    way.body.send(way.link, way.stream, b"ijk")
    assert way.body.is_whole
    way.said()
    other: Any = FakeStream(None)
    way.body.send_kept(way.link, other)
    assert way.said() == ["link.data abcdefghijk more"]
    assert way.body.is_whole
    other.send_window += 1
    way.body.settle(other)
    assert not way.body.is_whole


def test_a_worker_with_a_huge_window_that_gives_no_credit_has_it_keep_no_more() -> None:
    way = Way(limit_bytes=4)
    way.stream.send_window = 2**31 - 1
    way.body.send_kept(way.link, way.stream)
    piece = bytes(64 * 1024)
    while way.body.is_whole:
        assert way.body.kept_bytes <= 4 + MAX_UNTAKEN_BYTES
        way.body.send(way.link, way.stream, piece)
        way.stream.send_window -= len(piece)
    assert way.body.received_bytes > 4 + MAX_UNTAKEN_BYTES


def test_nothing_is_kept_once_it_is_forgotten() -> None:
    way = Way()
    way.body.keep(b"ab")
    way.body.forget()
    assert not way.body.is_whole
    way.body.send(way.link, way.stream, b"c")
    assert way.body.kept_bytes == 2


def test_credit_is_for_what_has_gone_on() -> None:
    way = Way()
    way.stream.pending_bytes = 1
    way.body.keep(b"ab")
    assert way.body.send_kept(way.link, way.stream) == 0
    assert way.body.send(way.link, way.stream, b"cd") == 0
    assert way.body.settle(way.stream) == 0
    way.stream.pending_bytes = 0
    assert way.body.settle(way.stream) == 4
    assert way.body.settle(way.stream) == 0


def test_it_says_what_it_is() -> None:
    body = RequestBody(10)
    body.keep(b"ab")
    body.keep_end(())
    assert repr(body) == "<RequestBody ENDED, 2 bytes kept>"
