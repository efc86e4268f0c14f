"""Lookups by shorter ways: what the careful Python finds, and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from zerogate.router.routes import CarefulTable, RouteTable
from zerogate.wire.http.routes import Route

HOSTS = ("", "a", "a.b", "*.b", "*.a.b", "b", "*.c", "[::1]")
PREFIXES = ("", "/a", "/a/b", "/a/b/c", "/b", "/a//b", "/ab")
ASKED = (
    b"a",
    b"A.b",
    b"a.B.",
    b"x.b:80",
    b"y.a.b",
    b"c",
    b"q.c.",
    b"[::1]",
    b"[0::1]:8",
    b"",
    b":",
    b"a:",
    b"[a",
    b".",
)
segments = st.lists(st.sampled_from([b"a", b"b", b"c", b"", b"ab", b"."]), max_size=5)
paths = st.one_of(segments.map(lambda parts: b"/" + b"/".join(parts)), st.sampled_from([b"*", b"", b"a/b"]))
routes = st.lists(st.builds(Route, st.sampled_from(HOSTS), st.sampled_from(PREFIXES)), unique=True, max_size=12)


@given(routes, st.lists(st.tuples(st.sampled_from(ASKED), paths), min_size=1, max_size=8))
def test_both_find_the_same(served: list[Route], asked: list[tuple[bytes, bytes]]) -> None:
    careful: CarefulTable[Route] = CarefulTable()
    table: RouteTable[Route] = RouteTable()
    for each in (careful, table):
        for route in served:
            each.add(route, route)
    for last in (*served, None):
        for host, path in asked:
            assert table.match(host, path) == careful.match(host, path)
        if last is not None:
            careful.remove(last)
            table.remove(last)
