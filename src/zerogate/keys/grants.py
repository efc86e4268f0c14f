"""What a grant allows: a key's routes against the routes of a JOIN.

A grant is written as a route, and covers every route whose requests it would match itself if it stood alone:

    grant              covers                                                but not
    *                  everything
    example.org        example.org, example.org/api                          www.example.org, *.example.org, *
    example.org/api    example.org/api, example.org/api/v1                   example.org, example.org/apis
    *.example.org      www.example.org, a.b.example.org, *.example.org       example.org
    /api               /api, /api/v1, example.org/api                        *, /apis, example.org

Prefixes are compared by whole segments. Whatever a route of a worker matches, its grant matches: so no request reaches
a worker that its key does not allow, however its host or path is spelt. For both are compared in the one form that
`parse_route` makes of routes and grants, and the router of what it is asked for (`wire/http/hosts.py`, `paths.py`).
"""

from collections.abc import Iterable

from zerogate.wire.http.routes import Route


def covers(grant: Route, route: Route) -> bool:
    """Whether a grant allows a route."""
    return _covers_host(grant.host, route.host) and _covers_prefix(grant.prefix, route.prefix)


def uncovered(grants: Iterable[Route], routes: Iterable[Route]) -> list[Route]:
    """Those of the routes that no grant allows."""
    grants = list(grants)
    return [route for route in routes if not any(covers(grant, route) for grant in grants)]


def shadows(grant: Route, other: Route) -> bool:
    """Whether who has the first can take requests from who has the second, by a route that goes before its own.

    A worker of `example.org/api` gets what one of `example.org` would have had; and a worker of `example.org` what one
    of `*.org` or of any host would, though that one's prefix be the longer. That may be meant, and is to be said when
    such a grant is made.
    """
    if grant.host == other.host:
        return grant.prefix != other.prefix and _covers_prefix(other.prefix, grant.prefix)
    has_both = _covers_prefix(other.prefix, grant.prefix) or _covers_prefix(grant.prefix, other.prefix)
    return has_both and _covers_host(other.host, grant.host)


def _covers_host(grant: str, host: str) -> bool:
    if not grant or grant == host:
        return True
    return grant.startswith("*.") and host.removeprefix("*").endswith(grant[1:]) and host != grant[2:]


def _covers_prefix(grant: str, prefix: str) -> bool:
    return not grant or prefix == grant or prefix.startswith(f"{grant}/")
