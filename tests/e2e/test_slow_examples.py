"""Flask's and Django's own examples of streaming and uploads, and clients at 10 KB/s: what these do not hold up."""

import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.frameworks import UPLOADS_VARIABLE
from tests.support.processes import Site, wait_for
from tests.support.raw_http import HttpConnection
from tests.support.sites import ROOT
from zerogate.router.faces import BODY_CREDIT_BYTES
from zerogate.router.sockets import HIGH_WATER_BYTES
from zerogate.settings import RouterSettings
from zerogate.worker.call import MAX_PENDING_BYTES
from zerogate.worker.thread_call import MAX_UNSENT_BYTES

KIB = 1024
OPERATIONS = " ".join((ROOT / "docs" / "operations.md").read_text().split())

# How a row ends.
ENDS = {"flask": b"\n", "django": b"\r\n"}
# 10 KB/s.
STEP_BYTES, STEP_S = 1000, 0.1
N_STEPS = 15

# What there is always room for, whatever a client does: on the link and in the worker. And what there may be at most.
FREE_BYTES = RouterSettings().stream_window + MAX_PENDING_BYTES
MOST_BYTES = HIGH_WATER_BYTES + FREE_BYTES + MAX_UNSENT_BYTES


class ExampleSite(Site):
    """A worker with the examples of a framework. `end` is how a row of its table ends."""

    end = b""

    def serve(self, framework: str, folder: Path, n_threads: int) -> None:
        pytest.importorskip(framework)
        self.end = ENDS[framework]
        self.router("--settle", "0s")
        self.worker(
            f"tests.e2e.frameworks.{framework}_examples",
            "examples",
            *("--threads", str(n_threads)),
            cwd=ROOT,
            env={UPLOADS_VARIABLE: str(folder)},
        )

    def told(self) -> Any:
        """What the application has made of its table: asked as by anybody, so there has to be a thread."""
        status, _, body = self.get("/told")
        assert status == 200
        return json.loads(body)

    def row(self, number: int, width: int) -> bytes:
        return f"Row {number}".ljust(width).encode() + b",%d" % number + self.end

    def table(self, n: int) -> bytes:
        return b"".join(self.row(number, 0) for number in range(n))

    def in_flight(self) -> Any:
        return self.status()["workers"][0]["in_flight"]


def serving(n_threads: int) -> Any:
    @pytest.fixture(scope="module", params=ENDS)
    def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleSite]:
        made = ExampleSite()
        try:
            made.serve(request.param, tmp_path_factory.mktemp("uploads"), n_threads)
            yield made
        finally:
            made.close()

    return site


one_thread, two_threads = serving(1), serving(2)


def form(body: bytes) -> tuple[bytes, bytes]:
    """A request's head, and a body with a file in it, as browsers send them."""
    boundary = uuid.uuid4().hex
    sent = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="title"\r\n\r\nA title\r\n'
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n'
        f"content-type: text/plain\r\n\r\n"
    ).encode()
    sent += body + f"\r\n--{boundary}--\r\n".encode()
    head = (
        f"POST /upload HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(sent)}\r\n"
        f"content-type: multipart/form-data; boundary={boundary}\r\n\r\n"
    )
    return head.encode(), sent


def send_slowly(client: HttpConnection, data: bytes) -> Iterator[None]:
    """At 10 KB/s; from step to step others may ask."""
    for start in range(0, len(data), STEP_BYTES):
        yield
        time.sleep(STEP_S)
        client.send(data[start : start + STEP_BYTES])


def take_slowly(client: HttpConnection) -> Iterator[None]:
    """The same of a reply, for N_STEPS."""
    for _ in range(N_STEPS):
        yield
        time.sleep(STEP_S)
        client.buffer += client.sock.recv(STEP_BYTES)


