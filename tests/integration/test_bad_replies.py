"""Replies that no worker should send: the client gets 502 or sees a cut, and nobody else notices anything."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.processes import wait_for
from tests.support.raw_http import HttpConnection, ReplyCutError
from tests.support.raw_worker import RawWorker, block, reply_block, wrapped
from tests.support.sites import ServedSite
from zerogate.wire.spdy import events, frames
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.streams import Stream

Misdeed = Callable[[RawWorker, Stream], None]


@pytest.fixture(scope="module")
def shared() -> Iterator[ServedSite]:
    """A router and a good worker for everything; bad ones join for /raw."""
    site = ServedSite()
    try:
        # Nobody is passed over for its failures here: tests come in any order, and many fail on purpose.
        site.router_process = site.router("--settle", "0s", "--max-failures", "1000000")
        site.hello("canary")
        yield site
    finally:
        site.close()


@pytest.fixture
def worker(shared: ServedSite) -> Iterator[RawWorker]:
    with RawWorker(shared.endpoint, "bad", routes=["/raw"]) as made:
        yield made


def says(raw: bytes, *, fin: bool = False, data: bytes | None = None) -> Misdeed:
    """Answer with a raw name/value block, and perhaps a body."""

    def do(worker: RawWorker, stream: Stream) -> None:
        worker.send_reply_frame(stream, raw, fin)
        if data is not None:
            worker.send_data_frame(stream, data, True)

    return do


def headers_first(worker: RawWorker, stream: Stream) -> None:
    worker.send_headers_frame(stream, block(("x-a", "b")))


def continue_then_nonsense(worker: RawWorker, stream: Stream) -> None:
    worker.send_headers_frame(stream, reply_block("100"))
    worker.send_reply_frame(stream, reply_block("nonsense"))


def data_first(worker: RawWorker, stream: Stream) -> None:
    worker.send_data_frame(stream, b"no head")


def gives_up(worker: RawWorker, stream: Stream) -> None:
    worker.send_frames(frames.rst_stream(stream.id, RstStatus.INTERNAL_ERROR))


def cancels(worker: RawWorker, stream: Stream) -> None:
    worker.send_frames(frames.rst_stream(stream.id, RstStatus.CANCEL))


BEFORE_THE_REPLY: dict[str, Misdeed] = {
    "no status": says(block((":version", "HTTP/1.1"))),
    "empty status": says(reply_block("")),
    "status in words": says(reply_block("OK")),
    "two digits": says(reply_block("99")),
    "four digits": says(reply_block("2000")),
    "status 600": says(reply_block("600")),
    "status 000": says(reply_block("000")),
    "signed status": says(reply_block("+20")),
    "status with a tab": says(reply_block("200\tOK")),
    "interim status": says(reply_block("100")),
    "early hints": says(reply_block("103")),
    "101 unasked": says(reply_block("101")),
    "two statuses": says(block((":status", "200\x00404"), (":version", "HTTP/1.1"))),
    "CR LF in the status": says(reply_block("200 OK\r\nx-injected: yes")),
    "CR LF in a value": says(reply_block("200", ("x-a", "b\r\nx-injected: yes"))),
    "LF in a value": says(reply_block("200", ("x-a", "b\nx-injected: yes"))),
    "CR in a value": says(reply_block("200", ("x-a", "b\rc"))),
    "control character in a value": says(reply_block("200", ("x-a", "b\x01"))),
    "empty element": says(reply_block("200", ("x-a", "b\0\0c"))),
    "NUL in front": says(reply_block("200", ("x-a", "\0b"))),
    "CR LF in a name": says(reply_block("200", ("x-a: b\r\nx-injected", "yes"))),
    "colon in a name": says(reply_block("200", ("x-a:b", "c"))),
    "space in a name": says(reply_block("200", ("x a", "b"))),
    "upper-case name": says(reply_block("200", ("X-A", "b"))),
    "no name": says(reply_block("200", ("", "b"))),
    "a name twice": says(reply_block("200", ("x-a", "b"), ("x-a", "c"))),
    "length in words": says(reply_block("200", ("content-length", "two")), data=b"ok"),
    "negative length": says(reply_block("200", ("content-length", "-2")), data=b"ok"),
    "two lengths": says(reply_block("200", ("content-length", "2\x003")), data=b"ok"),
    "one length twice": says(reply_block("200", ("content-length", "2\x002")), data=b"ok"),
    "list of lengths": says(reply_block("200", ("content-length", "2, 2")), data=b"ok"),
    "endless length": says(reply_block("200", ("content-length", "9" * 30)), data=b"ok"),
    "length without a body": says(reply_block("200", ("content-length", "2")), fin=True),
    "HEADERS first": headers_first,
    "nonsense after 100": continue_then_nonsense,
    "DATA first": data_first,
    "INTERNAL_ERROR": gives_up,
    "CANCEL": cancels,
}


def too_long(worker: RawWorker, stream: Stream) -> None:
    worker.send_reply_frame(stream, reply_block("200", ("content-length", "4")))
    worker.send_data_frame(stream, b"12345", True)


def too_long_by_a_frame(worker: RawWorker, stream: Stream) -> None:
    worker.send_reply_frame(stream, reply_block("200", ("content-length", "10")))
    worker.send_data_frame(stream, b"12345")
    worker.send_data_frame(stream, b"67890 and more", True)


def too_short(worker: RawWorker, stream: Stream) -> None:
    worker.send_reply_frame(stream, reply_block("200", ("content-length", "6")))
    worker.send_data_frame(stream, b"12345", True)


def too_short_with_trailers(worker: RawWorker, stream: Stream) -> None:
    worker.send_reply_frame(stream, reply_block("200", ("content-length", "6")))
    worker.send_data_frame(stream, b"12345")
    worker.send_headers_frame(stream, block(("x-a", "b")), True)


def replies_twice(worker: RawWorker, stream: Stream) -> None:
    worker.send_reply_frame(stream, reply_block("200"))
    worker.send_data_frame(stream, b"first")
    worker.send_reply_frame(stream, reply_block("200"))


def bad_trailers(worker: RawWorker, stream: Stream) -> None:
    worker.send_reply_frame(stream, reply_block("200"))
    worker.send_data_frame(stream, b"first")
    worker.send_headers_frame(stream, block(("x-a", "b\r\nx-injected: yes")), True)


def fails_amid(worker: RawWorker, stream: Stream) -> None:
    worker.send_reply_frame(stream, reply_block("200"))
    worker.send_data_frame(stream, b"first")
    worker.send_frames(frames.rst_stream(stream.id, RstStatus.INTERNAL_ERROR))


def refuses_amid(worker: RawWorker, stream: Stream) -> None:
    worker.send_reply_frame(stream, reply_block("200"))
    worker.send_frames(frames.rst_stream(stream.id, RstStatus.REFUSED_STREAM))


def over_the_window(worker: RawWorker, stream: Stream) -> None:
    worker.send_reply_frame(stream, reply_block("200"))
    # One frame that is larger than the whole window: no credit can make it good.
    worker.send_data_frame(stream, bytes(300 * 1024))


AMID_THE_REPLY: dict[str, Misdeed] = {
    function.__name__: function
    for function in (
        too_long,
        too_long_by_a_frame,
        too_short,
        too_short_with_trailers,
        replies_twice,
        bad_trailers,
        fails_amid,
        refuses_amid,
        over_the_window,
    )
}


def assert_others_are_well(shared: ServedSite, worker: RawWorker, other: HttpConnection, stream: Stream) -> None:
    """A stream beside the broken one gets its reply, the link takes new ones, and the other worker answers."""
    assert shared.get("/")[2] == b"Hello from canary\n"
    worker.reply(stream, body=b"undisturbed")
    assert other.read_reply().body == b"undisturbed"
    other.get("/raw/next")
    worker.reply(worker.next_request().stream, body=b"next")
    assert other.read_reply().body == b"next"
    wait_for(
        lambda: all(w["in_flight"] == 0 for w in shared.status()["workers"] if w["state"] == "up"), "nothing in flight"
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", BEFORE_THE_REPLY)
def test_a_reply_that_is_none_becomes_502(shared: ServedSite, worker: RawWorker, name: str, method: str) -> None:
    with shared.open() as client, shared.open() as other:
        other.get("/raw/other")
        other_stream = worker.next_request().stream
        client.get("/raw/bad", method=method)
        stream = worker.next_request().stream
        BEFORE_THE_REPLY[name](worker, stream)
        reply = client.read_reply()
        assert (reply.status, reply.get("zerogate-error")) == (502, "worker_failed")
        assert reply.get("x-injected") == ""
        assert b"injected" not in reply.body
        # A fault of the worker's is no reason to end the client's connection.
        client.get("/")
        assert client.read_reply().status == 200
        assert_others_are_well(shared, worker, other, other_stream)


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("name", AMID_THE_REPLY)
def test_a_reply_that_breaks_off_is_cut(shared: ServedSite, worker: RawWorker, name: str, version: str) -> None:
    """The client sees a truncated reply, or none at all, but never one that looks whole."""
    cut = shared.counter("cut")
    with shared.open() as client, shared.open() as other:
        other.get("/raw/other")
        other_stream = worker.next_request().stream
        client.get("/raw/bad", version=version)
        stream = worker.next_request().stream
        AMID_THE_REPLY[name](worker, stream)
        with pytest.raises(ReplyCutError) as caught:
            client.read_reply()
        assert b"injected" not in caught.value.received
        assert_others_are_well(shared, worker, other, other_stream)
    assert shared.counter("cut") == cut + 1


def test_a_bad_reply_is_counted_and_its_worker_named(shared: ServedSite, worker: RawWorker) -> None:
    bad = shared.counter("bad_replies")
    with shared.open() as client:
        client.get("/raw/named")
        worker.send_reply_frame(worker.next_request().stream, reply_block("nonsense"))
        assert client.read_reply().status == 502
    assert shared.counter("bad_replies") == bad + 1
    shared.router_process.wait_output("worker bad: bad reply to /raw/named")


# Whole replies with something wrong about them


def test_a_reply_to_nobody(worker: RawWorker, shared: ServedSite) -> None:
    """For a stream that never was: INVALID_STREAM, and the link goes on."""
    worker.send_frames(frames.syn_reply(12345, wrapped(reply_block()), True))
    with shared.open() as client:
        client.get("/raw")
        worker.reply(worker.next_request().stream, body=b"fine")
        assert client.read_reply().body == b"fine"


def test_what_comes_after_the_end_is_not_passed_on(worker: RawWorker, shared: ServedSite) -> None:
    with shared.open() as client:
        client.get("/raw")
        stream = worker.next_request().stream
        worker.send_reply_frame(stream, reply_block("200"))
        worker.send_data_frame(stream, b"all of it", True)
        worker.send_data_frame(stream, b"HTTP/1.1 200 OK\r\nx-smuggled: yes\r\n\r\n", True)
        worker.send_reply_frame(stream, reply_block("200", ("x-smuggled", "yes")), True)
        assert client.read_reply().body == b"all of it"
        client.get("/raw")
        worker.reply(worker.next_request().stream, body=b"second")
        reply = client.read_reply()
        assert (reply.body, reply.get("x-smuggled")) == (b"second", "")


@pytest.mark.parametrize("status", ["204", "304"])
def test_a_body_that_may_not_be_is_dropped(worker: RawWorker, shared: ServedSite, status: str) -> None:
    with shared.open() as client:
        client.get("/raw")
        stream = worker.next_request().stream
        worker.send_reply_frame(stream, reply_block(status, ("content-length", "36")))
        worker.send_data_frame(stream, b"HTTP/1.1 200 OK\r\nx-smuggled: yes\r\n\r\n", True)
        assert client.read_reply().status == int(status)
        client.get("/")
        assert client.read_reply().body == b"Hello from canary\n"


def test_framing_fields_of_a_worker_frame_nothing(worker: RawWorker, shared: ServedSite) -> None:
    with shared.open() as client:
        client.get("/raw")
        stream = worker.next_request().stream
        fields = [
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("upgrade", "websocket"),
            ("te", "trailers"),
        ]
        worker.send_reply_frame(stream, reply_block("200", *fields, ("content-length", "5")))
        worker.send_data_frame(stream, b"0\r\n\r\n", True)
        reply = client.read_reply()
        assert (reply.framing, reply.body, reply.get("connection")) == ("length", b"0\r\n\r\n", "")
        client.get("/")
        assert client.read_reply().status == 200


def test_a_worker_that_fails_again_and_again_is_passed_over() -> None:
    site = ServedSite()
    try:
        site.router("--settle", "0s", "--max-failures", "5")
        with RawWorker(site.endpoint, "failing") as failing, RawWorker(site.endpoint, "good") as good:

            def ask() -> int:
                """One request, to whoever's turn it is."""
                with site.open() as client:
                    client.get("/")
                    worker = wait_for_request(failing, good)
                    stream = worker.next_request().stream
                    if worker is good:
                        good.reply(stream)
                    else:
                        gives_up(failing, stream)
                    return client.read_reply().status

            replies = [ask() for _ in range(10)]
            assert replies.count(502) == 5
            assert [ask() for _ in range(6)] == [200] * 6
            states = {worker["name"]: worker["state"] for worker in site.status()["workers"]}
            assert states == {"failing": "resting", "good": "up"}
    finally:
        site.close()


def test_the_last_worker_is_never_passed_over() -> None:
    site = ServedSite()
    try:
        site.router("--settle", "0s", "--max-failures", "2")
        with RawWorker(site.endpoint, "failing") as failing, site.open() as client:
            for _ in range(6):
                client.get("/")
                gives_up(failing, failing.next_request().stream)
                assert client.read_reply().status == 502
            client.get("/")
            failing.reply(failing.next_request().stream)
            assert client.read_reply().status == 200
    finally:
        site.close()


def wait_for_request(*workers: RawWorker) -> RawWorker:
    """The worker that gets a request first; all of them answer PINGs meanwhile."""

    def who() -> RawWorker | None:
        for worker in workers:
            worker.pump(0.005)
            if any(isinstance(event, events.StreamOpened) for event in worker.events):
                return worker
        return None

    found: RawWorker = wait_for(who, "a request")
    return found
