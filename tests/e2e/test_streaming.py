"""Bodies flow as they come: nothing waits for a whole one, and nobody's slowness fills anybody's memory."""

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.processes import wait_for
from tests.support.raw_http import HttpConnection, connections
from tests.support.raw_worker import RawWorker
from tests.support.sites import ServedSite, make_served_site
from zerogate.wire.spdy import events

MIB = 1024 * 1024

# On a slow machine fewer will do.
BODY_BYTES = int(os.environ.get("ZEROGATE_TEST_BODY_MIB", "256")) * MIB
MAX_GROWTH_KIB = 32 * 1024

# So much the kernel keeps at most on the way through two loopback connections, whatever the proxy does.
KERNEL_BYTES = 16 * MIB


@pytest.fixture(scope="module")
def shared() -> Iterator[ServedSite]:
    # Room for all that this module asks at once.
    with make_served_site(worker_options=("--concurrency", "400")) as site:
        yield site


@pytest.fixture
def client(shared: ServedSite) -> Iterator[HttpConnection]:
    with shared.open() as connection:
        yield connection


# Piece by piece


def test_a_reply_arrives_while_it_is_being_made(shared: ServedSite, client: HttpConnection) -> None:
    client.get("/steps/reply/4")
    head = client.read_head()
    assert head.status == 200
    for number in range(4):
        if number:
            shared.signal(f"reply-{number}")
        assert client.read_chunk() == f"piece {number}\n".encode()
    assert client.read_chunk() == b""


def test_an_old_client_gets_its_reply_piece_by_piece_too(shared: ServedSite, client: HttpConnection) -> None:
    client.get("/steps/old/3", version="HTTP/1.0")
    client.read_head()
    for number in range(3):
        if number:
            shared.signal(f"old-{number}")
        assert client.read_until(b"\n") == f"piece {number}\n".encode()
    client.assert_ends()


def test_a_head_arrives_before_there_is_a_body(shared: ServedSite, client: HttpConnection) -> None:
    client.get("/head-first/head")
    assert client.read_head().get("x-early") == "yes"
    shared.signal("head")
    assert client.read_chunk() == b"late"


