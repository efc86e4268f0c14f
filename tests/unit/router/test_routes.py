"""Which route a request belongs to."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.each import each
from zerogate.router.routes import RouteTable
from zerogate.wire.http.routes import Route, parse_route


def table(*routes: str) -> RouteTable[str]:
    made: RouteTable[str] = RouteTable()
    for route in routes:
        made.add(parse_route(route), route)
    return made


@each(
    ("host", "path", "expected"),
    [
        (b"a.example.org", b"/api/x", "a.example.org/api"),
        (b"a.example.org", b"/api", "a.example.org/api"),
        (b"a.example.org", b"/apix", "*.example.org"),  # whole segments; and a host that fails leaves it to the next
        (b"b.example.org", b"/api", "*.example.org"),
        (b"c.b.example.org", b"/", "*.b.example.org"),
        (b"d.c.b.example.org", b"/", "*.b.example.org"),
        (b"example.org", b"/", "*"),
        (b"notexample.org", b"/", "*"),
        (b"example.com", b"/static/a/b", "/static"),
        (b"", b"/", "*"),
        (b"example.com", b"*", "*"),
        (b"example.com", b"//static", "*"),
    ],
)
def test_the_most_specific_wins(host: bytes, path: bytes, expected: str) -> None:
    made = table("*", "/static", "a.example.org/api", "*.example.org", "*.b.example.org")
    assert made.match(host, path) == expected


def test_nobody_serves_what_is_not_there() -> None:
    assert table().match(b"a", b"/") is None
    assert table("a/b", "*.c").match(b"a", b"/") is None
    assert table("a/b", "*.c").match(b"c", b"/b") is None


def test_routes_come_and_go() -> None:
    made = table("*", "*.a", "*.a/b/c")
    assert made.get(parse_route("*.a")) == "*.a"
    made.remove(parse_route("*.a/b/c"))
    assert made.get(parse_route("*.a/b/c")) is None
    assert made.match(b"x.a", b"/b/c") == "*.a"
    made.remove(parse_route("*.a"))
    assert made.match(b"x.a", b"/b/c") == "*"
    assert made.values() == ["*"]


def test_a_long_path_costs_no_more_than_the_deepest_route() -> None:
    made = table("/a/b")
    assert made.match(b"h", b"/a/b" + b"/c" * 100_000) == "/a/b"


# Against a model that looks at every route

labels = st.sampled_from("a b c".split())
host_names = st.lists(labels, min_size=1, max_size=4).map(".".join)
prefixes = st.lists(labels, max_size=3).map(lambda segments: "".join(f"/{segment}" for segment in segments))
routes = st.builds(Route, st.one_of(st.just(""), host_names, host_names.map("*.{}".format)), prefixes)
paths = st.lists(st.sampled_from(["a", "b", "c", "", "ab"]), max_size=5).map(lambda segments: "/" + "/".join(segments))


def serves(route: Route, host: str, path: str) -> bool:
    is_host = not route.host or host == route.host or (route.host[0] == "*" and host.endswith(route.host[1:]))
    return is_host and (path == route.prefix or path.startswith(f"{route.prefix}/") or not route.prefix)


def rank(route: Route) -> tuple[bool, bool, int, int]:
    """The higher, the more specific."""
    return bool(route.host), not route.host.startswith("*"), len(route.host), len(route.prefix)


@given(
    changes=st.lists(st.tuples(st.booleans(), routes), max_size=30),
    asked=st.lists(st.tuples(st.one_of(st.just(""), host_names), paths), max_size=10),
)
def test_as_a_model_has_it(changes: list[tuple[bool, Route]], asked: list[tuple[str, str]]) -> None:
    made: RouteTable[Route] = RouteTable()
    known: set[Route] = set()
    for is_added, route in changes:
        if is_added:
            made.add(route, route)
            known.add(route)
        elif route in known:
            made.remove(route)
            known.remove(route)
    assert set(made.values()) == known
    for host, path in [*asked, *((route.host.replace("*", "a"), f"{route.prefix}/a") for route in known)]:
        expected = max((route for route in known if serves(route, host, path)), key=rank, default=None)
        assert made.match(host.encode(), path.encode()) == expected
