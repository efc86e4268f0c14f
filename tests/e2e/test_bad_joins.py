"""Workers that join badly, or too often, or open what they should not: nobody else notices."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.canary import check_canary, make_canary_site, refusal_of, unnoticed, wait_until_closed
from tests.support.processes import wait_for
from tests.support.raw_worker import LinkEndedError, RawLink, RawWorker, join_block, wrapped
from tests.support.sites import ServedSite
from zerogate.link.sparse_log import SUM_UP_EVERY_S
from zerogate.router.links import JOINS_BURST, JOINS_PER_S
from zerogate.wire.spdy import frames
from zerogate.wire.spdy.frames import RstStatus

# A raw worker has a link to one process of a router.
pytestmark = pytest.mark.one_process


@pytest.fixture(scope="module")
def shared() -> Iterator[ServedSite]:
    with make_canary_site() as site:
        yield site


@pytest.fixture(autouse=True)
def canary(shared: ServedSite) -> Iterator[None]:
    with unnoticed(shared):
        yield


BAD_JOINS: dict[str, tuple[dict[str, str], str, str]] = {
    "no name": ({"worker": ""}, "400", "worker"),
    "long name": ({"worker": "a" * 129}, "400", "worker"),
    "name with a space": ({"worker": "a b"}, "400", "worker"),
    "weight 0": ({"weight": "0"}, "400", "weight"),
    "weight 1001": ({"weight": "1001"}, "400", "weight"),
    "weight in words": ({"weight": "much"}, "400", "weight"),
    "negative weight": ({"weight": "-1"}, "400", "weight"),
    "no route": ({"route": " "}, "400", "route"),
    "route with a query": ({"route": "/a?b"}, "400", "route"),
    "route with a port": ({"route": "a:80/"}, "400", "route"),
    "route with a star amid": ({"route": "a.*.b"}, "400", "route"),
    "route that is long": ({"route": "/" + "a" * 600}, "400", "route"),
    "10,000 routes": ({"route": "\0".join(f"/{n}" for n in range(10_000))}, "400", "route"),
    "another method": ({"_method": "GET"}, "40", "JOIN"),
}


@pytest.mark.parametrize("name", BAD_JOINS)
def test_a_bad_join_is_told_what_is_wrong(shared: ServedSite, name: str) -> None:
    given, status, word = BAD_JOINS[name]
    fields = dict(given)
    with RawWorker(shared.endpoint, join=False) as worker:
        reply = worker.join(fields.pop("worker", "bad-join"), **fields)
        assert reply[b":status"].startswith(status.encode())
        assert word in reply[b"reason"].decode()
        assert word in refusal_of(shared, worker)
        # It may mend its ways.
        assert worker.join("mended", ["/mended"])[b":status"].startswith(b"200")
        with shared.open() as client:
            client.get("/mended")
            worker.reply(worker.next_request().stream, body=b"mended")
            assert client.read_reply().body == b"mended"


def test_a_flood_of_streams_ends_its_link(shared: ServedSite) -> None:
    """Thousands of streams that are no JOIN, each with data in it."""
    with RawWorker(shared.endpoint, "opener", routes=["/opener"]) as worker:
        with contextlib.suppress(ConnectionError):
            for number in range(2, 4002, 2):
                raw = wrapped(join_block("x", _method="GET"))
                worker.send_message(
                    frames.syn_stream(2 + number, raw, False) + frames.data_header(2 + number, 100, False) + bytes(100)
                )
        check_canary(shared)
        wait_until_closed(worker.sock)
        shared.router_process.wait_output("worker opener lost: a flood of JOINs")
    assert shared.router_process.output().count("cannot join") < 100


def test_ever_new_routes_do_not_pile_up(shared: ServedSite) -> None:
    with RawWorker(shared.endpoint, "mover", routes=["/start"]) as worker:
        # It may have as many at once, and then one each second: it is faster than that, however slow the machine.
        began, number = time.monotonic(), 0
        with contextlib.suppress(ConnectionError, LinkEndedError):
            while True:
                worker.join("mover", [f"/{number}/{n}" for n in range(128)])
                number += 1
                assert number <= JOINS_BURST + JOINS_PER_S * (time.monotonic() - began + 1)
        check_canary(shared)
        assert len(shared.status()["routes"]) < 300


def test_links_turned_away_are_counted_in_one_line(shared: ServedSite) -> None:
    began, before = time.monotonic(), shared.router_process.output().count("turned away")
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(contextlib.closing(socket.create_connection(("127.0.0.1", shared.link_port))))
        check_canary(shared)
    assert (
        shared.router_process.output().count("turned away") - before <= 2 + (time.monotonic() - began) / SUM_UP_EVERY_S
    )


def test_http_on_the_link_port_is_told_as_such(shared: ServedSite) -> None:
    with RawLink(shared.endpoint) as link:
        link.send_octets(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        wait_until_closed(link.sock)
        assert refusal_of(shared, link) == "the peer speaks HTTP, not ZMTP: one of us has the wrong port"


def test_more_links_than_there_may_be(shared: ServedSite) -> None:
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(RawLink(shared.endpoint)) for _ in range(260)]
        wait_for(lambda: "turned away" in shared.router_process.output(), "a link that is turned away")
        check_canary(shared)
        assert shared.status()["links"] <= 200
        for link in links:
            link.close()
    wait_for(lambda: shared.status()["links"] == 1, "one link left")
    with RawWorker(shared.endpoint, "afterwards", routes=["/afterwards"]):
        pass


def test_one_name_twice_crosses_no_replies(shared: ServedSite) -> None:
    with (
        RawWorker(shared.endpoint, "twin", routes=["/twin"]) as one,
        RawWorker(shared.endpoint, "twin", routes=["/twin"]) as two,
    ):
        for worker in (one, two):
            assert worker.join_reply[b":status"].startswith(b"200")
        with shared.open() as first, shared.open() as second:
            first.get("/twin?first")
            second.get("/twin?second")
            requests = [one.next_request(), two.next_request()]
            for worker, request in zip((one, two), requests, strict=True):
                worker.reply(request.stream, body=request.fields[b":path"])
            assert first.read_reply().body == b"/twin?first"
            assert second.read_reply().body == b"/twin?second"


def test_a_refused_request_is_not_lost(shared: ServedSite) -> None:
    """REFUSED_STREAM from a worker alone in its pool: the request comes again, as nothing was begun."""
    with RawWorker(shared.endpoint, "refuses", routes=["/refuses"]) as worker, shared.open() as client:
        client.post("/refuses", b"body")
        for _ in range(2):
            worker.session.reset(worker.next_request().stream, RstStatus.REFUSED_STREAM)
            worker.flush()
        request = worker.next_request()
        assert worker.read_body(request.stream) == b"body"
        worker.reply(request.stream, body=b"at last")
        assert client.read_reply().body == b"at last"
