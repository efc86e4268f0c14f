"""HTTP/1 from a client through a router and a worker to an application, and back."""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import wait_for
from tests.support.raw_http import HttpConnection, ReplyCutError
from tests.support.raw_worker import RawWorker
from tests.support.sites import ServedSite, make_served_site
from zerogate.wire.spdy import events

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


def inspect(client: HttpConnection, path: str, *fields: str, **keywords: Any) -> dict[str, Any]:
    """What the application sees of a GET."""
    client.get(path, *fields, **keywords)
    reply = client.read_reply()
    assert reply.status == 200, reply
    seen: dict[str, Any] = json.loads(reply.body)
    return seen


def values(seen: dict[str, Any], name: str) -> list[str]:
    return [value for known, value in seen["headers"] if known == name]


# Framing


def test_the_connection_is_kept_from_request_to_request(client: HttpConnection) -> None:
    for _ in range(50):
        client.get("/")
        reply = client.read_reply()
        assert (reply.status, reply.body, reply.framing) == (200, b"ok", "length")
        assert reply.get("connection") == ""


def test_connection_close_is_obeyed(client: HttpConnection) -> None:
    client.get("/", "connection: close")
    assert client.read_reply().get("connection") == "close"
    client.assert_ends()


def test_a_body_of_known_length_comes_back(client: HttpConnection) -> None:
    body = bytes(range(256)) * 4000
    client.post("/echo", body)
    reply = client.read_reply()
    assert reply.body == body
    assert reply.framing == "chunked"


