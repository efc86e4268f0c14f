"""Which worker serves which host and path."""

from collections.abc import Iterator

import pytest

from tests.support.processes import Site, make_site
from tests.support.raw_http import HttpConnection
from zerogate.wire.http.routes import parse_route

WORKERS = {
    "any": ["*"],
    "api": ["/api"],
    "api-v2": ["/api/v2"],
    "shop": ["shop.example"],
    "shop-cart": ["shop.example/cart"],
    "below": ["*.example"],
    "below-static": ["*.example/static"],
    "deep": ["*.deep.example"],
    "v6": ["[::1]"],
    "books": ["b\u00fccher.example"],
    "books-cafe": ["b\u00fccher.example/caf\u00e9"],
    "several": ["one.test", "two.test/x", "/shared"],
}


@pytest.fixture(scope="module")
def routed() -> Iterator[Site]:
    with make_site() as site:
        site.router("--settle", "0s")
        for name, routes in WORKERS.items():
            site.hello(name, *(word for route in routes for word in ("--route", route)))
        yield site


def ask(site: Site, target: str, host: str) -> str:
    with HttpConnection(site.http_port) as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1"))
        reply = client.read_reply()
    return reply.body.decode().split()[-1] if reply.status == 200 else str(reply.status)


@pytest.mark.parametrize(
    ("host", "target", "worker"),
    [
        ("other.test", "/", "any"),
        ("other.test", "/apis", "any"),
        ("other.test", "/api", "api"),
        ("other.test", "/api/", "api"),
        ("other.test", "/api/v1", "api"),
        ("other.test", "/api?/v2", "api"),
        ("other.test", "/api/v2", "api-v2"),
        ("other.test", "/api/v2/x/y", "api-v2"),
        ("other.test", "/api/v20", "api"),
        ("other.test", "/API/v2", "any"),
        ("other.test", "//api", "any"),
        ("other.test", "/api//v2", "api"),
        ("other.test", "/x/../api/v2", "400"),
        ("other.test", "/x/%2e%2E/api/v2", "400"),
        ("other.test", "/api/..%2fx", "400"),
        ("other.test", "/api/..;/x", "400"),
        ("other.test", "/api/./x", "400"),
        ("other.test", "/api%00", "400"),
        ("other.test", "/api/%", "400"),
        ("other.test", "/%61pi", "api"),
        ("other.test", "/api%2Fv2", "api-v2"),
        ("other.test", "/%2561pi", "any"),
        ("other.test", "/api;v=2", "any"),
        ("other.test", "/api/v2;x", "api"),
        ("other.test", "///", "any"),
        ("other.test", "/.well-known/api", "any"),
        ("shop.example", "/", "shop"),
        ("shop.example", "/api/v2", "shop"),
        ("shop.example", "/cart/1", "shop-cart"),
        ("SHOP.example", "/cart", "shop-cart"),
        ("shop.example:8080", "/cart", "shop-cart"),
        ("shop.example.", "/cart", "shop-cart"),
        ("Shop.Example.:80", "/c%61rt", "shop-cart"),
        ("shop..example", "/", "400"),
        ("xn--bcher-kva.example", "/", "books"),
        ("XN--BCHER-KVA.Example.", "/caf%c3%a9/1", "books-cafe"),
        ("[0:0::1]", "/", "v6"),
        ("www.example", "/cart", "below"),
        ("www.example", "/static/a.css", "below-static"),
        ("a.b.example", "/", "below"),
        ("example", "/", "any"),
        ("notexample", "/", "any"),
        ("x.deep.example", "/", "deep"),
        ("x.y.deep.example", "/static/a", "deep"),
        ("deep.example", "/", "below"),
        ("[::1]", "/", "v6"),
        ("[::1]:9000", "/api", "v6"),
        ("one.test", "/x", "several"),
        ("two.test", "/x", "several"),
        ("two.test", "/y", "any"),
        ("two.test", "/shared/a", "several"),
        ("127.0.0.1", "/", "any"),
    ],
)
def test_the_most_specific_route_serves(routed: Site, host: str, target: str, worker: str) -> None:
    assert ask(routed, target, host) == worker


def test_an_absolute_target_names_the_host(routed: Site) -> None:
    assert ask(routed, "http://shop.example/cart?a", "other.test") == "shop-cart"
    assert ask(routed, "http://shop.example", "other.test") == "shop"


def test_status_shows_every_route(routed: Site) -> None:
    routes = {route["route"]: route["workers"] for route in routed.status()["routes"]}
    assert routes == {str(parse_route(route)): 1 for routes in WORKERS.values() for route in routes}


def test_a_trailing_slash_is_the_same_route(site: Site) -> None:
    site.router("--settle", "0s")
    site.hello("one", "--route", "/a/")
    site.hello("two", "--route", "/a")
    assert {ask(site, "/a", "x") for _ in range(2)} == {"one", "two"}
    assert [route["workers"] for route in site.status()["routes"]] == [2]


def test_a_bad_route_is_refused_with_a_reason(site: Site) -> None:
    worker = site.hello("bad", "--route", "no route", wait=False)
    assert worker.popen.wait(30) == 2
    assert "'no route' is not a route" in worker.output()


def test_nobody_serves_it(site: Site) -> None:
    site.router("--settle", "0s")
    site.hello("one", "--route", "shop.example/cart")
    assert ask(site, "/cart", "shop.example") == "one"
    assert ask(site, "/", "shop.example") == "404"
    assert ask(site, "/cart", "www.shop.example") == "404"
