"""Requests that are refused: why, how the client is told, and what becomes of its connection."""

import contextlib
import json
import re
from collections.abc import Iterator

import pytest

from tests.support.processes import Site, wait_for
from tests.support.raw_http import HttpConnection, ReplyCutError
from tests.support.sites import ServedSite, make_served_site

REQUEST_ID = re.compile(r"[0-9a-f]{16}-[0-9a-f]+")


@pytest.fixture(scope="module")
def shared() -> Iterator[ServedSite]:
    """One router and worker for all tests that leave them as they were."""
    with make_served_site("--max-body", "4M") as site:
        yield site


@pytest.fixture
def client(shared: ServedSite) -> Iterator[HttpConnection]:
    with shared.open() as connection:
        yield connection


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ServedSite]:
    """A router whose only worker serves something else."""
    with make_served_site(worker_options=("--route", "/elsewhere")) as site:
        yield site


def test_an_error_reply_explains_itself(elsewhere: ServedSite) -> None:
    with elsewhere.open() as client:
        client.get("/nowhere")
        reply = client.read_reply()
        assert reply.status == 404
        assert reply.get("zerogate-error") == "no_route"
        assert reply.get("content-type") == "text/plain; charset=utf-8"
        assert reply.get("cache-control") == "no-store"
        assert REQUEST_ID.fullmatch(reply.get("x-request-id"))
        assert len(reply.body) < 200
        assert b"no_route" in reply.body
        # A 404 is no reason to close.
        client.get("/nowhere", method="HEAD")
        client.get("/nowhere", "accept: application/json")
        assert client.read_reply("HEAD").status == 404
        reply = client.read_reply()
        assert reply.get("content-type") == "application/json"
        document = json.loads(reply.body)
        assert document["error"] == "no_route"
        assert document["request_id"] == reply.get("x-request-id")


def test_a_browser_gets_text(elsewhere: ServedSite) -> None:
    with elsewhere.open() as client:
        client.get("/nowhere", "accept: text/html,application/json;q=0.9")
        assert client.read_reply().get("content-type").startswith("text/plain")