def test_a_table_holds_its_thread_while_it_is_made_and_no_longer(one_thread: ExampleSite) -> None:
    n = 12_000
    with HttpConnection(one_thread.http_port, receive_buffer=4096) as slow:
        slow.get(f"/large.csv?rows={n}&width=0")
        # Of several processes another one may have its request at the worker first.
        wait_for(lambda: one_thread.told()["rows"], "it is begun")
        for _ in take_slowly(slow):
            assert one_thread.told() == {"rows": n, "is_over": True}
        assert slow.read_reply().body == one_thread.table(n)


def test_a_small_upload_holds_no_thread_before_all_of_it_is_there(one_thread: ExampleSite) -> None:
    body = os.urandom(N_STEPS * STEP_BYTES)
    with HttpConnection(one_thread.http_port) as slow:
        head, sent = form(body)
        slow.send(head + sent[:STEP_BYTES])
        for _ in send_slowly(slow, sent[STEP_BYTES:]):
            one_thread.told()
            assert one_thread.in_flight() == 0
        assert slow.read_reply().get("location").endswith("/uploads/a.txt")
    assert one_thread.get("/uploads/a.txt")[2] == body


def test_a_larger_upload_holds_its_thread_from_its_beginning_to_its_end(one_thread: ExampleSite) -> None:
    body = os.urandom(BODY_CREDIT_BYTES + N_STEPS * STEP_BYTES)
    with HttpConnection(one_thread.http_port) as slow, HttpConnection(one_thread.http_port) as other:
        head, sent = form(body)
        slow.send(head + sent[:BODY_CREDIT_BYTES])
        wait_for(lambda: one_thread.in_flight() == 1, "the application reads")
        other.get("/told")
        for _ in send_slowly(slow, sent[BODY_CREDIT_BYTES:]):
            # Of several processes another one may have sent a request that is about to be refused.
            assert 1 <= one_thread.in_flight() <= one_thread.router_processes
        assert slow.read_reply().status == 302
        assert other.read_reply().status == 200
    with HttpConnection(one_thread.http_port, receive_buffer=4096) as slow:
        slow.get("/uploads/a.txt")
        for _ in take_slowly(slow):
            one_thread.told()
        assert slow.read_reply().body == body


def unread_bytes(http_port: int, client_port: int) -> int:
    """What the kernel keeps of a connection of loopback, at both of its ends (proc_net_tcp: tx_queue, rx_queue)."""
    found = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        ports = tuple(int(address.partition(":")[2], 16) for address in (local, remote))
        sent, received = (int(number, 16) for number in queues.split(":"))
        if ports == (http_port, client_port):
            found += sent
        elif ports == (client_port, http_port):
            found += received
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="it is Linux's")
def test_so_much_waits_for_a_client_and_the_page_says_so(two_threads: ExampleSite) -> None:
    width = 16 * KIB
    with HttpConnection(two_threads.http_port, receive_buffer=4096) as slow:
        slow.get(f"/large.csv?rows=10000&width={width}")
        slow.read_final_head()

        def waiting_bytes() -> int:
            n = two_threads.told()["rows"]
            made_bytes = sum(len(two_threads.row(number, width)) for number in range(n))
            kept_bytes = unread_bytes(two_threads.http_port, slow.sock.getsockname()[1])
            return made_bytes - kept_bytes - len(slow.buffer)

        wait_for(lambda: waiting_bytes() >= FREE_BYTES, "all of it is filled")
        for _ in range(10):
            assert waiting_bytes() <= MOST_BYTES + 2 * width
        assert two_threads.in_flight() == 1
    assert f"always room for {FREE_BYTES // KIB} KiB of a reply" in OPERATIONS
    assert f"with {MOST_BYTES // KIB} KiB of it waiting at most" in OPERATIONS
    assert f"the first {BODY_CREDIT_BYTES // KIB} KiB of a body" in OPERATIONS
    wait_for(lambda: two_threads.told()["is_over"], "the client has left, and it hears of it")
