"""Servers in other languages, attached: a Node.js server, `python -m http.server`, nginx, a WebSocket server."""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.support.attached import AttachSite, make_attach_site, needs
from tests.support.commands import children, is_running, run_command, wait_gone
from tests.support.processes import free_port, wait_for
from tests.support.raw_http import HttpConnection, ReplyCutError

MIB = 1 << 20


@pytest.fixture
def site() -> Iterator[AttachSite]:
    with make_attach_site() as made:
        yield made


@pytest.fixture(scope="module")
def node() -> Iterator[AttachSite]:
    with make_attach_site() as made:
        made.node("node", "--health", "/up", "--health-interval", "100ms", "--health-failures", "2")
        yield made


# Node.js


@needs("node")
def test_what_a_node_server_gets(node: AttachSite) -> None:
    status, _, body = node.get("/head?x=%2F", headers={"cookie": "a=b", "x-forwarded-host": "public.example"})
    assert status == 200
    seen = json.loads(body)
    names = seen["headers"][::2]
    values = dict(zip([name.lower() for name in names], seen["headers"][1::2], strict=True))
    assert (seen["method"], seen["url"]) == ("GET", "/head?x=%2F")
    assert values["host"] == f"127.0.0.1:{node.http_port}"
    assert values["cookie"] == "a=b"
    assert values["x-forwarded-for"] == "127.0.0.1"
    assert values["x-forwarded-proto"] == "http"
    assert values["x-request-id"]
    assert len(names) == len(set(names))


@needs("node")
def test_what_comes_back(node: AttachSite) -> None:
    assert node.get("/nowhere")[0] == 404
    assert node.get("/nothing", method="DELETE")[::2] == (204, b"")
    status, _, body = node.get("/head", method="HEAD")
    assert (status, body) == (200, b"")
    with HttpConnection(node.http_port) as client:
        client.get("/trailers", "te: trailers")
        reply = client.read_reply()
        assert (reply.body, reply.trailers) == (b"body", [("x-sum", "1")])
        client.get("/hints")
        reply = client.read_reply()
        assert (reply.body, reply.interim) == (b"ok", [103])


@needs("node")
def test_bodies_of_any_length_in_flat_memory(node: AttachSite) -> None:
    (attach,) = (process for process in node.processes if process.arguments[0] == "attach")
    assert node.get("/upload", method="POST", body=b"hello")[2] == b"hello"
    # Without a length, in chunks.
    assert node.get("/upload", method="PUT", body=iter([b"hel", b"lo"]))[2] == b"hello"
    before = attach.rss_kib()
    body = os.urandom(64 * MIB)
    answer = node.get("/echo/big", method="POST", body=body)[2].decode()
    assert answer.split()[1] == hashlib.sha256(body).hexdigest()
    assert len(node.get(f"/download/{64 * MIB >> 16}")[2]) == 64 * MIB
    assert attach.rss_kib(peak=True) - before < 24 * 1024