def test_a_request_arrives_while_it_is_being_made(client: HttpConnection) -> None:
    client.send(b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
    for number in range(5):
        client.send(b"7\r\npiece %d\r\n" % number)
        if not number:
            assert client.read_head().status == 200
        assert client.read_chunk() == b"piece %d" % number
    client.send(b"0\r\n\r\n")
    assert client.read_chunk() == b""


def test_a_request_of_known_length_arrives_while_it_is_being_made(client: HttpConnection) -> None:
    client.send(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 21\r\n\r\n")
    for number in range(3):
        client.send(b"piece %d" % number)
        if not number:
            assert client.read_head().status == 200
        assert client.read_chunk() == b"piece %d" % number
    assert client.read_chunk() == b""


@pytest.mark.one_process
def test_a_worker_has_the_request_before_its_body(site: ServedSite) -> None:
    site.router()
    with RawWorker(site.endpoint) as worker, HttpConnection(site.http_port) as client:
        client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n")
        request = worker.next_request()
        assert not request.fin
        client.send(b"bo")
        assert worker.next(events.Data).data == b"bo"
        client.send(b"dy")
        last = worker.next(events.Data)
        assert last.data == b"dy"
        if not last.fin:
            assert worker.next(events.Data).fin
        worker.reply(request.stream)
        assert client.read_reply().body == b"ok"


# More than anybody may keep


class Growth:
    """How much a router and its worker grow from here on, at their peak."""

    def __init__(self, site: ServedSite) -> None:
        self.processes = {"router": site.router_process, "worker": site.worker_process}
        self.before = {name: process.rss_kib() for name, process in self.processes.items()}

    def assert_small(self) -> None:
        for name, process in self.processes.items():
            grown = process.rss_kib(peak=True) - self.before[name]
            assert grown < MAX_GROWTH_KIB, f"the {name} grew by {grown} KiB"


@pytest.fixture
def fresh() -> Iterator[ServedSite]:
    """A site of its own, as memory is measured from its start."""
    with make_served_site() as site:
        # What is imported or made but once is no growth.
        with site.open() as client:
            client.post("/echo", bytes(MIB))
            assert len(client.read_reply().body) == MIB
        yield site


def test_a_download_that_the_client_reads_slowly(fresh: ServedSite) -> None:
    growth = Growth(fresh)
    with fresh.open(receive_buffer=64 * 1024) as client:
        client.get(f"/download?bytes={BODY_BYTES}")
        assert client.read_head().get("content-length") == str(BODY_BYTES)
        client.read_exactly(1)
        # Nobody reads: the flow must come to a stand, far from its end, and stay so.
        wait_for(lambda: stands_still(fresh), "the flow to stop")
        assert fresh.status()["workers"][0]["bytes_in"] < KERNEL_BYTES
        growth.assert_small()
        # Then at full speed: all of it comes.
        left = BODY_BYTES - 1 - len(client.buffer)
        client.buffer = b""
        scratch = bytearray(MIB)
        while left:
            n = client.sock.recv_into(scratch, min(left, MIB))
            assert n
            left -= n
        client.get("/")
        assert client.read_reply().body == b"ok"
    growth.assert_small()


def test_an_upload_that_the_application_reads_slowly(fresh: ServedSite) -> None:
    growth = Growth(fresh)
    with fresh.open() as client:
        client.send(f"POST /upload?after=go HTTP/1.1\r\nhost: a\r\ncontent-length: {BODY_BYTES}\r\n\r\n".encode())
        sent = threading.Event()
        block = bytes(MIB)

        def send() -> None:
            for _ in range(BODY_BYTES // MIB):
                client.sock.sendall(block)
            sent.set()

        client.sock.settimeout(60)
        sender = threading.Thread(target=send)
        sender.start()
        try:
            wait_for(lambda: stands_still(fresh), "the flow to stop")
            assert not sent.is_set()
            assert fresh.status()["workers"][0]["bytes_out"] < KERNEL_BYTES
            growth.assert_small()
        finally:
            fresh.signal("go")
            sender.join(60)
        assert client.read_reply().body == str(BODY_BYTES).encode()
    growth.assert_small()


def stands_still(site: ServedSite) -> bool:
    """Whether data has crossed the link, and for a while nothing but PINGs any more."""
    before = traffic(site)
    time.sleep(0.3)
    return before > 64 * 1024 and traffic(site) - before < 4096


def traffic(site: ServedSite) -> int:
    worker = site.status()["workers"][0]
    return int(worker["bytes_in"] + worker["bytes_out"])


def test_stalled_downloads_hold_up_nobody(shared: ServedSite) -> None:
    """200 clients that do not read, all on the one link: others are answered, with bodies larger than any window."""
    with connections(shared.http_port, 200, receive_buffer=16 * 1024) as stalled:
        for client in stalled:
            client.get(f"/download?bytes={64 * MIB}")
        for client in stalled:
            assert client.read_head().status == 200
        shared.wait_in_flight(200)
        for _ in range(20):
            assert shared.get("/")[0] == 200
        with shared.open() as client:
            client.get(f"/download?bytes={8 * MIB}")
            assert len(client.read_reply().body) == 8 * MIB
            client.post("/echo", bytes(4 * MIB))
            assert len(client.read_reply().body) == 4 * MIB
        assert sum(worker["in_flight"] for worker in shared.status()["workers"]) == 200
        # One of them wakes up, and gets all of it.
        left = 64 * MIB - len(stalled[0].buffer)
        while left:
            n = len(stalled[0].sock.recv(min(left, MIB)))
            assert n
            left -= n
    shared.wait_in_flight(0)


def test_stalled_uploads_hold_up_nobody(shared: ServedSite) -> None:
    with connections(shared.http_port, 50) as stalled:
        for number, client in enumerate(stalled):
            client.send(
                f"POST /upload?after=uploads HTTP/1.1\r\nhost: a\r\ncontent-length: {64 * MIB}\r\n\r\n".encode()
            )
            client.sock.setblocking(False)
            fill(client.sock)
            assert number >= 0
        shared.wait_in_flight(50)
        for _ in range(20):
            assert shared.get("/")[0] == 200
        with shared.open() as client:
            client.post("/echo", bytes(4 * MIB))
            assert len(client.read_reply().body) == 4 * MIB
    shared.signal("uploads")
    shared.wait_in_flight(0)


def fill(sock: socket.socket) -> None:
    """Send until nobody takes any more just now."""
    block = bytes(256 * 1024)
    try:
        while True:
            sock.send(block)
    except BlockingIOError:
        pass


def test_a_slow_reader_is_not_cut_off_while_it_reads() -> None:
    """`--idle-timeout` is for silence, and a client that takes a little now and then is not silent."""
    with make_served_site("--idle-timeout", "1500ms") as site, site.open(receive_buffer=16 * 1024) as client:
        client.get(f"/download?bytes={MIB * 4}")
        client.read_head()
        left = 4 * MIB - len(client.buffer)
        # A little at a time, for twice as long as the time-out.
        for _ in range(30):
            time.sleep(0.1)
            n = len(client.sock.recv(16 * 1024))
            assert n
            left -= n
        while left:
            n = len(client.sock.recv(MIB))
            assert n, f"cut {left} bytes before the end"
            left -= n


def test_a_stalled_reader_is_cut_off() -> None:
    with make_served_site("--idle-timeout", "500ms") as site, site.open(receive_buffer=16 * 1024) as client:
        client.get(f"/download?bytes={64 * MIB}")
        client.read_head()
        site.wait_in_flight(0)
        assert site.counter("cut") == 1
        failures = site.status()["workers"][0]["failures"]
        assert failures == 0, "the worker is not to blame for a client that does not read"


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, 131_072, 131_073, 262_144, 262_145, 1_000_003])
def test_bodies_around_the_limits_of_frames_and_windows(client: HttpConnection, size: int) -> None:
    body = os.urandom(size)
    client.post("/echo", body)
    assert client.read_reply().body == body
    client.get(f"/download?bytes={size}")
    assert client.read_reply().body == bytes(size)


def test_many_bodies_at_once_keep_their_order(shared: ServedSite) -> None:
    with connections(shared.http_port, 20) as clients:
        bodies = [os.urandom(200_000) for _ in clients]
        for client, body in zip(clients, bodies, strict=True):
            client.send(f"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n".encode())
        for at in range(0, 200_000, 20_000):
            for client, body in zip(clients, bodies, strict=True):
                client.send(body[at : at + 20_000])
        for client, body in zip(clients, bodies, strict=True):
            assert client.read_reply().body == body
