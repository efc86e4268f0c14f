"""An upgrade: what a client sends into a tunnel that is not there yet, or never will be, reaches no worker."""

from collections.abc import Iterator

import pytest

from tests.support.processes import Site, make_site, wait_for
from tests.support.raw_http import HttpConnection
from tests.support.raw_worker import RawWorker, reply_block
from tests.support.sites import ROOT
from zerogate.wire.spdy import events
from zerogate.wire.spdy.frames import RstStatus

# A raw worker has a link to one process of a router.
pytestmark = pytest.mark.one_process

UPGRADE = (
    b"GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
EARLY = b"GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
# Long enough for what must not come, had it been sent.
AFTERWARDS_S = 0.3


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with make_site() as made:
        made.router("--settle", "0s")
        yield made


@pytest.fixture
def worker(site: Site) -> Iterator[RawWorker]:
    with RawWorker(site.endpoint) as made:
        yield made
    wait_for(lambda: not site.status()["workers"], "the worker is gone")


def assert_nothing_came(worker: RawWorker) -> None:
    worker.pump(AFTERWARDS_S)
    assert not [event for event in worker.events if isinstance(event, events.Data | events.StreamOpened)]


@pytest.mark.parametrize("is_cut", [False, True], ids=["together", "later"])
def test_octets_wait_for_the_101(site: Site, worker: RawWorker, is_cut: bool) -> None:
    with HttpConnection(site.http_port) as client:
        if is_cut:
            client.send(UPGRADE)
            stream = worker.next_request().stream
            client.send(EARLY)
        else:
            client.send(UPGRADE + EARLY)
            stream = worker.next_request().stream
        assert_nothing_came(worker)
        worker.send_block(stream, reply_block("101", ("upgrade", "websocket")))
        assert client.read_head().status == 101
        client.send(b"and more")
        received = b""
        while len(received) < len(EARLY) + 8:
            received += worker.next(events.Data).data
        assert received == EARLY + b"and more"
        worker.send_data(stream, b"answer", True)
        assert client.read_rest() == b"answer"


@pytest.mark.parametrize("status", ["200", "404", "501"])
@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "in pieces"])
def test_no_octet_crosses_after_another_reply(site: Site, worker: RawWorker, status: str, is_whole: bool) -> None:
    """They were for a tunnel, and there is none: neither are they a request, so the connection ends."""
    with HttpConnection(site.http_port) as client:
        client.send(UPGRADE + EARLY)
        request = worker.next_request()
        assert not request.fin
        if is_whole:
            worker.reply(request.stream, status, body=b"no tunnel")
        else:
            worker.send_block(request.stream, reply_block(status))
            assert client.read_head().status == int(status)
            assert_nothing_came(worker)
            worker.send_data(request.stream, b"no tunnel", True)
        assert b"no tunnel" in client.read_until(b"no tunnel" if is_whole else b"\r\n0\r\n\r\n")
        # The request has no end, and needs none any more.
        reset = worker.next(events.Reset)
        assert (reset.stream, reset.status) == (request.stream, RstStatus.CANCEL)
        assert_nothing_came(worker)
        client.assert_ends()


def test_an_application_without_it(site: Site) -> None:
    """A client that wants WebSocket and nothing else is told at once, and the log of the worker says so."""
    worker = site.worker("tests.e2e.plain_wsgi:app", "plain", cwd=ROOT)
    with HttpConnection(site.http_port) as client:
        client.send(UPGRADE)
        reply = client.read_reply()
        assert (reply.status, reply.body) == (501, b"501: the application does not speak this protocol\n")
    worker.wait_output("GET /tunnel asks for websocket, which the application does not speak")
    assert worker.terminate() == 0
    wait_for(lambda: not site.status()["workers"], "the worker is gone")


def test_a_version_that_is_not_spoken(site: Site) -> None:
    with HttpConnection(site.http_port) as client:
        client.send(UPGRADE.replace(b"version: 13", b"version: 8"))
        head = client.read_reply().head
        assert (head.status, head.get("upgrade"), head.get("sec-websocket-version")) == (426, "websocket", "13")
        assert [value for name, value in head.fields if name == "connection"] == ["close, upgrade"]


def test_who_sends_into_it_for_ever_costs_no_memory() -> None:
    """Before the 101 a client is not read beyond what came with its request."""
    with make_site() as own:
        router = own.router("--settle", "0s")
        with RawWorker(own.endpoint) as worker, HttpConnection(own.http_port) as client:
            client.send(UPGRADE)
            worker.next_request()
            before = router.rss_kib()
            client.sock.settimeout(1.0)
            with pytest.raises(TimeoutError):
                client.send(bytes(256 << 20))
            assert router.rss_kib() - before < 16 * 1024
            assert_nothing_came(worker)
