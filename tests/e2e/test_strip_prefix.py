"""An application that was written for the top of a site is mounted below a prefix of it."""

import json

import pytest

from tests.support.processes import Site
from tests.support.sites import ROOT


@pytest.mark.parametrize("app", ["fastapi_app", "starlette_app", "django_app"])
def test_an_application_that_knows_nothing_of_its_prefix(site: Site, app: str) -> None:
    site.router()
    options = ("--route", "/shop/eu", "--strip-prefix")
    site.worker(f"tests.e2e.mounted_apps:{app}", "mounted", *options, cwd=ROOT)
    status, _, body = site.get("/shop/eu/items/a")
    assert (status, json.loads(body)) == (200, {"name": "a", "link": "/shop/eu/items/b"})


@pytest.mark.parametrize(
    ("target", "path", "root_path", "query"),
    [
        ("/api/x?y=/api", "/api/x", "/api", "y=/api"),
        ("/api", "/api/", "/api", ""),
        ("/api?y", "/api/", "/api", "y"),
        ("/api/", "/api/", "/api", ""),
        ("/other/x", "/other/x", "", ""),
    ],
)
def test_what_the_application_is_told(site: Site, target: str, path: str, root_path: str, query: str) -> None:
    site.router()
    routes = ("--route", "/api", "--route", "*", "--strip-prefix")
    site.worker("tests.e2e.mounted:app", "mounted", *routes, cwd=ROOT)
    seen = json.loads(site.get(target)[2])
    assert (seen["path"], seen["root_path"], seen["query"]) == (path, root_path, query)


def test_prefixes_add_up_behind_a_proxy_that_strips_one_too(site: Site) -> None:
    site.router()
    site.worker("tests.e2e.mounted:app", "mounted", "--route", "/api", "--strip-prefix", cwd=ROOT)
    seen = json.loads(site.get("/api/x", headers={"x-forwarded-prefix": "/eu/"})[2])
    assert (seen["root_path"], seen["path"], seen["prefix"]) == ("/eu/api", "/eu/api/x", ["/eu/api"])


def test_a_stranger_s_prefix_is_not_believed(site: Site) -> None:
    site.router("--trust", "none")
    site.worker("tests.e2e.mounted:app", "mounted", "--route", "/api", "--strip-prefix", cwd=ROOT)
    seen = json.loads(site.get("/api/x", headers={"x-forwarded-prefix": "/evil"})[2])
    assert (seen["root_path"], seen["prefix"]) == ("/api", ["/api"])
