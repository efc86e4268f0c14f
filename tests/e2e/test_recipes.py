"""docs/in-front.md, as it stands there: nginx, Caddy and HAProxy in front of a router, if they are installed."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets.sync.client import connect

from tests.support.certificates import Authority
from tests.support.commands import ROOT
from tests.support.processes import free_port, wait_for
from tests.support.raw_http import HttpConnection
from tests.support.sites import ServedSite

PAGE = (ROOT / "docs" / "in-front.md").read_text()
# The tests' clients come from here, not from where a proxy does.
SOURCE = "127.0.0.5"
BODY = os.urandom(3 << 20)


def recipe(kind: str, number: int = 0) -> str:
    """A block of the page."""
    blocks: list[str] = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return blocks[number]


def changed(text: str, *changes: tuple[str, str]) -> str:
    """With what is a test's own; each change has to find what it is for."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


class Front(NamedTuple):
    """A proxy: the page's block, which of those, and how it is reached by the router's Unix socket."""

    program: str
    kind: str
    number: int = 0
    is_unix: bool = False
    router_options: tuple[str, ...] = ()
    passes_tls: bool = False


FRONTS = {
    "nginx": Front("nginx", "nginx"),
    "nginx by a Unix socket": Front("nginx", "nginx", is_unix=True),
    "Caddy": Front("caddy", "caddyfile"),
    "Caddy by a Unix socket": Front("caddy", "caddyfile", is_unix=True),
    "HAProxy with TLS": Front("haproxy", "haproxy", router_options=("--proxy-protocol",)),
    "HAProxy without": Front("haproxy", "haproxy", 1, router_options=("--proxy-protocol",), passes_tls=True),
}


class FrontedSite(ServedSite):
    """A router behind a proxy, which listens at `front_port`."""

    def __init__(self, front: Front, folder: Path) -> None:
        super().__init__()
        self.authority = Authority(folder)
        self.files = self.authority.issue("localhost")
        self.folder = folder
        self.front_port, self.https_port = free_port(), free_port()
        self.path = folder / "http"
        options: tuple[str, ...] = ("--trust", "loopback", "--trust", "unix", *front.router_options)
        if front.is_unix:
            options += ("--http", f"unix:{self.path}")
        if front.passes_tls:
            options += ("--https", f"127.0.0.1:{self.https_port}")
            options += ("--tls-cert", self.files.certificate, "--tls-key", self.files.key)
        self.serve(*options, worker_options=("--route", "*"))
        self.worker("tests.e2e.websocket_apps:echo", "echo", "--route", "/ws", cwd=ROOT)
        self.log = (folder / "front.log").open("wb")
        self.front = subprocess.Popen(self._command(front), stdout=self.log, stderr=self.log, env=self._environment())

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)}

    def _command(self, front: Front) -> list[str]:
        config = self.folder / "config"
        text = recipe(front.kind, front.number)
        match front.program:
            case "nginx":
                text = changed(
                    text,
                    ("listen 443 ssl", f"listen 127.0.0.1:{self.front_port} ssl"),
                    ("example.org;", "localhost;"),
                    ("/etc/ssl/example.org.crt", self.files.certificate),
                    ("/etc/ssl/example.org.key", self.files.key),
                    ("127.0.0.1:9000", f"unix:{self.path}" if front.is_unix else f"127.0.0.1:{self.http_port}"),
                )
                own = "".join(
                    f"{name}_temp_path {self.folder}/{name};\n"
                    for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
                )
                config.write_text(
                    f"daemon off; pid {self.folder}/pid; error_log stderr; worker_processes 1;\n"
                    f"events {{}}\nhttp {{ access_log off;\n{own}{text}}}\n"
                )
                # As root it would have its processes be another user's, who may not enter a test's folder.
                user = "user root;" if not os.geteuid() else ""
                return ["nginx", "-p", str(self.folder), "-c", str(config), "-g", user]
            case "caddy":
                text = changed(
                    text,
                    ("example.org {", f"https://localhost:{self.front_port} {{\ntls {' '.join(self.files)}"),
                    ("127.0.0.1:9000", f"unix/{self.path}" if front.is_unix else f"127.0.0.1:{self.http_port}"),
                )
                config.write_text(f"{{\nadmin off\nauto_https off\n}}\n{text}")
                return ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]
        pem = self.folder / "both.pem"
        pem.write_bytes(Path(self.files.certificate).read_bytes() + Path(self.files.key).read_bytes())
        bind = f"bind 127.0.0.1:{self.front_port}"
        if front.passes_tls:
            text = changed(text, ("bind :443", bind), ("127.0.0.1:9443", f"127.0.0.1:{self.https_port}"))
        else:
            text = changed(
                text,
                ("bind :443", bind),
                ("/etc/ssl/example.org.pem", str(pem)),
                ("127.0.0.1:9000", f"127.0.0.1:{self.http_port}"),
            )
        config.write_text(text)
        return ["haproxy", "-db", "-f", str(config)]

    def connect_front(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.front_port), timeout=20, source_address=(SOURCE, 0))

    def dial(self) -> ssl.SSLSocket:
        return self.authority.client().wrap_socket(self.connect_front(), server_hostname="localhost")

    def ask(self, path: str) -> bytes:
        """Another request, beside."""
        with self.dial() as sock:
            client = HttpConnection.over(sock)
            client.get(path)
            return client.read_reply().body

    def wait_front(self) -> None:
        def is_there() -> bool:
            assert self.front.poll() is None, (self.folder / "front.log").read_text()
            with contextlib.suppress(OSError):
                self.dial().close()
                return True
            return False

        wait_for(is_there, "the proxy in front")

    def close(self) -> None:
        if hasattr(self, "front"):
            self.front.terminate()
            self.front.wait(30)
            self.log.close()
        super().close()


