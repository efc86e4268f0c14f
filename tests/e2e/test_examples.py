"""The examples do what their first lines say, run as a reader would run them: from a clone."""

import ast
import concurrent.futures
import hashlib
import http.client
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator

import pytest

from tests.support.commands import ROOT, Script
from tests.support.processes import Site, make_site, wait_for
from tests.support.raw_http import HttpConnection
from zerogate.wire.spdy.dictionary import DICTIONARY

EXAMPLES = ROOT / "examples"
PYZMQ_WORKER = EXAMPLES / "pyzmq_worker.py"

MIB = 1024 * 1024


# hello.py


def test_hello(site: Site) -> None:
    site.router()
    site.worker("examples.hello:app", "hello", cwd=ROOT)
    status, fields, body = site.get()
    assert (status, fields["content-type"], body) == (200, "text/plain", b"Hello, world!\n")


# fastapi_app.py


@pytest.fixture(scope="module")
def shop() -> Iterator[Site]:
    pytest.importorskip("fastapi")
    with make_site() as site:
        site.router()
        site.worker("examples.fastapi_app:app", "fastapi", cwd=ROOT)
        yield site


def test_fastapi_json(shop: Site) -> None:
    status, fields, body = shop.get()
    assert (status, fields["content-type"]) == (200, "application/json")
    assert json.loads(body)["message"] == "hello"


def test_fastapi_path_parameter(shop: Site) -> None:
    assert json.loads(shop.get("/items/7?colour=red")[2]) == {"id": 7, "colour": "red"}
    assert shop.get("/items/seven")[0] == 422
    assert shop.get("/items/7000")[0] == 404


def test_fastapi_streams_its_reply(shop: Site) -> None:
    assert shop.get("/countdown/3?pause_s=0.01")[2] == b"3\n2\n1\nlift-off\n"
    # The first line, long before the next.
    connection = http.client.HTTPConnection("127.0.0.1", shop.http_port, timeout=20)
    connection.request("GET", "/countdown/3?pause_s=600")
    reply = connection.getresponse()
    assert reply.readline() == b"3\n"
    reply.close()
    connection.close()


def test_fastapi_takes_an_upload(shop: Site) -> None:
    body = os.urandom(5 * MIB)
    told = json.loads(shop.get("/files/blob", method="PUT", body=body)[2])
    assert told == {"name": "blob", "size_bytes": 5 * MIB, "sha256": hashlib.sha256(body).hexdigest()}


def test_fastapi_describes_itself(shop: Site) -> None:
    assert "/countdown/{start}" in json.loads(shop.get("/openapi.json")[2])["paths"]


# pyzmq_worker.py, which has one link to each router: of several processes it would be at one.


def start_worker(site: Site, name: str = "py-1", *endpoints: str, wait: bool = True) -> Script:
    script = Script(PYZMQ_WORKER, name, *(endpoints or [site.endpoint]))
    site.processes.append(script)
    if wait:
        script.wait_output(f"{name} joined")
    return script


def test_it_needs_nothing_but_pyzmq() -> None:
    tree = ast.parse(PYZMQ_WORKER.read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert imported - set(sys.stdlib_module_names) == {"zmq"}


def test_it_is_short() -> None:
    assert len(PYZMQ_WORKER.read_text().splitlines()) < 100


@pytest.mark.one_process
def test_it_serves(site: Site) -> None:
    site.router()
    start_worker(site)
    assert site.get()[::2] == (200, b"Hello from py-1\n")
    assert site.get(method="POST", body=b"a body")[::2] == (200, b"Hello from py-1\n")
    assert site.get(method="HEAD")[::2] == (200, b"")
    (worker,) = site.status()["workers"]
    assert (worker["name"], worker["capacity"], worker["routes"]) == ("py-1", 100, ["*"])


@pytest.mark.one_process
def test_it_takes_turns_with_the_others(site: Site) -> None:
    site.router()
    start_worker(site)
    site.hello("worker-1")
    assert {site.get()[2] for _ in range(2)} == {b"Hello from py-1\n", b"Hello from worker-1\n"}


@pytest.mark.one_process
def test_it_may_be_there_before_the_router(site: Site) -> None:
    worker = start_worker(site, wait=False)
    site.router()
    worker.wait_output("py-1 joined")
    assert site.get()[0] == 200


@pytest.mark.one_process
def test_it_takes_many_large_bodies_at_once(site: Site) -> None:
    site.router()
    worker = start_worker(site)
    before_kib = worker.rss_kib()
    body = os.urandom(20 * MIB)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: site.get(method="PUT", body=body), range(8)))
    assert {reply[::2] for reply in replies} == {(200, b"Hello from py-1\n")}
    assert worker.rss_kib(peak=True) - before_kib < 32 * 1024


