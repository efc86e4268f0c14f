"""HTTP/1 from a client through a router and a worker to an application, and back."""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.raw_http import HttpConnection
from tests.support.raw_worker import RawWorker
from tests.support.sites import ServedSite, make_served_site
from zerogate.settings import RouterSettings
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


@pytest.mark.one_process
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
    client.send(requests + b"\x01\x02\x03 this is not HTTP\r\n\r\n")
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
    for path in ("//a", "/a%2Fb", "/a;b", "/.a", "/%C3%A4", "/a?b=%20&c=d?e", "/a?b=/../c", "/a/"):
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


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X_Real_Ip", "X_Anything", "Content_Length", "Proxy"])
def test_what_would_be_taken_for_another_field_is_dropped(client: HttpConnection, name: str) -> None:
    seen = inspect(client, "/inspect", f"{name}: spoofed")
    assert not [pair for pair in seen["headers"] if "spoofed" in pair[1]]


def test_underscores_cross_where_they_are_wanted_but_claims_never() -> None:
    with make_served_site("--underscores") as site, site.open() as client:
        seen = inspect(client, "/inspect", "X_Anything: wanted", "X_Forwarded_For: spoofed", "Proxy: spoofed")
        assert values(seen, "x_anything") == ["wanted"]
        assert not [pair for pair in seen["headers"] if "spoofed" in pair[1]]


def test_a_proxy_on_this_machine_is_believed_by_default() -> None:
    with make_served_site("--trust", "loopback", "--trust", "unix") as site, site.open() as client:
        seen = inspect(client, "/inspect", "X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.7")
        assert seen["scheme"] == "https"
        assert seen["client"] == ["192.0.2.7", 0]
    assert RouterSettings().trust == ("loopback", "unix")


def test_the_scope_has_the_client_s_port(client: HttpConnection) -> None:
    assert inspect(client, "/inspect")["client"] == list(client.sock.getsockname())


def test_a_client_that_names_no_host_is_told_apart_by_its_socket(client: HttpConnection) -> None:
    client.send(b"GET /inspect HTTP/1.0\r\n\r\n")
    seen = json.loads(client.read_reply().body)
    assert seen["server"] == ["127.0.0.1", client.sock.getpeername()[1]]


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


def test_a_reset_client_is_not_an_error(shared: ServedSite) -> None:
    aborted = shared.counter("aborted")
    with shared.open() as client:
        client.get("/listen/reset")
        shared.wait_app_log("reset began")
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    shared.wait_app_log("reset heard http.disconnect")
    assert shared.counter("aborted") == aborted + 1
    assert "Traceback" not in shared.router_process.output()