REFUSALS = {
    "bare LF": (b"GET / HTTP/1.1\nhost: a\n\n", 400, "bad_request"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "two lengths": (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 2\r\n\r\n", 400, "bad_request"),
    "length and chunks": (
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "bad_request",
    ),
    "long target": (b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 414, "too_large"),
    "long head": (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 70_000 + b"\r\n\r\n", 431, "too_large"),
    "many fields": (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: a\r\n" * 101 + b"\r\n", 431, "too_large"),
    "large body": (b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 4194305\r\n\r\n", 413, "too_large"),
    "other version": (b"GET / HTTP/3.0\r\nhost: a\r\n\r\n", 505, "bad_request"),
    "connect": (b"CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", 501, "bad_request"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_request_is_told_why_and_the_connection_ends(client: HttpConnection, name: str) -> None:
    request, status, code = REFUSALS[name]
    client.send(request)
    reply = client.read_reply()
    assert (reply.status, reply.get("zerogate-error"), reply.get("connection")) == (status, code, "close")
    assert reply.get("x-request-id")
    client.assert_ends()


def test_a_chunked_body_that_grows_too_large(shared: ServedSite, client: HttpConnection) -> None:
    client.send(b"POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    for _ in range(64):
        client.send(chunk)
    client.send(b"1\r\nx\r\n")
    reply = client.read_reply()
    assert (reply.status, reply.get("zerogate-error")) == (413, "too_large")
    shared.wait_in_flight(0)


@pytest.mark.parametrize(
    ("size", "n_fields"),
    [
        (50_000, 1),
        (50_000, 98),
        (63_500, 1),
        (63_500, 98),
        (65_200, 1),
        (65_200, 98),
        (65_400, 1),
        (65_400, 98),
        (65_536, 1),
        (65_536, 98),
    ],
)
def test_a_head_up_to_the_limit_is_answered(shared: ServedSite, size: int, n_fields: int) -> None:
    """Whatever fits is passed on, what does not is refused; nothing is stuck half-way."""
    site = shared
    with site.open() as client:
        line = "GET /inspect HTTP/1.1\r\nhost: localhost\r\n"
        names = [f"x-{n}: " for n in range(n_fields)]
        left = size - len(line) - sum(map(len, names)) - 2 * n_fields - 2
        values = ["v" * (left // n_fields)] * n_fields
        values[-1] += "v" * (left % n_fields)
        head = line + "".join(f"{name}{value}\r\n" for name, value in zip(names, values, strict=True)) + "\r\n"
        assert len(head) == size
        client.send(head.encode())
        assert client.read_reply().status in (200, 431)
        site.wait_in_flight(0)
        assert site.get("/")[0] == 200


def test_a_head_that_comes_too_slowly() -> None:
    with make_served_site("--head-timeout", "300ms") as site, site.open() as client:
        client.send(b"GET / HTTP/1.1\r\nhost:")
        reply = client.read_reply()
        assert (reply.status, reply.get("zerogate-error")) == (408, "timeout")
        client.assert_ends()


def test_a_dripping_head_buys_no_time() -> None:
    with make_served_site("--head-timeout", "500ms") as site, site.open() as client:
        client.send(b"GET / HTTP/1.1\r\nx: ")

        def is_refused() -> bool:
            with contextlib.suppress(ConnectionError):
                client.send(b"a")
            client.sock.settimeout(0.05)
            try:
                client.receive()
            except TimeoutError:
                return False
            return True

        wait_for(is_refused, "an answer to a dripping head")
        client.sock.settimeout(30)
        assert client.read_reply().status == 408


def test_an_idle_connection_is_closed() -> None:
    with make_served_site("--keepalive-timeout", "2s") as site, site.open() as used, site.open() as fresh:
        used.get("/")
        assert used.read_reply().status == 200
        fresh.assert_ends()
        used.assert_ends()


def test_an_answer_that_comes_too_late() -> None:
    with make_served_site("--timeout", "2s") as site, site.open() as client:
        client.get("/listen/late")
        reply = client.read_reply()
        assert (reply.status, reply.get("zerogate-error")) == (504, "timeout")
        site.wait_app_log("late heard http.disconnect")
        client.get("/")
        assert client.read_reply().body == b"ok"


def test_a_reply_that_falls_silent_is_cut() -> None:
    with make_served_site("--idle-timeout", "300ms") as site, site.open() as client:
        client.get("/listen-replying/silent")
        with pytest.raises(ReplyCutError):
            client.read_reply()
        site.wait_app_log("silent heard http.disconnect")
        assert site.counter("cut") == 1


def test_a_body_that_stalls() -> None:
    with make_served_site("--body-timeout", "300ms") as site, site.open() as client:
        client.send(b"POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n")
        reply = client.read_reply()
        assert (reply.status, reply.get("connection")) == (408, "close")
        site.wait_app_log("upload left after 5")


@pytest.mark.parametrize("rest", [b"", b"5\r\nhal", b"no length\r\n"])
def test_a_body_that_goes_wrong_after_the_reply_gets_no_second_one(site: Site, rest: bytes) -> None:
    site.router()
    site.hello("quick")
    with HttpConnection(site.http_port) as client:
        client.send(b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n")
        assert client.read_reply("PUT").status == 200
        client.send(rest)
        client.end_sending()
        client.assert_ends()
    assert site.status()["counters"]["errors"] == {}


def test_a_full_queue_says_when_to_come_again() -> None:
    with (
        make_served_site("--queue-size", "1", worker_options=("--concurrency", "1")) as site,
        site.open() as first,
        site.open() as second,
        site.open() as third,
    ):
        first.get("/wait/full")
        site.wait_in_flight(1)
        second.get("/")
        wait_for(lambda: site.status()["waiting"] == 1, "a request that waits")
        third.get("/")
        reply = third.read_reply()
        assert (reply.status, reply.get("zerogate-error")) == (503, "queue_full")
        assert int(reply.get("retry-after")) > 0
        # A client that leaves is taken out of the queue.
        second.close()
        wait_for(lambda: site.status()["waiting"] == 0, "nobody that waits")
        third.get("/signal/full")
        wait_for(lambda: site.status()["waiting"] == 1, "a request that waits")


def test_a_queue_has_an_end() -> None:
    with (
        make_served_site("--queue-timeout", "300ms", worker_options=("--concurrency", "1")) as site,
        site.open() as first,
        site.open() as second,
    ):
        first.get("/wait/long")
        site.wait_in_flight(1)
        second.get("/")
        reply = second.read_reply()
        assert (reply.status, reply.get("zerogate-error")) == (503, "queue_timeout")
        assert reply.get("retry-after")