@needs("node")
def test_a_client_that_waits_for_100_continue(node: AttachSite) -> None:
    with HttpConnection(node.http_port) as client:
        client.send(b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n")
        assert client.read_head().status == 100
        client.send(b"hello")
        assert client.read_reply().body == b"hello"
    with HttpConnection(node.http_port) as client:
        client.send(b"POST /unwanted HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n")
        assert client.read_reply().status == 413


@needs("node")
def test_a_reply_comes_as_it_is_said(node: AttachSite) -> None:
    with HttpConnection(node.http_port) as client:
        client.get("/slow")
        client.read_until(b"first\n")
        assert node.get("/go")[2] == b"gone on"
        client.read_until(b"last\n")


@needs("node")
def test_the_server_hears_of_clients_that_leave(node: AttachSite) -> None:
    before, hanging = int(node.get("/left")[2]), int(node.get("/hanging")[2])
    with HttpConnection(node.http_port) as client:
        client.get("/hang")
        wait_for(lambda: int(node.get("/hanging")[2]) == hanging + 1, "the server has it")
    wait_for(lambda: int(node.get("/left")[2]) == before + 1, "the server hears of it")


@needs("node")
def test_failures_of_the_server(node: AttachSite) -> None:
    status, fields, _ = node.get("/reset", method="POST")
    assert (status, fields["zerogate-error"]) == (502, "worker_failed")
    with HttpConnection(node.http_port) as client:
        client.get("/cut")
        with pytest.raises(ReplyCutError):
            client.read_reply()


@needs("node")
def test_it_leaves_while_the_server_is_ill(node: AttachSite) -> None:
    node.wait_workers(1)
    assert node.get("/ill")[2] == b"ill"
    node.wait_workers(0)
    (attach,) = (process for process in node.processes if process.arguments[0] == "attach")
    attach.wait_output("/up gives 503")
    # Nobody can get there through the router: it is told by its own port.
    port = attach.arguments[1].rpartition(":")[2]
    with HttpConnection(int(port)) as client:
        client.get("/well")
        assert client.read_reply().body == b"well"
    node.wait_workers(1)
    assert node.get("/nothing")[0] == 204


# The server that we have started


@needs("node")
def test_a_server_that_ends_is_started_again(site: AttachSite) -> None:
    attach = site.node("node")
    pid = int(site.get("/pid")[2])
    assert site.get("/exit", method="POST")[0] == 502
    attach.wait_output("the server ended with exit code 3: starting it again")
    # Meanwhile requests wait.
    assert int(site.get("/pid")[2]) != pid
    assert not is_running(pid)


@needs("node")
def test_both_stop_together_and_nothing_is_cut(site: AttachSite) -> None:
    attach = site.node("node")
    pid = int(site.get("/pid")[2])
    with HttpConnection(site.http_port) as client:
        client.get("/slow")
        client.read_until(b"first\n")
        attach.send_signal(signal.SIGTERM)
        site.wait_workers(0)
        assert is_running(pid)
        port = int(attach.arguments[1].rpartition(":")[2])
        with HttpConnection(port) as other:
            other.get("/go")
            other.read_reply()
        client.read_until(b"last\n")
    assert attach.popen.wait(30) == 0
    assert "told to stop" in attach.output()
    wait_gone([pid])


def test_nothing_survives_kill_9(site: AttachSite, tmp_path: Path) -> None:
    port = free_port()
    script = f"{sys.executable} -m http.server {port} --bind 127.0.0.1 --directory {tmp_path} & wait"
    attach = site.attach("sh", "--", "sh", "-c", script, port=port)
    (keeper,) = children(attach.pid)
    (shell,) = children(keeper)
    (server,) = children(shell)
    attach.kill()
    wait_gone([keeper, shell, server])


def test_a_server_that_never_comes_up_ends_it(site: AttachSite) -> None:
    attach = site.attach("bad", "--", "sh", "-c", "echo no port; exit 4", wait=False)
    assert attach.popen.wait(60) == 1
    output = attach.output()
    assert "no port" in output
    assert "the server has ended 8 times running, the last time with exit code 4" in output.splitlines()[-1]


def test_wrong_usage() -> None:
    for words, code, reason in (
        (("https://a",), 2, "plain HTTP"),
        (("http://127.0.0.1:1", "--", "no-such-thing"), 1, "no-such-thing: no such command"),
        (("http://127.0.0.1:1", "--health", "up"), 2, "--health up: a path begins with /"),
    ):
        done = run_command("attach", *words)
        assert (done.returncode, reason in done.stderr) == (code, True), done.stderr


# Others


def test_python_http_server(site: AttachSite, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(3 * MIB))
    port = free_port()
    command = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path))
    site.attach("python", "--", *command, port=port)
    status, fields, body = site.get("/file")
    assert (status, fields["content-length"], body) == (200, str(3 * MIB), bytes(3 * MIB))
    status, fields, body = site.get("/file", method="HEAD")
    assert (status, fields["content-length"], body) == (200, str(3 * MIB), b"")
    assert site.get("/", method="POST", body=b"x" * 100_000)[0] == 501
    assert b"file" in site.get("/")[2]


NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{ listen {listen}; root {folder}/www; autoindex off; gzip on; gzip_types text/plain; }}
}}
"""


@needs("nginx")
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_nginx(site: AttachSite, tmp_path: Path, kind: str) -> None:
    port = free_port()
    listen = f"127.0.0.1:{port}" if kind == "tcp" else f"unix:{tmp_path}/socket"
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "file.txt").write_bytes(b"0123456789" * 1000)
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path, listen=listen))
    url = f"http://127.0.0.1:{port}" if kind == "tcp" else f"unix:{tmp_path}/socket"
    attach = site.start(
        "attach",
        url,
        "--connect",
        site.endpoint,
        "--",
        "nginx",
        "-p",
        str(tmp_path),
        "-c",
        str(tmp_path / "nginx.conf"),
    )
    attach.wait_output("joined router")
    _, fields, body = site.get("/file.txt")
    assert body == b"0123456789" * 1000
    etag = fields["etag"]
    status, fields, body = site.get("/file.txt", headers={"range": "bytes=5-9"})
    assert (status, fields["content-range"], body) == (206, "bytes 5-9/10000", b"56789")
    status, _, body = site.get("/file.txt", headers={"if-none-match": etag})
    assert (status, body) == (304, b"")
    # In chunks, as it is compressed on the way.
    _, fields, body = site.get("/file.txt", headers={"accept-encoding": "gzip"})
    assert (fields["content-encoding"], fields["transfer-encoding"]) == ("gzip", "chunked")
    assert len(body) < 1000
    assert site.get("/../../etc/passwd")[0] in (400, 404)


WEBSOCKETS = """
import asyncio, os, signal
from websockets.asyncio.server import serve

async def echo(socket):
    async for message in socket:
        await socket.send(message)

async def main():
    async with serve(echo, "127.0.0.1", int(os.environ["PORT"]), max_size=None) as server:
        await server.wait_closed()

asyncio.run(main())
"""


def test_websocket(site: AttachSite) -> None:
    attach = site.attach("echo", "--", sys.executable, "-c", WEBSOCKETS)
    with connect(f"ws://127.0.0.1:{site.http_port}/", max_size=None) as client:
        client.send("hello")
        assert client.recv(20) == "hello"
        big = os.urandom(8 * MIB)
        client.send(big)
        assert client.recv(20) == big
        before = attach.rss_kib()
        for _ in range(200):
            client.send("x" * 1000)
        for _ in range(200):
            assert client.recv(20) == "x" * 1000
        assert attach.rss_kib() - before < 8 * 1024
    wait_for(lambda: sum(w["in_flight"] for w in site.status()["workers"]) == 0, "its end")
    # Who does not want to switch gets the server's own words.
    assert site.get("/")[0] == 426
