"""HTTPS: what is spoken and what is refused, by OpenSSL's own client and curl, on both event loops."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority, Files, SocketTls
from tests.support.processes import Process, free_port, wait_for
from tests.support.raw_http import HttpConnection, ReplyCutError
from tests.support.sites import ServedSite

N_SILENT = 1000

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")


class TlsSite(ServedSite):
    """A router with a TLS port, and a certificate for localhost that `authority` has signed."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__()
        self.authority = Authority(folder)
        self.files = self.authority.issue("localhost", "127.0.0.1")
        self.other = self.authority.issue("*.other.example")
        self.https_port = free_port()
        self.options: tuple[str, ...] = ("--https", f"127.0.0.1:{self.https_port}")
        for files in (self.files, self.other):
            self.options += ("--tls-cert", files.certificate, "--tls-key", files.key)
        self.serve(*self.options, *options)

    def dial(self, name: str = "localhost", files: Files | None = None, **wishes: Any) -> ssl.SSLSocket:
        context = self.authority.client(files)
        for wish, value in wishes.items():
            setattr(context, wish, value)
        sock = socket.create_connection(("127.0.0.1", self.https_port), timeout=20)
        # An end that TLS has not told is none: Python would take it, and a reset, for one.
        return context.wrap_socket(sock, server_hostname=name, suppress_ragged_eofs=False)

    def open_tls(self, name: str = "localhost", files: Files | None = None) -> HttpConnection:
        return HttpConnection.over(self.dial(name, files))

    def s_client(self, *options: str, words: str = "") -> str:
        """What `openssl s_client` has to say."""
        done = subprocess.run(
            [
                "openssl",
                "s_client",
                "-connect",
                f"127.0.0.1:{self.https_port}",
                "-CAfile",
                self.authority.path,
                *options,
            ],
            input=words,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout + done.stderr


@contextlib.contextmanager
def tls_site(folder: Path, *options: str) -> Iterator[TlsSite]:
    site = TlsSite(folder, *options)
    try:
        yield site
    finally:
        site.close()


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def tls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsSite]:
    with tls_site(tmp_path_factory.mktemp("tls"), "--loop", request.param) as site:
        yield site


# Requests


def test_requests_one_after_the_other(tls: TlsSite) -> None:
    with tls.open_tls() as client:
        for _ in range(3):
            client.get("/inspect")
            seen = json.loads(client.read_reply().body)
            assert seen["scheme"] == "https"
            assert seen["client"] == list(client.sock.getsockname())
            assert ["x-forwarded-proto", "https"] in seen["headers"]


def test_large_bodies_both_ways(tls: TlsSite) -> None:
    body = os.urandom(5 << 20)
    with tls.open_tls() as client:
        client.post("/echo", body)
        assert client.read_reply().body == body


def test_a_reply_that_is_not_read_holds_its_worker_up(tls: TlsSite) -> None:
    """And no more of it is in the router than of one on a plain connection."""
    size = 512 << 20
    before = tls.router_kib(tls.router_process)
    with tls.open_tls() as client:
        client.get(f"/download?bytes={size}")
        client.read_head()
        sent = [-1]

        def stands_still() -> bool:
            sent.append(tls.status()["workers"][0]["bytes_in"])
            time.sleep(0.05)
            return sent[-1] == sent[-2]

        wait_for(stands_still, "nothing more comes from the worker")
        assert sent[-1] < size // 4
        assert tls.router_kib(tls.router_process) - before < 32 * 1024
    tls.wait_app_log(f"download of {size} left")


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_an_early_error_reply_is_read_while_the_body_still_comes(loop: str, tmp_path: Path) -> None:
    """A connection that is closed with something unread is reset, and takes the reply along (RFC 9112, 9.6)."""
    with tls_site(tmp_path, "--max-body", "1k", "--loop", loop) as site, site.open_tls() as client:
        with contextlib.suppress(OSError):
            client.post("/echo", bytes(1 << 20))
        assert client.read_reply().status == 413


@pytest.mark.parametrize(
    "request_line", ["/raise-amid?length=1 HTTP/1.1", "/raise-amid HTTP/1.1", "/raise-amid HTTP/1.0"]
)
def test_a_cut_reply_is_seen_to_be_cut(tls: TlsSite, request_line: str) -> None:
    with tls.open_tls() as client:
        client.send(f"GET {request_line}\r\nhost: a\r\n\r\n".encode())
        with pytest.raises((ReplyCutError, ssl.SSLEOFError)):
            client.read_reply()


def test_a_client_that_says_that_it_sends_no_more_gets_its_reply(tls: TlsSite) -> None:
    with SocketTls(tls.https_port, tls.authority.client()) as client:
        client.send(b"GET /wait/half HTTP/1.1\r\nhost: a\r\n\r\n")
        client.end_sending()
        tls.wait_app_log("half began")
        tls.signal("half")
        assert client.read_rest().endswith(b"\r\n\r\nwaited")