def test_a_chunked_body_comes_back(client: HttpConnection) -> None:
    client.send(b"POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
    client.send(b'5;ext="a b"\r\nhello\r\n')
    client.send(b"1\r\n \r\n0000005\r\nworld\r\n0\r\nx-trailer: dropped\r\n\r\n")
    assert client.read_reply().body == b"hello world"
    client.get("/")
    assert client.read_reply().body == b"ok"


def test_the_length_of_a_chunked_request_is_not_made_up(client: HttpConnection) -> None:
    client.send(b"PUT /inspect HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    seen = json.loads(client.read_reply().body)
    assert seen["body_bytes"] == 3
    assert values(seen, "content-length") == []
    assert values(seen, "transfer-encoding") == []


def test_a_reply_without_a_body_says_so(client: HttpConnection) -> None:
    client.get("/empty")
    reply = client.read_reply()
    assert (reply.status, reply.body, reply.get("content-length")) == (200, b"", "0")


@pytest.mark.parametrize("status", [204, 304])
def test_no_body_where_none_may_be(client: HttpConnection, status: int) -> None:
    client.send(f"GET /status/{status} HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n".encode())
    reply = client.read_reply()
    assert reply.status == status
    assert reply.get("transfer-encoding") == ""
    assert client.read_reply().body == b"ok"


@pytest.mark.parametrize("path", ["/", "/status/200", "/empty", "/echo"])
def test_head_has_no_body(client: HttpConnection, path: str) -> None:
    client.get(path, method="HEAD")
    client.get("/")
    assert client.read_reply("HEAD").status == 200
    assert client.read_reply().body == b"ok"


def test_head_keeps_the_length_of_the_body_it_does_not_have(client: HttpConnection) -> None:
    client.get("/", method="HEAD")
    assert client.read_reply("HEAD").get("content-length") == "2"


def test_an_old_client_reads_until_the_end(client: HttpConnection) -> None:
    client.get("/status/200", version="HTTP/1.0")
    reply = client.read_reply()
    assert (reply.framing, reply.body, reply.get("connection")) == ("close", b"a body nobody should see", "close")


def test_an_old_client_may_keep_its_connection(client: HttpConnection) -> None:
    for _ in range(2):
        client.get("/", "connection: keep-alive", version="HTTP/1.0")
        reply = client.read_reply()
        assert (reply.body, reply.get("connection")) == (b"ok", "keep-alive")
    client.get("/", version="HTTP/1.0")
    assert client.read_reply().body == b"ok"
    client.assert_ends()


def test_the_application_hears_which_version_was_spoken(client: HttpConnection) -> None:
    assert inspect(client, "/inspect")["http_version"] == "1.1"
    assert inspect(client, "/inspect", version="HTTP/1.0")["http_version"] == "1.0"


def test_trailers_of_a_reply_arrive_without_the_forbidden_ones(client: HttpConnection) -> None:
    client.get("/trailers", "te: trailers")
    reply = client.read_reply()
    assert reply.body == b"some body"
    assert reply.trailers == [("x-sum", "abc")]


def test_trailers_of_a_request_arrive_without_the_forbidden_ones(site: ServedSite) -> None:
    site.router()
    with RawWorker(site.endpoint) as worker, HttpConnection(site.http_port) as client:
        client.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
        client.send(b"X-Sum: 1\r\nAuthorization: b\r\nX-Forwarded-For: c\r\nx-more: 2\r\nx-sum: 3\r\n\r\n")
        stream = worker.next_request().stream
        trailers = worker.next(events.Headers)
        assert trailers.fin
        assert trailers.fields == {b"x-sum": b"1\x003", b"x-more": b"2"}
        worker.reply(stream)
        assert client.read_reply().body == b"ok"


# Pipelining


def test_requests_sent_ahead_are_answered_in_order(shared: ServedSite, client: HttpConnection) -> None:
    requests = ["/wait/pipeline", "/status/201", "/", "/status/204", "/inspect?last"]
    client.send("".join(f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n" for path in requests).encode())
    shared.wait_app_log("pipeline began")
    shared.signal("pipeline")
    assert client.read_reply().body == b"waited"
    assert client.read_reply().status == 201
    assert client.read_reply().body == b"ok"
    assert client.read_reply().status == 204
    assert json.loads(client.read_reply().body)["query"] == "last"


def test_a_hundred_requests_ahead_then_garbage(client: HttpConnection) -> None:
    requests = b"".join(b"POST /inspect?%d HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi" % n for n in range(100))
    client.send(requests + b"\x16\x03\x01 this is not HTTP\r\n\r\n")
    for n in range(100):
        reply = client.read_reply()
        assert reply.status == 200
        assert json.loads(reply.body)["query"] == str(n)
    refusal = client.read_reply()
    assert refusal.status == 400
    assert refusal.get("zerogate-error") == "bad_request"
    assert refusal.get("connection") == "close"
    client.assert_ends()


def test_bodies_and_requests_cut_anywhere(client: HttpConnection) -> None:
    request = b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    for octet in request * 2:
        client.send(bytes((octet,)))
    assert client.read_reply().body == b"abc"
    assert client.read_reply().body == b"abc"


# Expect


def test_a_body_is_asked_for(client: HttpConnection) -> None:
    client.send(b"POST /inspect HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n")
    assert client.read_head().status == 100
    client.send(b"body")
    reply = client.read_reply()
    assert reply.interim == []
    assert json.loads(reply.body)["body_bytes"] == 4
    client.get("/")
    assert client.read_reply().body == b"ok"


def test_a_body_nobody_wants_is_not_asked_for(client: HttpConnection) -> None:
    client.send(b"POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\nexpect: 100-continue\r\n\r\n")
    reply = client.read_reply()
    assert (reply.status, reply.interim) == (413, [])


def test_an_old_client_is_not_asked(client: HttpConnection) -> None:
    client.send(b"POST /inspect HTTP/1.0\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\nbody")
    reply = client.read_reply()
    assert (reply.status, reply.interim) == (200, [])


def test_other_expectations_are_refused_or_ignored(client: HttpConnection) -> None:
    client.get("/", "expect: the-spanish-inquisition")
    assert client.read_reply().status in (200, 417)


# One side is done before the other


def test_an_early_reply_arrives_while_the_client_still_sends(client: HttpConnection) -> None:
    client.send(b"POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n" + b"x" * 100_000)
    reply = client.read_reply()
    assert (reply.status, reply.body) == (413, b"too big, thank you")
    # The rest is drained, and the connection goes on.
    client.send(b"x" * 2_900_000 + b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert client.read_reply().body == b"ok"


def test_a_client_that_has_half_closed_gets_its_reply(shared: ServedSite, client: HttpConnection) -> None:
    client.get("/wait/half")
    client.end_sending()
    shared.wait_app_log("half began")
    shared.signal("half")
    assert client.read_reply().body == b"waited"
    client.assert_ends()


def test_a_client_that_has_half_closed_gets_all_its_replies(client: HttpConnection) -> None:
    client.get("/")
    client.get("/status/201")
    client.get("/")
    client.end_sending()
    assert [client.read_reply().status for _ in range(3)] == [200, 201, 200]
    client.assert_ends()


def test_a_half_closed_upload_is_incomplete(shared: ServedSite, client: HttpConnection) -> None:
    client.send(b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345")
    shared.wait_app_log("upload began")
    client.end_sending()
    assert client.read_reply().status == 400
    client.assert_ends()
    shared.wait_app_log("upload left after 5")


# What the application sees, and what it does not


def test_the_target_is_passed_on_as_it_was_sent(client: HttpConnection) -> None:
    for path in ("//a", "/a/../b", "/%2e%2e/a", "/a%2Fb", "/.;/a", "/a%00", "/%C3%A4", "/a?b=%20&c=d?e", "/a/"):
        seen = inspect(client, f"/inspect{path}")
        assert seen["raw_path"] + ("?" + seen["query"] if seen["query"] else "") == f"/inspect{path}"


def test_the_path_is_decoded_once(client: HttpConnection) -> None:
    assert inspect(client, "/inspect/%C3%A4%252F")["path"] == "/inspect/ä%2F"


def test_repeated_fields_arrive_one_by_one_in_order(client: HttpConnection) -> None:
    seen = inspect(client, "/inspect", "X-A: 1", "x-b: between", "X-a: 2", "x-A:", "x-a: 3")
    assert values(seen, "x-a") == ["1", "2", "3"]


def test_cookies_of_a_reply_arrive_one_by_one_in_order(client: HttpConnection) -> None:
    client.get("/cookies")
    assert client.read_reply().head.all("set-cookie") == ["a=1", "b=2; Path=/", "c=3"]


def test_hop_by_hop_fields_of_a_request_stay_here(client: HttpConnection) -> None:
    fields = [
        "connection: keep-alive, x-secret, host",
        "x-secret: 1",
        "keep-alive: timeout=5",
        "te: trailers",
        "x-b: 1",
    ]
    seen = inspect(client, "/inspect", *fields, "proxy-connection: close", "proxy-authorization: Basic eDp5")
    names = {name for name, _ in seen["headers"]}
    assert names & {"connection", "x-secret", "keep-alive", "proxy-connection", "proxy-authorization"} == set()
    assert values(seen, "host") == ["localhost"]
    assert values(seen, "x-b") == ["1"]


def test_hop_by_hop_fields_of_a_reply_stay_there(client: HttpConnection) -> None:
    client.get("/hop-by-hop")
    reply = client.read_reply()
    assert reply.body == b"ok"
    assert {name for name, _ in reply.head.fields} == {"content-length", "x-kept", "date"}
    client.get("/")
    assert client.read_reply().body == b"ok"


def test_who_asked_is_told_to_the_application(client: HttpConnection) -> None:
    seen = inspect(client, "/inspect")
    assert values(seen, "x-forwarded-for") == ["127.0.0.1"]
    assert values(seen, "x-forwarded-proto") == ["http"]
    assert values(seen, "x-forwarded-host") == ["localhost"]
    assert values(seen, "x-real-ip") == ["127.0.0.1"]
    assert REQUEST_ID.fullmatch(values(seen, "x-request-id")[0])
    assert seen["client"][0] == "127.0.0.1"
    assert seen["scheme"] == "http"


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-User",
        "X-Forwarded-Client-Cert",
        "X-Forwarded-X",
        "Forwarded",
        "X-Real-IP",
        "X-Request-Id",
    ],
)
def test_what_a_stranger_says_of_itself_is_dropped(client: HttpConnection, name: str) -> None:
    seen = inspect(client, "/inspect", f"{name}: spoofed", f"{name.lower()}: for=spoofed")
    assert not [pair for pair in seen["headers"] if "spoofed" in pair[1]]


def test_a_trusted_proxy_is_believed() -> None:
    with make_served_site("--trust", "127.0.0.0/8", "--trust", "10.0.0.0/8") as site, site.open() as client:
        fields = ["X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.2.3", "X-Forwarded-Proto: https", "X-Request-Id: theirs"]
        seen = inspect(client, "/inspect", *fields, "X-Forwarded-Host: shop.example")
        assert values(seen, "x-real-ip") == ["192.0.2.7"]
        assert values(seen, "x-forwarded-for") == ["192.0.2.7"]
        assert values(seen, "x-forwarded-proto") == ["https"]
        assert values(seen, "x-forwarded-host") == ["shop.example"]
        assert values(seen, "x-request-id") == ["theirs"]
        assert seen["scheme"] == "https"
        # It says nothing: it is the client itself.
        seen = inspect(client, "/inspect")
        assert values(seen, "x-real-ip") == ["127.0.0.1"]
        assert REQUEST_ID.fullmatch(values(seen, "x-request-id")[0])


def test_methods_of_extensions_are_passed_on(client: HttpConnection) -> None:
    assert inspect(client, "/inspect", method="PROPFIND")["method"] == "PROPFIND"
    assert inspect(client, "/inspect", method="OPTIONS")["method"] == "OPTIONS"


def test_any_client_library_gets_through(shared: ServedSite) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shared.http_port, timeout=10)
    connection.request("POST", "/echo", body=iter([b"one ", b"two"]), encode_chunked=True, headers={"X-A": "b"})
    assert connection.getresponse().read() == b"one two"
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"ok"
    connection.close()


# Errors


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
def test_a_head_up_to_the_limit_is_answered(size: int, n_fields: int) -> None:
    """Whatever fits is passed on, what does not is refused; nothing is stuck half-way."""
    with make_served_site() as site, site.open() as client:
        line = "GET /inspect HTTP/1.1\r\nhost: localhost\r\n"
        names = [f"x-{n}: " for n in range(n_fields)]
        left = size - len(line) - sum(map(len, names)) - 2 * n_fields - 2
        values = ["v" * (left // n_fields)] * n_fields
        values[-1] += "v" * (left % n_fields)
        head = line + "".join(f"{name}{value}\r\n" for name, value in zip(names, values, strict=True)) + "\r\n"
        assert len(head) == size
        client.send(head.encode())
        assert client.read_reply().status in (200, 431)
        assert site.status()["workers"][0]["in_flight"] == 0
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
            client.send(b"a")
            client.sock.settimeout(0.05)
            try:
                client.receive()
            except TimeoutError:
                return False
            return True

        wait_for(is_refused, "an answer to a dripping head", 10)
        client.sock.settimeout(10)
        assert client.read_reply().status == 408


def test_an_idle_connection_is_closed() -> None:
    with make_served_site("--keepalive-timeout", "300ms") as site, site.open() as fresh, site.open() as used:
        used.get("/")
        assert used.read_reply().status == 200
        fresh.assert_ends()
        used.assert_ends()


def test_an_answer_that_comes_too_late() -> None:
    with make_served_site("--timeout", "300ms") as site, site.open() as client:
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
        client.send(b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345")
        reply = client.read_reply()
        assert (reply.status, reply.get("connection")) == (408, "close")
        site.wait_app_log("upload left after 5")


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


# The access log

LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}) (?P<client>\S+) "
    r'"(?P<method>\S+) (?P<target>\S+)" (?P<status>\d{3}|-) (?P<bytes>\d+) (?P<ms>[\d.]+)ms (?P<host>\S+) '
    r"(?P<worker>\S+) (?P<id>\S+)"
)


def access_lines(text: str) -> list[dict[str, str]]:
    return [match.groupdict() for match in map(LINE.fullmatch, text.splitlines()) if match]


def wait_access_line(path: Path, target: str) -> dict[str, str]:
    def found() -> dict[str, str] | None:
        lines = access_lines(path.read_text()) if path.exists() else []
        return next((line for line in lines if line["target"] == target), None)

    line: dict[str, str] = wait_for(found, f"{target} in the access log")
    return line


def test_each_exchange_is_a_line_of_the_access_log(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with make_served_site("--access-log", str(path)) as site, site.open() as client:
        client.get("/inspect?a=b", method="GET")
        reply = client.read_reply()
        line = wait_access_line(path, "/inspect?a=b")
        assert (line["client"], line["method"], line["status"]) == ("127.0.0.1", "GET", "200")
        assert (line["host"], line["worker"]) == ("localhost", "app-worker")
        assert line["id"] == values(json.loads(reply.body), "x-request-id")[0]
        assert int(line["bytes"]) > len(reply.body)
        client.get("/raise-before")
        assert client.read_reply().status == 500
        assert wait_access_line(path, "/raise-before")["status"] == "500"


def test_refused_requests_are_logged_with_what_they_were_told(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with make_served_site("--access-log", str(path), "--max-body", "1k") as site:
        with site.open() as client:
            client.send(b"POST /upload?refused HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
            assert client.read_reply().status == 400
        assert wait_access_line(path, "/upload?refused")["status"] == "400"


def test_a_moved_log_is_opened_anew(tmp_path: Path) -> None:
    import signal

    path = tmp_path / "access.log"
    with make_served_site("--access-log", str(path)) as site:
        assert site.get("/?before")[0] == 200
        wait_access_line(path, "/?before")
        path.rename(tmp_path / "access.log.1")
        site.router_process.send_signal(signal.SIGHUP)
        wait_for(path.exists, "a new log")
        assert site.get("/?after")[0] == 200
        wait_access_line(path, "/?after")


def test_a_log_nobody_reads_stops_nothing() -> None:
    with make_served_site("--access-log", "off") as site:
        assert site.get("/")[0] == 200
        assert access_lines(site.router_process.output()) == []


def test_a_reset_client_is_not_an_error(shared: ServedSite) -> None:
    aborted = shared.counter("aborted")
    with shared.open() as client:
        client.get("/listen/reset")
        shared.wait_app_log("reset began")
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    shared.wait_app_log("reset heard http.disconnect")
    assert shared.counter("aborted") == aborted + 1
    assert "Traceback" not in shared.router_process.output()
