"""HEAD, 204 and 304: no body crosses, whatever a worker sends, and it hears so as soon as the head is out."""

from collections.abc import Iterator

import pytest

from tests.support.processes import Site, make_site, wait_for
from tests.support.raw_http import HttpConnection
from tests.support.raw_worker import RawWorker, reply_block
from tests.support.sites import ServedSite, make_served_site
from zerogate.wire.spdy import events
from zerogate.wire.spdy.frames import RstStatus

# A raw worker has a link to one process of a router.
pytestmark = pytest.mark.one_process

KIB = 1024
# What a worker may have sent before it hears of the end: a stream's window, and some more for heads.
MAX_BYTES = 300 * KIB

ASKED = [("HEAD", 200), ("GET", 204), ("GET", 304), ("POST", 304)]


@pytest.fixture(scope="module")
def shared() -> Iterator[ServedSite]:
    with make_served_site() as site:
        yield site


@pytest.fixture(scope="module")
def bare() -> Iterator[Site]:
    """A router alone."""
    with make_site() as site:
        site.router()
        yield site


def bytes_in(site: Site) -> int:
    found: int = site.status()["workers"][0]["bytes_in"]
    return found


@pytest.mark.parametrize(("method", "status"), ASKED)
def test_an_endless_producer_is_stopped(shared: ServedSite, method: str, status: int) -> None:
    before = bytes_in(shared)
    with shared.open() as client:
        for _ in range(3):
            client.get(f"/endless/{status}", method=method)
            assert client.read_head().status == status
            # The connection goes on, and nothing of the body was on it.
            client.get("/status/201")
            assert client.read_reply().status == 201
        shared.wait_app_log("endless ended")
        shared.wait_in_flight(0)
    assert bytes_in(shared) - before < 3 * MAX_BYTES + 100 * KIB
    assert shared.counter("cut") == shared.counter("bad_replies") == 0


@pytest.mark.parametrize(("method", "status"), ASKED)
def test_the_worker_hears_of_it_at_once(bare: Site, method: str, status: int) -> None:
    with RawWorker(bare.endpoint) as worker, HttpConnection(bare.http_port) as client:
        client.get("/x", method=method)
        stream = worker.next_request().stream
        worker.send_block(stream, reply_block(str(status)))
        assert client.read_head().status == status
        reset = worker.next(events.Reset)
        assert (reset.stream, reset.status) == (stream, RstStatus.CANCEL)
        # What crossed on the way is nobody's.
        worker.send_data_frame(stream, b"x" * 1000, True)
        client.get("/y")
        worker.reply(worker.next_request().stream)
        assert client.read_reply().body == b"ok"
    wait_for(lambda: not bare.status()["workers"], "the worker is gone")


@pytest.mark.parametrize(("method", "status"), ASKED)
@pytest.mark.parametrize("body", [b"", b"12345", b"123"])
@pytest.mark.parametrize("length", ["5", "0", None])
def test_a_whole_reply_of_any_length(bare: Site, method: str, status: int, body: bytes, length: str | None) -> None:
    """Its Content-Length is of a body that would be: it stays, but for 204, and is not what came (RFC 9110, 8.6)."""
    with RawWorker(bare.endpoint) as worker, HttpConnection(bare.http_port) as client:
        client.get("/x", method=method)
        stream = worker.next_request().stream
        fields = [] if length is None else [("content-length", length)]
        worker.session.send_reply(stream, reply_block(str(status), *fields), False)
        worker.session.send_data(stream, body, True)
        worker.flush()
        head = client.read_head()
        assert head.status == status
        assert head.get("content-length") == ("" if status == 204 or length is None else length)
        client.get("/y")
        worker.reply(worker.next_request().stream)
        assert client.read_reply().body == b"ok"
    wait_for(lambda: not bare.status()["workers"], "the worker is gone")
