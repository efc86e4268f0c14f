"""WebSocket's opening handshake: what is one, what is answered to what is none, and the scope that it makes."""

import pytest

from tests.support.each import each
from tests.support.websocket_client import KEY
from zerogate.wire.spdy.headers import decode_block
from zerogate.worker.errors import ApplicationError
from zerogate.worker.websocket_handshake import (
    BAD_EXTENSIONS,
    BAD_KEY,
    FORBIDDEN_BLOCK,
    NOT_A_GET,
    WRONG_VERSION,
    Refusal,
    accept_block,
    find_fault,
    negotiate_deflate,
    websocket_scope,
)

Fields = dict[bytes, bytes]

GOOD: Fields = {
    b":method": b"GET",
    b":path": b"/chat%20room?a=b",
    b":version": b"HTTP/1.1",
    b":host": b"a.example:8080",
    b"upgrade": b"websocket",
    b"sec-websocket-version": b"13",
    b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ==",
}


def test_a_good_one() -> None:
    assert find_fault(GOOD, False) is None
    assert find_fault({**GOOD, b"content-length": b"0"}, False) is None
    assert find_fault({**GOOD, b"sec-websocket-key": KEY}, False) is None


@each(
    ("changes", "refusal"),
    [
        ({b":method": b"POST"}, NOT_A_GET),
        ({b":version": b"HTTP/1.0"}, NOT_A_GET),
        ({b"content-length": b"3"}, NOT_A_GET),
        ({b"transfer-encoding": b"chunked"}, NOT_A_GET),
        ({b"sec-websocket-version": b"8"}, WRONG_VERSION),
        ({b"sec-websocket-version": b"13\x0013"}, WRONG_VERSION),
        ({b"sec-websocket-version": b""}, WRONG_VERSION),
        ({b"sec-websocket-key": b""}, BAD_KEY),
        ({b"sec-websocket-key": b"AAAA"}, BAD_KEY),
        ({b"sec-websocket-key": b"!GhlIHNhbXBsZSBub25jZQ=="}, BAD_KEY),
        ({b"sec-websocket-key": KEY + b"\0" + KEY}, BAD_KEY),
        ({b"sec-websocket-extensions": b"permessage-deflate; ="}, BAD_EXTENSIONS),
    ],
)
def test_bad_ones(changes: Fields, refusal: Refusal) -> None:
    assert find_fault({**GOOD, **changes}, False) is refusal


def test_one_that_cannot_go_on() -> None:
    assert find_fault(GOOD, True) is NOT_A_GET


@each(
    ("refusal", "status"), [(NOT_A_GET, b"400"), (BAD_KEY, b"400"), (BAD_EXTENSIONS, b"400"), (WRONG_VERSION, b"426")]
)
def test_a_refusal_is_a_whole_reply(refusal: Refusal, status: bytes) -> None:
    fields = decode_block(refusal.block)
    assert fields[b":status"] == status
    assert int(fields[b"content-length"]) == len(refusal.body)
    assert (b"sec-websocket-version" in fields) is (b"upgrade" in fields) is (status == b"426")


def test_forbidden_is_403() -> None:
    assert decode_block(FORBIDDEN_BLOCK)[b":status"] == b"403"


def test_the_scope() -> None:
    fields = {**GOOD, b"x-real-ip": b"192.0.2.1", b"x-real-port": b"4", b"x-forwarded-proto": b"https"}
    fields[b"sec-websocket-protocol"] = b"one, two\0three,"
    scope = websocket_scope(fields, "/root", {"made": "at start-up"})
    headers = scope.pop("headers")
    assert (b"sec-websocket-protocol", b"three,") in headers
    assert scope == {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "wss",
        "path": "/root/chat room",
        "raw_path": b"/root/chat%20room",
        "query_string": b"a=b",
        "root_path": "/root",
        "client": ("192.0.2.1", 4),
        "server": ("a.example", 8080),
        "subprotocols": ["one", "two", "three"],
        "extensions": {"websocket.http.response": {}},
        "state": {"made": "at start-up"},
    }


@each(("proto", "scheme"), [(b"http", "ws"), (b"https", "wss"), (b"ws", "ws"), (b"wss", "wss")])
def test_the_scheme(proto: bytes, scheme: str) -> None:
    assert websocket_scope({**GOOD, b"x-forwarded-proto": proto}, "", {})["scheme"] == scheme


def test_the_answer() -> None:
    fields = decode_block(accept_block({**GOOD, b"sec-websocket-protocol": b"a, b"}, "b", [(b"X-A", b"1")], []))
    assert fields == {
        b":status": b"101",
        b":version": b"HTTP/1.1",
        b"sec-websocket-accept": b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",  # RFC 6455, 1.3
        b"sec-websocket-protocol": b"b",
        b"x-a": b"1",
    }


@each("name", [b"Sec-WebSocket-Protocol", b"sec-websocket-accept", b"bad name"])
def test_headers_that_it_may_not_have(name: bytes) -> None:
    with pytest.raises(ApplicationError):
        accept_block(GOOD, None, [(name, b"x")], [])


def test_a_subprotocol_that_was_not_offered() -> None:
    with pytest.raises(ApplicationError, match="not offered"):
        accept_block(GOOD, "b", [], [])


@each(
    ("offer", "answer"),
    [
        (b"", b""),
        (b"x-other", b""),
        (b"permessage-deflate", b"permessage-deflate; server_max_window_bits=12"),
        (b"permessage-deflate; server_max_window_bits=8", b""),
        (b"permessage-deflate; server_max_window_bits=8; server_no_context_takeover", b""),
        (
            b"permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9",
            b"permessage-deflate; server_max_window_bits=9",
        ),
        (
            b"permessage-deflate; nonsense, permessage-deflate; client_max_window_bits",
            b"permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        ),
        (
            b"x-other\0permessage-deflate; client_no_context_takeover; server_no_context_takeover",
            b"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12",
        ),
    ],
)
def test_compression_is_agreed_upon(offer: bytes, answer: bytes) -> None:
    fields = {**GOOD, b"sec-websocket-extensions": offer}
    said, extensions = negotiate_deflate(fields)
    assert len(extensions) == bool(answer)
    assert decode_block(accept_block(fields, None, [], said)).get(b"sec-websocket-extensions", b"") == answer
