"""The error table, and the replies that its rows make."""

import json

from tests.http1_events import head_of, with_fields
from tests.support.each import each

from zerogate.wire.http import errors
from zerogate.wire.http.errors import ERRORS, NO_ROUTE, QUEUE_FULL, ErrorKind, Fault, HttpError, error_reply

# design.md, Router: "Error replies".
CODES = {
    *("no_route", "queue_full", "queue_timeout", "worker_lost", "worker_failed", "timeout", "bad_request"),
    *("too_large", "shutting_down"),
}


def test_the_table_has_every_row() -> None:
    rows = [row for row in vars(errors).values() if isinstance(row, ErrorKind)]
    assert set(rows) == set(ERRORS)
    assert len(ERRORS) == len(set(ERRORS))
    assert {row.code for row in ERRORS} == CODES


@each("row", ERRORS)
def test_what_holds_for_every_row(row: ErrorKind) -> None:
    assert row.words
    assert row.words == row.words.strip()
    assert row.may_retry is (row.status == 503)
    assert (row.fault is Fault.WORKER) is (row.status in (502, 504))
    # Nobody knows what the client's next bytes mean, or they are not wanted.
    assert row.closes or row.status not in (400, 408, 413, 414, 426, 431, 501, 505)
    assert not row.closes or row.fault is Fault.CLIENT or row is errors.TOO_MANY_CLIENTS


def test_an_error_says_its_row() -> None:
    error = HttpError(NO_ROUTE)
    assert (error.kind, error.status, error.code, error.reason) == (NO_ROUTE, 404, "no_route", NO_ROUTE.words)
    assert str(HttpError(NO_ROUTE, "here are only lions")) == "here are only lions"


def test_a_short_text() -> None:
    head, body = error_reply(HttpError(NO_ROUTE, "nobody"), None, b"id-1")
    assert body == b"404 no_route: nobody\n"
    assert (head.status, head.reason, head.length, head.has_date) == (404, b"Not Found", len(body), False)
    assert head.fields == [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"zerogate-error", b"no_route"),
        (b"x-request-id", b"id-1"),
    ]


@each(
    ("accept", "is_json"),
    [
        (b"", False),
        (b"Accept: */*\r\n", False),
        (b"Accept: application/json\r\n", True),
        (b"Accept: text/plain\r\nAccept: application/json;q=0.9\r\n", True),
        (b"Accept: text/html, application/json\r\n", False),
    ],
)
def test_json_for_those_who_ask(accept: bytes, is_json: bool) -> None:
    head, body = error_reply(HttpError(NO_ROUTE, 'a "b"'), head_of(with_fields(accept)), b"id-\xe9")
    if is_json:
        assert json.loads(body) == {"error": "no_route", "message": 'a "b"', "request_id": "id-\xe9"}
        assert (b"content-type", b"application/json") in head.fields
    else:
        assert body == b'404 no_route: a "b"\n'


@each("row", ERRORS)
def test_what_some_say_besides(row: ErrorKind) -> None:
    named = dict(error_reply(HttpError(row), None, b"")[0].fields)
    assert (b"retry-after" in named) is (row.status == 503)
    assert (b"allow" in named) is (row.status == 405)
    assert (b"sec-websocket-version" in named) is (row.status == 426)
    # RFC 9110, 15.5.22: who is told to upgrade must be told to what.
    assert named.get(b"upgrade") == (b"websocket" if row.status == 426 else None)


def test_replies_share_nothing() -> None:
    one, other = (error_reply(HttpError(QUEUE_FULL), None, name)[0] for name in (b"a", b"b"))
    assert dict(one.fields)[b"x-request-id"] == b"a"
    assert dict(other.fields)[b"x-request-id"] == b"b"
