"""Routes as workers write them."""

import pytest

from zerogate.wire.http.routes import MAX_ROUTE_BYTES, Route, RouteError, parse_route


@pytest.mark.parametrize(
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
    ],
)
def test_as_workers_write_them(text: str, route: Route) -> None:
    assert parse_route(text) == route
    assert parse_route(str(route)) == route


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "/a b", "a..b", ".a", "a.", "*.", "*a", "a.*", "*.*", "//a", "/a//b", "/a?b", "/a#b", "http://a/b"]
    + ["a:80", "[::1]:80", "[g]", "é", "/é", "/a\n", "a\n", "\0", "**", "/" + "a" * MAX_ROUTE_BYTES],
)
def test_what_is_no_route(text: str) -> None:
    with pytest.raises(RouteError):
        parse_route(text)