@needs_curl
@pytest.mark.parametrize("version", ["--tlsv1.2", "--tlsv1.3"])
def test_curl(tls: TlsSite, version: str) -> None:
    done = subprocess.run(
        ["curl", "-sS", "-v", version, "--cacert", tls.authority.path, f"https://localhost:{tls.https_port}/"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "ok", done.stderr
    assert re.search("ALPN.* accepted(?: to use)? http/1.1", done.stderr)


def test_plain_http_on_the_port_for_tls_is_told_so(tls: TlsSite) -> None:
    with socket.create_connection(("127.0.0.1", tls.https_port), timeout=20) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        client = HttpConnection.over(sock)
        reply = client.read_reply()
        assert (reply.status, reply.get("content-type")) == (400, "text/plain; charset=utf-8")
        assert b"this is plain HTTP: the port speaks TLS, https://" in reply.body
        client.assert_ends()


def test_tls_on_the_port_for_plain_http_is_closed_and_told_of(tls: TlsSite) -> None:
    sock = socket.create_connection(("127.0.0.1", tls.http_port), timeout=20)
    with sock, pytest.raises((ssl.SSLError, ConnectionError)):
        tls.authority.client().wrap_socket(sock, server_hostname="localhost")
    tls.router_process.wait_output("127.0.0.1 speaks TLS to a port for plain HTTP (--https is for that)")


# As testssl.sh looks at a server


@needs_openssl
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_versions_that_are_spoken(tls: TlsSite, version: str) -> None:
    said = tls.s_client(version, "-servername", "localhost", "-verify_hostname", "localhost", "-alpn", "h2,http/1.1")
    assert "Verify return code: 0 (ok)" in said
    assert "ALPN protocol: http/1.1" in said
    assert "Compression: NONE" in said
    assert ("Secure Renegotiation IS supported" in said) is (version == "-tls1_2")


@needs_openssl
@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_versions_that_are_not(tls: TlsSite, version: str) -> None:
    said = tls.s_client(version, "-cipher", "ALL:@SECLEVEL=0")
    assert "Cipher is (NONE)" in said
    assert "alert protocol version" in said


@needs_openssl
@pytest.mark.parametrize(
    ("ciphers", "is_spoken"),
    [
        ("ECDHE+AESGCM", True),
        ("ECDHE+CHACHA20", True),
        ("ECDHE+AES:!AESGCM:!AESCCM:@SECLEVEL=0", False),  # CBC
        ("kRSA:@SECLEVEL=0", False),  # no forward secrecy
        ("DHE:@SECLEVEL=0", False),
        ("aNULL:@SECLEVEL=0", False),
        ("eNULL:@SECLEVEL=0", False),
        ("PSK:@SECLEVEL=0", False),
    ],
)
def test_ciphers(tls: TlsSite, ciphers: str, is_spoken: bool) -> None:
    said = tls.s_client("-tls1_2", "-cipher", ciphers)
    assert ("Cipher is (NONE)" not in said) is is_spoken, said


@needs_openssl
def test_renegotiation_is_refused(tls: TlsSite) -> None:
    said = tls.s_client("-tls1_2", words="R\n")
    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said


@needs_openssl
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_go_on_with_tickets(version: str, tmp_path: Path) -> None:
    """At the process that has given them: Python's `ssl` cannot share their keys."""
    kept = str(tmp_path / "session")
    request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    with tls_site(tmp_path, "--processes", "1") as site:
        first = site.s_client(version, "-ign_eof", "-sess_out", kept, words=request)
        assert "New, " in first
        assert "Reused, " in site.s_client(version, "-ign_eof", "-sess_in", kept, words=request)


@needs_openssl
@pytest.mark.parametrize(
    ("name", "subject"), [("localhost", "localhost"), ("a.other.example", r"\*.other.example"), ("x", "localhost")]
)
def test_each_name_has_its_certificate(tls: TlsSite, name: str, subject: str) -> None:
    assert re.search(f"subject=.*CN ?= ?{subject}\n", tls.s_client("-servername", name))


# Those who mean no good


def test_handshakes_that_never_end_disturb_nobody(tls: TlsSite) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(N_SILENT):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", tls.https_port), timeout=20))
            if number % 2:
                sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        with tls.open_tls() as client, tls.open() as plain:
            for each in (client, plain, client, plain):
                each.get("/")
                assert each.read_reply().body == b"ok"
    assert tls.router_process.popen.poll() is None
    wait_for(
        lambda: tls.router_fds(tls.router_process) < 100 * tls.router_processes, "their descriptors are given back"
    )


def test_garbage_after_the_handshake_ends_the_connection(tls: TlsSite) -> None:
    sock = tls.dial()
    raw = socket.socket(fileno=os.dup(sock.fileno()))
    with sock, raw:
        raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            assert sock.recv(1)


# Certificates


def test_a_renewal_needs_no_restart(tmp_path: Path) -> None:
    with tls_site(tmp_path) as site, site.open_tls() as kept:
        before = ssl.get_server_certificate(("127.0.0.1", site.https_port))
        Path(site.files.certificate).write_text("nothing")
        site.router_process.wait_output("The certificate before it stays in use")
        renewed = site.authority.issue("localhost", "127.0.0.1", file="renewed")
        for old, new in zip(site.files, renewed, strict=True):
            os.replace(new, old)
        site.router_process.send_signal(signal.SIGHUP)
        site.router_process.wait_output("read anew, for localhost")
        assert ssl.get_server_certificate(("127.0.0.1", site.https_port)) != before
        kept.get("/")
        assert kept.read_reply().body == b"ok"


def test_clients_that_show_who_they_are(tmp_path: Path) -> None:
    site_options = ("--tls-client-ca", str(tmp_path / "authority.pem"))
    with tls_site(tmp_path, *site_options) as site:
        alice = site.authority.issue("alice", organization="Example, Inc.")
        with site.open_tls(files=alice) as client:
            client.get("/inspect", "X-Client-Cert-Subject: CN=mallory", "X_Client_Cert_Subject: CN=mallory")
            seen = dict(json.loads(client.read_reply().body)["headers"])
            assert seen["x-client-cert-subject"].startswith("CN=alice,")
            assert "O=Example\\, Inc." in seen["x-client-cert-subject"]
            assert "mallory" not in str(seen)
        with site.dial() as nobody, pytest.raises((ssl.SSLError, ConnectionError)):
            nobody.recv(1)  # With TLS 1.3 it hears only now.
        site.router_process.wait_output("TLS failed: peer did not return a certificate")
        with site.open() as plain:
            plain.get("/inspect", "X-Client-Cert-Subject: CN=mallory")
            assert b"mallory" not in plain.read_reply().body


def test_plain_requests_are_sent_where_tls_is(tmp_path: Path) -> None:
    with tls_site(tmp_path, "--redirect-https") as site:
        with site.open() as client:
            client.send(b"GET /a?b HTTP/1.1\r\nhost: localhost:%d\r\n\r\n" % site.http_port)
            reply = client.read_reply()
            assert (reply.status, reply.get("location")) == (308, f"https://localhost:{site.https_port}/a?b")
        site.router_process.wait_output('"GET /a?b" 308')
        with site.open_tls() as client:
            client.get("/")
            assert client.read_reply().status == 200


def test_each_of_several_processes_speaks_it(tmp_path: Path) -> None:
    with tls_site(tmp_path, "--processes", "2", "--redirect-https") as site:
        for _ in range(8):
            with site.open_tls() as client:
                client.get("/")
                assert client.read_reply().body == b"ok"
            with site.open() as plain:
                plain.send(b"GET /a HTTP/1.1\r\nhost: localhost:1\r\n\r\n")
                assert plain.read_reply().get("location") == f"https://localhost:{site.https_port}/a"


@pytest.mark.parametrize("n_processes", ["1", "2"])
def test_a_certificate_that_cannot_be_used_is_said_at_the_start(site: Any, tmp_path: Path, n_processes: str) -> None:
    files = Authority(tmp_path).issue("localhost")
    options = ("--tls-cert", files.certificate, "--tls-key", files.certificate, "--processes", n_processes)
    router = site.router("--https", f"127.0.0.1:{free_port()}", *options, wait=False)
    assert router.popen.wait(30) == 1
    assert f"--tls-cert {files.certificate}: OpenSSL cannot use it" in router.output()
    assert "--tls-key FILE names" in router.output()


def test_without_a_certificate_it_does_not_start(site: Any) -> None:
    router = site.router("--https", f"127.0.0.1:{free_port()}", wait=False)
    assert router.popen.wait(30) == 2
    assert "--https needs a certificate" in router.output()


def test_a_run_makes_one_for_localhost(site: Any, tmp_path: Path) -> None:
    port = free_port()
    options = ("--https", f"localhost:{port}", "--http", "off", "--admin", "off", "--processes", "1")
    run: Process = site.start(
        *("run", "tests.e2e.apps:app", *options),
        cwd=Path(__file__).resolve().parents[2],
        env={"XDG_STATE_HOME": str(tmp_path)},
    )
    run.wait_output("Ctrl-C stops")
    path = tmp_path / "zerogate" / "localhost.crt"
    assert f"made a certificate for localhost, signed by nobody: {path}" in run.output()
    context = ssl.create_default_context(cafile=str(path))
    with context.wrap_socket(socket.create_connection(("localhost", port), 20), server_hostname="localhost") as sock:
        client = HttpConnection.over(sock)
        client.get("/")
        assert client.read_reply().body == b"ok"


def test_it_goes_from_hand_to_hand(tmp_path: Path) -> None:
    with tls_site(tmp_path) as site, site.open_tls() as kept:
        new = site.router("--settle", "0s", *site.options, "--replace", wait=False)
        # Who asks all the time is told when it is the last time: one that is idle for a second would be let go.
        while True:
            kept.get("/")
            reply = kept.read_reply()
            assert reply.body == b"ok"
            if reply.get("connection") == "close":
                break
        new.wait_output("Ctrl-C stops")
        assert site.router_process.popen.wait(30) == 0
        with site.open_tls() as client:
            client.get("/")
            assert client.read_reply().body == b"ok"
        assert new.terminate() == 0
