"""Routes as workers write them."""

import pytest
from tests.support.each import each

from zerogate.wire.http.routes import MAX_ROUTE_BYTES, Route, RouteError, parse_route


@each(
    ("text", "route"),
    [
        ("*", Route("", "")),
        ("*/", Route("", "")),
        ("/", Route("", "")),
        ("/api", Route("", "/api")),
        ("/api/v1/", Route("", "/api/v1")),
        ("*/api", Route("", "/api")),
        ("Example.ORG", Route("example.org", "")),
        ("example.org/", Route("example.org", "")),
        ("example.org/Api", Route("example.org", "/Api")),
        ("*.example.org", Route("*.example.org", "")),
        ("*.example.org/a/b", Route("*.example.org", "/a/b")),
        ("localhost", Route("localhost", "")),
        ("10.0.0.1/a", Route("10.0.0.1", "/a")),
        ("[::1]/a", Route("[::1]", "/a")),
        ("/a%20b;c=d~!$&'()*+,@:", Route("", "/a%20b;c=d~!$&'()*+,@:")),
        ("a.", Route("a", "")),
        ("*.Example.org./x", Route("*.example.org", "/x")),
        ("b\u00fccher.example/\u00fc", Route("xn--bcher-kva.example", "/%C3%BC")),
        ("*.b\u00fccher.example", Route("*.xn--bcher-kva.example", "")),
        ("[0:0::1]/a", Route("[::1]", "/a")),
        ("/%61%2fb%7E%2f", Route("", "/a/b~")),
        ("/%c3%bc", Route("", "/%C3%BC")),
        ("/100%25", Route("", "/100%25")),
        ("/a%5Cb%3F", Route("", "/a%5Cb%3F")),
        ("/.well-known", Route("", "/.well-known")),
    ],
)
def test_as_workers_write_them(text: str, route: Route) -> None:
    assert parse_route(text) == route
    assert parse_route(str(route)) == route


@each(
    "text",
    ["", " ", "a b", "/a b", "a..b", ".a", "*.", "*a", "a.*", "*.*", "//a", "/a//b", "/a?b", "/a#b", "http://a/b"]
    + ["a:80", "[::1]:80", "[g]", "[::1", "*.[::1]", "/a\n", "a\n", "\0", "**", "/" + "a" * MAX_ROUTE_BYTES]
    + ["/a/../b", "/.", "/%2e%2E", "/a%2f..", "/..;x/a", "/%5C..", "/a%00", "/%", "/%2", "/%zz", "/a%2F%2Fb", "/%2Fa"]
    + ["/" + "\u00fc" * (MAX_ROUTE_BYTES // 2), "\u2603", "/\ud800"],
)
def test_what_is_no_route(text: str) -> None:
    with pytest.raises(RouteError):
        parse_route(text)
