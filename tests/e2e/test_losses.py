"""What becomes of requests whose worker is lost, refuses, or leaves."""

import signal

import pytest

from tests.support.processes import Site, wait_for
from tests.support.raw_http import HttpConnection
from tests.support.raw_worker import RawWorker
from tests.support.sites import ServedSite, make_served_site
from zerogate.wire.spdy import events

# A raw worker has a link to one process of a router.
pytestmark = pytest.mark.one_process


def test_a_lost_worker_s_requests_are_answered_by_another() -> None:
    site = ServedSite()
    try:
        site.router()
        with RawWorker(site.endpoint, "dies") as dying, HttpConnection(site.http_port) as client:
            client.get("/")
            dying.next_request()
            site.hello("lives")
            dying.close()
            assert client.read_reply().body == b"Hello from lives\n"
            assert site.status()["counters"]["retries"] == 1
    finally:
        site.close()


def test_a_kept_body_goes_to_the_next_worker(site: Site) -> None:
    site.router()
    body = bytes(range(256)) * 200
    with RawWorker(site.endpoint, "dies") as dying, HttpConnection(site.http_port) as client:
        client.send(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        dying.read_body(dying.next_request().stream)
        with RawWorker(site.endpoint, "lives") as other:
            dying.close()
            request = other.next_request()
            assert other.read_body(request.stream) == body
            other.reply(request.stream)
            assert client.read_reply().status == 200


def test_a_kept_body_that_is_still_coming_goes_to_the_next_worker(site: Site) -> None:
    site.router()
    with RawWorker(site.endpoint, "dies") as dying, HttpConnection(site.http_port) as client:
        client.send(b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        dying.next_request()
        with RawWorker(site.endpoint, "lives") as other:
            dying.close()
            stream = other.next_request().stream
            client.send(b"7\r\n second\r\n0\r\n\r\n")
            assert other.read_body(stream) == b"first second"
            other.reply(stream)
            assert client.read_reply().status == 200


def test_a_body_too_large_to_keep_is_lost_with_its_worker(site: Site) -> None:
    site.router()
    with RawWorker(site.endpoint, "dies") as dying, HttpConnection(site.http_port) as client:
        client.send(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n" + bytes(100_000))
        dying.read_body(dying.next_request().stream)
        with RawWorker(site.endpoint, "lives"):
            dying.close()
            reply = client.read_reply()
            assert (reply.status, reply.get("zerogate-error")) == (502, "worker_lost")


def test_what_is_not_safe_to_repeat_is_not_repeated(site: Site) -> None:
    site.router()
    with RawWorker(site.endpoint, "dies") as dying, HttpConnection(site.http_port) as client:
        client.post("/", b"")
        dying.next_request()
        with RawWorker(site.endpoint, "lives") as other:
            dying.close()
            reply = client.read_reply()
            assert (reply.status, reply.get("zerogate-error")) == (502, "worker_lost")
            assert other.events == [event for event in other.events if type(event).__name__ == "Settings"]


def test_retries_come_to_an_end(site: Site) -> None:
    site.router("--retries", "2")
    with HttpConnection(site.http_port) as client:
        client.get("/")
        for number in range(3):
            with RawWorker(site.endpoint, f"dies-{number}") as worker:
                worker.next_request()
        reply = client.read_reply()
        assert (reply.status, reply.get("zerogate-error")) == (502, "worker_lost")


def test_a_refusal_is_always_safe_to_send_elsewhere(site: Site) -> None:
    site.router()
    with RawWorker(site.endpoint, "refuses") as refusing, HttpConnection(site.http_port) as client:
        client.post("/", b"body")
        stream = refusing.next_request().stream
        with RawWorker(site.endpoint, "takes") as other:
            refusing.session.reset(stream, 3)
            refusing.flush()
            request = other.next_request()
            assert other.read_body(request.stream) == b"body"
            other.reply(request.stream)
            assert client.read_reply().status == 200
        assert site.status()["counters"]["refused"] == 1


def test_an_upload_that_is_refused_goes_elsewhere_though_more_than_is_kept_has_been_sent(site: Site) -> None:
    site.router()
    body = bytes(range(250)) * 800
    with RawWorker(site.endpoint, "refuses") as refusing, HttpConnection(site.http_port) as client:
        client.post("/", body)
        stream = refusing.next_request().stream
        n_bytes = 0
        while n_bytes < len(body):
            n_bytes += len(refusing.next(events.Data).data)
        with RawWorker(site.endpoint, "takes") as other:
            refusing.session.reset(stream, 3)
            refusing.flush()
            request = other.next_request()
            assert other.read_body(request.stream) == body
            other.reply(request.stream)
            assert client.read_reply().status == 200


def test_streams_above_the_last_one_of_a_goaway_go_elsewhere(site: Site) -> None:
    """A worker that leaves without having looked at a request: nothing fails, whatever the method."""
    site.router()
    with RawWorker(site.endpoint, "leaves") as leaving, HttpConnection(site.http_port) as client:
        # The router says nothing before the JOIN is answered, so this is what it has seen: nothing.
        leaving.session.goaway()
        client.post("/", b"body")
        wait_for(lambda: site.status()["workers"][0]["in_flight"] == 1, "the request under way")
        leaving.flush()
        with RawWorker(site.endpoint, "stays") as other:
            request = other.next_request()
            assert other.read_body(request.stream) == b"body"
            other.reply(request.stream)
            assert client.read_reply().status == 200


def test_a_worker_that_leaves_finishes_what_it_has() -> None:
    with make_served_site() as site, HttpConnection(site.http_port) as client:
        client.send(b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        assert client.read_head().status == 200
        assert client.read_chunk() == b"first"
        leaving = site.worker_process
        site.app_worker("app", "second")
        leaving.send_signal(signal.SIGTERM)
        wait_for(lambda: "worker app-worker is leaving" in site.router_process.output(), "the worker's farewell")
        assert site.get("/")[0] == 200
        assert leaving.popen.poll() is None
        client.send(b"4\r\nlast\r\n0\r\n\r\n")
        assert client.read_chunk() == b"last"
        assert client.read_chunk() == b""
        assert leaving.popen.wait(30) == 0