@pytest.mark.one_process
def test_it_forgets_a_client_that_leaves(site: Site) -> None:
    site.router()
    start_worker(site)
    for _ in range(120):  # more than it takes at once
        with site.connect() as client:
            client.sendall(b"PUT / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\na\r\nsome of it\r\n")
            wait_for(lambda: site.status()["workers"][0]["in_flight"] == 1, "the request")
        wait_for(lambda: site.status()["workers"][0]["in_flight"] == 0, "the stream's end")
    assert site.get()[2] == b"Hello from py-1\n"


@pytest.mark.one_process
def test_a_body_that_is_held_back_comes(site: Site) -> None:
    site.router()
    start_worker(site)
    with HttpConnection(site.http_port) as client:
        client.send(b"PUT / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        assert client.read_head().status == 100
        client.send(b"body")
        assert client.read_reply("PUT").body == b"Hello from py-1\n"


@pytest.mark.one_process
def test_it_answers_an_upgrade_as_a_plain_request(site: Site) -> None:
    site.router()
    start_worker(site)
    handshake = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    assert site.get(headers=handshake)[::2] == (200, b"Hello from py-1\n")


@pytest.mark.one_process
def test_trailers_end_a_request(site: Site) -> None:
    site.router()
    start_worker(site)
    with HttpConnection(site.http_port) as client:
        client.send(
            b"PUT / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n"
        )
        assert client.read_reply("PUT").body == b"Hello from py-1\n"


@pytest.mark.one_process
def test_it_comes_back_after_a_restart_of_the_router(site: Site) -> None:
    router = site.router()
    worker = start_worker(site)
    assert site.get()[0] == 200
    router.kill()
    site.router()
    wait_for(lambda: worker.output().count("py-1 joined") == 2, "another JOIN")
    assert site.get()[2] == b"Hello from py-1\n"


@pytest.mark.one_process
def test_it_leaves_without_a_failed_request(site: Site) -> None:
    site.router()
    first = start_worker(site)
    with site.connect() as client:
        client.settimeout(20)
        client.sendall(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nhalf")
        wait_for(lambda: site.status()["workers"][0]["in_flight"] == 1, "the request")
        received = b""
        site.hello("worker-1")
        first.send_signal(signal.SIGINT)
        wait_for(lambda: site.status()["counters"]["drained"] == 1, "its farewell")
        assert {site.get()[2] for _ in range(3)} == {b"Hello from worker-1\n"}
        assert first.popen.poll() is None
        client.sendall(b"half")
        while not received.endswith(b"0\r\n\r\n"):
            received += client.recv(4096)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert first.popen.wait(30) == 0
    assert site.status()["counters"]["lost"] == 0


def test_a_stop_without_a_router_is_a_success(site: Site) -> None:
    # It says nothing while it dials: that is seen at the other end.
    with socket.create_server(("127.0.0.1", site.link_port)) as stranger:
        worker = start_worker(site, wait=False)
        stranger.accept()[0].close()
    worker.send_signal(signal.SIGTERM)
    assert worker.popen.wait(30) == 0


@pytest.mark.one_process
def test_it_dials_anew_when_stream_ids_run_out(site: Site) -> None:
    router = site.router("--last-stream-id", "101")
    worker = start_worker(site)
    for number in range(300):
        assert site.get()[::2] == (200, b"Hello from py-1\n"), number
    assert worker.output().count("py-1 joined") > 3
    assert "lost" not in router.output()
    wait_for(lambda: site.status()["links"] <= 2, "the end of the old links")


@pytest.mark.one_process
def test_it_serves_several_routers(site: Site) -> None:
    with make_site() as other:
        other.router()
        site.router()
        start_worker(site, "py-1", site.endpoint, other.endpoint)
        other.wait_workers(1)
        assert other.get()[2] == b"Hello from py-1\n"
        assert site.get()[2] == b"Hello from py-1\n"


def test_a_refusal_is_told(site: Site) -> None:
    site.router()
    worker = start_worker(site, "a name with blanks", wait=False)
    assert worker.popen.wait(30) == 1
    assert "refuses a name with blanks: worker" in worker.output()


@pytest.mark.one_process
def test_it_is_patient_with_somebody_else_s_port(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.link_port)) as stranger:
        worker = start_worker(site, wait=False)
        for _ in range(3):
            connection, _ = stranger.accept()
            connection.close()
    site.router()
    worker.wait_output("py-1 joined")
    assert site.get()[0] == 200


def test_what_it_knows_is_in_the_protocol() -> None:
    """Everything that its frames say is on the page that it was written from."""
    page = (ROOT / "docs" / "protocol.md").read_text()
    for word in ("MAX_CONCURRENT_STREAMS (4)", "REFUSED_STREAM", "Z_SYNC_FLUSH", "`spdy3.dictionary`"):
        assert word in page
    assert PYZMQ_WORKER.name in page
    assert (EXAMPLES / "spdy3.dictionary").read_bytes() == DICTIONARY
