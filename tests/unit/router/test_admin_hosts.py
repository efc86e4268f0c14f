"""What the admin port answers, and to whom."""

import json

import pytest

from tests.support.each import each
from zerogate.router.admin import Admin
from zerogate.wire.http.errors import HttpError
from zerogate.wire.http.request import RequestHead


def ask(
    path: bytes, *, method: bytes = b"GET", host: bytes = b"127.0.0.1:9001", origin: bytes = b"", address: str = ""
) -> bytes:
    fields = [(b"origin", origin)] if origin else []
    head = RequestHead(method, path, path.partition(b"?")[0], host, 1, fields)
    return Admin(lambda: {"workers": []}, lambda: True, address).answer(head)[1]


def test_what_is_there() -> None:
    assert ask(b"/healthz") == b"ok\n"
    assert json.loads(ask(b"/status?x")) == {"workers": []}
    assert ask(b"/healthz", method=b"HEAD") == b"ok\n"


@pytest.mark.parametrize(("path", "method", "status"), [(b"/", b"GET", 404), (b"/status", b"POST", 405)])
def test_what_is_not(path: bytes, method: bytes, status: int) -> None:
    with pytest.raises(HttpError) as caught:
        ask(path, method=method)
    assert caught.value.status == status


@each("host", [b"", b"127.0.0.1", b"[::1]:9001", b"localhost:9001", b"LocalHost", b"10.0.0.5:9001"])
def test_asked_by_its_address(host: bytes) -> None:
    assert ask(b"/healthz", host=host)


def test_asked_by_the_name_it_was_bound_by() -> None:
    assert ask(b"/healthz", host=b"router.internal:9001", address="router.internal:9001")


@each("host", [b"evil.example", b"127.0.0.1.evil.example:9001", b"localhost.evil.example"])
def test_a_name_that_anybody_may_have_pointed_here(host: bytes) -> None:
    with pytest.raises(HttpError) as caught:
        ask(b"/status", host=host)
    assert caught.value.status == 403


def test_pages_from_elsewhere() -> None:
    assert ask(b"/status", origin=b"http://localhost:9001")
    for origin in (b"https://evil.example", b"null"):
        with pytest.raises(HttpError):
            ask(b"/status", origin=origin)
