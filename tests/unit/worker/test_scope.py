"""The scope that an application sees."""

import copy
from typing import Any

import pytest

from tests.support.each import each
from zerogate.wire.spdy.headers import encode_block
from zerogate.worker.request_block import read_request_block
from zerogate.worker.scope import http_scope, make_scope

FIELDS = {
    b":method": b"POST",
    b":path": b"/caf%C3%A9/x?a=b&c=%20",
    b":version": b"HTTP/1.1",
    b":host": b"example.org:8080",
    b":scheme": b"http",
    b"x-forwarded-for": b"203.0.113.9",
    b"x-forwarded-proto": b"https",
    b"x-real-ip": b"203.0.113.9",
    b"cookie": b"a=1",
    b"x-many": b"1\x002",
    b"x-request-id": b"id-1",
}
STATE = {"made": "at start-up"}


def scope_of(root_path: str = "", **changed: bytes) -> Any:
    """`_path` stands for `:path`."""
    fields = {**FIELDS, **{name.replace("_", ":").encode(): value for name, value in changed.items()}}
    scope = http_scope(read_request_block(encode_block(fields)), root_path, STATE)
    assert scope == make_scope(fields, root_path, STATE)
    return scope


def test_a_request() -> None:
    scope = scope_of()
    assert scope["headers"] == [
        (b"host", b"example.org:8080"),
        (b"x-forwarded-for", b"203.0.113.9"),
        (b"x-forwarded-proto", b"https"),
        (b"x-real-ip", b"203.0.113.9"),
        (b"cookie", b"a=1"),
        (b"x-many", b"1"),
        (b"x-many", b"2"),
        (b"x-request-id", b"id-1"),
    ]
    del scope["headers"]
    asgi, extensions, state = scope.pop("asgi"), scope.pop("extensions"), scope.pop("state")
    assert state == STATE
    assert state is not STATE
    assert asgi["version"] == "3.0"
    assert "http.response.trailers" in extensions
    assert scope == {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": "/café/x",
        "raw_path": b"/caf%C3%A9/x",
        "query_string": b"a=b&c=%20",
        "root_path": "",
        "client": ("203.0.113.9", 0),
        "server": ("example.org", 8080),
    }


@each(
    ("target", "path", "raw_path", "query"),
    [
        (b"/", "/", b"/", b""),
        (b"/?", "/", b"/", b""),
        (b"/a?b?c", "/a", b"/a", b"b?c"),
        (b"/%2F%3F", "//?", b"/%2F%3F", b""),
        (b"/%", "/%", b"/%", b""),
        (b"/%zz", "/%zz", b"/%zz", b""),
        (b"/%FF", "/\ufffd", b"/%FF", b""),
        (b"/\xff", "/\ufffd", b"/\xff", b""),
        (b"//a//b", "//a//b", b"//a//b", b""),
        (b"*", "*", b"*", b""),
    ],
)
def test_paths(target: bytes, path: str, raw_path: bytes, query: bytes) -> None:
    scope = scope_of(_path=target)
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, raw_path, query)


@each(
    ("host", "server"),
    [
        (b"a", ("a", 80)),
        (b"a:81", ("a", 81)),
        (b"[::1]", ("[::1]", 80)),
        (b"[::1]:81", ("[::1]", 81)),
        (b"a:", ("a", 80)),
        (b"[::1]:", ("[::1]", 80)),
        (b"a:65535", ("a", 65535)),
        # None that a router lets pass; but no reason to fail.
        (b"a:\xb2", ("a:\xb2", 80)),
        (b"a:" + b"9" * 5000, ("a:" + "9" * 5000, 80)),
    ],
)
def test_servers(host: bytes, server: tuple[str, int]) -> None:
    assert http_scope({**FIELDS, b":host": host, b"x-forwarded-proto": b"http"}, "", {})["server"] == server


def test_the_port_is_the_scheme_s_where_none_is_named() -> None:
    assert http_scope({**FIELDS, b":host": b"a", b"x-forwarded-proto": b"https"}, "", {})["server"] == ("a", 443)


@each("port", [b"", b"x", b"-1", b"\xb2", b"9" * 5000])
def test_a_client_s_port_that_is_none(port: bytes) -> None:
    """No router of ours says so; but it is no reason to fail, with a traceback for each request."""
    assert http_scope({**FIELDS, b"x-real-ip": b"192.0.2.1", b"x-real-port": port}, "", {})["client"] == (
        "192.0.2.1",
        0,
    )


def test_without_a_host() -> None:
    scope = scope_of(_host=b"", _version=b"HTTP/1.0")
    assert scope["http_version"] == "1.0"
    assert b"host" not in dict(scope["headers"])


def test_without_a_client() -> None:
    assert http_scope({name: value for name, value in FIELDS.items() if name != b"x-real-ip"}, "", {})["client"] is None


def test_mounted_below_a_path() -> None:
    scope = scope_of("/api")
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/api", "/api/café/x", b"/api/caf%C3%A9/x")


@pytest.mark.parametrize("missing", [b":method", b":path"])
def test_what_must_be_there(missing: bytes) -> None:
    fields = {name: value for name, value in FIELDS.items() if name != missing}
    for made in (fields, read_request_block(encode_block(fields))):
        with pytest.raises(KeyError):
            http_scope(made, "", {})


def test_applications_that_change_their_scope_change_no_other() -> None:
    expected = copy.deepcopy(scope_of())
    first = scope_of()
    first["path"] = "/changed"
    first["headers"].clear()
    first["extensions"]["x"] = {}
    first["state"] = {}
    del first["query_string"]
    assert scope_of() == expected