@pytest.fixture(scope="module", params=FRONTS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontedSite]:
    front = FRONTS[request.param]
    if shutil.which(front.program) is None:
        pytest.skip(f"no {front.program}")
    made = FrontedSite(front, tmp_path_factory.mktemp(front.program))
    try:
        made.wait_front()
        yield made
    finally:
        made.close()


def test_the_application_hears_who_the_client_is(site: FrontedSite) -> None:
    with site.dial() as sock:
        client = HttpConnection.over(sock)
        client.send(b"GET /inspect HTTP/1.1\r\nhost: localhost:%d\r\n\r\n" % site.front_port)
        seen: Any = json.loads(client.read_reply().body)
        assert seen["client"][0] == SOURCE
        assert seen["scheme"] == "https"
        assert seen["server"] == ["localhost", site.front_port]


def test_bodies_are_what_they_were(site: FrontedSite) -> None:
    with site.dial() as sock:
        client = HttpConnection.over(sock)
        client.post("/inspect", BODY)
        assert json.loads(client.read_reply().body)["body_sha256"] == hashlib.sha256(BODY).hexdigest()
        client.get(f"/download?bytes={len(BODY)}")
        assert client.read_reply().body == bytes(len(BODY))


def test_an_upload_reaches_the_application_as_it_comes(site: FrontedSite) -> None:
    key = f"half{site.front_port}"
    with site.dial() as sock:
        client = HttpConnection.over(sock)
        head = f"POST /upload?after={key} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {2 * len(BODY)}\r\n\r\n"
        client.send(head.encode() + BODY)
        wait_for(lambda: b"upload began" in site.ask("/log"), "the beginning at the application")
        site.ask(f"/signal/{key}")
        client.send(BODY)
        assert client.read_reply().body == b"%d" % (2 * len(BODY))


def test_a_websocket(site: FrontedSite) -> None:
    url = f"wss://localhost:{site.front_port}/ws"
    with connect(url, ssl=site.authority.client(), sock=site.connect_front(), proxy=None) as client:
        for message in ("text", b"binary", "x" * 100_000):
            client.send(message)
            assert client.recv(timeout=20) == message
