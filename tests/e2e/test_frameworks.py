"""The frameworks that people have, each with a small application of its own (`frameworks/`), hosted as it is."""

import hashlib
import http.client
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.frameworks import PIECE
from tests.support.processes import Process, Site, make_site, wait_for
from tests.support.sites import ROOT

FRAMEWORKS = {
    "flask": ("with_flask", "with_flask:app, WSGI, 3 threads"),
    "django": ("with_django", "with_django:application, WSGI, 3 threads"),
    "pyramid": ("with_pyramid", "with_pyramid:make_app(), WSGI, 3 threads"),
    "bottle": ("with_bottle", "with_bottle:create_app(), WSGI, 3 threads"),
}

MIB = 1024 * 1024


class FrameworkSite(Site):
    """An application at the top of the site, and once more below /shop, which it knows nothing of."""

    module = ""
    worker_process: Process

    def serve(self, name: str) -> None:
        pytest.importorskip(name)
        self.module, self.found = FRAMEWORKS[name]
        self.router("--settle", "0s")
        target = f"tests.e2e.frameworks.{self.module}"
        options = ("--threads", "3")
        self.worker_process = self.worker(target, "top", *options, cwd=ROOT)
        self.worker(target, "shop", *options, "--route", "/shop", "--strip-prefix", cwd=ROOT)


@pytest.fixture(scope="module", params=FRAMEWORKS)
def served(request: pytest.FixtureRequest) -> Iterator[FrameworkSite]:
    site = FrameworkSite()
    try:
        site.serve(request.param)
        yield site
    finally:
        site.close()


def got(site: Site, path: str, **more: Any) -> Any:
    status, _, body = site.get(path, **more)
    assert status == 200, body
    return json.loads(body)


def digested(body: bytes, name: str = "") -> dict[str, Any]:
    return {"name": name, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def test_what_was_found_is_in_its_first_line(served: FrameworkSite) -> None:
    assert f"worker top (tests.e2e.frameworks.{served.found}) dials" in served.worker_process.output().splitlines()[0]


def test_hello(served: FrameworkSite) -> None:
    status, fields, body = served.get("/")
    assert (status, body) == (200, b"Hello")
    # Django alone does not say it, unless it is asked to.
    assert fields.get("content-length") == (None if served.module == "with_django" else "5")
    status, fields, body = served.get("/", method="HEAD")
    assert (status, body) == (200, b"")
    assert served.get("/nowhere")[0] == 404


@pytest.mark.parametrize("size", [0, 1, 65_535, 5 * MIB])
def test_an_upload(served: FrameworkSite, size: int) -> None:
    body = os.urandom(size)
    assert got(served, "/upload", method="PUT", body=body) == digested(body)


def test_an_upload_in_chunks(served: FrameworkSite) -> None:
    """One that is small is here when it begins, and so has a length; of a large one some frameworks want to know it."""
    small, large = os.urandom(30_000), os.urandom(3 * MIB)
    assert got(served, "/upload", method="PUT", body=iter([small[:10_000], small[10_000:]])) == digested(small)
    if served.module == "with_flask":
        pieces = iter([large[start : start + 100_000] for start in range(0, len(large), 100_000)])
        assert got(served, "/upload", method="PUT", body=pieces) == digested(large)


def test_a_form_with_a_file(served: FrameworkSite) -> None:
    boundary, body = uuid.uuid4().hex, os.urandom(2 * MIB)
    form = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="title"\r\n\r\nA title\r\n'
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\n'
        f"content-type: application/octet-stream\r\n\r\n"
    ).encode()
    form += body + f"\r\n--{boundary}--\r\n".encode()
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    told = got(served, "/form", method="POST", body=form, headers=headers)
    assert told == digested(body, "A title a.bin")


def test_a_stream(served: FrameworkSite) -> None:
    status, fields, body = served.get("/pieces/400")
    assert (status, body) == (200, PIECE * 400)
    assert fields.get("transfer-encoding") == "chunked"


