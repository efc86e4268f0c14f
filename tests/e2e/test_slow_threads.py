"""WSGI applications with one thread, and clients that are slow: what they do not hold up."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.frameworks import PIECE
from tests.support.processes import Site, make_site, wait_for
from tests.support.raw_http import HttpConnection
from tests.support.sites import ROOT

# What a client may leave untaken: 64 KiB in the worker, and 256 KiB on the link (`--stream-window`). The kernel keeps
# some more for the client's connection, which is not ours to promise.
FREE_PIECES = (64 + 256) * 1024 // len(PIECE)

# What a router takes of a body before it wants a worker for it.
COLLECTED_BYTES = 64 * 1024


@pytest.fixture(scope="module", params=["flask", "django"])
def single(request: pytest.FixtureRequest) -> Iterator[Site]:
    pytest.importorskip(request.param)
    with make_site() as site:
        site.router("--settle", "0s")
        site.worker(f"tests.e2e.frameworks.with_{request.param}", "single", "--threads", "1", cwd=ROOT)
        yield site


def test_a_stream_that_nobody_takes_holds_no_thread_for_what_the_windows_hold(single: Site) -> None:
    with HttpConnection(single.http_port, receive_buffer=4096) as slow:
        slow.get(f"/pieces/{FREE_PIECES}")
        head, _ = slow.read_final_head()
        assert head.status == 200
        # The client has taken nothing else; the one thread is free, or this would wait for it.
        assert single.get("/")[2] == b"Hello"


def test_a_larger_stream_is_held_up_and_goes_on_with_its_client(single: Site) -> None:
    n_pieces = 1000
    with HttpConnection(single.http_port, receive_buffer=4096) as slow:
        slow.get(f"/pieces/{n_pieces}")
        wait_for(lambda: single.status()["workers"][0]["in_flight"] == 1, "it is begun")
        assert slow.read_reply().body == PIECE * n_pieces
    assert single.get("/")[2] == b"Hello"


def test_an_upload_holds_no_thread_before_its_beginning_is_there(single: Site) -> None:
    body = b"x" * COLLECTED_BYTES
    with HttpConnection(single.http_port) as slow:
        slow.send(b"PUT /upload HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 16 * 1024):
            assert single.get("/")[2] == b"Hello"
            slow.send(body[start : start + 16 * 1024])
        told = json.loads(slow.read_reply().body)
    assert told["size"] == len(body)
