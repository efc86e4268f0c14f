"""Workers that break the session itself: the link ends, and with it the worker; everybody else lives on."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.raw_worker import RawWorker, deflated, reply_block, wrapped
from tests.support.sites import ServedSite
from zerogate.wire.spdy import frames
from zerogate.wire.spdy.streams import Stream

Misdeed = Callable[[RawWorker, Stream], None]


@pytest.fixture(scope="module")
def shared() -> Iterator[ServedSite]:
    """A router and a good worker for everything; those that break join for /raw."""
    site = ServedSite()
    try:
        site.router_process = site.router("--settle", "0s", "--max-failures", "1000000")
        site.hello("canary")
        yield site
    finally:
        site.close()


def huge_head(worker: RawWorker, stream: Stream) -> None:
    # Cut every 60,000 bytes, as a stored block's length allows.
    raw = reply_block("200", *((f"x-{n}", "b" * 10_000) for n in range(6)), ("x-last", "b" * 6_000))
    assert len(raw) > 64 * 1024
    pieces = wrapped(raw[:60_000]) + wrapped(raw[60_000:])
    worker.send_frames(frames.syn_reply(stream.id, pieces, False))


def flipped_bits(worker: RawWorker, stream: Stream) -> None:
    worker.send_frames(frames.syn_reply(stream.id, wrapped(reply_block())[:-4] + b"!!!!", False))


def inflates_without_end(worker: RawWorker, stream: Stream) -> None:
    worker.send_frames(frames.syn_reply(stream.id, deflated(bytes(64 * 1024 * 1024)), False))


def huge_frame(worker: RawWorker, stream: Stream) -> None:
    raw = reply_block("200", *((f"x-{n}", "b" * 1000) for n in range(100)))
    # Larger than any control frame may be: refused before it is looked at.
    worker.send_frames(frames.syn_reply(stream.id, raw, False))


def not_zlib(worker: RawWorker, stream: Stream) -> None:
    worker.send_frames(frames.syn_reply(stream.id, b"\xff" * 40, False))


def counts_too_much(worker: RawWorker, stream: Stream) -> None:
    worker.send_reply_frame(stream, b"\xff\xff\xff\xff" + reply_block("200")[4:])


def length_too_much(worker: RawWorker, stream: Stream) -> None:
    worker.send_reply_frame(stream, b"\0\0\0\1\xff\xff\xff\xff:status")


SESSION_ENDS: dict[str, Misdeed] = {
    function.__name__: function
    for function in (
        huge_head,
        flipped_bits,
        inflates_without_end,
        huge_frame,
        not_zlib,
        counts_too_much,
        length_too_much,
    )
}


@pytest.mark.parametrize("name", SESSION_ENDS)
def test_a_broken_session_ends_alone(shared: ServedSite, name: str) -> None:
    before = shared.router_process.rss_kib()
    with (
        RawWorker(shared.endpoint, f"breaks-{name}", routes=["/raw"]) as worker,
        shared.open() as client,
        shared.open() as poster,
    ):
        client.get("/raw/broken")
        stream = worker.next_request().stream
        # Not safe to repeat, so it fails with the link; while a GET finds another worker of the pool.
        poster.post("/raw/post", b"body")
        worker.next_request()
        with RawWorker(shared.endpoint, "good", routes=["/raw"]) as good:
            SESSION_ENDS[name](worker, stream)
            reply = poster.read_reply()
            assert (reply.status, reply.get("zerogate-error")) == (502, "worker_lost")
            worker.wait_end()
            good.reply(good.next_request().stream, body=b"from the good one")
            assert client.read_reply().body == b"from the good one"
    shared.router_process.wait_output(f"worker breaks-{name} lost: ")
    assert shared.get("/")[2] == b"Hello from canary\n"
    assert shared.router_process.rss_kib() - before < 8 * 1024
