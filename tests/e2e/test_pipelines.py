"""Requests that are sent ahead: however many, they cost the octets of a read, and wait for their turn."""

import contextlib

import pytest

from tests.support.processes import Site, wait_for
from tests.support.raw_http import HttpConnection
from tests.support.raw_worker import RawWorker

# A raw worker has a link to one process of a router.
pytestmark = pytest.mark.one_process

N_CLIENTS = 200
AHEAD_BYTES = 250_000
TINY = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
MAX_GROWTH_KIB = 64 * 1024


def test_tiny_requests_ahead_cost_no_more_than_their_octets(site: Site) -> None:
    """Nothing is parsed before its turn: not one of ten thousand heads on each connection is there as an object."""
    router = site.router("--settle", "0s", "--access-log", "off")
    with RawWorker(site.endpoint, capacity=N_CLIENTS + 1) as worker, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(HttpConnection(site.http_port)) for _ in range(N_CLIENTS)]
        for client in clients:
            client.get("/slow")
        slow = [worker.next_request() for _ in clients]
        before = router.rss_kib()
        ahead = TINY * (AHEAD_BYTES // len(TINY))
        sent = 0
        for client in clients:
            client.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sent += client.sock.send(ahead)
        assert sent > N_CLIENTS * AHEAD_BYTES // 4
        # The router still answers, so it has read what it reads.
        wait_for(lambda: site.status()["counters"]["requests"] == N_CLIENTS, "no request was begun before its turn")
        worker.pump(0.5)
        assert site.status()["counters"]["requests"] == N_CLIENTS
        assert router.rss_kib(peak=True) - before < sent // 1024 + MAX_GROWTH_KIB
        # In their turn they are served.
        worker.reply(slow[0].stream)
        assert worker.next_request().fields[b":path"] == b"/"
