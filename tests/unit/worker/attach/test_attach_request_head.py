"""Requests as an attached server gets them."""

import pytest

from tests.support.each import each
from zerogate.wire.spdy.headers import encode_block
from zerogate.worker.attach.request_head import RequestBody, request_head
from zerogate.worker.errors import ApplicationError
from zerogate.worker.request_block import read_request_block

GET = {b":method": b"GET", b":path": b"/a?b", b":version": b"HTTP/1.0", b":host": b"a.example", b":scheme": b"http"}


def head(fields: dict[bytes, bytes], *, has_body: bool = False, keeps: bool = True) -> list[str]:
    """Its lines, but for the empty one at the end."""
    made = {**GET, **fields}
    octets = request_head(made, b"localhost:3000", has_body=has_body, keeps=keeps)
    # The same from a block, where it may be written natively.
    read = read_request_block(encode_block(made))
    assert request_head(read, b"localhost:3000", has_body=has_body, keeps=keeps) == octets
    assert octets.endswith(b"\r\n\r\n")
    return octets[:-4].decode("latin-1").split("\r\n")


def test_a_request() -> None:
    fields = {b"x-forwarded-for": b"192.0.2.1", b"cookie": b"a\0b", b"x-empty": b"", b"te": b"gzip", b"host": b"other"}
    assert head(fields) == [
        "GET /a?b HTTP/1.1",
        "host: a.example",
        "x-forwarded-for: 192.0.2.1",
        "cookie: a",
        "cookie: b",
        "x-empty: ",
    ]
    assert head({b":host": b""})[1] == "host: localhost:3000"
    assert head({}, keeps=False)[2:] == ["connection: close"]
    assert head({b"upgrade": b"websocket"}, keeps=False)[2:] == ["connection: upgrade", "upgrade: websocket"]


def test_what_frames_its_body() -> None:
    post = {b":method": b"POST"}
    assert head(post)[2:] == ["content-length: 0"]
    assert head({b":method": b"DELETE"})[2:] == []
    assert head(post, has_body=True)[2:] == ["transfer-encoding: chunked"]
    assert head({**post, b"content-length": b"5"}, has_body=True)[2:] == ["content-length: 5"]


@each(
    "fields",
    [
        {b":method": b""},
        {b":method": b"GET /x"},
        {b":path": b""},
        {b":path": b"/ HTTP/1.1\r\nx: y"},
        {b":path": b"/a b"},
        {b":host": b"a\r\nx: y"},
        {b"x": b"a\r\ny: z"},
        {b"x y": b"a"},
        {b"X": b"a"},
        {b"upgrade": b"a\r\nx: y"},
    ],
)
def test_nothing_in_it_becomes_anothers_line(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(ApplicationError):
        head(fields)


def test_a_body_by_its_length() -> None:
    body = RequestBody({b"content-length": b"5"})
    assert body.encode(b"he", is_last=False) == b"he"
    assert repr(body) == "<RequestBody left=3>"
    assert body.encode(b"llo", is_last=True) == b"llo"
    for size in (4, 6):
        with pytest.raises(ApplicationError, match="not of its Content-Length"):
            RequestBody({b"content-length": b"5"}).encode(bytes(size), is_last=True)
    with pytest.raises(ApplicationError, match="malformed"):
        RequestBody({b"content-length": b"5, 5"})


def test_a_body_in_chunks() -> None:
    body = RequestBody({})
    assert repr(body) == "<RequestBody in chunks>"
    assert body.encode(b"hello, world", is_last=False) == b"c\r\nhello, world\r\n"
    assert body.encode(b"", is_last=False) == b""
    assert body.encode(b"!", is_last=True) == b"1\r\n!\r\n0\r\n\r\n"
    assert body.encode(b"", is_last=True) == b"0\r\n\r\n"