def test_events_come_when_they_happen_and_end_with_their_client(served: FrameworkSite) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.http_port, timeout=20)
    connection.request("GET", "/events")
    reply = connection.getresponse()
    assert reply.getheader("content-type", "").startswith("text/event-stream")
    for number in range(3):
        assert (reply.readline(), reply.readline()) == (b"data: %d\n" % number, b"\n")
        if number < 2:
            assert got(served, "/cue") == {"left": False}
    reply.close()
    connection.close()
    # It hears of it with its next event.
    wait_for(lambda: got(served, "/cue")["left"], "the generator is closed")


def test_a_session(served: FrameworkSite) -> None:
    cookies: dict[str, str] = {}
    for number in (1, 2, 3):
        status, fields, body = served.get("/session", headers=cookies)
        assert (status, json.loads(body)) == (200, {"seen": number})
        cookies = {"cookie": fields["set-cookie"].partition(";")[0]}
    assert got(served, "/session") == {"seen": 1}


@pytest.mark.parametrize(
    ("headers", "location"),
    [
        ({"host": "shop.example"}, "http://shop.example"),
        ({"host": "shop.example:8080"}, "http://shop.example:8080"),
        ({"host": "shop.example", "x-forwarded-proto": "https"}, "https://shop.example"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/shop"])
def test_a_redirect(served: FrameworkSite, headers: dict[str, str], location: str, prefix: str) -> None:
    status, fields, _ = served.get(f"{prefix}/redirect", headers=headers)
    # Bottle sends 303, and goes from the URL as it is written here.
    assert (status, fields["location"]) in ((302, f"{location}{prefix}/"), (303, f"{location}/"))


@pytest.mark.parametrize("prefix", ["", "/shop"])
def test_who_and_where_the_client_is(served: FrameworkSite, prefix: str) -> None:
    headers = {"host": "shop.example", "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
    assert got(served, f"{prefix}/client?a=%20b", headers=headers) == {
        "address": "203.0.113.9",
        "scheme": "https",
        "url": f"https://shop.example{prefix}/client?a=%20b",
        "root": prefix,
    }


def test_a_file(served: FrameworkSite) -> None:
    status, fields, body = served.get("/file")
    path = Path(__file__).with_name("frameworks") / f"{served.module}.py"
    assert (status, body, fields["content-length"]) == (200, path.read_bytes(), str(path.stat().st_size))


def test_a_failure(served: FrameworkSite) -> None:
    status, _, body = served.get("/raise")
    assert status == 500
    assert b"as it was told to" not in body
    served.worker_process.wait_output("ArithmeticError: as it was told to")
    assert served.get("/")[2] == b"Hello"


# httpbin, which is an application of its own


@pytest.fixture(scope="module")
def httpbin() -> Iterator[Site]:
    pytest.importorskip("httpbin")
    with make_site() as site:
        site.router("--settle", "0s")
        worker = site.worker("httpbin", "httpbin", cwd=ROOT)
        assert "(httpbin:app, WSGI, " in worker.output()
        yield site


def test_httpbin_tells_what_it_was_asked(httpbin: Site) -> None:
    told = got(httpbin, "/anything/a?b=c", method="PUT", body=b"text", headers={"x-one": "1", "host": "bin.example"})
    assert (told["method"], told["args"], told["data"]) == ("PUT", {"b": "c"}, "text")
    assert (told["url"], told["origin"], told["headers"]["X-One"]) == (
        "http://bin.example/anything/a?b=c",
        "127.0.0.1",
        "1",
    )


def test_httpbin_streams_and_sets_cookies(httpbin: Site) -> None:
    assert len(httpbin.get("/stream/20")[2].splitlines()) == 20
    assert len(httpbin.get("/stream-bytes/100000?chunk_size=1000")[2]) == 100_000
    status, fields, _ = httpbin.get("/cookies/set?one=1")
    assert (status, fields["location"], fields["set-cookie"]) == (302, "/cookies", "one=1; Path=/")
    status, fields, _ = httpbin.get("/redirect-to?url=/get&status_code=307")
    assert (status, fields["location"]) == (307, "/get")
    status, fields, body = httpbin.get("/range/1000", headers={"range": "bytes=10-19"})
    assert (status, fields["content-range"], len(body)) == (206, "bytes 10-19/1000", 10)


def test_httpbin_has_every_status(httpbin: Site) -> None:
    for status in (200, 204, 304, 404, 418, 503):
        assert httpbin.get(f"/status/{status}")[0] == status
