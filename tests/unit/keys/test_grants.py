"""What a grant covers: as its docstring has it, and so that no request passes it by."""

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.each import each
from zerogate.keys.grants import covers, shadows, uncovered
from zerogate.router.routes import RouteTable
from zerogate.wire.http.routes import Route, parse_route

ROWS = [
    ("*", "* example.org *.example.org /api example.org/api", ""),
    ("example.org", "example.org example.org/api", "www.example.org *.example.org * /api xexample.org example.orgx"),
    ("example.org/api", "example.org/api example.org/api/v1", "example.org example.org/apis example.org/ap /api"),
    (
        "*.example.org",
        "www.example.org a.b.example.org *.example.org *.a.example.org/x",
        "example.org *.org xexample.org",
    ),
    ("*.example.org/x", "www.example.org/x a.example.org/x/y", "www.example.org *.example.org www.example.org/xy"),
    ("/api", "/api /api/v1 example.org/api *.example.org/api", "* /apis example.org /"),
]


@each(("grant", "covered", "others"), ROWS)
def test_what_each_covers(grant: str, covered: str, others: str) -> None:
    made = parse_route(grant)
    assert all(covers(made, parse_route(route)) for route in covered.split())
    assert not [route for route in others.split() if covers(made, parse_route(route))]


def test_several_grants_together() -> None:
    grants = [parse_route("a.example"), parse_route("/static")]
    routes = [parse_route(text) for text in ("a.example/x", "b.example/static", "b.example", "*")]
    assert uncovered(grants, routes) == [parse_route("b.example"), parse_route("*")]
    assert uncovered([], routes) == routes


@each(
    ("grant", "before", "others"),
    [
        ("example.org/api", "example.org * *.org /api *.org/api /", "example.org/api/v1 example.org/x example.com"),
        ("example.org", "* *.org /api *.org/api", "example.org example.org/api www.example.org example.com"),
        ("*.example.org", "* *.org /api *.org/api", "www.example.org *.www.example.org example.org *.com"),
        ("*.example.org/x", "*.example.org *.org/x/y /x /", "*.org/y /y www.example.org/x example.org/x"),
        ("/api", "*", "/api/v1 /apis example.org *.org/api /x"),
        ("*", "", "* /api example.org *.example.org"),
    ],
)
def test_who_goes_before_whom(grant: str, before: str, others: str) -> None:
    made = parse_route(grant)
    assert [text for text in before.split() if not shadows(made, parse_route(text))] == []
    assert [text for text in others.split() if shadows(made, parse_route(text))] == []


hosts = st.sampled_from(["", "a.example", "b.example", "*.example", "x.a.example", "*.a.example", "axexample"])
prefixes = st.lists(st.sampled_from(["a", "b", "ab", ".a"]), max_size=3).map(
    lambda parts: "".join(f"/{p}" for p in parts)
)
routes = st.builds(Route, hosts, prefixes)
requests = st.tuples(
    st.sampled_from(["a.example", "A.Example:80", "b.example", "x.a.example", "y.x.a.example", "example", "other"]),
    st.lists(st.sampled_from(["a", "b", "ab", ".a", ""]), max_size=4).map(lambda parts: "/" + "/".join(parts)),
)


@given(routes, routes, requests)
def test_whatever_a_covered_route_matches_its_grant_matches(
    grant: Route, route: Route, request_: tuple[str, str]
) -> None:
    def matches(one: Route) -> bool:
        table: RouteTable[bool] = RouteTable()
        table.add(one, True)
        return bool(table.match(request_[0].encode(), request_[1].encode()))

    if covers(grant, route) and matches(route):
        assert matches(grant)


@example(Route("a.example", ""), Route("", "/a"), ("a.example", "/a/b"))
@given(routes, routes, requests)
def test_who_takes_a_request_of_another_s_is_said_to(one: Route, other: Route, request_: tuple[str, str]) -> None:
    host, path = request_[0].encode(), request_[1].encode()
    alone: RouteTable[Route] = RouteTable()
    alone.add(other, other)
    both: RouteTable[Route] = RouteTable()
    both.add(other, other)
    both.add(one, one)
    if alone.match(host, path) == other and both.match(host, path) != other:
        assert shadows(one, other)


@given(routes, routes, routes)
def test_an_order(one: Route, two: Route, three: Route) -> None:
    assert covers(one, one)
    if covers(one, two) and covers(two, three):
        assert covers(one, three)
    if covers(one, two) and covers(two, one):
        assert one == two
